import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  EIP_PENDING,
  KEYS,
  OUR_VIRTUAL_NODE,
} from '../../src/api/annotations.ts';
import type { Node, Pod } from '../../src/api/core.ts';
import { effectivePolicy } from '../../src/intent/policy.ts';
import { decide } from '../../src/plan/decide.ts';
import type { Seen } from '../../src/plan/seen.ts';
import { bound, eip, EXISTING, fresh, NEW, NOW, pod, podEip, quiet, settings } from './situation.ts';

const virtual: Node = {
  metadata: { name: 'node-1', uid: 'n', resourceVersion: '1', labels: { type: 'virtual-kubelet' } },
};
const ours: Node = {
  metadata: { ...virtual.metadata, labels: { type: 'virtual-kubelet', [OUR_VIRTUAL_NODE]: 'true' } },
};
const TOLD = { [ALLOCATED_ADDRESS]: '203.0.113.1', [ALLOCATED_INSTANCE_ID]: 'eip-1', [ECI_INSTANCE_ID]: 'eci-1' };
const record = (parts: Parameters<typeof podEip>[0] = {}) =>
  podEip({ controller: 'eci-virtual-node', hasFinalizer: false, request: undefined, ...parts });
const step = (parts: Partial<Seen>) =>
  decide({ pod: null, podEip: null, node: virtual, memory: quiet, now: NOW, ...parts }, settings);
const eciPod = (annotations: Record<string, string>, parts: Parameters<typeof pod>[0] = {}): Pod =>
  pod({ annotations: { ...NEW, ...annotations }, ...parts });

test('a pod on the add-on’s virtual node gets a record, and a word on what the add-on will not do', (t) => {
  t.deepEqual(step({ pod: eciPod({}) }), { do: 'Witness', isExisting: false, findings: [] });
  t.like(step({ pod: pod({ annotations: EXISTING }) }), { do: 'Witness', isExisting: true });
  const named = step({ pod: eciPod({ [KEYS.name[0]]: 'web' }) });
  t.like(named, { do: 'Witness', findings: [{ id: 'NotHonouredByEci' }] });
  t.like(step({ pod: eciPod({ [KEYS.isp[0]]: 'no such' }) }), { do: 'Claim', request: undefined });
  t.like(step({ pod: pod({ labels: { 'alibabacloud.com/acs': 'true' } }) }), { do: 'Done', reason: 'NotOnEcsNode' });
});

test('where EIPs are limited a pod that the virtual node gave one is recorded as ever, so that it counts, with a word on it', (t) => {
  for (const limits of [{ eips: 3 }, { eips: 0 }, { bandwidthMbps: 1 }]) {
    const effective = effectivePolicy(
      [{ metadata: { name: 'few', uid: 'few', resourceVersion: '1' }, spec: { limits } }],
      {
        name: 'default',
      },
    );
    const policy = { effective, isFresh: true };
    const begun = step({ pod: eciPod({}), policy });
    t.is(begun.do, 'Witness');
    t.true(begun.do === 'Witness' && begun.findings.some(({ id }) => id === 'UncountedOnEci'));
    t.like(step({ pod: eciPod(TOLD), podEip: record(), policy }), { allocationId: 'eip-1' });
    const named = step({ pod: pod({ annotations: EXISTING }), policy });
    t.like(named, { do: 'Witness', findings: [] });
  }
});

test('on our own virtual node who makes the address depends on what is asked for', (t) => {
  t.like(step({ pod: eciPod({}), node: ours }), { do: 'Witness' });
  const named = pod({ annotations: { ...NEW, [KEYS.name[0]]: 'web' }, podIP: '' });
  t.like(step({ pod: named, node: ours }), { do: 'Done', reason: 'NoPodIP' }, 'it may be one that cannot run');
  const accepted = { ...named, status: { phase: 'Pending', reason: EIP_PENDING } };
  t.like(step({ pod: accepted, node: ours }), { do: 'Claim' }, 'bought before the instance is made');
  t.like(step({ pod: pod({ annotations: EXISTING, podIP: '' }), node: ours }), { do: 'Done', reason: 'NoPodIP' });
  t.like(step({ pod: pod({ annotations: EXISTING }), node: ours }), { do: 'Claim' });
});

