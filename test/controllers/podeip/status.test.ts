import test from 'ava';
import { heldAddressOf, type Condition, type PodEip, type PodEipStatus } from '../../../src/api/podeip.ts';
import type { Reason } from '../../../src/api/reason.ts';
import { REASON, type ReasonPolicy } from '../../../src/api/reason-policy.ts';
import { statusOf, statusPatch, type Readiness } from '../../../src/controllers/podeip/status.ts';
import { bound, eip, existing, binding, pod, podEip, seen, usersEip } from './situation.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const LATER = NOW + 90_000;
const REFRESH_MS = 600_000;
const AT_NOW = { now: NOW, refreshMs: REFRESH_MS };
const inUse: Readiness = { isReady: true, reason: 'InUse', message: 'bound' };
const busy: Readiness = { isReady: false, reason: 'InTransition', message: 'moving' };

const withStatus = (status?: PodEipStatus): PodEip => ({
  ...podEip({ allocationID: 'eip-1', bindings: [binding] }),
  status,
});

const stand = (
  its: PodEip,
  readiness: Readiness,
  now: number,
  parsed: Parameters<typeof seen>[0] = { eip: eip(bound) },
): PodEipStatus =>
  statusOf(its, seen({ pod: pod({ isTold: true }), podEip: its, ...parsed }), readiness, {
    now,
    refreshMs: REFRESH_MS,
  });

const condition = (status: PodEipStatus, type: string): Condition | undefined =>
  status.conditions?.find((it) => it.type === type);

test('an EIP in use is shown with all that the cloud says of it', (t) => {
  const status = stand(withStatus(), inUse, NOW);
  t.like(status, {
    eipAddress: '203.0.113.1',
    status: 'InUse',
    bandwidth: '5',
    networkInterfaceID: 'eni-1',
    privateIPAddress: '10.0.0.2',
    managedBy: 'Controller',
    podLastSeen: '2026-11-20T12:00:00Z',
  });
  for (const type of ['Ready', 'Allocated', 'Associated']) t.is(condition(status, type)?.status, 'True', type);
});

test('a transition time changes only with its status, not with reason or message', (t) => {
  const first = stand(withStatus(), busy, NOW);
  const second = stand(withStatus(first), { ...busy, reason: 'NoPodIP', message: 'other' }, LATER);
  t.like(condition(second, 'Ready'), { reason: 'NoPodIP', lastTransitionTime: '2026-11-20T12:00:00Z' });
  const third = stand(withStatus(second), inUse, LATER);
  t.is(condition(third, 'Ready')?.lastTransitionTime, '2026-11-20T12:01:30Z');
  t.is(condition(third, 'Allocated')?.lastTransitionTime, '2026-11-20T12:00:00Z');
});

test('a PodEIP is stalled for as long as only a person can help, and for every such reason', (t) => {
  for (const [reason, { phase }] of Object.entries(REASON) as [Reason, ReasonPolicy][]) {
    const before = withStatus(stand(withStatus(), { ...busy, reason }, NOW));
    const stalled = condition(before.status ?? {}, 'Stalled');
    if (phase !== 'attention') t.is(stalled, undefined, reason);
    else t.like(stalled, { status: 'True', reason, message: 'moving', lastTransitionTime: '2026-11-20T12:00:00Z' });
    for (const next of [inUse, busy]) t.is(condition(stand(before, next, LATER), 'Stalled'), undefined, reason);
    t.is(condition(stand(before, { ...busy, reason, isReady: true }, LATER), 'Stalled'), undefined, reason);
  }
});

test('other controllers’ conditions and fields stay', (t) => {
  const foreign: Condition = {
    type: 'Audited',
    status: 'True',
    lastTransitionTime: '2020-01-01T00:00:00Z',
    reason: 'Fine',
    message: '',
  };
  const before = { conditions: [foreign], theirs: 1 } as PodEipStatus;
  const after = stand(withStatus(before), inUse, NOW);
  t.deepEqual(condition(after, 'Audited'), foreign);
  t.like(after, { theirs: 1 });
  t.is(after.conditions?.length, 4);
});

test('nothing is written where nothing changed, until the pod was last seen long ago', (t) => {
  const first = stand(withStatus(), inUse, NOW);
  t.is(statusPatch(first, stand(withStatus(first), inUse, LATER)), undefined);
  t.deepEqual(statusPatch(first, stand(withStatus(first), inUse, NOW + REFRESH_MS)), {
    podLastSeen: '2026-11-20T12:10:00Z',
  });
});

test('a patch says only what changed, and takes back what is no longer', (t) => {
  const first = stand(withStatus(), inUse, NOW);
  const patch = statusPatch(first, stand(withStatus(first), busy, LATER, { eip: eip() })) ?? {};
  const served = ['eipAddress', 'networkInterfaceID', 'privateIPAddress'];
  t.deepEqual(Object.keys(patch).toSorted(), ['conditions', ...served, 'status']);
  t.like(patch, { status: 'Available', eipAddress: null, networkInterfaceID: null, privateIPAddress: null });
});

test('what was not looked at in this pass stays as it was', (t) => {
  const first = stand(withStatus(), inUse, NOW);
  const second = stand(withStatus(first), busy, LATER, {});
  t.like(second, { eipAddress: '203.0.113.1', status: 'InUse' });
  t.deepEqual(condition(second, 'Associated'), condition(first, 'Associated'));
});

