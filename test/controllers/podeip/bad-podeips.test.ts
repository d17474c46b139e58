import test, { type ExecutionContext } from 'ava';
import {
  ALLOCATED_ADDRESS,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  POD_UID,
  REQUEST,
  TAG_ALLOW_NAMESPACES,
} from '../../../src/api/annotations.ts';
import { CRD } from '../../../src/api/apiextensions.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../../src/api/podeip.ts';
import { dropFinalizer } from '../../../src/controllers/podeip/writes.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import { ownersOf } from '../../../src/controllers/garbagecollection/orphans.ts';
import { World, NAMESPACE } from '../../harness/world.ts';
import { definitionOf } from '../../harness/cluster.ts';
import * as the from './situation.ts';
import { cpuMs } from '../../harness/cpu.ts';
import {
  row,
  allocationID,
  bindings,
  existing,
  next,
  noted,
  withType,
  unmarked,
  kube,
  group,
  version,
  kind,
} from './bad-podeip-fixture.ts';

test.before(async () => {
  await kube.create(CRD, definitionOf(PODEIP));
});

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

test('a clock that was set back neither ends the time that an EIP is kept nor draws it out, and is told once', (t) => {
  const ahead = the.podEip({ allocationID, podUid: '', goneSince: '2026-11-21T12:45:00Z' });
  const podEip = withType(ahead, { releaseStrategy: 'TTL', releaseAfter: '10m' });
  const after = (retainedMs: number) =>
    next({ pod: null, podEip, eip: the.eip(), memory: { ...the.quiet, retainedMs } });
  const told = after(0);
  t.like(told, { do: 'Wait', reason: 'Kept', ms: 600_000 });
  t.regex(
    'message' in told ? told.message : '',
    /2026-11-21T12:45:00.000Z, which is still to come by this machine’s clock/,
  );
  t.deepEqual(after(30_000), { ...told, ms: 570_000 }, 'the same words, and so no write');
  t.like(after(599_000), { do: 'Wait', ms: 1_000 });
  t.like(after(600_000), { do: 'Retire' });
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
