import test, { type ExecutionContext } from 'ava';
import {
  ALLOCATED_ADDRESS,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  GENERATION,
  GONE_SINCE,
  POD_UID,
  REQUEST,
  TAG_ALLOW_NAMESPACES,
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
} from '../../../src/api/annotations.ts';
import { CRD } from '../../../src/api/apiextensions.ts';
import { FINALIZER, PODEIP, type PodEip, type PodEipStatus } from '../../../src/api/podeip.ts';
import { dropFinalizer } from '../../../src/controllers/podeip/writes.ts';
import { createKube } from '../../../src/kube/client.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import { readRecord } from '../../../src/controllers/podeip/record.ts';
import type { ObservedState, Settings } from '../../../src/controllers/podeip/observation.ts';
import type { Step } from '../../../src/controllers/podeip/step.ts';
import { ownersOf } from '../../../src/controllers/garbagecollection/orphans.ts';
import { statusOf } from '../../../src/controllers/podeip/status.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { seeded } from '../../harness/random.ts';
import { World, NAMESPACE } from '../../harness/world.ts';
import { definitionOf } from '../../harness/cluster.ts';
import * as the from './situation.ts';
import { ManualClock } from '../../harness/clock.ts';
import { CLUSTER_UID } from '../../harness/settings.ts';
import { cpuMs } from '../../harness/cpu.ts';

/*
 * PodEIPs as other controllers and people write them, by their number in the list of bad inputs: what the API server
 * refuses, and the step and the reason for what it lets in. test/hostile/bad-input-list.test.ts says where each number
 * of the list has its case.
 */

const row = (number: number, title: string, check: (t: ExecutionContext) => void | Promise<void>): void =>
  test(`${number}: ${title}`, check);

const allocationID = 'eip-1';
const bindings = [the.binding];
const existing = the.existing;

const next = (seen: Partial<ObservedState>, situation: Partial<Settings> = {}): Step =>
  decide(the.seen(seen), { ...the.settings, ...situation });

/** The PodEIP with these annotations beside, or over, those that it should have. */
const noted = (
  annotations: Readonly<Record<string, string>>,
  podEip = the.podEip({ allocationID, bindings }),
): PodEip => ({
  ...podEip,
  metadata: { ...podEip.metadata, annotations: { ...podEip.metadata.annotations, ...annotations } },
});
const withType = (podEip: PodEip, allocationType: object): PodEip => ({
  ...podEip,
  spec: { ...podEip.spec, allocationType: { ...podEip.spec.allocationType, ...allocationType } },
});
/** A PodEIP that carries no mark of this controller. */
const unmarked = (podEip: PodEip): PodEip => ({ ...podEip, metadata: { ...podEip.metadata, annotations: {} } });

const anothers = the.eip({
  tags: new Map([
    [TAG_CLUSTER_UID, CLUSTER_UID],
    [TAG_PODEIP_UID, 'another'],
  ]),
});

const clock = new ManualClock();
const server = createApiServer({ clock, random: seeded(1) });
const kube = createKube({ transport: transport(server), clock, qps: 0 });
test.before(async () => {
  await kube.create(CRD, definitionOf(PODEIP));
});

const { group, version, kind } = PODEIP;
/** What somebody sends to the API server. */
const sent = (name: string, rest: object, metadata: object = {}): Promise<PodEip> =>
  kube.create(PODEIP, {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name, namespace: 'default', ...metadata },
    ...rest,
  });
const SPEC = { allocationID: '', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } };

const refusedByApi = async (
  t: ExecutionContext,
  specs: Readonly<Record<string, readonly [spec: object, says: RegExp]>>,
) => {
  for (const [say, [spec, says]] of Object.entries(specs)) {
    const fault = await t.throwsAsync(sent('refused', { spec }), { instanceOf: KubeFault }, say);
    t.is(fault?.kind, 'invalid', say);
    t.regex(fault?.message ?? '', says, say);
  }
};