test('what the virtual node says is written down, looked up, and then said to the readiness gate', (t) => {
  t.like(step({ pod: eciPod({}), podEip: record() }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.deepEqual(step({ pod: eciPod(TOLD), podEip: record() }), { do: 'Record', allocationId: 'eip-1' });
  const held = record({ allocationID: 'eip-1' });
  t.deepEqual(step({ pod: eciPod(TOLD), podEip: held }), { do: 'LookAtEip', allocationId: 'eip-1' });
  t.like(step({ pod: eciPod(TOLD), podEip: held, eip: null }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  const inUse = eip({ ...bound, privateIpAddress: '', tags: new Map() });
  t.like(step({ pod: eciPod(TOLD), podEip: held, eip: inUse }), { do: 'Done', reason: 'InUse' });
  t.deepEqual(step({ pod: eciPod(TOLD, { isGated: true }), podEip: held, eip: inUse }), {
    do: 'Publish',
    ipAddress: '203.0.113.1',
    isGated: true,
  });
  t.like(step({ pod: eciPod(TOLD, { isGated: true, isGateOpen: true }), podEip: held, eip: inUse }), { do: 'Done' });
});

test('after the pod the record stays until the account shows that the address is gone, and complains where it is not', (t) => {
  const held = record({ allocationID: 'eip-1' });
  const left = eip({ status: 'Available', tags: new Map() });
  for (const gone of [null, pod({ uid: 'another' }), pod({ phase: 'Succeeded' })]) {
    t.deepEqual(step({ pod: gone, podEip: held }), { do: 'LookAtEip', allocationId: 'eip-1' });
    t.like(step({ pod: gone, podEip: held, eip: null }), { do: 'Retire' });
    t.like(step({ pod: gone, podEip: held, eip: left }), { do: 'Wait', reason: 'Releasing' });
    const memory = { ...quiet, parkedMs: 300_000 };
    t.like(step({ pod: gone, podEip: held, eip: left, memory }), { do: 'Fail', reason: 'EipLeftBehind' });
    t.like(step({ pod: gone, podEip: record() }), { do: 'Retire' });
  }
  const users = {
    ...held,
    spec: { ...held.spec, allocationType: { type: 'Static', releaseStrategy: 'Follow' } as const },
  };
  t.like(step({ podEip: users, eip: left }), { do: 'Retire' });
  t.like(step({ podEip: users, eip: eip(bound) }), { do: 'Wait', reason: 'Releasing' });
  t.like(step({ podEip: users, eip: eip(bound), memory: { ...quiet, parkedMs: 300_000 } }), { do: 'Fail' });
});

test('for a record nothing of the cloud is ever changed', (t) => {
  const pods = [
    null,
    eciPod({}),
    eciPod(TOLD),
    eciPod(TOLD, { isGated: true }),
    eciPod(TOLD, { isEnding: true }),
    pod({ uid: 'x' }),
  ];
  const eips = [undefined, null, eip({ tags: new Map() }), eip({ ...bound, tags: new Map() }), eip(), eip(bound)];
  for (const it of pods)
    for (const found of eips)
      for (const allocationID of ['', 'eip-1'])
        for (const isEnding of [true, false])
          for (const parkedMs of [0, 1e9])
            for (const node of [virtual, ours]) {
              const seen = { pod: it, eip: found, podEip: record({ allocationID, isEnding }), node };
              const { do: what } = step({ ...seen, memory: { ...quiet, parkedMs } });
              t.true(['LookAtEip', 'Record', 'Publish', 'Retire', 'Wait', 'Fail', 'Done'].includes(what), what);
            }
});

test('an EIP that was passed to the instance at its creation counts as bound there', (t) => {
  const asked = { ...NEW, [KEYS.name[0]]: 'web' };
  const request = { ...fresh, name: 'web' };
  const seen = {
    pod: pod({ annotations: asked }),
    podEip: podEip({ allocationID: 'eip-1', request }),
    eip: eip({ ...bound, privateIpAddress: '' }),
    node: ours,
  };
  t.like(step(seen), { do: 'LookForInterfaces' });
  const eni = {
    networkInterfaceId: 'eni-1',
    status: 'InUse',
    vpcId: 'vpc-1',
    primaryIpAddress: '10.0.0.2',
    privateIpAddresses: ['10.0.0.2'],
  };
  t.like(step({ ...seen, interfaces: [eni] }), { do: 'RecordBinding', place: { isPrimary: true } });
  t.like(step({ ...seen, interfaces: [{ ...eni, networkInterfaceId: 'eni-2' }] }), { do: 'Fail' });
});
