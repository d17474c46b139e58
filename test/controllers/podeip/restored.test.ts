import test from 'ava';
import { TAG_CLUSTER_UID } from '../../../src/api/annotations.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import { Operating } from '../../harness/operating.ts';
import { NEW } from './situation.ts';

/*
 * What becomes of PodEIPs that a tool such as Velero restores: the same names, notes and finalizers under other UIDs,
 * and no status. docs/backup.md tells it to people.
 */

const REF = { namespace: 'default', name: 'a' };

/** The PodEIP as a backup has it. */
const backupOf = async ({ kube }: Operating) => {
  const { metadata, spec } = (await kube.get(PODEIP, REF))!;
  const { name, namespace, labels, annotations, finalizers } = metadata;
  const { group, version, kind } = PODEIP;
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name, namespace, labels, annotations, finalizers },
    spec,
  };
};

const addressOf = async ({ kube }: Operating): Promise<string | undefined> => {
  const podEip = await kube.get(PODEIP, REF);
  const isReady = podEip?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  return isReady === true ? podEip?.spec.allocationID : undefined;
};

type Loss = (world: Operating, allocationId: string) => Promise<void>;

/** How the PodEIP was lost before it is restored. */
const LOSSES: Readonly<Record<string, Loss>> = {
  'the namespace was deleted in good order': async (world) => {
    await world.endPod('a');
    await world.until(async () => (await world.podEips()).length === 0);
  },
  'the objects are gone, and the EIP is bound as before': async (world) => {
    world.kill();
    await world.kube.patch(PODEIP, REF, { type: 'merge', body: { metadata: { finalizers: [] } } });
    await world.deletePodEipOf('a');
    await world.endPod('a');
  },
  'they come from another cluster of the account, which goes on': async (world, allocationId) => {
    await LOSSES['the objects are gone, and the EIP is bound as before']!(world, allocationId);
    world.cloud.world.human.tag(allocationId, { [TAG_CLUSTER_UID]: 'another' });
  },
};

for (const [loss, lose] of Object.entries(LOSSES))
  test(`a restored PodEIP gets an EIP of its own, and leaves the one in its notes alone: ${loss}`, async (t) => {
    const world = await Operating.create();
    await world.runPod('a', NEW);
    t.true((await world.until(async () => (await addressOf(world)) !== undefined)) < Infinity);
    const first = (await addressOf(world))!;
    const backup = await backupOf(world);
    await lose(world, first);
    const left = structuredClone(world.cloud.eips());

    await world.kube.create(PODEIP, backup);
    await world.runPod('a', NEW);
    if (world.isDead) await world.start();
    t.true((await world.until(async () => (await addressOf(world)) !== undefined, 120_000)) < Infinity);
    t.not(await addressOf(world), first);
    await world.endPod('a');
    t.true((await world.until(async () => (await world.podEips()).length === 0, 300_000)) < Infinity);
    t.deepEqual(
      structuredClone(world.cloud.eips()),
      left,
      'what was bought for the copy is given back, and nothing else',
    );
    await world.stop();
  });

/** The page's commands: without finalizers, and then gone. */
const takePodEipsOut = async (world: Operating): Promise<void> => {
  for (const { metadata } of await world.podEips()) {
    await world.kube.patch(PODEIP, metadata, { type: 'merge', body: { metadata: { finalizers: [] } } });
    await world.kube.delete(PODEIP, metadata, { uid: metadata.uid });
  }
};

/** A copy of etcd, before its controller starts; what runs in the cloud is at work for the first cluster. */
const copyOfEtcd = async () => {
  const world = await Operating.create();
  await world.runPod('a', NEW);
  await world.until(async () => (await addressOf(world)) !== undefined);
  world.kill();
  return { world, first: structuredClone(world.cloud.eips()) };
};

/** The copy's controller begins to work, in all that a clusterID and the sweeper can do. */
const startCopy = (world: Operating): Promise<void> =>
  world.start({ config: { clusterID: 'copy', sweeper: { mode: 'release', graceSeconds: 60 } } });

test('the controller of a copy of etcd gives back an EIP of the first cluster, whatever its clusterID', async (t) => {
  const { world, first } = await copyOfEtcd();
  t.is(first.length, 1);
  await startCopy(world);
  await world.endPod('a');
  t.true((await world.until(() => world.cloud.eips().length === 0, 300_000)) < Infinity);
  await world.stop();
});

test('a copy of etcd without its PodEIPs, and with another clusterID, touches no EIP of the first cluster', async (t) => {
  const { world, first } = await copyOfEtcd();
  await takePodEipsOut(world);
  t.deepEqual(await world.podEips(), []);
  const ofFirst = () =>
    structuredClone(world.cloud.eips()).filter(({ allocationId }) => allocationId === first[0]?.allocationId);
  await startCopy(world);
  // The pod as the copy has it stands where the first cluster's pod is; the other one is new.
  await world.runPod('b', NEW);
  const has = async (name: string) =>
    (await world.podEips()).find(({ metadata }) => metadata.name === name)?.status?.eipAddress !== undefined;
  t.true((await world.until(() => has('b'), 120_000)) < Infinity, 'the copy works');
  await world.pass(3 * 3_600_000);
  t.deepEqual(ofFirst(), first);
  for (const name of ['a', 'b']) await world.endPod(name);
  t.true((await world.until(async () => (await world.podEips()).length === 0, 300_000)) < Infinity);
  await world.pass(3 * 3_600_000);
  t.deepEqual(
    structuredClone(world.cloud.eips()),
    first,
    'what was bought for the copy is given back, and nothing else',
  );
  await world.stop();
});