row(86, 'the EIP of another PodEIP is not used, detached or released on the word of the spec', (t) => {
  const podEip = the.podEip({ allocationID });
  const ending = the.podEip({ allocationID, bindings, isEnding: true });
  for (const eip of [anothers, { ...anothers, ...the.bound }]) {
    t.like(next({ podEip, eip, tagged: [] }), { do: 'Fail', reason: 'EipNotOurs' });
    t.like(next({ podEip: ending, eip, tagged: [] }), { do: 'RemoveFinalizer' });
  }
  const pod = the.pod({ annotations: the.EXISTING });
  t.like(next({ pod, podEip: the.podEip({ request: existing }), eip: anothers }), {
    do: 'Fail',
    reason: 'EipReserved',
  });
  // Not even where the notes say that it was attached to where it is.
  const forged = the.podEip({ request: existing, allocationID, bindings });
  const boundForAnother = { ...anothers, ...the.bound };
  t.like(next({ pod, podEip: forged, eip: boundForAnother }), { do: 'Fail', reason: 'EipReserved' });
  const forgedEnding = the.podEip({ request: existing, allocationID, bindings, isEnding: true });
  t.like(next({ podEip: forgedEnding, eip: boundForAnother }), { do: 'RemoveFinalizer' });
  t.like(next({ pod, podEip: the.podEip({ request: existing, allocationID: 'eip-2' }) }), {
    do: 'Fail',
    reason: 'RecordTampered',
  });
});

row(
  87,
  'a type that is flipped makes no EIP of the user’s one to release, and makes one that was bought the user’s',
  (t) => {
    const users = withType(the.podEip({ request: existing, allocationID, bindings, isEnding: true }), { type: 'Auto' });
    t.like(next({ podEip: users, eip: the.usersEip(the.bound), competitors: [] }), { do: 'Unassociate' });
    t.like(next({ podEip: users, eip: the.usersEip() }), { do: 'RemoveFinalizer' });
    // Not even where the user's EIP carries tags that name this PodEIP.
    t.like(next({ podEip: users, eip: the.eip() }), { do: 'RemoveFinalizer' });
    const bought = withType(the.podEip({ allocationID, isEnding: true }), { type: 'Static' });
    t.like(next({ podEip: bought, eip: the.eip() }), { do: 'Untag' });
    t.like(next({ podEip: bought, eip: the.usersEip() }), {
      do: 'RemoveFinalizer',
      because: 'eip-1 is kept, as type Static says',
    });
    t.like(next({ podEip: bought, eip: null }), { do: 'Wait', reason: 'EipNotVisibleYet' });
    // Without the note the type decides how it ends, and the tags decide whether anything is released.
    const flipped = withType(the.podEip({ request: undefined, allocationID, isEnding: true }), { type: 'Auto' });
    t.like(next({ podEip: flipped, eip: the.usersEip(), tagged: [] }), { do: 'RemoveFinalizer' });
  },
);

row(88, 'a TTL without a time, or with one that is none, is told and releases nothing', async (t) => {
  const stored = await sent('ttl', { spec: { ...SPEC, allocationType: { type: 'Auto', releaseStrategy: 'TTL' } } });
  t.is(stored.spec.allocationType.releaseAfter, undefined, 'the API server takes it');
  const retained = the.podEip({ allocationID, podUid: '', goneSince: '2026-11-21T11:00:00Z' });
  for (const releaseAfter of [undefined, '', '5', '0s', '-5m', 'soon', '1e3h', '9999999999h', 'x'.repeat(10_000)]) {
    const podEip = withType(retained, { releaseStrategy: 'TTL', releaseAfter });
    const step = next({ pod: null, podEip, eip: the.eip() });
    t.like(step, { do: 'Fail', reason: 'RecordTampered' }, String(releaseAfter).slice(0, 20));
    // While the pod is there nothing is in its way.
    const living = withType(the.podEip({ allocationID, bindings }), { releaseStrategy: 'TTL', releaseAfter });
    t.like(next({ podEip: living, eip: the.eip(the.bound) }), { do: 'Publish' });
  }
});

