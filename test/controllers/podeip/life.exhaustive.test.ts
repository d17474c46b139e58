import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  ALLOCATED_ADDRESS,
  KEYS,
  TAG_ALLOW_NAMESPACES,
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
} from '../../../src/api/annotations.ts';
import { NAMESPACE, World } from '../../harness/world.ts';
import type { Death } from '../../harness/process.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const USERS = 'eip-users';
const EXISTING = { [KEYS.instanceId[0]]: USERS };
const PACKAGE = 'cbwp-1';
const keptFor = (strategy: string) => ({ [KEYS.releaseStrategy[0]]: strategy });
const STATEFUL = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a', uid: 'owner', controller: true }];
/** Longer than everything that passes by itself. */
const A_WHILE = 45_000;
/** Longer than the time between two looks at something that only a person can change. */
const LONG = 150_000;

/** What a life leads to; the same for every death on the way. */
type Scenario = (t: ExecutionContext, world: World, said: string) => Promise<void>;

/** One EIP in use that carries its tags, on this pod, and the pod knows it. */
const hasItsOwn = async (t: ExecutionContext, world: World, name: string, said: string): Promise<void> => {
  const [podEip, ...otherPodEips] = await world.podEips();
  const [eip, ...others] = world.cloud.eips();
  const pod = await world.pod(name);
  t.is(otherPodEips.length + others.length, 0, said);
  t.is(eip?.status, 'InUse', said);
  t.is(eip?.binding?.privateIpAddress, pod?.status?.podIP, said);
  t.is(eip?.tags.get(TAG_CLUSTER_UID), 'cluster-uid', said);
  t.is(eip?.tags.get(TAG_PODEIP_UID), podEip?.metadata.uid, said);
  t.is(podEip?.spec.allocationID, eip?.allocationId, said);
  t.is(podEip?.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True', said);
  t.is(pod?.metadata.annotations?.[ALLOCATED_ADDRESS], eip?.ipAddress, said);
  t.is(pod?.status?.conditions?.find(({ type }) => type === 'k8s.aliyun.com/eip')?.status, 'True', said);
};

const isAllGone = async (t: ExecutionContext, world: World, said: string): Promise<void> => {
  t.deepEqual(await world.podEips(), [], said);
  t.deepEqual(world.cloud.eips(), [], said);
};

/** An EIP that was there long before the pod, so that every read shows it. */
const addUsersEip = async (world: World) => {
  const eip = world.cloud.world.addEip({
    allocationId: USERS,
    name: 'of the user',
    tags: { team: 'web', [TAG_ALLOW_NAMESPACES]: NAMESPACE },
  });
  await world.pass(5_000);
  return eip;
};

const scenarios: Readonly<Record<string, Scenario>> = {
  'a pod gets an EIP of its own, and it is released when the pod goes': async (t, world, said) => {
    await world.runPod('a', NEW);
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
    t.is(world.most, 1, said);
  },
  'a pod that goes before it has its address leaves nothing behind': async (t, world, said) => {
    await world.runPod('a', NEW);
    await world.pass(1_000);
    await world.deletePod('a', { graceful: false });
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'a pod that goes before it has the user’s EIP does not get it afterwards': async (t, world, said) => {
    const before = await addUsersEip(world);
    await world.runPod('a', EXISTING);
    await world.pass(500);
    await world.deletePod('a', { graceful: false });
    await world.pass(A_WHILE);
    t.deepEqual(await world.podEips(), [], said);
    t.deepEqual(plain(world.cloud.eips()), plain([before]), said);
  },
  'a pod uses the user’s EIP, which is afterwards as it was': async (t, world, said) => {
    const before = await addUsersEip(world);
    await world.runPod('a', EXISTING);
    await world.pass(A_WHILE);
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, '10.0.0.2', said);
    t.truthy((await world.pod('a'))?.metadata.annotations?.[ALLOCATED_ADDRESS], said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    t.deepEqual(await world.podEips(), [], said);
    t.deepEqual(plain(world.cloud.eips()), plain([before]), said);
  },
  'of two pods that want the same EIP one has it, and the other after it': async (t, world, said) => {
    const before = await addUsersEip(world);
    await world.runPod('a', EXISTING);
    await world.runPod('b', EXISTING);
    await world.pass(LONG);
    const holders = (await world.podEips()).filter(({ spec }) => spec.allocationID === USERS);
    t.is(holders.length, 1, said);
    const first = holders[0]?.metadata.name ?? '';
    const second = first === 'a' ? 'b' : 'a';
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, (await world.pod(first))?.status?.podIP, said);
    t.is((await world.pod(second))?.metadata.annotations?.[ALLOCATED_ADDRESS], undefined, said);
    await world.deletePod(first);
    await world.pass(LONG);
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, (await world.pod(second))?.status?.podIP, said);
    await world.deletePod(second);
    await world.pass(A_WHILE);
    t.deepEqual(await world.podEips(), [], said);
    t.deepEqual(plain(world.cloud.eips()), plain([before]), said);
  },
  'a pod that is replaced by another of its name does not inherit its EIP': async (t, world, said) => {
    await world.runPod('a', NEW);
    await world.pass(A_WHILE);
    const [old] = world.cloud.eips();
    await world.deletePod('a', { graceful: false });
    await world.runPod('a', NEW);
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    t.not(world.cloud.eips()[0]?.allocationId, old?.allocationId, said);
    await world.deletePod('a', { graceful: false });
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'an EIP joins its bandwidth package before it is used and leaves it before it is released': async (
    t,
    world,
    said,
  ) => {
    world.cloud.world.addBandwidthPackage(PACKAGE);
    await world.runPod('a', { ...NEW, [KEYS.bandwidthPackageId[0]]: PACKAGE });
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    t.is(world.cloud.eips()[0]?.bandwidthPackage?.id, PACKAGE, said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
    t.is(world.most, 1, said);
  },
  'a pod that meets an exhausted quota gets its EIP once there is room again': async (t, world, said) => {
    world.cloud.setQuota(0);
    await world.runPod('a', NEW);
    await world.pass(LONG);
    t.deepEqual(world.cloud.eips(), [], said);
    t.true(world.asked('allocateEip') < 8, `${said}: asked ${world.asked('allocateEip')} times`);
    world.cloud.setQuota(1);
    await world.pass(LONG);
    await hasItsOwn(t, world, 'a', said);
    t.is(world.most, 1, said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'a pod of a StatefulSet has the EIP of the pod before it, until the time of the EIP is over': async (
    t,
    world,
    said,
  ) => {
    await world.runPod('a', { ...NEW, ...keptFor('30s') }, STATEFUL);
    await world.pass(A_WHILE);
    const [before] = world.cloud.eips();
    await world.deletePod('a');
    await world.pass(5_000);
    await world.runPod('a', { ...NEW, ...keptFor('30s') }, STATEFUL);
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    t.is(world.cloud.eips()[0]?.allocationId, before?.allocationId, said);
    await world.deletePod('a');
    await world.pass(2 * A_WHILE);
    await isAllGone(t, world, said);
    t.is(world.most, 1, said);
  },
  'an EIP that is kept for good is detached, and released when its PodEIP is deleted': async (t, world, said) => {
    await world.runPod('a', { ...NEW, ...keptFor('Never') }, STATEFUL);
    await world.pass(A_WHILE);
    await world.deletePod('a');
    await world.pass(LONG);
    const [podEip] = await world.podEips();
    t.is(podEip?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'Kept', said);
    t.like(world.cloud.eips(), [{ status: 'Available' }], said);
    await world.deletePodEip('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'an EIP that somebody releases is replaced by another one': async (t, world, said) => {
    await world.runPod('a', NEW);
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    const [before] = world.cloud.eips();
    world.cloud.world.human.release(before?.allocationId ?? '');
    await world.pass(1_000);
    await world.recheck();
    await world.pass(LONG);
    await hasItsOwn(t, world, 'a', said);
    t.not(world.cloud.eips()[0]?.allocationId, before?.allocationId, said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'the PodEIP of another controller is taken over with its EIP, and gives it back': async (t, world, said) => {
    const { allocationId } = world.cloud.world.addEip({ allocationId: 'eip-adopted' });
    await world.pass(5_000);
    await world.addForeignPodEip('a', { allocationID: allocationId, type: 'Auto' });
    await world.runPod('a', NEW);
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    t.is(world.cloud.eips()[0]?.allocationId, allocationId, said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
  'a user’s EIP in the PodEIP of another controller is taken over and stays the user’s': async (t, world, said) => {
    const before = await addUsersEip(world);
    await world.addForeignPodEip('a', { allocationID: USERS, type: 'Static' });
    await world.runPod('a', EXISTING);
    await world.pass(A_WHILE);
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, '10.0.0.2', said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    t.deepEqual(await world.podEips(), [], said);
    t.deepEqual(plain(world.cloud.eips()), plain([before]), said);
  },
  'a user’s EIP is taken from where it is bound, where the namespace allows that': async (t, world, said) => {
    const before = await addUsersEip(world);
    world.cloud.world.addPrivateIp('eni-1', '10.0.0.9');
    world.cloud.world.human.associate(USERS, 'eni-1', '10.0.0.9');
    await world.pass(5_000);
    await world.runPod('a', EXISTING);
    await world.pass(A_WHILE);
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, '10.0.0.9', said);
    await world.allowRobbing();
    await world.pass(LONG);
    t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, '10.0.0.2', said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    t.deepEqual(await world.podEips(), [], said);
    t.deepEqual(plain(world.cloud.eips()), plain([before]), said);
  },
  'a pod whose annotations are refused gets nothing until they are corrected': async (t, world, said) => {
    await world.runPod('a', { ...NEW, [KEYS.bandwidth[0]]: 'fast' });
    await world.pass(A_WHILE);
    const [refused] = await world.podEips();
    t.is(refused?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'InvalidBandwidth', said);
    t.deepEqual(world.cloud.eips(), [], said);
    await world.patchPod('a', { type: 'merge', body: { metadata: { annotations: { [KEYS.bandwidth[0]]: '7' } } } });
    await world.pass(A_WHILE);
    await hasItsOwn(t, world, 'a', said);
    t.is(world.cloud.eips()[0]?.bandwidthMbps, 7, said);
    await world.deletePod('a');
    await world.pass(A_WHILE);
    await isAllGone(t, world, said);
  },
};

/** An EIP without what only the cloud's own bookkeeping changes. */
const plain = (eips: ReturnType<World['cloud']['eips']>): unknown =>
  eips.map((eip) => ({ ...eip, task: undefined, binding: eip.binding !== undefined }));

/** Runs the scenario to its end in a world of its own. */
const live = async (t: ExecutionContext, scenario: Scenario, death?: Death): Promise<World> => {
  const world = await World.create(death);
  const said = death ? `killed ${death.how} call ${death.at}` : 'killed never';
  await scenario(t, world, said);
  return world;
};

for (const [title, scenario] of Object.entries(scenarios)) {
  test(`${title}, wherever the controller is killed`, async (t) => {
    const calls = (await live(t, scenario)).processes[0]?.calls ?? [];
    t.true(calls.length > 15);
    for (const [index, { isWrite, name }] of calls.entries()) {
      const at = index + 1;
      // A read has no effect that could come before, after or late.
      for (const how of isWrite ? (['before', 'after', 'late'] as const) : (['before'] as const)) {
        const world = await live(t, scenario, { at, how });
        t.is(world.processes.length, 2, `the controller was killed ${how} call ${at} (${name})`);
      }
    }
  });
}
