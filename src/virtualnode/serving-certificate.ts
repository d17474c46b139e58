import { KUBELET_SIGNERS } from '../api/csr.ts';
import type { Kube } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ServingCertificate } from './certificate.ts';
import { keepCertificate, type Standing } from './certificate-keeper.ts';
import { inMemory } from './identity-secret.ts';
import { referenceToNode, VIRTUAL_NODE } from './node.ts';

interface ServingCertificateParts {
  /** Acts as the node: only nodes get such a certificate. */
  readonly kube: Kube;
  /** Whether it does at the moment. */
  readonly isCertified: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly record: (about: ObjectReference, happening: Happening) => void;
  readonly nodeName: string;
  /** The IP address at which API servers reach the endpoint. */
  readonly address: string;
}

/** The certificate of the kubelet endpoint, as somebody has approved it. */
interface RequestedCertificate {
  /** Undefined until it is issued. */
  readonly certificate: () => ServingCertificate | undefined;
  /** Has the function called whenever there is another one. */
  readonly renewed: (listener: () => void) => void;
  /** Gets the certificate and renews it, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** How long nobody need have approved a request before it is told of, milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * Asks for a serving certificate of the signer kubernetes.io/kubelet-serving. It is kept in memory, because it is about
 * the address of this process: the next one has another.
 */
export const requestServingCertificate = (parts: ServingCertificateParts): RequestedCertificate => {
  const { kube, isCertified, clock, nodeName, address } = parts;
  const log = parts.log.child({ node: nodeName });
  const listeners: (() => void)[] = [];
  let current: ServingCertificate | undefined;
  const tell = createTeller({ ...parts, log });
  return {
    certificate: () => current,
    renewed: (listener) => void listeners.push(listener),
    run: (signal) =>
      keepCertificate(
        {
          clock,
          log,
          store: inMemory(),
          requestor: () => {
            if (isCertified()) return kube;
            throw new Error('the virtual node has no certificate of its own yet, and only a node gets one');
          },
          subject: { nodeName, addresses: [address] },
          signer: KUBELET_SIGNERS.serving,
          present: (certificate) => {
            if (current?.cert === certificate?.cert) return;
            current = certificate;
            for (const listener of listeners) listener();
          },
          inUse: () => current,
          tell,
          whose: 'of the kubelet endpoint',
        },
        signal,
      ),
  };
};

/** Says once of each request that somebody has to do something. */
const createTeller = ({ kube, clock, log, record, nodeName, address }: ServingCertificateParts) => {
  let waiting: { readonly name: string; readonly since: number } | undefined;
  let said = '';
  return async (standing: Standing, signal: AbortSignal): Promise<boolean> => {
    if (standing.kind === 'issued') return true;
    const name = standing.kind === 'failed' ? 'none' : standing.request.metadata.name;
    if (waiting?.name !== name) waiting = { name, since: clock.mono() };
    if (standing.kind !== 'refused' && clock.mono() - waiting.since < PATIENCE_MS) return false;
    const problem = {
      pending: `nobody has approved the request ${name} for ${address}; Kubernetes approves none by itself: kubectl certificate approve ${name}, or let an approver do it`,
      approved: `the request ${name} is approved and not signed`,
      refused: `the request ${name} was refused (${standing.why})`,
      failed: `the API server lets none be asked for: ${standing.why}`,
    }[standing.kind];
    const note = `The kubelet endpoint has no certificate that API servers can check: ${problem}`;
    if (note === said) return true;
    said = note;
    log.warn({ request: name }, note);
    const node = await kube.get(VIRTUAL_NODE, { name: nodeName }, signal);
    if (node)
      record(referenceToNode(node), {
        type: 'Warning',
        reason:
          standing.kind === 'refused' || standing.kind === 'failed'
            ? 'ServingCertificateRefused'
            : 'ServingCertificatePending',
        action: 'RequestCertificate',
        note,
      });
    return true;
  };
};
