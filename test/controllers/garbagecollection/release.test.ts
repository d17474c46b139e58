import test from 'ava';
import type { Eip } from '../../../src/cloud/port.ts';
import type { OrphanCandidate } from '../../../src/controllers/garbagecollection/orphans.ts';
import {
  decideRelease,
  isReleaseRead,
  isReleaseResult,
  type DueEip,
} from '../../../src/controllers/garbagecollection/release.ts';

const eip: Eip = {
  allocationId: 'eip-1',
  ipAddress: '203.0.113.1',
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: new Map(),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
};
const orphan: OrphanCandidate = { kind: 'orphan', eip, podEipUid: 'gone', because: 'was bought for nobody' };
const bound: Partial<Eip> = {
  status: 'InUse',
  instanceId: 'eni-1',
  instanceType: 'NetworkInterface',
  privateIpAddress: '',
};

const next = (parts: Partial<Eip>, more: Partial<DueEip> = {}) =>
  decideRelease({
    verdict: { ...orphan, is: 'due' },
    eip: { ...eip, ...parts },
    candidate: orphan,
    podEips: [],
    ...more,
  });

test('an EIP that is still what it was taken for is released', (t) => {
  const again = { ...orphan, because: 'as it is said now' };
  const step = next({}, { candidate: again });
  t.deepEqual(step, { do: 'Release', candidate: again });
  t.false(isReleaseRead(step) || isReleaseResult(step));
});

test('nothing is done to an EIP that is gone, has its PodEIP again, or is another sort of candidate', (t) => {
  t.deepEqual(next({}, { eip: undefined }), { do: 'Wait', because: 'it is not listed any more' });
  const others = [undefined, { ...orphan, podEipUid: 'other' }, { ...orphan, kind: 'surplus' as const }];
  for (const candidate of others)
    t.deepEqual(next(bound, { candidate }), { do: 'Wait', because: 'it belongs to a PodEIP now' });
});

test('an EIP is detached from the address that the cloud shows; of a primary one it must be read first', (t) => {
  const networkInterfaceId = 'eni-1';
  t.deepEqual(next({ ...bound, privateIpAddress: '10.0.0.2' }), {
    do: 'Unassociate',
    networkInterfaceId,
    privateIpAddress: '10.0.0.2',
  });
  const read = next(bound);
  t.deepEqual(read, { do: 'ReadPrimaryAddress', networkInterfaceId });
  t.true(isReleaseRead(read));
  t.deepEqual(next(bound, { primaryAddress: '10.0.0.1' }), {
    do: 'Unassociate',
    networkInterfaceId,
    privateIpAddress: '10.0.0.1',
  });
  const blocked = next(bound, { primaryAddress: null });
  t.is(blocked.do, 'Blocked');
  t.true(isReleaseResult(blocked));
});

test('what is on its way is waited for, and what is in the way is said', (t) => {
  t.deepEqual(next({ status: 'Unassociating' }), { do: 'Wait', because: 'it is Unassociating' });
  t.is(next({ lockReasons: ['security'] }).do, 'Blocked');
  t.deepEqual(next({ bandwidthPackageId: 'cbwp-1' }), { do: 'LeaveBandwidthPackage', bandwidthPackageId: 'cbwp-1' });
});
