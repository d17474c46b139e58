import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { Kube } from '../../src/kube/port.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';

const NODE_NAME = 'virtual-1';
const pod = (nodeName: string) => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1' },
  spec: { nodeName, containers: [{ name: 'main', image: 'nginx' }] },
});

/** An endpoint on an API server and a cloud that count, and whose reviews end when they are let. */
const endpointOn = async () => {
  const clock = new ManualClock();
  const log = recordingLog();
  const asked = { reviews: 0, gets: 0, cloud: 0 };
  let gate: Promise<void> = Promise.resolve();
  const kube = {
    create: async (resource: { kind: string }, { spec }: { spec: { token?: string; user?: string } }) => {
      asked.reviews += 1;
      await gate;
      return resource.kind === 'TokenReview'
        ? { status: { authenticated: spec.token === 'good', user: { username: spec.token } } }
        : { status: { allowed: true } };
    },
    get: (_: unknown, { name }: { name: string }) => {
      asked.gets += 1;
      return Promise.resolve(name === 'web' ? pod(NODE_NAME) : name === 'away' ? pod('node-1') : undefined);
    },
  } as unknown as Kube;
  const containerGroups = {
    describeContainerGroups: () => {
      asked.cloud += 1;
      return Promise.resolve([]);
    },
    execContainerCommand: () => Promise.reject(new Error('no commands here')),
    describeContainerLog: () => Promise.resolve(''),
    describeContainerGroupMetrics: () => Promise.resolve([]),
  };
  const endpoint = await serveKubelet(
    { kube, containerGroups, clock, random: systemRandom, log: { ...silentLog, ...log } },
    { nodeName: NODE_NAME, clusterUid: 'c', listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 20, rejectUnauthorized: false });
  const get = async (path: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const call = request({ host: '127.0.0.1', port: endpoint.port, path, headers, agent });
    const [response] = (await once(call.end(), 'response')) as [IncomingMessage];
    await text(response);
    return response.statusCode ?? 0;
  };
  return {
    port: endpoint.port,
    clock,
    log,
    asked,
    get,
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    close: async () => {
      agent.destroy();
      await endpoint.close();
    },
  };
};
const LOGS = '/containerLogs/default/web/main';

test('a flood of tokens waits for itself: few are asked about at once, none twice, and who is known is answered meanwhile', async (t) => {
  const { asked, get, hold, close, clock } = await endpointOn();
  t.is(await get(LOGS, 'good'), 400, 'allowed; there is no instance');
  t.is(asked.reviews, 2);
  const release = hold();
  const flood = Array.from({ length: 20 }, (_, n) => get(LOGS, `bogus-${n}`));
  const busy = await Promise.race(flood);
  t.is(busy, 503);
  t.is(await get(LOGS, 'good'), 400, 'remembered');
  t.true(asked.reviews <= 2 + 8, `${asked.reviews} reviews`);
  release();
  t.true((await Promise.all(flood)).every((status) => status === 401 || status === 503));
  const before = asked.reviews;
  t.is(await get(LOGS, 'bogus-0'), 401);
  t.true(asked.reviews - before <= 1);
  const again = asked.reviews;
  for (let n = 0; n < 10; n += 1) await get(LOGS, 'bogus-0');
  t.is(asked.reviews, again, 'a refusal is remembered');
  await clock.advance(11_000);
  await get(LOGS, 'bogus-0');
  t.is(asked.reviews, again + 1);
  await close();
});

test('what is not there is not looked for each time, and other paths are looked up for nobody', async (t) => {
  const { asked, get, close, clock, log } = await endpointOn();
  for (const path of [
    '//',
    '/',
    '/exec/a/b/c',
    `${LOGS}/x`,
    '/containerLogs/../metric',
    '/metrics/none',
    '/containerLogs//a/b/c/d',
  ])
    t.is(await get(path), 404, path);
  t.deepEqual(asked, { reviews: 0, gets: 0, cloud: 0 });
  t.deepEqual(log.lines, [], 'no line for each');
  t.is(await get(LOGS), 401);
  for (const path of ['/containerLogs/default/none/main', '/containerLogs/default/away/main', LOGS, `${LOGS}-2`]) {
    // The pod is there, and waits for its instance.
    const status = path === LOGS ? 400 : 404;
    t.is(await get(path, 'good'), status, path);
    const { gets, cloud } = asked;
    for (let n = 0; n < 5; n += 1) t.is(await get(path, 'good'), status, path);
    t.deepEqual([asked.gets, asked.cloud], [gets, cloud], path);
  }
  t.is(asked.cloud, 1, 'for the pod that is there alone');
  await clock.advance(6_000);
  await get(LOGS, 'good');
  t.is(asked.cloud, 2);
  await close();
});

test('closing the endpoint closes who has connected and said nothing', async (t) => {
  const { port, get, close } = await endpointOn();
  const silent = connect(port, '127.0.0.1');
  await once(silent, 'connect');
  t.is(await get('/pods'), 401, 'by then the first one has been accepted');
  const closed = once(silent.resume(), 'close');
  await close();
  await closed;
  t.pass();
});
