import test from 'ava';
import { KEYS, REQUEST, TAG_ALLOW_NAMESPACES, TAG_PREFIX } from '../../../src/api/annotations.ts';
import { FINALIZER, PODEIP } from '../../../src/api/podeip.ts';
import { NAMESPACE, World } from '../../harness/world.ts';

/** What people do to PodEIPs by hand, and what becomes of it. */

const NEW = { [KEYS.withEip[0]]: 'true' };
/** Longer than everything that passes by itself. */
const A_WHILE = 45_000;
const REF = { namespace: NAMESPACE, name: 'a' };

const edit = (world: World, body: object) => world.patchPodEip('a', { type: 'merge', body });

const inUse = async (annotations: Readonly<Record<string, string>> = NEW): Promise<World> => {
  const world = await World.create();
  await world.runPod('a', annotations);
  await world.pass(A_WHILE);
  return world;
};

test('a finalizer that somebody took off is put back, beside those of others, and that is said', async (t) => {
  const world = await inUse();
  await edit(world, { metadata: { finalizers: ['example.org/theirs'] } });
  await world.pass(2_000);
  const [podEip] = await world.podEips();
  t.deepEqual(podEip?.metadata.finalizers, ['example.org/theirs', FINALIZER]);
  t.is(world.events.filter(({ reason, note }) => reason === 'RecordTampered' && note.includes(FINALIZER)).length, 1);
  t.is(world.cloud.eips()[0]?.status, 'InUse', 'the pod keeps its address');
  // So that a deletion by force of the pod leaves nothing behind.
  await edit(world, { metadata: { finalizers: [FINALIZER] } });
  await world.deletePod('a', { graceful: false });
  await world.pass(A_WHILE);
  t.deepEqual(world.cloud.eips(), []);
  t.deepEqual(await world.podEips(), []);
});

test('a PodEIP whose deletion has begun is not given its finalizer back', async (t) => {
  const world = await inUse();
  await edit(world, { metadata: { finalizers: [FINALIZER, 'example.org/theirs'] } });
  await world.deletePodEip('a');
  await world.deletePod('a', { graceful: false });
  await world.pass(A_WHILE);
  const podEip = await world.kube.get(PODEIP, REF);
  t.deepEqual(podEip?.metadata.finalizers, ['example.org/theirs']);
  t.deepEqual(world.cloud.eips(), []);
});

/** It says nothing of the cluster any more, and that nobody need ask whose the EIP is. */
const LEFT = ['knative-eip/podeip-uid'];

const ownTags = (world: World) =>
  world.cloud.eips().flatMap(({ tags }) => [...tags.keys()].filter((key) => key.startsWith(TAG_PREFIX)));
const condition = async (world: World, type: string) =>
  (await world.podEips())[0]?.status?.conditions?.find((it) => it.type === type);
const toStatic = { spec: { allocationType: { type: 'Static' } } };
const toAuto = { spec: { allocationType: { type: 'Auto' } } };

test('type Static on an EIP of ours is respected: never released, without our tags in the end, and said', async (t) => {
  const world = await inUse();
  const [before] = world.cloud.eips();
  await edit(world, toStatic);
  await world.pass(5_000);
  t.like(await condition(world, 'Releasable'), { status: 'False', reason: 'Kept' });
  t.regex((await condition(world, 'Releasable'))?.message ?? '', /type is Static: eip-\S+ is not released/);
  t.is(world.cloud.eips()[0]?.status, 'InUse', 'the pod keeps its address');
  await world.deletePod('a');
  await world.pass(A_WHILE);
  t.deepEqual(await world.podEips(), []);
  t.like(world.cloud.eips()[0], { allocationId: before?.allocationId, status: 'Available' });
  t.deepEqual(ownTags(world), LEFT);
  const said = world.events.filter(({ reason }) => reason === 'Kept').map(({ type }) => type);
  t.deepEqual(said, ['Warning', 'Warning', 'Normal'], 'to pod and PodEIP at once, and at the end');
});

test('as long as the pod runs, type Static can be taken back', async (t) => {
  const world = await inUse();
  await edit(world, toStatic);
  await world.pass(5_000);
  await edit(world, toAuto);
  await world.pass(5_000);
  t.is((await condition(world, 'Releasable'))?.status, 'True');
  await world.deletePod('a');
  await world.pass(A_WHILE);
  t.deepEqual(world.cloud.eips(), []);
});

test('a process that dies on the way gives nothing back that was declared Static', async (t) => {
  for (let at = 1; at <= 24; at += 1) {
    const world = await inUse();
    await edit(world, toStatic);
    world.dieAfter(at, at % 2 === 0 ? 'before' : 'after');
    await world.deletePod('a', { graceful: false });
    await world.pass(2 * A_WHILE);
    t.deepEqual(await world.podEips(), [], `call ${at}`);
    t.is(world.cloud.eips().length, 1, `call ${at}`);
    t.deepEqual(ownTags(world), LEFT, `call ${at}`);
  }
});

test('an EIP that was declared Static is not held off for another pod, and one that is kept stays Static', async (t) => {
  const world = await World.create();
  const stateful = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a', uid: 'owner', controller: true }];
  const kept = { ...NEW, [KEYS.releaseStrategy[0]]: '60s' };
  await world.runPod('a', kept, stateful);
  await world.pass(A_WHILE);
  await edit(world, toStatic);
  await world.deletePod('a');
  await world.pass(5_000);
  await world.runPod('a', kept, stateful);
  await world.pass(A_WHILE);
  t.is((await world.podEips())[0]?.spec.allocationType.type, 'Static', 'the next pod of the name');
  await world.deletePod('a');
  await world.pass(4 * A_WHILE);
  t.deepEqual(await world.podEips(), []);
  t.is(world.cloud.eips().length, 1);
  t.deepEqual(ownTags(world), LEFT);
});

