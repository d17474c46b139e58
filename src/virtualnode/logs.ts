import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { HostPort } from '../lib/address.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { HANDSHAKE_MS, limitConnections } from '../web/connections.ts';
import { Absences } from './absences.ts';
import { selfSigned, type ServingCertificate } from './certificate.ts';
import { createEndpointAuthorizer } from './endpoint-access.ts';
import { followLog } from './follow-log.ts';
import { decodedSegment, Refusal, refusalOfLog } from './kubelet-refusal.ts';
import { callOf, logOptionsOf, readLog, type LogCall, type PodLogOptions } from './log-query.ts';
import type { VirtualNodeMetrics } from './metrics.ts';
import { createNodeRoutes } from './node-routes.ts';
import { NodeUsageReader, type PodInstance } from './node-usage.ts';
import { serveStreams } from './streaming/serve-streams.ts';
import { nodeTags, TAG_POD_UID } from './translate/group.ts';
import { WORKLOAD_POD } from './workload-pod.ts';

interface KubeletEndpointParts {
  readonly kube: Kube;
  readonly containerGroups: Pick<
    ContainerGroups,
    'describeContainerGroups' | 'describeContainerLog' | 'describeContainerGroupMetrics' | 'execContainerCommand'
  >;
  /** Every pod of the node that has an instance, as it was described last. By default none. */
  readonly instances?: (() => readonly PodInstance[]) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Pick<VirtualNodeMetrics, 'session'> | undefined;
}

export interface KubeletEndpointSettings {
  readonly nodeName: string;
  readonly clusterUid: string;
  readonly listen: HostPort;
  /** The address at which the API server reaches the endpoint; part of the certificate. */
  readonly address: string;
  /** PEM of the authority that signs the client certificates of API servers; without it only tokens are accepted. */
  readonly clientCA?: string | undefined;
  /**
   * Reads the certificate to serve with, which may be renewed at any time. While there is none the process serves with
   * one that it makes.
   */
  readonly certificate?: (() => ServingCertificate | undefined) | undefined;
  /** Has the function called when there is another one; without it, it is looked for from time to time. */
  readonly renewed?: ((listener: () => void) => void) | undefined;
}

export interface KubeletEndpoint {
  readonly port: number;
  /** Closes the endpoint and all open connections. */
  close(): Promise<void>;
}

/** Interval between two looks at the files of the certificate, milliseconds. */
const CERTIFICATE_MS = 60_000;
/** Time limit for receiving a request, milliseconds. */
const REQUEST_MS = 10_000;
/** Who reads logs are API servers, of which there are few, with a connection for each reader. */
const CONNECTIONS = { perAddress: 64, inAll: 256, handshakesPerAddress: 4 };
/** Readers that follow at once; each asks the cloud every second or two. */
const MOST_FOLLOWERS = 32;

/**
 * Serves a kubelet's HTTPS API: /containerLogs for `kubectl logs`, and what is said of the node and its pods (see
 * node-routes.ts). All other paths are 404. Rejects if it cannot listen.
 */
export const serveKubelet = async (
  parts: KubeletEndpointParts,
  settings: KubeletEndpointSettings,
): Promise<KubeletEndpoint> => {
  const { listen, nodeName, address, clientCA } = settings;
  const ending = new AbortController();
  const state: EndpointState = {
    admit: createEndpointAuthorizer(parts.kube, parts.clock, nodeName),
    nodeRoutes: routesOf(parts, settings),
    absences: new Absences(parts.clock),
    followers: 0,
  };
  // Without an authority no certificate could be verified, and requesting one would only confuse clients.
  const clients = clientCA !== undefined && { ca: clientCA, requestCert: true, rejectUnauthorized: false };
  const first = settings.certificate?.() ?? (await selfSigned(parts, nodeName, [address]));
  const server = createServer(
    {
      ...first,
      ...clients,
      minVersion: 'TLSv1.2',
      requestTimeout: REQUEST_MS,
      handshakeTimeout: HANDSHAKE_MS,
    },
    (request, response) => void answer(parts, settings, { request, response, state, signal: ending.signal }),
  );
  serveStreams(server, { ...parts, nodeName, clusterUid: settings.clusterUid }, ending.signal);
  const connections = limitConnections(server, CONNECTIONS, parts.clock);
  void renewCertificate(parts, settings, { first, signal: ending.signal }, (certificate) =>
    server.setSecureContext({ ...certificate, ...clients }),
  );
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      ending.abort(new Error('The kubelet endpoint ends.'));
      server.close();
      connections.closeAll();
      await once(server, 'close');
    },
  };
};

