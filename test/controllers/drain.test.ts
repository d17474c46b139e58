import test from 'ava';
import { ALLOCATED_ADDRESS, TAG_ALLOW_NAMESPACES, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { outcomeOf } from '../../src/cli/drain-report.ts';
import { drainPodEips, findManaged, keepTurn, releaseTurn, type Drained } from '../../src/controllers/drain.ts';
import { Tracker } from '../../src/controllers/podeip/tracker.ts';
import { silentLog } from '../../src/lib/log.ts';
import { seeded } from '../harness/random.ts';
import { NAMESPACE, World } from '../harness/world.ts';
import { CLUSTER_ID, CLUSTER_UID, podEipSettings, VPC } from '../harness/settings.ts';
import { adapterOn } from '../harness/cluster.ts';

const WANTS_ONE = { 'k8s.aliyun.com/pod-with-eip': 'true' };

const drain = async (world: World, how: 'release' | 'keep', signal = new AbortController().signal) => {
  const { clock, kube } = world;
  const assembled = adapterOn(world.cloud, clock);
  await assembled.warmUp();
  const { turn, isNotOurs } =
    how === 'keep'
      ? { turn: keepTurn(kube), isNotOurs: () => false }
      : releaseTurn({
          kube,
          cloud: assembled.cloud,
          clock,
          cluster: { uid: CLUSTER_UID, id: CLUSTER_ID },
          settings: podEipSettings(),
          vpcId: VPC,
          tracker: new Tracker(clock, seeded(5)),
          nodeOf: () => undefined,
          mayAct: () => true,
          onQuotaFreed: () => undefined,
          record: () => undefined,
          warnService: () => undefined,
          log: silentLog,
        });
  const told: Drained[] = [];
  const drained = await world.during(
    (async () => {
      const all = await findManaged(kube, undefined, signal);
      return drainPodEips(
        all,
        {
          kube,
          clock,
          turn,
          atOnce: 2,
          outcome: (it) => (isNotOurs(it) ? 'not ours' : outcomeOf(it, how)),
          onDrained: (it) => told.push(it),
        },
        signal,
      );
    })(),
  );
  return { drained, told };
};

test('every EIP of living pods is released, the pods are told, and none is bought again', async (t) => {
  const world = await World.create();
  for (const name of ['a', 'b', 'c']) await world.runPod(name, WANTS_ONE);
  await world.pass(30_000);
  t.is(world.cloud.eips().filter(({ status }) => status === 'InUse').length, 3);
  const { drained, told } = await drain(world, 'release');
  t.deepEqual(
    drained.map(({ outcome }) => outcome),
    ['released', 'released', 'released'],
  );
  t.is(told.length, 3);
  t.is((await world.podEips()).length, 0);
  t.is(world.cloud.eips().length, 0);
  const pod = await world.pod('a');
  t.is(pod?.metadata.annotations?.[ALLOCATED_ADDRESS], undefined);
  t.is(pod?.status?.conditions?.find(({ type }) => type === 'k8s.aliyun.com/eip')?.status, 'False');
});

test('keeping leaves the account and the pod as they are, and says what is left', async (t) => {
  const world = await World.create();
  await world.runPod('a', WANTS_ONE);
  await world.pass(30_000);
  const before = world.cloud.eips();
  const changes = world.cloud.ledger().length;
  const { drained } = await drain(world, 'keep');
  t.like(drained[0], { pod: 'default/a', outcome: 'kept', origin: 'bought', allocationId: before[0]?.allocationId });
  t.is((await world.podEips()).length, 0);
  t.deepEqual(world.cloud.eips(), before);
  t.is(world.cloud.ledger().length, changes, 'nothing was sent to the cloud');
  t.true(before[0]?.tags.has(TAG_PODEIP_UID));
  t.is((await world.pod('a'))?.metadata.annotations?.[ALLOCATED_ADDRESS], before[0]?.ipAddress);
});

test('a drain that keeps and dies on the line after leaves nothing that a controller would release', async (t) => {
  const signal = new AbortController().signal;
  for (const isGone of [true, false]) {
    const world = await World.create();
    await world.runPod('a', WANTS_ONE);
    await world.pass(30_000);
    const [before] = world.cloud.eips();
    const [podEip] = await world.podEips();
    if (!podEip) throw new Error('there is no PodEIP');
    t.is(await world.during(keepTurn(world.kube)(podEip, signal)), 'now');
    t.is((await world.podEips()).length, 1, 'it has died before the PodEIP was deleted');
    if (isGone) await world.deletePod('a', { graceful: false });
    await world.succeed();
    await world.pass(120_000);
    t.is(world.cloud.eips().length, 1, 'nothing was released, nor bought');
    t.is(world.cloud.eips()[0]?.allocationId, before?.allocationId);
    t.is((await world.podEips()).length, isGone ? 0 : 1);
  }
});

test('what another controller made is left alone', async (t) => {
  const world = await World.create();
  await world.addForeignPodEip('theirs', { allocationID: 'eip-theirs', type: 'Static' });
  t.deepEqual((await drain(world, 'keep')).drained, []);
  t.is((await world.podEips()).length, 1);
});

test('a drain that is stopped says what is left, and the next one ends it', async (t) => {
  const world = await World.create();
  await world.runPod('a', WANTS_ONE);
  await world.pass(30_000);
  const stop = new AbortController();
  world.clock.timer(500, () => stop.abort(new Error('Ctrl-C')));
  const { drained } = await drain(world, 'release', stop.signal);
  t.is(drained[0]?.outcome, 'left');
  t.is((await world.podEips()).length, 1);
  t.is((await drain(world, 'release')).drained[0]?.outcome, 'released');
  t.is(world.cloud.eips().length, 0);
});

test('the EIP of a user is detached and stays in the account', async (t) => {
  const world = await World.create();
  world.cloud.world.addEip({ allocationId: 'eip-users', tags: { [TAG_ALLOW_NAMESPACES]: NAMESPACE } });
  await world.pass(5_000);
  await world.runPod('a', { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-users' });
  await world.pass(30_000);
  t.is(world.cloud.eips()[0]?.status, 'InUse', JSON.stringify(world.events));
  t.like((await drain(world, 'release')).drained[0], { outcome: 'detached', origin: 'yours' });
  t.is((await world.podEips()).length, 0);
  t.like(world.cloud.eips(), [{ allocationId: 'eip-users', status: 'Available' }]);
});

test('an EIP without its tags stays as it is and does not count as released', async (t) => {
  const world = await World.create();
  for (const name of ['a', 'b']) await world.runPod(name, WANTS_ONE);
  await world.pass(30_000);
  const stripped = (await world.podEips()).find(({ metadata }) => metadata.name === 'a')?.spec.allocationID ?? '';
  world.cloud.world.human.untag(stripped);
  // Longer than a Describe lags.
  await world.pass(5_000);
  const [before] = world.cloud.eips().filter(({ allocationId }) => allocationId === stripped);
  const { drained } = await drain(world, 'release');
  t.deepEqual(
    drained.map(({ pod, outcome }) => [pod, outcome]),
    [
      ['default/a', 'not ours'],
      ['default/b', 'released'],
    ],
  );
  t.is((await world.podEips()).length, 0);
  t.deepEqual(world.cloud.eips(), [before]);
});