row(89, 'a time beside Follow or Never means nothing', (t) => {
  for (const releaseAfter of ['10m', 'nonsense']) {
    const follow = withType(the.podEip({ allocationID }), { releaseAfter });
    t.like(next({ pod: null, podEip: follow }), { do: 'Retire' });
    const retained = the.podEip({ allocationID, podUid: '', goneSince: '2020-01-01T00:00:00Z' });
    const never = withType(retained, { releaseStrategy: 'Never', releaseAfter });
    t.like(next({ pod: null, podEip: never, eip: the.eip() }), { do: 'Done', reason: 'Kept' });
  }
});

row(90, 'what the schema does not know is refused, and what an older one let in is told or left alone', async (t) => {
  const { allocationType } = SPEC;
  await refusedByApi(t, {
    'an unknown strategy': [
      { ...SPEC, allocationType: { ...allocationType, releaseStrategy: 'Sometimes' } },
      /releaseStrategy/,
    ],
    'an unknown type': [{ ...SPEC, allocationType: { ...allocationType, type: 'Elastic' } }, /type/],
    'another case': [{ ...SPEC, allocationType: { ...allocationType, releaseStrategy: 'follow' } }, /releaseStrategy/],
    'no strategy': [{ ...SPEC, allocationType: { type: 'Auto' } }, /releaseStrategy/],
    'no ID': [{ allocationType }, /allocationID/],
    'a number for an ID': [{ ...SPEC, allocationID: 5 }, /allocationID/],
    'null for an ID': [{ ...SPEC, allocationID: null }, /allocationID/],
    'a text for the type': [{ ...SPEC, allocationType: 'Auto' }, /allocationType/],
    'a list for the package': [{ ...SPEC, bandwidthPackageID: [] }, /bandwidthPackageID/],
    nothing: [{}, /allocationID/],
  });
  const retained = the.podEip({ allocationID, podUid: '', goneSince: '2020-01-01T00:00:00Z' });
  const sometimes = withType(retained, { releaseStrategy: 'Sometimes' });
  t.like(next({ pod: null, podEip: sometimes, eip: the.eip() }), { do: 'Fail', reason: 'RecordTampered' });
  const elastic = withType(unmarked(the.podEip({ allocationID })), { type: 'Elastic' });
  t.like(next({ podEip: elastic }), { do: 'Fail', reason: 'NotManagedHere' });
});

