import test from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { EIP_USAGE } from '../../src/api/eippolicy.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EXISTING, NEW } from '../controllers/podeip/situation.ts';
import { Operating } from '../harness/operating.ts';

const readyOf = async (world: Operating, name: string) => {
  const podEip = (await world.podEips()).find(({ metadata }) => metadata.name === name);
  return podEip?.status?.conditions?.find(({ type }) => type === 'Ready');
};
const isReady = (world: Operating, name: string) => async (): Promise<boolean> =>
  (await readyOf(world, name))?.status === 'True';
const says = (world: Operating, name: string, reason: string) => async (): Promise<boolean> =>
  (await readyOf(world, name))?.reason === reason;

test('a pod waits for the place of another of its namespace, and gets it when that one has given it back', async (t) => {
  const world = await Operating.create({ policies: { few: { limits: { eips: 1 } } } });
  await world.runPod('a', NEW);
  t.true((await world.until(isReady(world, 'a'), 30_000)) < Infinity);
  await world.runPod('b', NEW);
  t.true((await world.until(says(world, 'b', 'QuotaOfNamespaceExceeded'), 30_000)) < Infinity);
  t.is(
    (await readyOf(world, 'b'))?.message,
    'this namespace may hold 1 EIPs at once and holds 1 (EipPolicy few); it goes on when another pod of the namespace gives its EIP back; ask an operator for a higher limit',
  );
  t.true(world.events.some(({ reason, about }) => reason === 'QuotaOfNamespaceExceeded' && about.name === 'b'));
  await world.endPod('a');
  // Nobody waits for the next look: it is told when the other one has gone.
  t.true((await world.until(isReady(world, 'b'), 30_000)) < 25_000);
  t.deepEqual(
    world.cloud
      .ledger()
      .map(({ action }) => action)
      .filter((action) => /^(Allocate|Release)/.test(action)),
    ['AllocateEipAddress', 'ReleaseEipAddress', 'AllocateEipAddress'],
  );
  const usage = await world.kube.get(EIP_USAGE, { name: 'default' });
  t.deepEqual(
    usage?.places?.map(({ podEip, bandwidthMbps }) => [podEip, bandwidthMbps]),
    [['b', 5]],
  );
  const namespace = await world.kube.get(NAMESPACE, { name: 'default' });
  t.is(usage?.metadata.ownerReferences?.[0]?.uid, namespace?.metadata.uid);
  await world.stop();
});

test('a limit that is raised, or that no longer means the namespace, lets those on that wait', async (t) => {
  const world = await Operating.create({ policies: { few: { limits: { eips: 0 } } } });
  for (const name of ['a', 'b', 'c']) await world.runPod(name, NEW);
  for (const name of ['a', 'b', 'c'])
    t.true((await world.until(says(world, name, 'QuotaOfNamespaceExceeded'), 30_000)) < Infinity);
  t.is(world.cloud.eips().length, 0);
  await world.changePolicy('few', { limits: { eips: 1 } });
  t.true((await world.until(() => world.cloud.eips().length === 1, 20_000)) < Infinity);
  await world.pass(70_000);
  t.is(world.cloud.eips().length, 1);
  await world.changePolicy('few', { namespaceSelector: { matchLabels: { team: 'web' } } });
  t.true((await world.until(() => world.cloud.eips().length === 3, 20_000)) < Infinity);
  await world.stop();
});

test('defaults and lists of the policies that mean the namespace hold, and no others', async (t) => {
  const world = await Operating.create({
    policies: {
      here: {
        namespaceSelector: { matchLabels: { team: 'web' } },
        bandwidthPackages: ['cbwp-1'],
        defaults: { bandwidth: 7, bandwidthPackage: 'cbwp-1' },
      },
      elsewhere: { namespaces: ['other'], bandwidthPackages: [], limits: { eips: 0 } },
    },
  });
  world.cloud.world.addBandwidthPackage('cbwp-1');
  world.cloud.world.addBandwidthPackage('cbwp-2');
  const body = { metadata: { labels: { team: 'web' } } };
  await world.kube.patch(NAMESPACE, { name: 'default' }, { type: 'merge', body });
  await world.runPod('a', NEW);
  t.true((await world.until(isReady(world, 'a'), 60_000)) < Infinity);
  const [eip] = world.cloud.eips();
  t.is(eip?.bandwidthMbps, 7);
  t.is(eip?.bandwidthPackage?.id, 'cbwp-1');
  await world.runPod('b', { ...NEW, [KEYS.bandwidthPackageId[0]]: 'cbwp-2' });
  t.true((await world.until(says(world, 'b', 'NotAllowedByPolicy'), 30_000)) < Infinity);
  t.true(world.events.some(({ reason, about }) => reason === 'NotAllowedByPolicy' && about.name === 'b'));
  t.is(world.cloud.eips().length, 1);
  await world.stop();
});