/** Presents each new certificate that the files have; one that cannot be used is told of, and the old one stays. */
const renewCertificate = async (
  { clock, log }: KubeletEndpointParts,
  { certificate, renewed, listen }: KubeletEndpointSettings,
  { first, signal }: { readonly first: ServingCertificate; readonly signal: AbortSignal },
  present: (certificate: ServingCertificate) => void,
): Promise<void> => {
  let known = JSON.stringify(first);
  let isFailing = false;
  if (!certificate) return;
  let nap = new AbortController();
  renewed?.(() => nap.abort());
  while (!signal.aborted) {
    await sleepUnlessAborted(clock, CERTIFICATE_MS, AbortSignal.any([nap.signal, signal]));
    nap = new AbortController();
    if (signal.aborted) return;
    try {
      const found = certificate();
      const isNew = found !== undefined && JSON.stringify(found) !== known;
      if (isNew) present(found);
      known = found === undefined ? known : JSON.stringify(found);
      if (isNew) log.info(listen, 'The kubelet endpoint has a new certificate');
      isFailing = false;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!isFailing)
        log.warn(listen, `The kubelet endpoint keeps its certificate, for the new one is not usable: ${message}`);
      isFailing = true;
    }
  }
};

const routesOf = (parts: KubeletEndpointParts, { nodeName, listen }: KubeletEndpointSettings) => {
  const { instances = () => [], clock } = parts;
  const usage = new NodeUsageReader({ ...parts, instances });
  return createNodeRoutes({ ...parts, usage, instances }, { nodeName, listen, startedAt: clock.now() });
};

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };

/** What the requests have in common. */
interface EndpointState {
  readonly admit: ReturnType<typeof createEndpointAuthorizer>;
  readonly nodeRoutes: ReturnType<typeof createNodeRoutes>;
  readonly absences: Absences;
  followers: number;
}

