import { Agent as PlainAgent, request as requestPlain, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

/*
 * The attacker of flood.test.ts, in a thread of its own, so that it takes no time from the API server and the cloud of
 * the test. Counts what was answered or refused, and says so.
 */

/** What is attacked. */
export interface Flooded {
  readonly ports: Readonly<Record<'health' | 'metrics' | 'page' | 'webhook' | 'kubelet', number>>;
  /** An address that is nobody else's. */
  readonly localAddress: string;
  /** Connections to each port. */
  readonly connections: number;
  /** Connections to the port of health on which nothing is said. */
  readonly idle: number;
}

/** How many requests have ended at each port, however. */
export type FloodCounts = Readonly<Record<keyof Flooded['ports'], number>>;

const PAUSE_MS = 250;
const IDLE_PAUSE_MS = 1_000;
/**
 * Requests on each connection, and how often an idle one comes again that was closed: a flood that went on for as long
 * as the test would take a busy machine for ever.
 */
const ROUNDS = 6;
const TIMEOUT_MS = 20_000;

const { ports, localAddress, connections, idle } = workerData as Flooded;
const counts = { health: 0, metrics: 0, page: 0, webhook: 0, kubelet: 0 };

/** A review as an API server sends it, of a pod as large as API servers take them. */
const largeReview = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'large',
    namespace: 'default',
    operation: 'CREATE',
    userInfo: { username: 'flood' },
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'large', namespace: 'default', annotations: { 'k8s.aliyun.com/eci-with-eip': 'true' } },
      spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value: 'x'.repeat(2 * 1_048_576 - 2_048) }] }] },
    },
  },
});

let number = 0;
const bogus = () => ({ authorization: `Bearer bogus-${(number += 1)}` });

const ASKED: Readonly<Record<keyof FloodCounts, () => { options: RequestOptions; body?: string; isTls: boolean }>> = {
  health: () => ({ options: { path: '/healthz' }, isTls: false }),
  page: () => ({ options: { path: '/api/addresses' }, isTls: false }),
  metrics: () => ({ options: { path: '/metrics', headers: bogus() }, isTls: true }),
  kubelet: () => ({ options: { path: '/containerLogs/default/a/b', headers: bogus() }, isTls: true }),
  webhook: () => {
    const body = (number += 1) % 50 === 0 ? largeReview : '{"request":{}}';
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return { options: { path: '/validate/workloads', method: 'POST', headers }, body, isTls: true };
  },
};

const AGENT = { keepAlive: true, maxSockets: connections, localAddress };

const floodPort = async (what: keyof FloodCounts): Promise<void> => {
  const { isTls } = ASKED[what]();
  const agent = isTls ? new TlsAgent({ ...AGENT, rejectUnauthorized: false }) : new PlainAgent(AGENT);
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      const { options, body } = ASKED[what]();
      const call = (isTls ? requestTls : requestPlain)(
        { host: '127.0.0.1', port: ports[what], agent, timeout: TIMEOUT_MS, ...options },
        (response) => response.resume().on('close', resolve),
      );
      // What is refused, and what gives way to the next one, has been asked all the same.
      call.on('error', () => resolve());
      call.on('timeout', () => call.destroy());
      call.end(body);
    });
  const loop = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await once();
      counts[what] += 1;
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
};

/** Holds a connection open for as long as it is let, and then another one. */
const holdIdle = (times: number): void => {
  if (times === 0) return;
  const socket = connect({ host: '127.0.0.1', port: ports.health, localAddress });
  socket.on('error', () => undefined);
  socket.on('close', () => void sleep(IDLE_PAUSE_MS).then(() => holdIdle(times - 1)));
};

for (let held = 0; held < idle; held += 1) holdIdle(ROUNDS);
for (const what of Object.keys(ports)) void floodPort(what as keyof FloodCounts);
// Another thread, and no window, which the rule is about.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
setInterval(() => parentPort?.postMessage({ ...counts } satisfies FloodCounts), 200);