test('an existing EIP is named as a policy grants it, and comes back when the policy no longer does', async (t) => {
  const world = await Operating.create({ policies: { eips: { existingEips: { ids: ['eip-1'] } } } });
  for (const allocationId of ['eip-1', 'eip-2']) world.cloud.world.addEip({ allocationId, name: allocationId });
  await world.runPod('a', EXISTING);
  t.true((await world.until(isReady(world, 'a'), 30_000)) < Infinity);
  await world.runPod('b', { [KEYS.instanceId[0]]: 'eip-2' });
  t.true((await world.until(says(world, 'b', 'EipNotGranted'), 30_000)) < Infinity);
  await world.changePolicy('eips', { existingEips: { ids: ['eip-2'] } });
  t.true((await world.until(isReady(world, 'b'), 30_000)) < Infinity);
  t.true((await world.until(says(world, 'a', 'EipNotGranted'), 30_000)) < Infinity);
  t.is(world.cloud.eips().find(({ allocationId }) => allocationId === 'eip-1')?.binding, undefined);
  await world.stop();
});

test('without the kind every namespace may do what the configuration says, and the first policy holds at once', async (t) => {
  const world = await Operating.create();
  await world.runPod('a', NEW);
  t.true((await world.until(isReady(world, 'a'), 30_000)) < Infinity);
  await world.installPolicies({ none: { limits: { eips: 1 } } });
  await world.runPod('b', NEW);
  // What was bought before there was a limit counts.
  t.true((await world.until(says(world, 'b', 'QuotaOfNamespaceExceeded'), 30_000)) < Infinity);
  t.is(world.cloud.eips().length, 1);
  await world.stop();
});

test('a place whose PodEIP lost its finalizer is not given away as long as its EIP is there', async (t) => {
  const world = await Operating.create({ policies: { few: { limits: { eips: 1 } } } });
  await world.runPod('a', NEW);
  t.true((await world.until(isReady(world, 'a'), 30_000)) < Infinity);
  const ref = { namespace: 'default', name: 'a' };
  await world.endPod('a', { lingerMs: 0 });
  await world.kube.patch(PODEIP, ref, { type: 'merge', body: { metadata: { finalizers: null } } });
  await world.until(async () => (await world.podEips()).length === 0, 10_000);
  t.is(world.cloud.eips().length, 1);
  await world.runPod('b', NEW);
  t.true((await world.until(says(world, 'b', 'QuotaOfNamespaceExceeded'), 30_000)) < Infinity);
  await world.pass(30_000);
  t.is(world.cloud.eips().length, 1);
  const [eip] = world.cloud.eips();
  world.cloud.world.human.release(eip?.allocationId ?? '');
  t.true((await world.until(isReady(world, 'b'), 30_000)) < Infinity);
  await world.stop();
});

test('of a hundred pods that come at once as many get an EIP as the limit allows', async (t) => {
  const world = await Operating.create({ policies: { few: { limits: { eips: 10 } } }, quota: 200 });
  const names = Array.from({ length: 100 }, (_, index) => `pod-${index}`);
  await Promise.all(names.map((name) => world.runPod(name, NEW)));
  let most = 0;
  const count = (): boolean => {
    most = Math.max(most, world.cloud.eips().length);
    return most >= 10;
  };
  t.true((await world.until(count, 120_000)) < Infinity);
  await world.pass(60_000);
  count();
  t.is(most, 10);
  const waiting = (await world.podEips()).filter((it) =>
    it.status?.conditions?.some(({ reason }) => reason === 'QuotaOfNamespaceExceeded'),
  );
  t.is(waiting.length, 90);
  await world.stop();
});