row(90, 'a PodEIP without a spec, which every schema lets in, disturbs nobody', async (t) => {
  const world = await World.create();
  world.cloud.world.addEip({ allocationId: 'eip-users', tags: { [TAG_ALLOW_NAMESPACES]: NAMESPACE } });
  await world.pass(5_000);
  const marks = { annotations: { [CONTROLLER]: CONTROLLER_NAME, [POD_UID]: 'x' }, finalizers: [FINALIZER] };
  for (const [name, metadata] of Object.entries({ bare: {}, marked: marks, b: {} })) {
    await world.kube.create(PODEIP, {
      apiVersion: `${group}/${version}`,
      kind,
      metadata: { name, namespace: NAMESPACE, ...metadata },
    });
  }
  await world.runPod('a', { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-users' });
  await world.runPod('b', { 'k8s.aliyun.com/pod-with-eip': 'true' });
  await world.pass(60_000);
  t.truthy((await world.pod('a'))?.metadata.annotations?.[ALLOCATED_ADDRESS]);
  const left = await world.podEips();
  t.deepEqual(
    left.map(({ metadata }) => metadata.name).toSorted(),
    ['a', 'b', 'bare'],
    'what says that it is ours goes',
  );
  t.true(world.events.some(({ reason }) => reason === 'NotManagedHere'));
  t.deepEqual([...ownersOf(left).named].toSorted(), ['', 'eip-users']);
  t.is(world.cloud.eips().length, 1, 'nothing was bought for a pod whose PodEIP is somebody’s');
});

row(91, 'a PodEIP whose name is no pod’s goes if it is ours, and is left alone if it is not', (t) => {
  const podEip = the.podEip({ allocationID, bindings });
  t.like(next({ pod: null, podEip }), { do: 'Retire' });
  t.like(next({ pod: null, podEip: unmarked(podEip) }), { do: 'Fail', reason: 'NotManagedHere' });
});

row(92, 'of many finalizers only ours comes off, however often it is there', async (t) => {
  const finalizers = ['example.com/foreign', FINALIZER, FINALIZER, 'example.com/other'];
  const stored = await sent('finalizers', { spec: SPEC }, { finalizers });
  await dropFinalizer(kube, stored, new AbortController().signal);
  const after = await kube.get(PODEIP, { namespace: 'default', name: 'finalizers' });
  t.deepEqual(after?.metadata.finalizers, ['example.com/foreign', 'example.com/other']);
  const ending = the.podEip({ allocationID, isEnding: true });
  const foreign = { ...ending, metadata: { ...ending.metadata, finalizers: ['example.com/foreign'] } };
  t.like(next({ podEip: foreign }), { do: 'Done', reason: 'Released' });
  const both = { ...ending, metadata: { ...ending.metadata, finalizers } };
  t.like(next({ podEip: both, eip: the.eip() }), { do: 'Release' });
});

/** Notes as nobody writes them who means well. */
const FORGED: readonly Readonly<Record<string, string>>[] = [
  { 'podeip-controller.alibabacloud.com/phase': 'Released' },
  { [POD_UID]: 'victim' },
  { [POD_UID]: '' },
  { [POD_UID]: 'x'.repeat(100_000) },
  ...['NaN', '-1', '0', '1e308', '9'.repeat(400), '1.5', '0x10', '', ' ', '{}'].map((it) => ({ [GENERATION]: it })),
  ...[
    '',
    'null',
    '{}',
    '[[]]',
    '[null]',
    '{',
    '[{"networkInterfaceId":5}]',
    '['.repeat(100_000),
    JSON.stringify([{ ...the.binding, networkInterfaceId: 'eni-of-others' }]),
    JSON.stringify(Array.from({ length: 1_000 }, (_, n) => ({ ...the.binding, networkInterfaceId: `eni-${n}` }))),
  ].map((it) => ({ [BINDINGS]: it })),
  ...[
    '',
    'null',
    '[]',
    '{"kind":"existing"}',
    '{"kind":"existing","allocationId":"eip-victim"}',
    '{"kind":"new"}',
    JSON.stringify({ ...the.fresh, bandwidthMbps: '5' }),
    JSON.stringify({ ...the.fresh, bandwidthMbps: -5 }),
    JSON.stringify({ ...the.fresh, tags: [['a', 'b', 'c']] }),
    JSON.stringify({ ...the.fresh, __proto__: { kind: 'existing' } }),
    `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
  ].map((it) => ({ [REQUEST]: it })),
  ...['', 'yesterday', '-271821-04-20T00:00:00Z', '+275760-09-13T00:00:00Z', '9999-12-31T23:59:59Z'].map((it) => ({
    [POD_UID]: '',
    [GONE_SINCE]: it,
  })),
];

row(93, 'forged notes give one step each, and release nothing that does not carry the tags', (t) => {
  const pods = [
    null,
    the.pod(),
    the.pod({ annotations: the.EXISTING }),
    the.pod({ uid: 'another', owner: 'StatefulSet' }),
  ];
  const eips = [undefined, null, the.usersEip(), the.usersEip(the.bound), anothers, { ...anothers, ...the.bound }];
  const releases = [{ strategy: 'Follow' }, { strategy: 'Never' }, { strategy: 'TTL', releaseAfter: '10m' }] as const;
  for (const annotations of FORGED)
    for (const pod of pods)
      for (const eip of eips)
        for (const release of releases)
          for (const isEnding of [false, true])
            for (const memory of [the.quiet, the.justStarted]) {
              const podEip = noted(annotations, the.podEip({ allocationID, bindings, release, isEnding }));
              const say = JSON.stringify(annotations).slice(0, 100);
              const begun = cpuMs();
              const step = next({ pod, podEip, eip, memory, competitors: [], tagged: [], interfaces: [the.eni()] });
              if (step.do === 'Release') t.fail(`${say}: releases ${step.allocationId}`);
              if (step.do === 'Tag' || step.do === 'Associate') t.fail(`${say}: ${step.do}`);
              if (cpuMs() - begun > 1_000) t.fail(`${say}: takes ${cpuMs() - begun} ms`);
            }
  t.like(next({ podEip: noted({ [POD_UID]: 'victim' }) }), { do: 'Retire' });
  t.like(next({ podEip: noted({ [REQUEST]: '{"kind":"new"}' }) }), { do: 'Fail', reason: 'RecordTampered' });
  for (const forged of ['NaN', '-1', '1e308', '9'.repeat(400)])
    t.is(readRecord(noted({ [GENERATION]: forged })).generation, 1, forged);
  // A time to come counts from now on.
  const ahead = withType(noted({ [POD_UID]: '', [GONE_SINCE]: '+275760-09-13T00:00:00Z' }), {
    releaseStrategy: 'TTL',
    releaseAfter: '10m',
  });
  t.like(next({ pod: null, podEip: ahead, eip: the.eip() }), { do: 'Wait', reason: 'Kept', ms: 600_000 });
});

row(94, 'nothing is decided by a forged status, which is set right by what the cloud says', (t) => {
  const forged: readonly PodEipStatus[] = [
    { status: 'InUse', eipAddress: '198.51.100.7', privateIPAddress: '10.0.0.9', networkInterfaceID: 'eni-victim' },
    { status: 'Released', podLastSeen: 'never', managedBy: 'me' },
    { podLastSeen: '+275760-09-13T00:00:00Z', conditions: [] },
    {
      conditions: [{ type: 'Ready', status: 'True', reason: 'InUse', message: '', lastTransitionTime: 'soon' }],
    },
  ];
  const eips = [undefined, null, the.eip(), the.eip(the.bound), the.usersEip(the.boundElsewhere)];
  for (const isEnding of [false, true])
    for (const eip of eips) {
      const podEip = the.podEip({ allocationID, bindings, isEnding });
      const wanted = next({ podEip, eip, interfaces: [the.eni()] });
      for (const status of forged) {
        const its = { ...podEip, status };
        const carried = 'podEip' in wanted ? { ...wanted, podEip: its } : wanted;
        t.deepEqual(next({ podEip: its, eip, interfaces: [the.eni()] }), carried);
        if (eip !== undefined) {
          const seen = the.seen({ podEip, eip });
          const readiness = { isReady: false, reason: 'Pending', message: '' } as const;
          const after = statusOf({ ...podEip, status }, seen, readiness, { now: the.NOW, refreshMs: 600_000 });
          // No pod has been told of it: what the EIP's address is, the condition says.
          t.is(after.eipAddress, undefined);
          const said = after.conditions?.find(({ type }) => type === 'Allocated')?.message ?? '';
          // Of one that does not carry its tags nothing is shown.
          const shown = eip?.tags.size ? eip : undefined;
          t.is(said.endsWith(`(${eip?.ipAddress})`), shown !== undefined);
          t.is(after.status, shown?.status);
          t.not(after.networkInterfaceID, 'eni-victim');
          t.is(after.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
        }
      }
    }
});

row(95, 'a deletion with the finalizers of the garbage collector gives the EIP back like any other', (t) => {
  for (const collector of ['orphan', 'foregroundDeletion']) {
    const ending = the.podEip({ allocationID, bindings, isEnding: true });
    const podEip = { ...ending, metadata: { ...ending.metadata, finalizers: [collector, FINALIZER] } };
    t.like(next({ podEip, eip: the.eip(the.bound) }), { do: 'Unassociate' });
    t.like(next({ podEip, eip: the.eip() }), { do: 'Release' });
    const last = { ...ending, metadata: { ...ending.metadata, finalizers: [collector] } };
    t.like(next({ podEip: last }), { do: 'Done', reason: 'Released' });
  }
});

row(96, 'an object of 1 MiB is refused in its annotations, and in its spec told apart at once', async (t) => {
  const much = 'x'.repeat(1024 * 1024);
  const fault = await t.throwsAsync(sent('much', { spec: SPEC }, { annotations: { [BINDINGS]: much } }), {
    instanceOf: KubeFault,
  });
  t.is(fault?.kind, 'invalid');
  const begun = cpuMs();
  const huge = the.podEip({ allocationID: `eip-${much}` });
  t.like(next({ podEip: huge, eip: null, memory: the.justStarted }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.like(next({ podEip: unmarked(huge) }), { do: 'Fail', reason: 'NotManagedHere' });
  t.like(next({ podEip: noted({ [BINDINGS]: much, [REQUEST]: much }) }), { do: 'Fail', reason: 'RecordTampered' });
  t.true(cpuMs() - begun < 1_000);
});

row(97, 'of two PodEIPs with one EIP one has it, and the other is told', (t) => {
  const pod = the.pod({ annotations: the.EXISTING });
  const mine = the.podEip({ request: existing });
  const theirs = the.podEip({ request: existing, allocationID, bindings });
  const competitor = { ...theirs, metadata: { ...theirs.metadata, uid: 'competitor', name: 'b', namespace: 'other' } };
  const competitors = [{ podEip: competitor, pod: null }];
  t.like(next({ pod, podEip: mine, eip: the.usersEip(), competitors }), { do: 'Fail', reason: 'EipClaimed' });
  // Both have written it down.
  const both = the.podEip({ request: existing, allocationID });
  t.like(next({ pod, podEip: both, eip: the.usersEip(), competitors }), { do: 'Unclaim' });
  // One was bought for one of them: the tags say which.
  t.like(next({ podEip: the.podEip({ allocationID }), eip: anothers, tagged: [] }), {
    do: 'Fail',
    reason: 'EipNotOurs',
  });
  t.like(next({ podEip: the.podEip({ allocationID, bindings }), eip: the.eip(the.bound) }), { do: 'Publish' });
});

row(
  98,
  'what another controller made is left alone until an operator says otherwise, and taken over with proof',
  (t) => {
    const podEip = unmarked(the.podEip({ allocationID }));
    const eip = the.usersEip();
    t.like(next({ podEip, eip }), { do: 'Fail', reason: 'NotManagedHere' });
    t.like(next({ pod: null, podEip, eip }), { do: 'Fail', reason: 'NotManagedHere' });
    const adopting = { adoptBefore: the.NOW };
    t.like(next({ podEip, eip }, adopting), { do: 'Adopt', podUid: 'pod' });
    t.like(next({ podEip, eip, otherControllers: ['ack-extend-network-controller'] }, adopting), {
      do: 'Fail',
      reason: 'NotManagedHere',
    });
    // Described without an address it is at the primary one, and only the interface says whether the pod has that.
    const { networkInterfaceId, privateIpAddress } = the.binding;
    const status = { networkInterfaceID: networkInterfaceId, privateIPAddress: privateIpAddress };
    const bound = { ...podEip, status };
    const atPrimary = { ...the.usersEip(), ...the.bound, privateIpAddress: '' };
    t.like(next({ podEip: bound, eip: atPrimary }, adopting), {
      do: 'ReadInterfaces',
      privateIpAddress,
    });
    for (const [interfaces, isPrimary] of [
      [[the.eni({ primaryIpAddress: privateIpAddress })], true],
      [[the.eni({})], false],
      [[], false],
    ] as const)
      t.like(next({ podEip: bound, eip: atPrimary, interfaces }, adopting), {
        do: 'Adopt',
        bindings: [{ privateIpAddress, isPrimary }],
      });
    t.like(next({ podEip, eip: anothers }, adopting), { do: 'Fail', reason: 'NotManagedHere' });
    t.like(next({ podEip, eip: null }, adopting), { do: 'Fail', reason: 'EipNotFound' });
    for (const creationTimestamp of ['2026-11-22T00:00:00Z', 'yesterday', ''])
      t.like(next({ podEip: { ...podEip, metadata: { ...podEip.metadata, creationTimestamp } }, eip }, adopting), {
        reason: 'NotManagedHere',
      });
    // Not even where the PodEIP says itself that it was taken over, for it may say anything.
    for (const isEnding of [false, true]) {
      const forged = the.podEip({ allocationID, isAdopted: true, isEnding });
      const said = isEnding ? { do: 'RemoveFinalizer' } : { do: 'Fail', reason: 'EipNotOurs' };
      t.like(next({ podEip: forged, eip, tagged: [] }), said);
      const young = { ...forged, metadata: { ...forged.metadata, creationTimestamp: '2026-11-22T00:00:00Z' } };
      t.like(next({ podEip: young, eip, tagged: [] }, adopting), said);
      t.like(next({ podEip: forged, eip }, adopting), { do: 'Tag' });
    }
    const ofSomebody = noted({ [CONTROLLER]: 'somebody' }, podEip);
    t.like(next({ podEip: ofSomebody, eip }, adopting), { do: 'Fail', reason: 'NotManagedHere' });
  },
);

row(
  99,
  'fields that the version does not have are dropped by the API server, and mean nothing where they are not',
  async (t) => {
    const extra = { eip: { id: 'eip-victim' }, period: 'Month', __proto__x: 1 };
    const stored = await sent('extra', { spec: { ...SPEC, ...extra }, status: { status: 'InUse' }, data: extra });
    t.deepEqual(stored.spec, { allocationID: '', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } });
    t.is(stored.status, undefined);
    t.false('data' in stored);
    const podEip = the.podEip({ allocationID, bindings });
    const wanted = next({ podEip, eip: the.eip(the.bound) });
    const more = { ...podEip, data: extra, spec: { ...podEip.spec, ...extra } };
    t.deepEqual(next({ podEip: more, eip: the.eip(the.bound) }), wanted);
  },
);

row(80, 'a pod that has an IPv6 address only, or none, gets no EIP, and is not asked for again in a hurry', (t) => {
  const podEip = the.podEip({ allocationID });
  const pod = the.pod({ podIP: 'fd00::2' });
  t.like(next({ pod }), { do: 'Fail', reason: 'NoIPv4' }, 'nothing is bought');
  t.like(next({ pod, podEip, eip: the.eip() }), { do: 'Fail', reason: 'NoIPv4' });
  t.like(next({ pod: the.pod({ podIP: '' }) }), { do: 'Done', reason: 'NoPodIP' });
});

const ofSystem = (annotations: Readonly<Record<string, string>>) => {
  const pod = the.pod({ annotations });
  return { ...pod, metadata: { ...pod.metadata, namespace: 'kube-system' } };
};

row(84, 'a pod of kube-system is served like any other, and granted nothing for its namespace', (t) => {
  t.like(next({ pod: ofSystem(the.NEW) }), { do: 'Claim' });
  const podEip = the.podEip({ request: existing });
  const there = { ...podEip, metadata: { ...podEip.metadata, namespace: 'kube-system' } };
  const step = next({ pod: ofSystem(the.EXISTING), podEip: there, eip: the.usersEip() });
  t.like(step, { do: 'Fail', reason: 'EipNotGranted' });
});