test('another pod of the same name is not a sign of life', (t) => {
  t.is(stand(withStatus(), inUse, NOW, { pod: pod({ uid: 'another' }) }).podLastSeen, undefined);
});

test('a message is never longer than a condition may say', (t) => {
  const status = stand(withStatus(), { ...busy, message: 'x'.repeat(40_000) }, NOW);
  t.is(condition(status, 'Ready')?.message.length, 32_768);
});

test('nothing is shown of an EIP that is not the PodEIP’s: not yet won, not granted, or kept for another pod', (t) => {
  const secret = eip({ ...bound, name: 'of the neighbours', resourceGroupId: 'rg-secret' });
  const wishing = podEip({ request: existing });
  const won = podEip({ request: existing, allocationID: 'eip-1' });
  const told = (its: PodEip, reason: Readiness['reason']) =>
    statusOf(its, seen({ podEip: its, eip: secret }), { isReady: false, reason, message: 'no' }, AT_NOW);
  for (const status of [
    told(wishing, 'EipNotGranted'),
    told(wishing, 'EipReserved'),
    told(wishing, 'EipInUse'),
    told(won, 'EipNotGranted'),
    told(podEip({ controller: 'eci-virtual-node', request: undefined }), 'EipNotVisibleYet'),
  ]) {
    t.notRegex(JSON.stringify(status), /203\.0\.113|neighbours|rg-secret|eni-/);
    t.is(status.status, undefined);
  }
  t.like(told(won, 'EipLocked'), { name: 'of the neighbours', status: 'InUse' });
  // What was shown while it was granted goes with the grant.
  const before = { ...won, status: told(won, 'EipLocked') };
  t.like(statusPatch(before.status, told(before, 'EipNotGranted')), { name: null, status: null });
});

const three = (status: PodEipStatus) => [status.eipAddress, status.privateIPAddress, status.networkInterfaceID];

test('address, private address and interface are there together while the pod has them, and not otherwise', (t) => {
  const all = ['203.0.113.1', '10.0.0.2', 'eni-1'];
  const none = [undefined, undefined, undefined];
  const untold = { pod: pod(), eip: eip(bound) };
  t.deepEqual(three(stand(withStatus(), busy, NOW, { eip: eip({ ...bound, status: 'Associating' }) })), none);
  t.deepEqual(three(stand(withStatus(), busy, NOW, untold)), none, 'bound, and the pod has not been told');
  t.deepEqual(three(stand(withStatus(), inUse, NOW, untold)), all, 'the write before the pod is told');
  const first = withStatus(stand(withStatus(), inUse, NOW));
  const doubtful: Readiness = { isReady: false, reason: 'EipNotVisibleYet', message: 'not listed' };
  t.deepEqual(three(stand(first, doubtful, NOW, { eip: null })), all, 'one reading may lag');
  t.deepEqual(three(stand(first, busy, NOW, {})), all, 'nobody looked');
  t.deepEqual(three(stand(first, busy, NOW, { pod: pod() })), none, 'the pod was told that it has none');
  t.deepEqual(three(stand(first, doubtful, NOW, { pod: null, eip: null })), none, 'the pod is gone');
  t.deepEqual(three(stand(first, busy, NOW, { pod: pod({ uid: 'other', isTold: true }), eip: eip(bound) })), none);
});

const message = (status: PodEipStatus) => condition(status, 'Allocated')?.message;

test('the address of an EIP that no pod has stands in the condition Allocated', (t) => {
  const bought = stand(withStatus(), busy, NOW, { pod: pod(), eip: eip() });
  t.is(message(bought), 'eip-1 (203.0.113.1)');
  t.is(heldAddressOf(withStatus(bought)), '203.0.113.1');
  t.is(message(stand(withStatus(bought), busy, NOW, {})), 'eip-1 (203.0.113.1)', 'nobody looked');
  t.is(message(stand(withStatus(), busy, NOW, {})), 'eip-1');
  t.is(heldAddressOf(withStatus(stand(withStatus(), busy, NOW, {}))), undefined);
  const notGranted: Readiness = { isReady: false, reason: 'EipNotGranted', message: 'no' };
  t.is(message(stand(withStatus(bought), notGranted, NOW, {})), 'eip-1', 'nor is it to be seen');
  t.is(heldAddressOf(podEip()), undefined);
});

test('of an EIP that the pod only names, nothing is shown', (t) => {
  const asking: PodEip = podEip({ request: existing });
  const status = stand(asking, { isReady: false, reason: 'EipNotGranted', message: 'not granted' }, NOW, {
    eip: usersEip({ ...bound, name: 'of the bank', bandwidthPackageId: 'cbwp-9' }),
  });
  const { eipAddress, name, bandwidthPackageID, resourceGroupID, status: readiness } = status;
  t.deepEqual(
    { eipAddress, name, bandwidthPackageID, resourceGroupID, readiness },
    {
      eipAddress: undefined,
      name: undefined,
      bandwidthPackageID: undefined,
      resourceGroupID: undefined,
      readiness: undefined,
    },
  );
  t.is(condition(status, 'Associated')?.status, 'False');
});