test('type Auto on an EIP of the user’s changes nothing: it is detached and never released', async (t) => {
  const world = await World.create();
  world.cloud.world.addEip({ allocationId: 'eip-users', tags: { [TAG_ALLOW_NAMESPACES]: NAMESPACE } });
  await world.pass(5_000);
  await world.runPod('a', { [KEYS.instanceId[0]]: 'eip-users' });
  await world.pass(A_WHILE);
  await edit(world, toAuto);
  await world.deletePod('a');
  await world.pass(A_WHILE);
  t.deepEqual(await world.podEips(), []);
  t.like(world.cloud.eips()[0], { allocationId: 'eip-users', status: 'Available' });
});

const annotate = (world: World, annotations: Readonly<Record<string, string | null>>) =>
  world.patchPod('a', { type: 'merge', body: { metadata: { annotations } } });
const saidOfChanges = (world: World) =>
  world.events.filter(({ reason, type }) => reason === 'ChangeIgnored' && type === 'Warning').map(({ note }) => note);

test('an annotation that is changed on a running pod and comes to nothing is said once, until it is another', async (t) => {
  const world = await inUse();
  t.is(await condition(world, 'UpToDate'), undefined);
  await annotate(world, { [KEYS.bandwidth[0]]: '10' });
  await world.pass(5_000);
  await world.recheck();
  await world.pass(5_000);
  // To the pod and to its PodEIP.
  t.is(saidOfChanges(world).length, 2);
  t.regex(saidOfChanges(world)[0] ?? '', /bandwidth 10 instead of 5 now, and eip-\S+ stays as it is/);
  t.like(await condition(world, 'UpToDate'), { status: 'False', reason: 'ChangeIgnored' });
  t.is((await condition(world, 'Ready'))?.status, 'True');
  t.is(world.cloud.eips()[0]?.bandwidthMbps, 5);
  await annotate(world, { [KEYS.bandwidth[0]]: '5' });
  await world.pass(5_000);
  t.is((await condition(world, 'UpToDate'))?.status, 'True');
  await annotate(world, { [KEYS.instanceId[0]]: 'eip-other', [KEYS.withEip[0]]: null });
  await world.pass(5_000);
  t.regex(saidOfChanges(world).at(-1) ?? '', /names eip-other now/);
});

test('a pod that gets a kept EIP and asks for another one hears that once', async (t) => {
  const world = await World.create();
  const stateful = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a', uid: 'owner', controller: true }];
  const kept = { ...NEW, [KEYS.releaseStrategy[0]]: 'Never' };
  await world.runPod('a', kept, stateful);
  await world.pass(A_WHILE);
  await world.deletePod('a');
  await world.pass(5_000);
  await world.runPod('a', { ...kept, [KEYS.bandwidth[0]]: '20' }, stateful);
  await world.pass(A_WHILE);
  t.is(saidOfChanges(world).length, 2);
  t.regex(saidOfChanges(world)[0] ?? '', /bandwidth 20 instead of 5/);
});

const PACKAGE = 'cbwp-1';

test('in a bandwidth package the status says what the EIPs share, and not how an EIP outside of it is charged', async (t) => {
  const alone = await inUse();
  t.like((await alone.podEips())[0]?.status, {
    bandwidth: '5',
    internetChargeType: 'PayByTraffic',
    bandwidthPackageID: undefined,
  });

  const world = await World.create();
  world.cloud.world.addBandwidthPackage(PACKAGE, { bandwidthMbps: 800 });
  await world.runPod('a', { ...NEW, [KEYS.bandwidthPackageId[0]]: PACKAGE });
  await world.pass(A_WHILE);
  t.like((await world.podEips())[0]?.status, {
    status: 'InUse',
    bandwidth: '800',
    internetChargeType: undefined,
    bandwidthPackageID: PACKAGE,
    isp: 'BGP',
  });
});

test('an EIP in a package that is taken over has its own bandwidth, and its pod is not told that it asks for another', async (t) => {
  const world = await World.create();
  const allocationID = 'eip-adopted';
  world.cloud.world.addBandwidthPackage(PACKAGE, { bandwidthMbps: 800 });
  world.cloud.world.addEip({
    allocationId: allocationID,
    bandwidthMbps: 7,
    internetChargeType: 'PayByTraffic',
    bandwidthPackage: { id: PACKAGE, status: 'BINDED' },
  });
  await world.pass(5_000);
  await world.during(
    world.kube.create(PODEIP, {
      apiVersion: 'alibabacloud.com/v1beta1',
      kind: PODEIP.kind,
      metadata: { ...REF, finalizers: [FINALIZER] },
      spec: { allocationID, allocationType: { type: 'Auto', releaseStrategy: 'Follow' }, bandwidthPackageID: PACKAGE },
    }),
  );
  await world.runPod('a', { ...NEW, [KEYS.bandwidth[0]]: '7', [KEYS.bandwidthPackageId[0]]: PACKAGE });
  await world.pass(A_WHILE);
  const [podEip] = await world.podEips();
  t.like(podEip?.status, { status: 'InUse', bandwidth: '800' });
  t.like(JSON.parse(podEip?.metadata.annotations?.[REQUEST] ?? ''), { bandwidthMbps: 7, bandwidthPackageId: PACKAGE });
  t.is(await condition(world, 'UpToDate'), undefined);
});
