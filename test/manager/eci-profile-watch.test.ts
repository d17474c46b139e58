import test, { type ExecutionContext } from 'ava';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Happening, ObjectReference } from '../../src/kube/recorder.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { watchEciProfile } from '../../src/manager/eci-profile-watch.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { configOf } from '../harness/settings.ts';
import { until } from '../harness/until.ts';

const AT = { namespace: 'kube-system', name: 'eci-profile' };
const config = configOf({
  virtualNode: {
    enabled: true,
    eciProfile: true,
    vSwitchIDs: ['vsw-1', 'vsw-2'],
    securityGroupID: 'sg-1',
    resourceGroupID: 'rg-1',
  },
  webhook: { enabled: true },
});

const bench = (t: ExecutionContext) => {
  const server = createApiServer({ clock, random });
  const kube = createKube({ transport: transport(server), clock });
  const log = recordingLog();
  const told: (readonly [ObjectReference, Happening])[] = [];
  const stop = new AbortController();
  const record = (about: ObjectReference, happening: Happening) => void told.push([about, happening]);
  const start = () => {
    const watch = watchEciProfile({ transport: transport(server), clock, random, log, config, record });
    const running = watch.run(stop.signal);
    t.teardown(async () => {
      stop.abort();
      await running;
    });
    return watch;
  };
  const create = (data: Record<string, string>, at = AT) =>
    kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: at, data });
  const write = (data: Record<string, string>) => kube.patch(CONFIG_MAP, AT, { type: 'merge', body: { data } });
  return { server, kube, log, told, start, create, write };
};

test('a broken profile: the one before it holds, each Event says so once, and a new process says that it knows none', async (t) => {
  const { log, told, start, create, write } = bench(t);
  await create(
    { selectors: '[{"name": "wrong", "objectSelector": {"matchLabels": {"a": "b"}}}]' },
    { ...AT, name: 'other' },
  );
  const { metadata } = await create({ selectors: '[{"name": "a"}, {"name": "b"}]' });
  const watch = start();
  t.false(watch.hasSynced());
  t.deepEqual(watch.selectors(), []);
  await until('it is read', watch.hasSynced, Boolean);
  const names = () => watch.selectors().map(({ name }) => name);
  t.deepEqual(names(), ['a', 'b']);
  t.deepEqual(told, []);

  await write({ selectors: '[{"name": "a", "objectselector": {}}]' });
  await until(
    'it is told',
    () => told.length,
    (many) => many === 1,
  );
  t.deepEqual(names(), ['a', 'b']);
  t.true(watch.isBroken());
  t.deepEqual(told[0]?.[0], { apiVersion: 'v1', kind: 'ConfigMap', ...AT, uid: metadata.uid });
  t.like(told[0]?.[1], { type: 'Warning', reason: 'EciProfileBroken' });
  t.regex(told[0]?.[1].note ?? '', /and those before it hold: a, b\. selectors\[0\]: found "objectselector"/);
  t.true(log.lines.some((line) => line.startsWith('error The selectors of kube-system/eci-profile cannot be used')));

  // Another key changes: nothing is said again.
  await write({ enableClusterIp: 'true' });
  const another = start();
  await until('a new process has read it', another.hasSynced, Boolean);
  t.deepEqual(another.selectors(), []);
  t.is(told.length, 2);
  t.regex(told[1]?.[1].note ?? '', /no earlier ones are known to this process, so that nothing is added to pods/);

  await write({ selectors: '[{"name": "c"}]' });
  await until(
    'both have read it',
    () => told.length,
    (many) => many === 4,
  );
  for (const [, happening] of told.slice(2)) t.like(happening, { type: 'Normal', reason: 'EciProfileRead' });
  t.deepEqual(names(), ['c']);
  t.false(watch.isBroken() || another.isBroken());
  t.deepEqual(another.selectors(), watch.selectors());
});

test('a profile that comes later, goes, and comes again broken', async (t) => {
  const { kube, told, start, create } = bench(t);
  const watch = start();
  await until('there is none', watch.hasSynced, Boolean);
  const made = await create({ selectors: '[{"name": "a"}]' });
  await until(
    'it is read',
    () => watch.selectors().length,
    (many) => many === 1,
  );
  await kube.delete(CONFIG_MAP, AT, { uid: made.metadata.uid });
  await until(
    'it is gone',
    () => watch.selectors().length,
    (many) => many === 0,
  );
  await create({ selectors: 'x' });
  await until(
    'it is told',
    () => told.length,
    (many) => many === 1,
  );
  t.regex(told[0]?.[1].note ?? '', /as before, nothing is added to pods/);
});

test('keys for the whole cluster that say something else than the configuration are told, by our names for them', async (t) => {
  const { log, start, create } = bench(t);
  await create({
    enableClusterIp: 'true',
    enableHybridMode: 'false',
    enableLogController: 'true',
    featureGates: 'WaitForFirstConsumer=false',
    vSwitchIds: 'vsw-2, vsw-3',
    securityGroupId: 'sg-1',
    resourceGroupId: '',
    vpcId: 'vpc-of-another',
    selectors: '',
  });
  const watch = start();
  await until('it is read', watch.hasSynced, Boolean);
  t.deepEqual(
    log.lines.filter((line) => line.startsWith('warn')),
    [
      'warn vSwitchIds is vsw-2, vsw-3, and virtualNode.vSwitchIDs of the configuration, which holds, is vsw-1, vsw-2 (the ConfigMap kube-system/eci-profile) {}',
      'warn vpcId is vpc-of-another, and vpcID of the configuration, which holds, is vpc-1 (the ConfigMap kube-system/eci-profile) {}',
      'warn enableLogController is "true", and has no effect here (the ConfigMap kube-system/eci-profile) {}',
    ],
  );
});

test('who may not see it is told what to apply, once, and everything else goes on without it', async (t) => {
  const { server, log, start } = bench(t);
  server.intercept(({ path }) =>
    path.includes('configmaps')
      ? {
          instead: {
            status: 403,
            headers: {},
            body: JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403, message: 'no' }),
          },
        }
      : undefined,
  );
  const watch = start();
  const lines = () => log.lines.filter((line) => line.includes('apply config/virtual-node-eci-profile'));
  await until('it is told', lines, ({ length }) => length > 0);
  t.is(lines().length, 1);
  t.true(watch.hasSynced(), 'nor are the other webhooks held up');
  t.true(watch.isBroken());
  t.deepEqual(watch.selectors(), []);
});
