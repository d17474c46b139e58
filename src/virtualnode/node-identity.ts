import { CERTIFICATE_SIGNING_REQUEST, KUBELET_SIGNERS, nodeUser, type CertificateSigningRequest } from '../api/csr.ts';
import { NODE_CERTIFICATE } from '../api/annotations.ts';
import { createKube } from '../kube/client.ts';
import { UNAUTHORIZED } from '../kube/fault.ts';
import type { Connection } from '../kube/connect.ts';
import type { Kube, KubeTransport, ObjectRef } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ServingCertificate } from './certificate.ts';
import { keepCertificate, type Standing } from './certificate-keeper.ts';
import { inSecret } from './identity-secret.ts';
import { referenceToNode, VIRTUAL_NODE, type VirtualNode } from './node.ts';
import { validityOf, type CertificateSubject } from './signing-request.ts';

interface NodeIdentityParts {
  /** Of the service account. */
  readonly connection: Pick<Connection, 'calls' | 'watches' | 'as'>;
  /** Of the service account, for the Secret, the first request and the condition of the Node. */
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly record: (about: ObjectReference, happening: Happening) => void;
  readonly nodeName: string;
  readonly secret: Required<ObjectRef>;
  /** Whether the service account does the work while there is no certificate. */
  readonly mayUseServiceAccount: boolean;
}

