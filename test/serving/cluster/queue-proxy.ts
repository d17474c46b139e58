import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryProbe } from './probe.ts';
import { createRequestStats, encodeStat } from './stats.ts';

/**
 * Ports and words of queue-proxy. Sources: knative/serving pkg/networking/constants.go, pkg/queue, knative/networking
 * pkg/http/header.
 */
const REQUEST_PORT = 8012;
const METRICS_PORT = 9090;
const PROBE_HEADER = 'k-network-probe';
const PROXY_HEADER = 'k-proxy-request';
const NAME = 'queue';
const PROTOBUF = 'application/protobuf';

/** What the application says of itself to every request. */
export interface Answer {
  readonly pod: string;
  readonly uid: string;
  readonly revision: string;
  /** The pod's public address, by its annotation at that moment. */
  readonly address?: string | undefined;
}

export interface ServedOptions {
  readonly ip: string;
  readonly podName: string;
  readonly userPort: number;
  readonly describe: () => Promise<Answer>;
}

/** Containers of a pod of Knative's that run. */
export interface Served {
  /**
   * Drains as queue-proxy does: serves on for so long, and until the last request is answered, but says to probes that
   * it ends. Resolves when both containers have ended.
   */
  readonly drain: (atLeastMs: number) => Promise<void>;
  readonly kill: () => Promise<void>;
}

const listen = async (host: string, port: number, handler: RequestListener) => {
  // As Go's servers: a connection that a client keeps is not ended under its hands.
  const server = createServer({ keepAliveTimeout: 600_000 }, handler);
  server.listen(port, host);
  await once(server, 'listening');
  return async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
};

/** How long the application takes to answer: `?takes=1500`, milliseconds. */
const takesMs = ({ url = '/' }: IncomingMessage): number =>
  Number(new URL(url, 'http://pod').searchParams.get('takes') ?? 0);

/**
 * Stand-in for queue-proxy and the user's container behind it: HTTP on the pod's own address, probes, and the numbers
 * that the autoscaler scrapes.
 */
export const servePod = async ({ ip, podName, userPort, describe }: ServedOptions): Promise<Served> => {
  const stats = createRequestStats(podName);
  let draining = false;

  const user = await listen(ip, userPort, (_, response) => response.end('hello\n'));
  const isUserUp = () => tryProbe({ tcpSocket: { port: userPort } }, { name: 'user-container', image: '' }, ip);

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const probe = request.headers[PROBE_HEADER];
    if (probe !== undefined) {
      const passes = probe === NAME && !draining && (await isUserUp());
      response.writeHead(passes ? 200 : 503).end(passes ? NAME : '');
      return;
    }
    const end = stats.begin(request.headers[PROXY_HEADER] !== undefined);
    try {
      await sleep(takesMs(request));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(await describe()));
    } finally {
      end();
    }
  };
  const queue = await listen(ip, REQUEST_PORT, (request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const metrics = await listen(ip, METRICS_PORT, (_, response) => {
    response.writeHead(200, { 'content-type': PROTOBUF }).end(encodeStat(stats.latest()));
  });

  let killed: Promise<unknown> | undefined;
  const kill = async () => {
    stats.stop();
    await (killed ??= Promise.all([user(), queue(), metrics()]));
  };
  return {
    drain: async (atLeastMs) => {
      draining = true;
      await sleep(atLeastMs);
      while (stats.inFlight() > 0) await sleep(20);
      await kill();
    },
    kill,
  };
};
