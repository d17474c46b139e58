import test, { type ExecutionContext } from 'ava';
import { KEYS, TAG_ALLOW_NAMESPACES } from '../../../src/api/annotations.ts';
import type { Condition } from '../../../src/api/podeip.ts';
import type { Fault } from '../../../src/sandbox/cloud/injected-faults.ts';
import { reasonOf, refusal, REFUSALS, type Refusal } from '../../harness/refusing-cloud.ts';
import { NAMESPACE, World } from '../../harness/world.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const KEPT = { ...NEW, [KEYS.releaseStrategy[0]]: 'Never' };
const PACKAGE = 'cbwp-1';
const IN_PACKAGE = { ...NEW, [KEYS.bandwidthPackageId[0]]: PACKAGE };
const USERS = 'eip-users';
const NAMED = { [KEYS.instanceId[0]]: USERS };
const STATEFUL = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a', uid: 'owner', controller: true }];

const MINUTE_MS = 60_000;
/** A refusal is tried again within ten minutes; the rate of a throttled action rises by a twentieth each 10 s. */
const OVER_MINUTES = 14;

const ANSWERS: Readonly<Record<string, Refusal>> = {
  ...REFUSALS,
  'no money': refusal('PAY.INSUFFICIENT_BALANCE', 400, 'QuotaExceeded'),
  'debts on the bandwidth package': refusal('BandwidthPackage.FinancialLocked', 404, 'QuotaExceeded'),
  'another service manages it': refusal('OperationDenied.Unauthorized', 400, 'CloudRefused'),
};

/** A stage in the life of an address, and the call that it needs there. */
interface Phase {
  readonly action: string;
  /** What has to be there before the cloud begins to say no. */
  readonly before?: (world: World) => Promise<void>;
  /** What makes the controller ask. */
  readonly begin: (world: World) => Promise<void>;
  /** The pod is gone, and only the PodEIP is told. */
  readonly isPodGone?: true;
}

const live = async (world: World, annotations: Readonly<Record<string, string>>): Promise<void> => {
  await world.runPod('a', annotations, annotations === KEPT ? STATEFUL : []);
  await world.pass(15_000);
};
const begin = (annotations: Readonly<Record<string, string>>) => async (world: World) =>
  void (await world.runPod('a', annotations, annotations === KEPT ? STATEFUL : []));
const end = (world: World) => world.deletePod('a');
const kept = async (world: World): Promise<void> => {
  await live(world, KEPT);
  await world.deletePod('a');
  await world.pass(15_000);
};

const PHASES: Readonly<Record<string, Phase>> = {
  'to be looked for': { action: 'DescribeEipAddresses', begin: begin(NEW) },
  'to be bought': { action: 'AllocateEipAddress', begin: begin(NEW) },
  'bought, the interface to be looked up': { action: 'DescribeNetworkInterfaces', begin: begin(NEW) },
  'bought, not in its package': { action: 'AddCommonBandwidthPackageIp', begin: begin(IN_PACKAGE) },
  'bought, not bound': { action: 'AssociateEipAddress', begin: begin(NEW) },
  'named, not bound': { action: 'AssociateEipAddress', begin: begin(NAMED) },
  'named, to be looked at': { action: 'DescribeEipAddresses', begin: begin(NAMED) },
  'on the way out, bound': {
    action: 'UnassociateEipAddress',
    before: (world) => live(world, NEW),
    begin: end,
    isPodGone: true,
  },
  'on the way out, in its package': {
    action: 'RemoveCommonBandwidthPackageIp',
    before: (world) => live(world, IN_PACKAGE),
    begin: end,
    isPodGone: true,
  },
  'on the way out, detached': {
    action: 'ReleaseEipAddress',
    before: (world) => live(world, NEW),
    begin: end,
    isPodGone: true,
  },
  'on the way out, to be looked at': {
    action: 'DescribeEipAddresses',
    before: (world) => live(world, NEW),
    begin: end,
    isPodGone: true,
  },
  'named, on the way out': {
    action: 'UnassociateEipAddress',
    before: (world) => live(world, NAMED),
    begin: end,
    isPodGone: true,
  },
  'to be kept for later': {
    action: 'UnassociateEipAddress',
    before: (world) => live(world, KEPT),
    begin: end,
    isPodGone: true,
  },
  'kept, for the next pod': { action: 'AssociateEipAddress', before: kept, begin: begin(KEPT) },
  'taken over from another controller': {
    action: 'TagResources',
    before: async (world) => {
      world.cloud.world.addEip({ allocationId: 'eip-adopted' });
      await world.pass(5_000);
      await world.addForeignPodEip('a', { allocationID: 'eip-adopted', type: 'Auto' });
    },
    begin: begin(NEW),
  },
};

