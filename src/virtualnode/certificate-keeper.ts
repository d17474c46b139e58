import { CERTIFICATE_SIGNING_REQUEST, type CertificateSigningRequest } from '../api/csr.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ServingCertificate } from './certificate.ts';
import {
  answerOf,
  isKey,
  makeKey,
  renewalOf,
  requestName,
  signingRequest,
  validityOf,
  type CertificateSubject,
  type Validity,
} from './signing-request.ts';

/** What is kept from one look to the next. */
export interface Kept {
  /** The certificate in use and its key, PEM. */
  readonly current?: ServingCertificate | undefined;
  /** The key of the certificate that is asked for, PEM. */
  readonly nextKey?: string | undefined;
}

/** Where it is kept. */
export interface CertificateStore {
  read(signal: AbortSignal): Promise<Kept>;
  /** Rejects with a KubeFault of kind `conflict` if somebody else has written since it was read. */
  write(kept: Kept, signal: AbortSignal): Promise<void>;
}

/** How it stands with a certificate. */
export type Standing =
  | { readonly kind: 'issued'; readonly validity: Validity }
  | {
      /** There is a request; `validity` is that of the certificate that is still in use. */
      readonly kind: 'pending' | 'approved' | 'refused';
      readonly request: CertificateSigningRequest;
      /** What an approver or the signer said; empty where nobody said anything. */
      readonly why: string;
      readonly validity: Validity | undefined;
    }
  | {
      /** The API server lets none be made, or none be kept. */
      readonly kind: 'failed';
      /** In the API server's own words. */
      readonly why: string;
      readonly validity: Validity | undefined;
    };

interface CertificateKeeperParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: CertificateStore;
  /** For the requests; `isOurs` is whether there is a certificate that is good. */
  readonly requestor: (isOurs: boolean) => Kube;
  readonly subject: CertificateSubject;
  readonly signer: { readonly signerName: string; readonly usages: readonly string[] };
  /** How long the certificate is asked for, seconds; by default as long as the signer gives. */
  readonly seconds?: number | undefined;
  /** Called with each certificate that is to be used from now on; undefined once there is none that is good. */
  readonly present: (certificate: ServingCertificate | undefined) => void;
  /** What was presented last. */
  readonly inUse: () => ServingCertificate | undefined;
  /** Whether API servers refuse it, which its date does not show. */
  readonly isRefused?: ((certificate: ServingCertificate) => boolean) | undefined;
  /** Called after each look. Resolves to whether all is said that there is to say; otherwise it is called again. */
  readonly tell: (standing: Standing, signal: AbortSignal) => Promise<boolean>;
  /** For the log, for example `of the virtual node`. */
  readonly whose: string;
}

/** Between two looks at a request that nobody has answered, and at a certificate in use; milliseconds. */
const PENDING_MS = 5_000;
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;

/**
 * Has a certificate signed through a CertificateSigningRequest, and a new one before it ends, until the signal aborts.
 * Never rejects. Whenever the process dies, the next one goes on with what the store and the API server have: the key
 * is kept before its request is made, and the name of the request comes from the key.
 */
export const keepCertificate = async (parts: CertificateKeeperParts, signal: AbortSignal): Promise<void> => {
  const { clock, log, whose } = parts;
  let trouble = '';
  const warn = (why: string): void => {
    if (why !== trouble) log.warn({}, `The certificate ${whose} cannot be asked for (retrying): ${why}`);
    trouble = why;
  };
  while (!signal.aborted) {
    let waitMs = RETRY_MS;
    try {
      const standing = await look(parts, signal).catch((error: unknown) => failed(parts, error));
      if (standing.kind === 'failed') warn(standing.why);
      else trouble = '';
      const isSaid = await parts.tell(standing, signal);
      waitMs = isSaid ? pauseAfter(standing, clock.now()) : PENDING_MS;
    } catch (error) {
      if (signal.aborted) return;
      if (!isRace(error)) warn(error instanceof Error ? error.message : String(error));
    }
    await sleepUnlessAborted(clock, waitMs, signal);
  }
};

