import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { HostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { selfSigned } from './certificate.ts';
import { followLog } from './follow-log.ts';
import { review } from './token-review.ts';
import { nodeTags, TAG_POD_UID } from './translate/group.ts';
import { WORKLOAD_POD } from './workload-pod.ts';

interface KubeletEndpointParts {
  readonly kube: Kube;
  readonly containerGroups: Pick<ContainerGroups, 'describeContainerGroups' | 'describeContainerLog'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface KubeletEndpointSettings {
  readonly nodeName: string;
  readonly clusterUid: string;
  readonly listen: HostPort;
  /** Under which the API server reaches it; in the certificate. */
  readonly address: string;
  /** PEM of who signs the client certificates of API servers; without it only tokens are known. */
  readonly clientCA?: string | undefined;
}

export interface KubeletEndpoint {
  readonly port: number;
  /** Ends it; connections that are open are cut. */
  close(): Promise<void>;
}

type LogQuery = Parameters<ContainerGroups['describeContainerLog']>[0];

/** ECI API reference, DescribeContainerLog: Tail and LimitBytes. */
const MOST_LINES = 2_000;
const MOST_BYTES = 1_048_576;
/** A request that is not complete by then is cut; milliseconds. */
const REQUEST_MS = 10_000;

/**
 * The part of a kubelet's HTTPS API that the API server asks for `kubectl logs`: /containerLogs. Everything else is
 * 404. Rejects where it cannot listen.
 */
export const serveKubelet = async (
  parts: KubeletEndpointParts,
  settings: KubeletEndpointSettings,
): Promise<KubeletEndpoint> => {
  const { listen, nodeName, address, clientCA } = settings;
  const ending = new AbortController();
  const server = createServer(
    {
      ...(await selfSigned(parts, nodeName, [address])),
      minVersion: 'TLSv1.2',
      requestTimeout: REQUEST_MS,
      // Without an authority every certificate is unknown, and asking for one would only confuse clients.
      ...(clientCA !== undefined && { ca: clientCA, requestCert: true, rejectUnauthorized: false }),
    },
    (request, response) => void answer(parts, settings, { request, response, signal: ending.signal }),
  );
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      ending.abort(new Error('The kubelet endpoint ends.'));
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };

/** Answered with this status and text. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** One request, until it is answered, or the endpoint ends. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

const answer = async (
  parts: KubeletEndpointParts,
  settings: KubeletEndpointSettings,
  { request, response, signal }: Exchange,
): Promise<void> => {
  const send = (status: number, text: string) => {
    // In the middle of a stream nothing can be said any more; that it breaks off says it.
    if (response.headersSent) response.destroy();
    else response.writeHead(status, PLAIN).end(text);
  };
  try {
    const verdict = await review(parts.kube, request, settings.nodeName, signal);
    if (verdict === 401) throw new Refusal(401, 'Unauthorized');
    if (verdict === 403) throw new Refusal(403, 'Forbidden: it takes the verb get on nodes/proxy');
    const logs = await findLogs(parts, settings, request, signal);
    if (!logs.isFollowed) {
      send(200, await logs.read());
      return;
    }
    const leaving = new AbortController();
    response.on('close', () => leaving.abort(new Error('The reader has left.')));
    signal.addEventListener('abort', () => leaving.abort(signal.reason), { once: true, signal: leaving.signal });
    response.writeHead(200, PLAIN).flushHeaders();
    for await (const piece of followLog(logs, logs.hasTimes, parts.clock, leaving.signal)) response.write(piece);
    response.end();
  } catch (error) {
    if (error instanceof Refusal) send(error.status, error.message);
    else if (error instanceof CloudFault || error instanceof KubeFault) send(503, error.message);
    else {
      if (!signal.aborted) parts.log.error({ error }, 'A request to the kubelet endpoint failed');
      send(500, 'The request failed; see the log of the controller');
    }
  }
};

/** Where the output that is asked for comes from. */
interface Logs {
  /** All of it as asked for or, for whoever follows it, with times and all since then. */
  readonly read: (since?: string) => Promise<string>;
  readonly isRunning: () => Promise<boolean>;
  readonly isFollowed: boolean;
  readonly hasTimes: boolean;
}

const findLogs = async (
  { kube, containerGroups }: KubeletEndpointParts,
  { nodeName, clusterUid }: KubeletEndpointSettings,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Logs> => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://kubelet');
  const [, kind, namespace = '', name = '', containerName = '', ...rest] = pathname.split('/').map(decoded);
  if (kind !== 'containerLogs' || containerName === '' || rest.length > 0)
    throw new Refusal(
      404,
      'There is only /containerLogs/{namespace}/{pod}/{container}; ECI pods have no exec, attach or port-forward here',
    );
  if (request.method !== 'GET') throw new Refusal(405, 'Method not allowed');
  const query = queryOf(searchParams);
  const pod = await kube.get(WORKLOAD_POD, { namespace, name }, signal);
  if (pod?.spec.nodeName !== nodeName) throw new Refusal(404, `pod ${namespace}/${name} does not run on this node`);
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  if (!containers.some((container) => container.name === containerName))
    throw new Refusal(404, `pod ${namespace}/${name} has no container ${containerName}`);
  // By its tags: the ID on the pod could be written by anybody who may write the pod.
  const tags = [...nodeTags(clusterUid, nodeName), { key: TAG_POD_UID, value: pod.metadata.uid }];
  const find = async () => (await containerGroups.describeContainerGroups({ tags }, signal))[0];
  const group = await find();
  if (!group) throw new Refusal(404, `pod ${namespace}/${name} has no elastic container instance (any more)`);
  const { containerGroupId } = group;
  const isFollowed = searchParams.get('follow') === 'true' && !query.previous;
  return {
    isFollowed,
    hasTimes: query.timestamps === true,
    isRunning: async () => {
      const { containers = [], initContainers = [] } = (await find()) ?? {};
      const container = [...containers, ...initContainers].find((each) => each.name === containerName);
      return container !== undefined && container.currentState?.state !== 'Terminated';
    },
    read: (since) => {
      const asked = since === undefined ? query : { tail: MOST_LINES, startTime: since };
      const timestamps = isFollowed || query.timestamps;
      return containerGroups.describeContainerLog({ containerGroupId, containerName, ...asked, timestamps }, signal);
    },
  };
};

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, 'The path cannot be read');
  }
};

/** The options of `kubectl logs`, as the API server passes them on (core/v1 PodLogOptions). */
const queryOf = (given: URLSearchParams): Omit<LogQuery, 'containerGroupId' | 'containerName'> => {
  const number = (key: string, most: number): number | undefined => {
    const text = given.get(key);
    if (text === null) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new Refusal(400, `${key}: ${JSON.stringify(text.slice(0, 20))} is no number`);
    return Math.min(Number(text), most);
  };
  const sinceTime = given.get('sinceTime');
  if (sinceTime !== null && Number.isNaN(Date.parse(sinceTime))) throw new Refusal(400, 'sinceTime is no time');
  return {
    tail: Math.max(1, number('tailLines', MOST_LINES) ?? MOST_LINES),
    sinceSeconds: number('sinceSeconds', Number.MAX_SAFE_INTEGER),
    startTime: sinceTime === null ? undefined : new Date(sinceTime).toISOString(),
    timestamps: given.get('timestamps') === 'true',
    limitBytes: number('limitBytes', MOST_BYTES),
    previous: given.get('previous') === 'true',
  };
};
