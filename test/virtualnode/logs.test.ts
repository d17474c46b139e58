import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { NODE_NAME, Stage } from './stage.ts';

/** The reviews of an API server, which the embedded one does not have: `good` may, `weak` is known and may not. */
const reviewing =
  (transport: KubeTransport, asked: unknown[]): KubeTransport =>
  (call) => {
    const isToken = call.path.endsWith('/tokenreviews');
    if (!isToken && !call.path.endsWith('/subjectaccessreviews')) return transport(call);
    const { spec } = JSON.parse(call.body ?? '{}') as { spec: { token?: string; user?: string } };
    if (!isToken) asked.push(spec);
    const status = isToken
      ? { authenticated: ['good', 'weak'].includes(spec.token ?? ''), user: { username: spec.token, groups: ['g'] } }
      : { allowed: spec.user === 'good' };
    const body = JSON.stringify({ metadata: { creationTimestamp: null }, status });
    return Promise.resolve({
      status: 201,
      header: () => undefined,
      text: () => Promise.resolve(body),
      lines: () => (async function* () {})(),
    });
  };

test('kubectl logs: the endpoint serves the output of a container to whoever may read it', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web');
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  const { clock, cloud } = stage;
  cloud.world.writeContainerLog(stage.group?.containerGroupId ?? '', 'main', 'second line');
  const asked: unknown[] = [];
  const write = (line: string) => cloud.world.writeContainerLog(stage.group?.containerGroupId ?? '', 'main', line);
  const { containerGroups } = stage;
  const clusterUid = stage.created[0]?.tags.find(({ key }) => key.endsWith('cluster-uid'))?.value ?? '';
  const endpoint = await serveKubelet(
    {
      kube: createKube({ transport: reviewing(stage.transport, asked), clock, qps: 0 }),
      containerGroups,
      clock,
      random: systemRandom,
      log: silentLog,
    },
    { nodeName: NODE_NAME, clusterUid, listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
  );
  const open = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const call = request({
      host: '127.0.0.1',
      port: endpoint.port,
      path,
      headers,
      agent: false,
      rejectUnauthorized: false,
    });
    const answered = once(call.end(), 'response');
    let isAnswered = false;
    void answered.then(() => {
      isAnswered = true;
    });
    await stage.until(() => isAnswered, 600_000);
    const [response] = (await answered) as [IncomingMessage];
    return response;
  };
  const get = async (path: string, token?: string) => {
    const response = await open(path, token);
    return [response.statusCode, await text(response)];
  };
  const path = '/containerLogs/default/web/main';
  t.deepEqual(await get(path, 'good'), [200, 'started nginx\nsecond line\n']);
  t.like(asked, [
    { user: 'good', groups: ['g'], resourceAttributes: { resource: 'nodes', subresource: 'proxy', name: NODE_NAME } },
  ]);
  t.deepEqual(await get(`${path}?tailLines=1`, 'good'), [200, 'second line\n']);
  t.regex(String((await get(`${path}?tailLines=1&timestamps=true`, 'good'))[1]), /^2026-\S+Z second line\n$/);
  t.is((await get(`${path}?tailLines=many`, 'good'))[0], 400);
  for (const [status, token] of [
    [401, undefined],
    [401, 'unknown'],
    [403, 'weak'],
  ] as const)
    t.is((await get(path, token))[0], status);
  t.deepEqual(await get(`${path}?tailLines=0`, 'good'), [200, '']);
  t.deepEqual(await get(`${path}?previous=true`, 'good'), [
    400,
    'previous terminated container "main" in pod "web" not found',
  ]);
  t.is((await get(`${path}?stream=Stderr`, 'good'))[0], 400);
  for (const other of [
    '/containerLogs/default/web/other',
    '/containerLogs/default/none/main',
    '/exec/default/web/main',
  ])
    t.is((await get(other, 'good'))[0], 404, other);

  const stream = await open(`${path}?follow=true&tailLines=2`, 'good');
  let received = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    received += piece;
  });
  for (const line of ['same second', 'same second', 'another']) write(line);
  await stage.until(() => received.endsWith('another\n'));
  await stage.pass(3_000);
  write('later');
  await stage.until(() => received.endsWith('later\n'));
  t.is(received, 'started nginx\nsecond line\nsame second\nsame second\nanother\nlater\n');
  write('last words');
  cloud.world.changeContainer(stage.group?.containerGroupId ?? '', 'main', { state: 'Terminated' });
  await stage.until(() => stream.complete);
  t.true(received.endsWith('later\nlast words\n'));

  // In the kubelet's words, with the code of which the API server passes the text on.
  const { containerGroupId = '' } = stage.group ?? {};
  const waits = async (change: object) => {
    cloud.world.changeContainer(containerGroupId, 'main', { state: 'Waiting', ...change });
    await stage.pass(6_000);
    return get(path, 'good');
  };
  const waiting = 'container "main" in pod "web" is waiting to start: ';
  t.deepEqual(await waits({ reason: 'CreateContainerConfigError' }), [400, `${waiting}CreateContainerConfigError`]);
  t.deepEqual(await waits({ reason: 'ErrImagePull', message: 'no such image' }), [
    400,
    `${waiting}image can't be pulled: no such image`,
  ]);
  await stage.runPod('held', {}, { hostNetwork: true });
  await stage.until(async () => (await stage.pod('held'))?.status?.reason !== undefined);
  const [status, words] = await get('/containerLogs/default/held/main', 'good');
  t.is(status, 400);
  t.regex(String(words), /^container "main" in pod "held" is waiting to start: UnsupportedByECI: .*spec\.hostNetwork/);
  await endpoint.close();
  await stage.stop();
});