/** Another replica has written first, or a request of this name was just made: the next look sees it. */
const isRace = (error: unknown): boolean =>
  error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists');

/** What an API server's refusal comes to: a right that is missing, an admission policy, a webhook that fails. */
const failed = ({ subject, inUse, present, isRefused, clock }: CertificateKeeperParts, error: unknown): Standing => {
  // Where there was no answer, no other identity gets one either.
  if (!(error instanceof KubeFault) || error.status === undefined || isRace(error)) throw error;
  const current = inUse();
  const validity = current && isRefused?.(current) !== true ? goodFor({ current }, subject, clock.now()) : undefined;
  present(validity && current);
  const hint =
    error.kind === 'forbidden' ? '; if a right or the Secret is missing: kubectl apply -k config/virtual-node' : '';
  return { kind: 'failed', why: `${error.message}${hint}`, validity };
};

const pauseAfter = (standing: Standing, now: number): number =>
  standing.kind === 'issued' ? Math.max(1_000, Math.min(LOOK_MS, renewalOf(standing.validity) - now)) : PENDING_MS;

const look = async (parts: CertificateKeeperParts, signal: AbortSignal): Promise<Standing> => {
  const { clock, log, store, requestor, subject, signer, present, whose } = parts;
  const read = await store.read(signal);
  // Whoever takes it out of the store wants another one. Until that is there, what is in use has to do, because
  // somebody may have to approve it; it is not put there again.
  const current = read.current ?? parts.inUse();
  const isGood = current && parts.isRefused?.(current) !== true;
  const validity = isGood ? goodFor({ current }, subject, clock.now()) : undefined;
  present(validity && current);
  if (validity && read.current && clock.now() < renewalOf(validity)) return { kind: 'issued', validity };
  const { nextKey = '' } = read;
  const key = isKey(nextKey) ? nextKey : await makeKey();
  if (key !== nextKey) await store.write({ ...read, nextKey: key }, signal);
  const kube = requestor(validity !== undefined);
  const name = requestName(key, signer.signerName, subject);
  const request =
    (await kube.get(CERTIFICATE_SIGNING_REQUEST, { name }, signal)) ?? (await ask(parts, key, kube, signal));
  const answer = answerOf(request);
  if (answer.kind !== 'issued') {
    const why = answer.kind === 'refused' ? answer.why : '';
    return { kind: answer.kind, request, why, validity };
  }
  const issued = { cert: answer.cert, key };
  const begun = validityOf(issued, subject);
  if (!begun) {
    // Somebody has made a request of this name with a key of his own, or the signer changed what was asked for.
    log.error(
      { request: name },
      `The certificate ${whose} that was issued is not the one that was asked for; a new key is made`,
    );
    await store.write({ current: read.current }, signal);
    return { kind: 'refused', request, why: 'the certificate is not the one that was asked for', validity };
  }
  await store.write({ current: issued }, signal);
  present(issued);
  log.info({ request: name, until: new Date(begun.until).toISOString() }, `The certificate ${whose} was issued`);
  return { kind: 'issued', validity: begun };
};

/** When the certificate that is kept is good; undefined if it is not, or not any more. */
const goodFor = ({ current }: Kept, subject: CertificateSubject, now: number): Validity | undefined => {
  const validity = current && validityOf(current, subject);
  return validity && now < validity.until ? validity : undefined;
};

const ask = async (
  { signer, subject, seconds, log, whose }: CertificateKeeperParts,
  key: string,
  kube: Kube,
  signal: AbortSignal,
): Promise<CertificateSigningRequest> => {
  const { signerName, usages } = signer;
  const name = requestName(key, signerName, subject);
  const request = Buffer.from(await signingRequest(key, subject)).toString('base64');
  const made = await kube.create(
    CERTIFICATE_SIGNING_REQUEST,
    {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name, labels: { 'app.kubernetes.io/name': 'knative-eip' } },
      spec: { request, signerName, usages, ...(seconds !== undefined && { expirationSeconds: seconds }) },
    },
    signal,
  );
  log.info({ request: name, signerName }, `A certificate ${whose} was asked for`);
  return made;
};
