import { CERTIFICATE_SIGNING_REQUEST, type CertificateSigningRequest } from '../api/certificates.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
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
  while (!signal.aborted) {
    let waitMs = RETRY_MS;
    try {
      const standing = await look(parts, signal);
      const isSaid = await parts.tell(standing, signal);
      waitMs = isSaid ? pauseAfter(standing, clock.now()) : PENDING_MS;
      trouble = '';
    } catch (error) {
      if (signal.aborted) return;
      // Another replica has written first, or a request of this name was just made: the next look sees it.
      const isRace = error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists');
      const message = error instanceof Error ? error.message : String(error);
      const hint = error instanceof KubeFault && error.kind === 'forbidden' ? '; apply config/virtual-node' : '';
      if (!isRace && message !== trouble)
        log.warn({}, `The certificate ${whose} cannot be asked for${hint} (retrying): ${message}`);
      trouble = isRace ? '' : message;
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
};

const pauseAfter = (standing: Standing, now: number): number =>
  standing.kind === 'issued' ? Math.max(1_000, Math.min(LOOK_MS, renewalOf(standing.validity) - now)) : PENDING_MS;

const look = async (parts: CertificateKeeperParts, signal: AbortSignal): Promise<Standing> => {
  const { clock, log, store, requestor, subject, signer, present, whose } = parts;
  const read = await store.read(signal);
  // What is in use is not given up because somebody deleted the Secret: nobody might approve another one for days. What
  // is refused is not put there again.
  const isGood = (certificate: ServingCertificate | undefined) =>
    certificate && parts.isRefused?.(certificate) !== true;
  const inUse = parts.inUse();
  const kept = { ...read, current: read.current ?? (isGood(inUse) ? inUse : undefined) };
  const validity = isGood(kept.current) ? goodFor(kept, subject, clock.now()) : undefined;
  if (validity && !read.current) await store.write(kept, signal);
  present(validity && kept.current);
  if (validity && clock.now() < renewalOf(validity)) return { kind: 'issued', validity };
  const { nextKey = '' } = kept;
  const key = isKey(nextKey) ? nextKey : await makeKey();
  if (key !== nextKey) await store.write({ ...kept, nextKey: key }, signal);
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
    await store.write({ current: kept.current }, signal);
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