const create = async (): Promise<World> => {
  const world = await World.create();
  world.cloud.world.addBandwidthPackage(PACKAGE);
  world.cloud.world.addEip({ allocationId: USERS, tags: { [TAG_ALLOW_NAMESPACES]: NAMESPACE } });
  await world.pass(5_000);
  return world;
};

const readyOf = async (world: World): Promise<Condition | undefined> => {
  const podEip = (await world.podEips()).find(({ metadata }) => metadata.name === 'a');
  return podEip?.status?.conditions?.find(({ type }) => type === 'Ready');
};

/** Of each kind of object that was told something, how many Warnings there were. */
const warningsOf = (world: World): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { about, event } of world.notes)
    if (event.type === 'Warning') counts[about.kind] = (counts[about.kind] ?? 0) + 1;
  return counts;
};

const isOver = (ready: Condition | undefined): boolean =>
  ready === undefined || ready.reason === 'InUse' || ready.reason === 'Kept';

/** What a person finds, once the cloud has said no for a minute, for some more, and after it has stopped. */
const follow = async (t: ExecutionContext, phase: Phase, answer: Refusal, said: string) => {
  const { fault, says } = answer;
  const reason = reasonOf(answer, phase.action);
  const world = await create();
  await phase.before?.(world);
  world.notes.length = 0;
  world.lines.length = 0;
  const mend = world.cloud.inject({ action: phase.action, times: Infinity, fault });
  await phase.begin(world);
  await world.pass(MINUTE_MS);

  const ready = await readyOf(world);
  t.like(ready, { status: 'False', reason }, said);
  t.true(ready?.message.includes(phase.action) && ready.message.includes(says), `${said}: ${ready?.message}`);
  if (fault.answer !== 'drop') t.regex(ready?.message ?? '', /request [\w-]+/, said);
  const told = phase.isPodGone ? { PodEIP: 1 } : { Pod: 1, PodEIP: 1 };
  // A pod that was deleted may still have been there when the cloud began to say no.
  const { Pod: _, ...ofPodEip } = warningsOf(world);
  t.deepEqual(phase.isPodGone ? ofPodEip : warningsOf(world), told, said);
  const warned = () => world.lines.filter(({ level }) => level === 'warn' || level === 'error');
  t.is(warned().length, 1, `${said}: one line of the log`);
  t.true(warned()[0]?.message.includes(says), said);

  const before = warningsOf(world);
  // After ten minutes the EIP would be given back, which is news.
  await world.pass(2 * MINUTE_MS);
  t.deepEqual(warningsOf(world), before, `${said}: nobody is told twice`);
  t.is(warned().length, 1, `${said}: still one line of the log`);
  t.like(await readyOf(world), { reason }, said);

  mend();
  for (let minutes = 0; minutes < OVER_MINUTES && !isOver(await readyOf(world)); minutes += 1)
    await world.pass(MINUTE_MS);
  const after = await readyOf(world);
  t.true(isOver(after), `${said}: ${after?.reason} is over`);
  t.deepEqual(warningsOf(world), before, `${said}: that it is over is no trouble`);
};

for (const [name, phase] of Object.entries(PHASES)) {
  test(`an address ${name}: whatever ${phase.action} keeps saying is told within a minute, once, and no longer than it lasts`, async (t) => {
    for (const [what, answer] of Object.entries(ANSWERS)) await follow(t, phase, answer, what);
  });
}

