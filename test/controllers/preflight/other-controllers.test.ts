import test from 'ava';
import { ALLOCATED_ADDRESS, POOL_OFF_SINCE } from '../../../src/api/annotations.ts';
import { DEPLOYMENT } from '../../../src/api/apps.ts';
import { CONFIG_MAP, POD } from '../../../src/api/core.ts';
import { createOtherControllers } from '../../../src/controllers/preflight/other-controllers.ts';
import { ACK_EXTEND, OLD_TERWAY, TERWAY_CONFIG } from '../../../src/rules/conflicting-controllers.ts';
import { silentLog, type Log } from '../../../src/lib/log.ts';
import { NEW } from '../podeip/situation.ts';
import { Operating } from '../../harness/operating.ts';

const deployment = (namespace: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: ACK_EXTEND, namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

const pool = (value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: TERWAY_CONFIG, namespace: 'kube-system' },
  data: { eni_conf: `{ "version": "1", "enable_eip_pool": "${value}" }` },
});

const gauge = async (world: Operating): Promise<readonly string[]> =>
  (await world.metrics.render()).body.match(/^knative_eip_other_controllers\{.* 1$/gm) ?? [];

test('beside another controller nothing new is bought, who has an address keeps it, and when it is gone all are served', async (t) => {
  const world = await Operating.create();
  const has = (count: number) => () => world.cloud.eips().length === count;
  await world.runPod('before', NEW);
  t.true((await world.until(has(1), 30_000)) < Infinity);
  t.deepEqual(await gauge(world), []);

  await world.kube.create(DEPLOYMENT, deployment('default'));
  await world.pass(31_000);
  t.deepEqual(await gauge(world), [`knative_eip_other_controllers{name="${ACK_EXTEND}"} 1`]);
  await world.runPod('after', NEW);
  await world.pass(61_000);
  t.is(world.cloud.eips().length, 1);
  t.deepEqual(
    (await world.podEips()).map(({ metadata }) => metadata.name),
    ['before'],
    'not even a PodEIP, which the other controller would take for its own',
  );
  const told = world.events.filter(({ about }) => about.name === 'after');
  t.is(
    told[0]?.note,
    `${ACK_EXTEND} makes EIPs in this cluster for the same annotations, so that the pod would get two; turn the EIP part of ${ACK_EXTEND} off, or uninstall it`,
  );
  t.true(told.every(({ type, reason }) => type === 'Warning' && reason === 'OtherEipController'));

  // A Deployment without replicas does nothing.
  const ref = { namespace: 'default', name: ACK_EXTEND };
  await world.kube.patch(DEPLOYMENT, ref, { type: 'merge', body: { spec: { replicas: 0 } } });
  t.true((await world.until(has(2), 90_000)) < Infinity);
  t.deepEqual(await gauge(world), []);
  await world.stop();
});

test('a process that starts beside the EIP pool of Terway buys nothing, not even at first', async (t) => {
  const world = await Operating.create();
  await world.kube.create(CONFIG_MAP, pool('true'));
  world.kill();
  await world.runPod('a', NEW);
  await world.start();
  await world.pass(120_000);
  t.is(world.cloud.eips().length, 0);
  await world.kube.patch(
    CONFIG_MAP,
    { namespace: 'kube-system', name: TERWAY_CONFIG },
    { type: 'merge', body: pool('false') },
  );
  t.true((await world.until(() => world.cloud.eips().length === 1, 90_000)) < Infinity);
  await world.stop();
});

/** Of every pod of the world. */
const NODE = 'node-1';

/** A pod of Terway's, created when the world's clock says so. */
const terway = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kube-system', labels: { app: 'terway-eniip' } },
  spec: { containers: [{ name: 'terway', image: 'terway' }] },
});
const on = (nodeName: string, name = nodeName) => ({ ...terway(name), spec: { ...terway(name).spec, nodeName } });
const switchedOff = (time: number) => ({
  ...pool('false'),
  metadata: { ...pool('false').metadata, annotations: { [POOL_OFF_SINCE]: new Date(time).toISOString() } },
});

