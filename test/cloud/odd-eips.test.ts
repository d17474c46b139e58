import test, { type ExecutionContext } from 'ava';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { AllocateEip, Eip } from '../../src/cloud/port.ts';
import { Tracker } from '../../src/controllers/podeip/tracker.ts';
import { decide } from '../../src/controllers/podeip/decide.ts';
import type { Step } from '../../src/controllers/podeip/step.ts';
import * as the from '../controllers/podeip/situation.ts';
import { ManualClock } from '../harness/clock.ts';
import { CLUSTER_UID } from '../harness/settings.ts';
import { allocation, binding, cloud, eipPage, server, wireEip } from './alicloud-fixture.ts';
import {
  isUnreadable,
  OURS,
  NOBODYS,
  allocationID,
  bindings,
  BOUND,
  doneAbout,
  toldOf,
  refused,
  reading,
  tagsOf,
} from './odd-answers.ts';

/*
 * EIPs that are not as this controller has left them, and annotations whose values only the cloud can check, by their
 * number in the list of bad inputs: the answer can be read, and this is what is done about it.
 */

test.after.always(() => server.close());

const row = (number: number, title: string, check: (t: ExecutionContext) => Promise<void>): void =>
  test.serial(`${number}: ${title}`, check);

const GONE_FOR_LONG = { ...the.quiet, missingMs: 60_000 };

// Annotations whose values only the cloud can check.

row(27, 'an EIP of another region is not listed, and the pod is told so', async (t) => {
  server.play(() => eipPage([]));
  t.is(await cloud.describeEip('eip-1'), undefined);
  const pod = the.pod({ annotations: the.EXISTING });
  const podEip = the.podEip({ request: the.existing });
  t.like(decide(the.seen({ pod, podEip, eip: null }), the.settings), { do: 'Fail', reason: 'EipNotFound' });
  for (const action of ['AssociateEipAddress', 'UnassociateEipAddress', 'ReleaseEipAddress'])
    t.is((await refused(action, 'InvalidAllocationId.NotFound', 404)).kind, 'gone', action);
});

row(28, 'an EIP of a NAT gateway or a load balancer is taken by nobody, robbing or not', async (t) => {
  for (const InstanceType of ['Nat', 'SlbInstance', 'HaVip', 'IpAddress', 'Ngw2'])
    for (const allowEipRob of [false, true]) {
      const step = await toldOf({ Status: 'InUse', InstanceId: 'ngw-1', InstanceType }, { allowEipRob });
      t.like(step, { do: 'Fail', reason: 'EipInUse' }, InstanceType);
    }
});

row(29, 'an EIP that a cloud service manages is nobody’s to name, however that is written', async (t) => {
  for (const ServiceManaged of [1, 2, -1, '1'])
    t.like(await toldOf({ ServiceManaged }), { do: 'Fail', reason: 'EipReserved' }, String(ServiceManaged));
  await isUnreadable(t, {
    'a word': eipPage([wireEip('eip-1', { ServiceManaged: 'yes' })]),
    true: eipPage([wireEip('eip-1', { ServiceManaged: true })]),
  });
});

