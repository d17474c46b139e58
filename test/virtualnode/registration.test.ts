import test from 'ava';
import { createKube } from '../../src/kube/client.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { keepAlive } from '../../src/virtualnode/heartbeat.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { createRegistration } from '../../src/virtualnode/registration.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';
import { virtualNodeSettings } from '../harness/settings.ts';

/** A node whose certificate is signed, in a cluster that answers with this status whatever it asks. */
const refusedWith = (status: number, isNode: boolean) => {
  const clock = new ManualClock();
  const send = transport(createApiServer({ clock, random }));
  let isRefused = true;
  const calls: KubeTransport = async (request) => {
    if (!isRefused) return send(request);
    const reason = status === 403 ? 'Forbidden' : 'Unauthorized';
    const answer = { kind: 'Status', status: 'Failure', reason, code: status, message: `nodes: ${reason}` };
    const refusal = await send({ method: 'GET', path: '/api/v1/nodes/none' });
    return { ...refusal, status, text: () => Promise.resolve(JSON.stringify(answer)) };
  };
  const kube = createKube({ transport: calls, clock, qps: 1e6, burst: 1e6 });
  const log = recordingLog();
  const registration = createRegistration();
  const before = registration.isMissing();
  const stop = new AbortController();
  const { description } = virtualNodeSettings();
  const heart = keepAlive({ kube, clock, log, isNode: () => isNode, registration }, description, stop.signal);
  return {
    clock,
    log,
    registration,
    before,
    name: description.name,
    admin: createKube({ transport: send, clock, qps: 1e6, burst: 1e6 }),
    allow: () => {
      isRefused = false;
    },
    end: async () => {
      stop.abort();
      await heart.ended;
    },
  };
};

test('a node that is known and allowed nothing says that there may be no Node authorizer, and is not ready', async (t) => {
  const node = refusedWith(403, true);
  t.false(node.before, 'a replica that waits for its turn is ready');
  await until(
    'it has said so',
    () => node.log.lines.length,
    (lines) => lines > 0,
  );
  await node.clock.advance(20_000);
  t.is(node.log.lines.length, 1, 'once');
  t.regex(
    JSON.stringify(node.log.lines),
    /error.*could not report: .*nodes: Forbidden.*Node authorizer on.*virtual-node-service-account/,
  );
  t.true(node.registration.isMissing());

  node.allow();
  await until(
    'it is registered',
    async () => {
      await node.clock.advance(5_000);
      return node.registration.isMissing();
    },
    (isMissing) => !isMissing,
  );
  t.truthy(await node.admin.get(VIRTUAL_NODE, { name: node.name }));
  await node.end();
});

for (const [who, status, isNode] of [
  ['a service account that is allowed nothing', 403, false],
  ['a node whose certificate is refused', 401, true],
] as const)
  test(`${who} is told nothing of the Node authorizer`, async (t) => {
    const node = refusedWith(status, isNode);
    await until(
      'it has said so',
      () => node.log.lines.length,
      (lines) => lines > 0,
    );
    t.regex(JSON.stringify(node.log.lines), /warn.*could not report/);
    t.notRegex(JSON.stringify(node.log.lines), /Node authorizer/);
    t.true(node.registration.isMissing());
    await node.end();
  });