/** The identity `system:node:NAME`, by which the Node authorizer and NodeRestriction bind all rights to the node. */
export interface NodeIdentity {
  /** Requests of the node. They reject while there is no certificate and the service account may not stand in. */
  readonly calls: KubeTransport;
  readonly watches: KubeTransport;
  /**
   * For the heartbeat of the Node, which does not wait for a certificate: while there is none, the service account's.
   * A Node without one is taken for dead, and all its pods are evicted.
   */
  readonly heartbeats: KubeTransport;
  /** Resolves as soon as requests can be sent. */
  readonly usable: Promise<void>;
  /** Whether it runs, and no request can be sent. */
  isWaiting(): boolean;
  /** Whether there is a certificate that is good, so that the requests are the node's. */
  isCertified(): boolean;
  /** When the certificate that was used last ends or ended, milliseconds since 1970; undefined if there was none. */
  certifiedUntil(): number | undefined;
  /** Gets the certificate and renews it, until the signal aborts. To be called while this process leads. */
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A kubelet's is asked for as long as the signer gives, mostly a year. Here the key lies in a Secret. */
const SECONDS = 30 * 24 * 3_600;
/** How long an approval may take before it is told of; csrapproving of the controller manager needs a moment. */
const PATIENCE_MS = 30_000;
/** An API server that has just started may not know the authority yet, and a certificate costs a person's time. */
const REFUSED_MS = 60_000;

export const createNodeIdentity = (parts: NodeIdentityParts): NodeIdentity => {
  const { connection, kube, clock, nodeName, mayUseServiceAccount } = parts;
  const log = parts.log.child({ node: nodeName });
  const usable = Promise.withResolvers<void>();
  let current: ServingCertificate | undefined;
  let last: ServingCertificate | undefined;
  let standsIn = false;
  let isRunning = false;
  const asNode = connection.as(() => {
    if (!current) throw new Error('The virtual node has no certificate');
    return current;
  });
  const refusals = createRefusals(clock, log);
  const node = {
    calls: refusals.watch(asNode.calls, () => current),
    watches: refusals.watch(asNode.watches, () => current),
  };
  const through =
    (ofNode: KubeTransport, ofServiceAccount: KubeTransport): KubeTransport =>
    (request) =>
      !current && standsIn ? ofServiceAccount(request) : ofNode(request);
  const calls = through(node.calls, connection.calls);
  const nodeKube = createKube({ transport: node.calls, clock });
  const subject: CertificateSubject = { nodeName, addresses: [] };
  const isVoid = () => current === undefined && last !== undefined && refusals.isRefused(last);
  const tell = createTeller({ ...parts, log, isVoid });
  /** When it was seen first that there is a request that nobody has answered, or that none can be made. */
  let waitingSince: number | undefined;

  const told = async (standing: Standing, signal: AbortSignal) => {
    const isIssued = standing.kind === 'issued';
    waitingSince = isIssued ? undefined : (waitingSince ?? clock.mono());
    const isLate = standing.kind === 'refused' || clock.mono() - (waitingSince ?? clock.mono()) >= PATIENCE_MS;
    standsIn = mayUseServiceAccount && !current && isLate;
    if (current || standsIn) usable.resolve();
    return isIssued || isLate ? tell(standing, signal) : false;
  };
  return {
    calls,
    watches: through(node.watches, connection.watches),
    heartbeats: (request) => (current ? node.calls : connection.calls)(request),
    usable: usable.promise,
    isWaiting: () => isRunning && current === undefined && !standsIn,
    isCertified: () => current !== undefined,
    certifiedUntil: () => last && validityOf(last, subject)?.until,
    run: (signal) => {
      isRunning = true;
      return keepCertificate(
        {
          clock,
          log,
          store: inSecret(kube, parts.secret),
          // A node may ask for its own next certificate, and mostly gets it without a person.
          requestor: (isOurs) => (isOurs ? nodeKube : kube),
          subject,
          signer: KUBELET_SIGNERS.client,
          seconds: SECONDS,
          present: (certificate) => {
            current = certificate;
            last = certificate ?? last;
            if (current) usable.resolve();
          },
          inUse: () => current,
          isRefused: refusals.isRefused,
          tell: told,
          whose: `of ${nodeUser(nodeName)}`,
        },
        signal,
      );
    },
    close: () => asNode.close(),
  };
};

/**
 * Notices that API servers do not know a certificate (401) whose time is not over: another authority, or the Secret of
 * another cluster. One answer that is something else says that they do.
 */
const createRefusals = (clock: Clock, log: Log) => {
  let refused: { readonly cert: string; readonly since: number } | undefined;
  let given = '';
  return {
    isRefused: ({ cert }: ServingCertificate): boolean => cert === given,
    watch:
      (send: KubeTransport, inUse: () => ServingCertificate | undefined): KubeTransport =>
      async (request) => {
        const { cert = '' } = inUse() ?? {};
        const response = await send(request);
        if (cert === given) return response;
        if (response.status !== UNAUTHORIZED) {
          if (refused?.cert === cert) refused = undefined;
        } else if (refused?.cert !== cert) refused = { cert, since: clock.mono() };
        else if (clock.mono() - refused.since >= REFUSED_MS) {
          given = cert;
          log.error(
            {},
            `API servers have refused the certificate of the node for ${REFUSED_MS / 1_000} s (401), as where their client CA is another one; a new one is asked for, and somebody has to approve it`,
          );
        }
        return response;
      },
  };
};

interface Telling {
  readonly status: 'True' | 'False';
  readonly reason: 'Issued' | 'Pending' | 'Refused';
  readonly message: string;
}

interface TellerParts extends NodeIdentityParts {
  /** Whether API servers refuse the certificate that was used last. */
  readonly isVoid: () => boolean;
}

/** What people are told. The same words for the same, so that it is written once. */
const tellingOf = (standing: Standing, { nodeName, mayUseServiceAccount, isVoid }: TellerParts): Telling => {
  if (standing.kind === 'issued')
    return {
      status: 'True',
      reason: 'Issued',
      message: `the requests of the node are made as ${nodeUser(nodeName)}, until ${time(standing.validity.until)}`,
    };
  const { validity } = standing;
  const meanwhile = validity
    ? `the one in use ends at ${time(validity.until)}`
    : mayUseServiceAccount
      ? 'until then its service account does the work, as far as its roles go'
      : 'until then no pod runs on the node';
  const before = isVoid()
    ? 'API servers have refused the certificate that it had (401), as where their client CA is another one, or the Secret came from another cluster; '
    : '';
  return {
    status: 'False',
    reason: standing.kind === 'refused' || standing.kind === 'failed' ? 'Refused' : 'Pending',
    message: `${before}${problemOf(standing)}; ${meanwhile}`,
  };
};

/** Why there is no certificate, and what to do about it. */
const problemOf = (standing: Exclude<Standing, { readonly kind: 'issued' }>): string => {
  if (standing.kind === 'failed') return `the API server lets none be asked for: ${standing.why}`;
  const { name } = standing.request.metadata;
  return {
    pending: `nobody has approved the request ${name}; look at it (kubectl describe csr ${name}), and approve it: kubectl certificate approve ${name}`,
    approved: `the request ${name} is approved and not signed: kube-controller-manager signs it, where it has --cluster-signing-cert-file or --cluster-signing-kube-apiserver-client-cert-file`,
    refused: `the request ${name} was refused (${standing.why}); delete it, and another one is made: kubectl delete csr ${name}`,
  }[standing.kind];
};

const referenceToRequest = ({ metadata: { name, uid } }: CertificateSigningRequest): ObjectReference => {
  const { group, version, kind } = CERTIFICATE_SIGNING_REQUEST;
  return { apiVersion: `${group}/${version}`, kind, name, uid };
};

const time = (ms: number): string => new Date(ms).toISOString();

/**
 * Says how it stands, when that changes: in the log, by an Event of the request and the Node, and on the Node. Resolves
 * to false while there is no Node to say it on.
 */
const createTeller = (parts: TellerParts) => {
  const { kube, clock, log, record, nodeName } = parts;
  let said = '';
  let saidOnNode = '';
  const showOn = async (node: VirtualNode, telling: Telling, signal: AbortSignal): Promise<void> => {
    const { status, message } = telling;
    const shown = node.status?.conditions?.find(({ type }) => type === NODE_CERTIFICATE);
    if (shown?.status === status && shown.message === message) return;
    const at = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
    const since = shown?.status === status ? shown.lastTransitionTime : at;
    const condition = { type: NODE_CERTIFICATE, ...telling, lastHeartbeatTime: at, lastTransitionTime: since };
    const body = { metadata: { uid: node.metadata.uid }, status: { conditions: [condition] } };
    await kube.patch(VIRTUAL_NODE, { name: nodeName }, { type: 'strategic', subresource: 'status', body }, signal);
  };
  return async (standing: Standing, signal: AbortSignal): Promise<boolean> => {
    const { status, reason, message } = tellingOf(standing, parts);
    const request = standing.kind === 'issued' || standing.kind === 'failed' ? undefined : standing.request;
    const note = `The virtual node has no certificate of its own: ${message}`;
    const happening: Happening = {
      type: 'Warning',
      reason: `NodeCertificate${reason}`,
      action: 'RequestCertificate',
      note,
    };
    const isNew = said !== message && standing.kind !== 'issued';
    if (isNew) log[reason === 'Refused' ? 'error' : 'warn']({ request: request?.metadata.name }, note);
    if (isNew && request) record(referenceToRequest(request), happening);
    said = message;
    const node = await kube.get(VIRTUAL_NODE, { name: nodeName }, signal);
    if (node && saidOnNode !== message && standing.kind !== 'issued') record(referenceToNode(node), happening);
    if (node) saidOnNode = message;
    if (node) await showOn(node, { status, reason, message }, signal);
    return node !== undefined;
  };
};