row(30, 'a subscription is attached as any other, and what was bought and became one is not released', async (t) => {
  t.like(await toldOf({ ChargeType: 'PrePaid' }), { do: 'Record' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  t.like(await doneAbout({ ...OURS, ChargeType: 'PrePaid' }, { podEip }), { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('ReleaseEipAddress', 'Forbidden.ChargeTypeIsPrepaid')).kind, 'refused');
});

row(31, 'an EIP of a contiguous group is attached as any other, and not released alone', async (t) => {
  t.like(await toldOf({ SegmentInstanceId: 'eipsg-1' }), { do: 'Record' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  const step = await doneAbout({ ...OURS, SegmentInstanceId: 'eipsg-1' }, { podEip });
  t.like(step, { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('ReleaseEipAddress', 'Forbidden.ReleaseSegmentEip')).kind, 'refused');
});

row(32, 'a locked EIP is said, whoever’s it is, and what stands for a lock is read in any number', async (t) => {
  const OperationLocks = { LockReason: [{ LockReason: 'financial' }, { LockReason: 'security' }, {}] };
  t.deepEqual((await reading({ OperationLocks }))?.lockReasons, ['financial', 'security']);
  t.like(await doneAbout({ ...OURS, OperationLocks }), { do: 'Fail', reason: 'EipLocked' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  t.like(await doneAbout({ ...OURS, OperationLocks }, { podEip }), { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('AssociateEipAddress', 'Forbidden.FinancialLocked')).kind, 'quota');
});

row(36, 'a line type that the region has not is refused, by each of its codes', async (t) => {
  for (const code of ['InvalidRegion.NotSupport', 'IllegalParam.Isp', 'COMMODITY_NO_EXIST'])
    t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
});

row(40, 'a bandwidth package of another region, or a subscription’s, is refused', async (t) => {
  for (const code of [
    'InvalidBandwidthPackageId.NotFound',
    'IpInstanceId.ChargeType.NotSupport',
    'IpInstanceId.InvalidIpInternetChargeType',
  ])
    t.like(await refused('AddCommonBandwidthPackageIp', code), { kind: 'refused', code });
});

row(42, 'an address pool and a bandwidth package that do not fit are refused, and taken where they do', async (t) => {
  for (const code of ['Mismatch.IpAndPublicIpAddressPool', 'ResourceNotFound.PublicIpAddressPool'])
    t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
  const request = { ...the.fresh, publicIpAddressPoolId: 'pippool-1', bandwidthPackageId: 'cbwp-1' };
  const podEip = the.podEip({ allocationID, request });
  t.like(await doneAbout(OURS, { podEip }), { do: 'JoinBandwidthPackage', bandwidthPackageId: 'cbwp-1' });
  t.is((await refused('AddCommonBandwidthPackageIp', 'IpInstanceId.ChargeType.NotSupport')).kind, 'refused');
});

row(43, 'a resource group that does not exist is refused', async (t) => {
  const code = 'InvalidResourceGroupId';
  t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
});

// Answers of the cloud.

row(145, 'an EIP that is handed out twice stays with the one whose tags it has', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' }));
  const twice: readonly AllocateEip[] = [allocation, { ...allocation, clientToken: 'e1-another', bandwidthMbps: 9 }];
  for (const request of twice) t.is((await cloud.allocateEip(request)).allocationId, 'eip-1');
  const another = tagsOf({ [TAG_CLUSTER_UID]: CLUSTER_UID, [TAG_PODEIP_UID]: 'another' });
  for (const more of [{}, BOUND]) {
    t.like(await doneAbout({ ...another, ...more }), { do: 'Fail', reason: 'EipNotOurs' });
    const podEip = the.podEip({ allocationID, bindings, isEnding: true });
    t.like(await doneAbout({ ...another, ...more }, { podEip }), { do: 'RemoveFinalizer' });
  }
});

row(146, 'a token that is refused at its first use is followed by a new one, and by no second EIP', async (t) => {
  const fault = await refused('AllocateEipAddress', 'IdempotentParameterMismatch');
  t.like(fault, { kind: 'refused', code: 'IdempotentParameterMismatch' });
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, { next: () => 0, uuid: () => 'process' });
  const podEip = the.podEip({ generation: 3 });
  tracker.sending('podeip', 'Allocate');
  tracker.failed('podeip', { do: 'Allocate', podEip, request: the.fresh, generation: 3 }, fault);
  const next = (tagged: readonly Eip[] | undefined): Step =>
    decide(the.seen({ podEip, tagged, memory: tracker.recall('podeip') }), the.settings);
  t.like(next(undefined), { do: 'ReadTaggedEips' });
  t.like(next([]), { do: 'Fail', reason: 'CloudRefused' });
  t.like(next([the.eip()]), { do: 'Record', allocationId: 'eip-1' }, 'what was bought with the token is found');
  await clock.advance(60_000);
  t.like(next([]), { do: 'Claim', generation: 4 });
});

row(147, 'nothing hangs on when an EIP was made, whatever is said about that', async (t) => {
  const wanted = await doneAbout({ ...OURS, ...BOUND });
  for (const AllocationTime of ['2999-01-01T00:00:00Z', 'yesterday', '', null, 0, Number.MAX_VALUE]) {
    const podEip = the.podEip({ allocationID, isEnding: true });
    t.deepEqual(await doneAbout({ ...OURS, ...BOUND, AllocationTime }), wanted, JSON.stringify(AllocationTime));
    t.like(await doneAbout({ ...OURS, AllocationTime }, { podEip }), { do: 'Release' });
  }
});

row(148, 'an EIP without its tags is waited for, and then left to a person, never released', async (t) => {
  for (const tags of [NOBODYS, { Tags: null }, { Tags: {} }, { Tags: undefined }]) {
    t.like(await doneAbout(tags, { memory: the.justStarted }), { do: 'Wait', reason: 'EipNotVisibleYet' });
    t.like(await doneAbout(tags), { do: 'Fail', reason: 'EipNotOurs' });
    const podEip = the.podEip({ allocationID, isEnding: true });
    t.like(await doneAbout(tags, { podEip, memory: the.justStarted }), { do: 'Wait', reason: 'Settling' });
    t.like(await doneAbout(tags, { podEip }), { do: 'Fail', reason: 'ReleaseBlocked' });
  }
});

row(149, 'an EIP that is still listed after its release keeps its finalizer until it is not', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  await t.notThrowsAsync(cloud.releaseEip('eip-1'));
  const podEip = the.podEip({ allocationID, isEnding: true });
  const released = { ...the.justStarted, accepted: 'Release', released: 'eip-1' } as const;
  t.like(await doneAbout(OURS, { podEip, memory: released }), { do: 'Wait', reason: 'Releasing' });
  t.like(await doneAbout({ ...OURS, Status: 'Releasing' }, { podEip }), { do: 'Wait', reason: 'InTransition' });
  // Sixty seconds on, as free as before: asked again, which does no harm.
  const later = { ...released, quietMs: 60_000 };
  t.like(await doneAbout(OURS, { podEip, memory: later }), { do: 'Release', allocationId: 'eip-1' });
  t.is((await refused('ReleaseEipAddress', 'InvalidAllocationId.NotFound', 404)).kind, 'gone');
  const last = { podEip, eip: null, memory: { ...GONE_FOR_LONG, released: 'eip-1' } };
  t.like(await doneAbout(OURS, { ...last, tagged: [the.eip()] }), { do: 'Wait', reason: 'Releasing' });
  t.like(await doneAbout(OURS, { ...last, tagged: [] }), { do: 'RemoveFinalizer' });
});

row(150, 'an EIP that was bound and is shown as free, and then as Error, is never published', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  await t.notThrowsAsync(cloud.associateEip(binding));
  const accepted = { ...the.justStarted, accepted: 'Associate' } as const;
  t.like(await doneAbout(OURS, { memory: accepted }), { do: 'Wait', reason: 'InTransition' });
  t.like(await doneAbout(OURS, { memory: { ...accepted, quietMs: 30_000 } }), { do: 'Associate' });
  t.like(await doneAbout({ ...OURS, Status: 'Error' }), { do: 'Wait', reason: 'InTransition' });
  const pod = the.pod({ isTold: true });
  const drifting = { ...the.quiet, driftMs: 30_000 };
  t.like(await doneAbout({ ...OURS, Status: 'Error' }, { pod, memory: drifting }), { do: 'Unpublish' });
});