test('a Terway from before the switch holds every process that starts, and the last of its old pods lets it go on', async (t) => {
  let refused: string | undefined;
  const lists: string[] = [];
  const world = await Operating.create({
    refuse: ({ path }) => {
      if (!path.includes('labelSelector=app%20in') && !path.includes('labelSelector=app+in')) return undefined;
      lists.push(path);
      return refused === undefined ? undefined : 403;
    },
  });
  const stands = async () => {
    await world.pass(121_000);
    return [world.cloud.eips().length, ...(await gauge(world))];
  };
  const HELD = [0, `knative_eip_other_controllers{name="${OLD_TERWAY}"} 1`];
  for (const name of ['terway-1', 'terway-2']) await world.kube.create(POD, terway(name));
  await world.pass(60_000);
  world.kill();
  await world.kube.create(CONFIG_MAP, switchedOff(world.clock.now()));
  await world.runPod('a', NEW);

  await world.start();
  t.deepEqual(await stands(), HELD, 'both are old');
  const told = world.events.filter(({ about }) => about.name === 'a');
  t.true(told.length > 0 && told.every(({ reason }) => reason === 'OtherEipController'));
  t.regex(told[0]?.note ?? '', /^Terway from before its EIP pool was switched off makes EIPs .*; restart Terway \(/);
  t.deepEqual(await world.podEips(), []);

  const replace = async (name: string) => {
    const { metadata } = (await world.kube.get(POD, { namespace: 'kube-system', name }))!;
    await world.kube.delete(POD, { namespace: 'kube-system', name }, { uid: metadata.uid });
    await world.kube.create(POD, terway(`${name}-new`));
  };
  await replace('terway-1');
  t.deepEqual(await stands(), HELD, 'one is old');
  world.kill();
  await world.start();
  t.deepEqual(await stands(), HELD, 'one is old, and the process another');
  await replace('terway-2');
  refused = 'pods';
  world.kill();
  await world.start();
  t.deepEqual(await stands(), HELD, 'nobody may say whether one is old');

  refused = undefined;
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  t.deepEqual(await gauge(world), []);
  const { length } = lists;
  await world.pass(300_000);
  t.is(lists.length, length, 'the pods of Terway are not read any more');
  await world.stop();
});

test('a process that starts long after the migration serves a pod that is older than a node that was added, not than its own Terway', async (t) => {
  const world = await Operating.create();
  world.kill();
  await world.kube.create(CONFIG_MAP, switchedOff(world.clock.now()));
  await world.pass(60_000);
  await world.kube.create(POD, on(NODE));
  await world.pass(60_000);
  const copied = { ...NEW, [ALLOCATED_ADDRESS]: '203.0.113.77' };
  await world.runPod('copied', copied);
  await world.pass(60_000);
  await world.kube.create(POD, on('added'));
  await world.start();
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  // Once its own Terway has been replaced, nobody can tell any more, and the person is told what to do.
  world.kill();
  const ref = { namespace: 'kube-system', name: NODE };
  await world.pass(60_000);
  await world.runPod('doubted', copied);
  await world.pass(60_000);
  await world.kube.delete(POD, ref, { uid: (await world.kube.get(POD, ref))!.metadata.uid });
  await world.kube.create(POD, on(NODE, 'its-next'));
  await world.start();
  await world.pass(120_000);
  t.is(world.cloud.eips().length, 1);
  const told = world.events.filter(({ about }) => about.name === 'doubted');
  t.regex(told[0]?.note ?? '', /203\.0\.113\.77 and is older than the pod of Terway on its node.* take the annotation/);
  await world.stop();
});

test('who may not look serves, and the log says what is missing; what was seen once is believed', async (t) => {
  let status: number | undefined = 403;
  const world = await Operating.create({
    refuse: ({ path }) => (/deployments|configmaps/.test(path) ? status : undefined),
  });
  await world.runPod('a', NEW);
  t.true((await world.until(() => world.cloud.eips().length === 1, 30_000)) < Infinity);
  await world.kube.create(DEPLOYMENT, deployment('kube-system'));
  status = undefined;
  await world.pass(31_000);
  status = 500;
  await world.pass(120_000);
  await world.runPod('b', NEW);
  await world.pass(120_000);
  t.is(world.cloud.eips().length, 1);
  await world.stop();
});

test('what may be looked at counts although something else may not, and one answer that fails lets nobody buy', async (t) => {
  let refused: readonly [pattern: RegExp, status: number] = [/configmaps/, 403];
  const world = await Operating.create({
    refuse: ({ path }) => (refused[0].test(path) ? refused[1] : undefined),
  });
  await world.kube.create(DEPLOYMENT, deployment('kube-system'));
  await world.pass(31_000);
  t.deepEqual(await gauge(world), [`knative_eip_other_controllers{name="${ACK_EXTEND}"} 1`]);
  world.kill();
  refused = [/deployments/, 500];
  await world.runPod('a', NEW);
  await world.start();
  await world.pass(5_000);
  t.is(world.cloud.eips().length, 0);
  refused = [/nothing/, 500];
  await world.pass(60_000);
  t.is(world.cloud.eips().length, 0);
  world.kill();
  // But an API server that never says it stops nobody for ever.
  refused = [/deployments/, 500];
  await world.start();
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  await world.stop();
});

test('each change is said once', async (t) => {
  const said: string[] = [];
  const note = (_: object, message: string) => void said.push(message);
  const log: Log = { ...silentLog, error: note, warn: note, info: note };
  const world = await Operating.create();
  const stop = new AbortController();
  const others = createOtherControllers({ kube: world.kube, clock: world.clock, log });
  t.is(others.known(), undefined);
  const running = others.run(stop.signal);
  await others.looked;
  t.deepEqual(others.known(), []);
  await world.kube.create(CONFIG_MAP, pool('true'));
  await world.pass(91_000);
  t.is(said.length, 1, said.join('\n'));
  t.regex(said[0] ?? '', /^the EIP pool of Terway in this cluster would buy EIPs for the same annotations: no new/);
  await world.kube.delete(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }, { uid: await uidOf(world) });
  await world.pass(31_000);
  t.deepEqual(said.slice(1), ['No other controller of EIPs is in the cluster any more: requests are served again']);
  stop.abort();
  await world.pass(31_000);
  await running;
  await world.stop();
});

const uidOf = async (world: Operating): Promise<string> =>
  (await world.kube.get(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }))?.metadata.uid ?? '';