/** One request, until it is answered or the endpoint is closed. */
interface Exchange {
  readonly state: EndpointState;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

const answer = async (
  parts: KubeletEndpointParts,
  settings: KubeletEndpointSettings,
  { request, response, state, signal }: Exchange,
): Promise<void> => {
  const send = (status: number, text: string) => {
    // An answer that has begun cannot report an error except by breaking off.
    if (response.headersSent) response.destroy();
    else response.writeHead(status, PLAIN).end(text);
  };
  try {
    // Before anybody is asked: other paths are nothing that an API server has to look up.
    const url = urlOf(request);
    const wanted = state.nodeRoutes.get(url.pathname) ?? wantedBy(url);
    if (request.method !== 'GET') throw new Refusal(405, 'Method not allowed');
    await state.admit(request, url.pathname, signal);
    if (typeof wanted !== 'function') {
      await sendLog(parts, settings, wanted, { request, response, state, signal });
      return;
    }
    const { contentType, body } = await wanted({ query: url.searchParams, signal });
    response.writeHead(200, { 'content-type': contentType }).end(body);
  } catch (error) {
    if (error instanceof Refusal) send(error.status, error.message);
    else if (error instanceof CloudFault || error instanceof KubeFault) send(503, error.message);
    else {
      if (!signal.aborted) parts.log.error({ error }, 'A request to the kubelet endpoint failed');
      send(500, 'The request failed; see the log of the controller');
    }
  }
};

const sendLog = async (
  parts: KubeletEndpointParts,
  settings: KubeletEndpointSettings,
  wanted: Wanted,
  { response, state, signal }: Exchange,
): Promise<void> => {
  const logs = await findLogs({ ...parts, absences: state.absences }, settings, wanted, signal);
  const { options } = wanted;
  if (!options.follow || options.previous) {
    const text = await readLog(logs.read, options);
    response.writeHead(200, PLAIN).end(text);
    return;
  }
  const leaving = new AbortController();
  response.on('close', () => leaving.abort(new Error('The reader has left.')));
  signal.addEventListener('abort', () => leaving.abort(signal.reason), { once: true, signal: leaving.signal });
  if (state.followers >= MOST_FOLLOWERS) throw new Refusal(429, `There are ${MOST_FOLLOWERS} followers already`);
  state.followers += 1;
  try {
    response.writeHead(200, PLAIN).flushHeaders();
    await follow(logs, options, { response, clock: parts.clock, signal: leaving.signal });
    response.end();
  } finally {
    state.followers -= 1;
  }
};

/** The output of a container that was found. */
interface Logs {
  readonly read: (call: LogCall) => Promise<string>;
  readonly isRunning: () => Promise<boolean>;
}

/** Writes what a container says until it ends, the reader leaves, or he has as many bytes as he wants. */
const follow = async (
  { read, isRunning }: Logs,
  options: PodLogOptions,
  { response, clock, signal }: { response: ServerResponse; clock: Clock; signal: AbortSignal },
): Promise<void> => {
  const call = callOf({ ...options, tail: undefined, limitBytes: undefined, timestamps: true });
  const source = {
    isRunning,
    read: (since: string | undefined) =>
      read(since === undefined ? call : { ...call, sinceSeconds: undefined, startTime: since }),
  };
  let left = options.limitBytes ?? Infinity;
  for await (const piece of followLog(source, options, clock, signal)) {
    const bytes = Buffer.from(piece);
    response.write(bytes.length <= left ? bytes : bytes.subarray(0, left));
    left -= bytes.length;
    if (left <= 0) return;
  }
};

/** What a request asks for. */
interface Wanted {
  readonly namespace: string;
  readonly name: string;
  readonly containerName: string;
  readonly options: PodLogOptions;
}

const urlOf = ({ url = '' }: IncomingMessage): URL => {
  const parsed = url.startsWith('/') ? URL.parse(`https://kubelet${url}`) : null;
  if (!parsed) throw new Refusal(404, 'page not found');
  return parsed;
};

const wantedBy = (parsed: URL): Wanted => {
  const [, kind, namespace = '', name = '', containerName = '', ...rest] = parsed.pathname
    .split('/')
    .map(decodedSegment);
  if (kind !== 'containerLogs' || containerName === '' || rest.length > 0)
    throw new Refusal(
      404,
      'There is only /containerLogs/{namespace}/{pod}/{container}, and by SPDY/3.1 or WebSocket /exec and /portForward',
    );
  return { namespace, name, containerName, options: logOptionsOf(parsed.searchParams) };
};

const findLogs = async (
  { kube, containerGroups, absences }: KubeletEndpointParts & Pick<EndpointState, 'absences'>,
  { nodeName, clusterUid }: KubeletEndpointSettings,
  { namespace, name, containerName, options: { previous } }: Wanted,
  signal: AbortSignal,
): Promise<Logs> => {
  const key = JSON.stringify([namespace, name, containerName, previous]);
  const absent = (refusal: Refusal): Refusal => {
    absences.note(key, refusal);
    return refusal;
  };
  const known = absences.of(key);
  if (known) throw known;
  const pod = await kube.get(WORKLOAD_POD, { namespace, name }, signal);
  if (pod?.spec.nodeName !== nodeName) throw absent(new Refusal(404, 'pod does not exist'));
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  if (!containers.some((container) => container.name === containerName))
    throw absent(
      new Refusal(404, `container ${JSON.stringify(containerName)} not found in pod ${JSON.stringify(name)}`),
    );
  // Found by its tags: anybody who may write the pod could put another instance's ID there.
  const tags = [...nodeTags(clusterUid, nodeName), { key: TAG_POD_UID, value: pod.metadata.uid }];
  const find = async () => (await containerGroups.describeContainerGroups({ tags }, signal))[0];
  const group = await find();
  const refusal = refusalOfLog({ pod, containerName, group, previous });
  if (refusal) throw absent(refusal);
  const { containerGroupId = '' } = group ?? {};
  return {
    isRunning: async () => {
      const { containers = [], initContainers = [] } = (await find()) ?? {};
      const container = [...containers, ...initContainers].find((each) => each.name === containerName);
      return container !== undefined && container.currentState?.state !== 'Terminated';
    },
    read: (call) => containerGroups.describeContainerLog({ containerGroupId, containerName, ...call }, signal),
  };
};