test('an address that has an EIP already, for an hour: one Event on pod and PodEIP, whatever the IDs of the requests', async (t) => {
  const world = await create();
  const fault: Fault = { effect: 'never', answer: { code: 'InvalidAssociation.Duplicated', status: 400 } };
  world.cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault });
  await begin(KEPT)(world);
  await world.pass(60 * MINUTE_MS);
  t.true(world.asked('associateEip') > 10, 'it is tried again and again');
  t.like(await readyOf(world), { status: 'False', reason: 'AddressTaken' });
  t.deepEqual(warningsOf(world), { Pod: 1, PodEIP: 1 });
});

test('an address that has an EIP already, whose EIP goes back each time: of each EIP both are told once', async (t) => {
  const world = await create();
  const fault: Fault = { effect: 'never', answer: { code: 'InvalidAssociation.Duplicated', status: 400 } };
  world.cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault });
  await world.runPod('a', NEW);
  await world.pass(60 * MINUTE_MS);
  const bought = world.cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress').length;
  const released = world.cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress').length;
  t.true(bought > 1, 'it is tried with another EIP');
  t.deepEqual(warningsOf(world), { Pod: bought + released, PodEIP: bought + released });
});

test('a status is written when another code comes, and not for the ID of a request', async (t) => {
  const world = await create();
  let code = 'TaskConflict';
  for (const each of ['TaskConflict', 'IncorrectEipStatus'])
    world.cloud.inject({
      action: 'AssociateEipAddress',
      times: Infinity,
      when: () => code === each,
      fault: { effect: 'never', answer: { code: each, status: 400 } },
    });
  await world.runPod('a', NEW);
  await world.pass(MINUTE_MS);
  const versionOf = async () => (await world.podEips())[0]?.metadata.resourceVersion;
  const [version, first] = [await versionOf(), await readyOf(world)];
  await world.pass(5 * MINUTE_MS);
  t.is(await versionOf(), version, 'no write while the same is said');
  t.is((await readyOf(world))?.message, first?.message);

  code = 'IncorrectEipStatus';
  await world.pass(MINUTE_MS);
  t.true((await readyOf(world))?.message.includes('IncorrectEipStatus'));
  t.deepEqual(warningsOf(world), { Pod: 2, PodEIP: 2 }, 'each code is told');
  const turned = await versionOf();
  for (let turn = 0; turn < 30; turn += 1) {
    code = turn % 2 === 0 ? 'TaskConflict' : 'IncorrectEipStatus';
    await world.pass(5_000);
  }
  t.is(await versionOf(), turned, 'codes that take turns are no news either');
  t.deepEqual(warningsOf(world), { Pod: 2, PodEIP: 2 });
});

test('a new leader says nothing again that the status says already', async (t) => {
  const world = await create();
  const fault: Fault = { effect: 'never', answer: { code: 'Brand.New', status: 400 } };
  world.cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault });
  await world.runPod('a', NEW);
  await world.pass(MINUTE_MS);
  const before = await readyOf(world);
  await world.succeed();
  await world.pass(5 * MINUTE_MS);
  t.is(world.processes.length, 2);
  t.deepEqual(await readyOf(world), before);
  t.deepEqual(warningsOf(world), { Pod: 1, PodEIP: 1 });
});

test('an address in use stays so while looks at it fail, and people hear of it', async (t) => {
  const world = await create();
  await live(world, NEW);
  const ready = await readyOf(world);
  const fault: Fault = { effect: 'never', answer: { code: 'Throttling.User', status: 400 } };
  world.cloud.inject({ action: 'DescribeEipAddresses', times: Infinity, fault });
  await world.recheck();
  await world.pass(MINUTE_MS);
  t.deepEqual(await readyOf(world), ready);
  t.is(ready?.status, 'True');
  t.deepEqual(warningsOf(world), { Pod: 1, PodEIP: 1 });
});

test('what the cloud says twice, or for a moment, is told to nobody', async (t) => {
  const world = await create();
  const fault: Fault = { effect: 'never', answer: { code: 'TaskConflict', status: 400 } };
  world.cloud.inject({ action: 'AssociateEipAddress', times: 3, fault });
  await world.runPod('a', NEW);
  await world.pass(MINUTE_MS);
  t.is((await readyOf(world))?.reason, 'InUse');
  t.deepEqual(warningsOf(world), {});
});
