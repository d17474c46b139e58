import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  EIP_MADE_WITH,
  EIP_PENDING,
  KEYS,
  OUR_VIRTUAL_NODE,
} from '../../../src/api/annotations.ts';
import type { Node, Pod } from '../../../src/api/core.ts';
import { effectivePolicy } from '../../../src/policies/policy.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { CompetingClaim, ObservedState } from '../../../src/controllers/podeip/observation.ts';
import {
  bound,
  eip,
  EXISTING,
  existing,
  fresh,
  NEW,
  node,
  NOW,
  binding,
  pod,
  podEip,
  quiet,
  settings,
  eni,
} from './situation.ts';

const virtual: Node = {
  metadata: { name: 'node-1', uid: 'n', resourceVersion: '1', labels: { type: 'virtual-kubelet' } },
};
const ours: Node = {
  metadata: { ...virtual.metadata, labels: { type: 'virtual-kubelet', [OUR_VIRTUAL_NODE]: 'true' } },
};
const KEPT = { [KEYS.releaseStrategy[0]]: '1h' };
const NAMESPACE = { metadata: { name: 'default', uid: 'ns', resourceVersion: '1' } };
const TOLD = { [ALLOCATED_ADDRESS]: '203.0.113.1', [ALLOCATED_INSTANCE_ID]: 'eip-1', [ECI_INSTANCE_ID]: 'eci-1' };
const record = (parts: Parameters<typeof podEip>[0] = {}) =>
  podEip({ controller: 'eci-virtual-node', hasFinalizer: false, request: undefined, ...parts });
const quietly = (parts: Partial<ObservedState>): ObservedState => ({
  pod: null,
  podEip: null,
  node: virtual,
  memory: quiet,
  now: NOW,
  ...parts,
});
const step = (parts: Partial<ObservedState>) => decide(quietly(parts), settings);
const successor = (parts: Parameters<typeof pod>[0]): Pod => pod({ uid: 'next', owner: 'StatefulSet', ...parts });
const eciPod = (annotations: Record<string, string>, parts: Parameters<typeof pod>[0] = {}): Pod =>
  pod({ annotations: { ...NEW, ...annotations }, ...parts });

test('a pod on the add-on’s virtual node gets a record, and a word on what the add-on will not do', (t) => {
  const plain = eciPod({});
  t.deepEqual(step({ pod: plain }), { do: 'RecordExternal', pod: plain, isExisting: false, findings: [] });
  t.like(step({ pod: pod({ annotations: EXISTING }) }), { do: 'RecordExternal', isExisting: true });
  const named = step({ pod: eciPod({ [KEYS.name[0]]: 'web' }) });
  t.like(named, { do: 'RecordExternal', findings: [{ id: 'NotHonouredByEci' }] });
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
    t.is(begun.do, 'RecordExternal');
    t.true(begun.do === 'RecordExternal' && begun.findings.some(({ id }) => id === 'UncountedOnEci'));
    t.like(step({ pod: eciPod(TOLD), podEip: record(), policy }), { allocationId: 'eip-1' });
    const named = step({ pod: pod({ annotations: EXISTING }), policy });
    t.like(named, { do: 'RecordExternal', findings: [] });
  }
});

test('on our own virtual node who makes the address depends on what is asked for', (t) => {
  t.like(step({ pod: eciPod({}), node: ours }), { do: 'RecordExternal' });
  const named = pod({ annotations: { ...NEW, [KEYS.name[0]]: 'web' }, podIP: '' });
  t.like(step({ pod: named, node: ours }), { do: 'Done', reason: 'NoPodIP' }, 'it may be one that cannot run');
  const accepted = { ...named, status: { phase: 'Pending', reason: EIP_PENDING } };
  t.like(step({ pod: accepted, node: ours }), { do: 'Claim' }, 'bought before the instance is made');
  t.like(step({ pod: pod({ annotations: EXISTING, podIP: '' }), node: ours }), { do: 'Done', reason: 'NoPodIP' });
  t.like(step({ pod: pod({ annotations: EXISTING }), node: ours }), { do: 'Claim' });
});

test('of the controller and our own virtual node at least one sees what the other is about to do', (t) => {
  const MADE = { [EIP_MADE_WITH]: 'eci-1' };
  const waiting = { ...eciPod({}, { podIP: '' }), status: { phase: 'Pending', reason: EIP_PENDING } };
  const limited = { effective: { names: ['few'], limits: { eips: 5 }, defaults: {} }, isFresh: true };
  const mine = podEip({ request: fresh });
  const asked = (parts: Partial<ObservedState>) =>
    step({ node: ours, podEip: mine, policy: limited, namespace: NAMESPACE, tagged: [], suspects: [], ...parts });
  t.like(step({ pod: waiting, node: ours, policy: limited }), { do: 'Claim' }, 'under a limit it is bought first');
  t.like(asked({ pod: waiting }), { do: 'ReadQuota' });
  // The virtual node may be making an instance with an EIP of its own.
  t.like(asked({ pod: eciPod({}, { podIP: '' }) }), { do: 'Wait', reason: 'NoPodIP' });
  t.like(asked({ pod: eciPod({}), interfaces: [eni()] }), { do: 'ReadQuota' }, 'it has made one without');
  t.like(asked({ pod: eciPod(MADE) }), { do: 'Retire' }, 'it has made one with it');
  t.like(step({ pod: eciPod(MADE), node: ours, policy: limited }), { do: 'RecordExternal' });
  // Copies in a template mean nothing, neither on another node nor before there is an address.
  t.like(step({ pod: eciPod(MADE), node: null }), { do: 'Done', reason: 'NotScheduled' });
  t.like(asked({ pod: eciPod(MADE, { podIP: '' }) }), { do: 'Wait', reason: 'NoPodIP' });
  // What was to be made with the instance when it was recorded is to be bought now.
  t.like(asked({ pod: waiting, podEip: record() }), { do: 'Retire' });
  t.like(step({ pod: waiting, node: ours, podEip: record() }), { do: 'Wait', reason: 'EipNotVisibleYet' });
});

test('a record of our own virtual node gives way where the pod names an existing EIP now and its instance came without one', (t) => {
  const at = (annotations: object, parts: Parameters<typeof pod>[0] = {}, more: Partial<ObservedState> = {}) =>
    step({
      pod: pod({ annotations: { ...EXISTING, ...annotations }, ...parts }),
      node: ours,
      podEip: record(),
      ...more,
    });
  t.like(at({}), { do: 'Retire' });
  t.like(at({}, {}, { podEip: null }), { do: 'Claim' });
  // It may be about to say so.
  t.like(at({}, { podIP: '' }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.like(at({ [EIP_MADE_WITH]: 'eci-1' }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.like(at({}, {}, { node: virtual }), { do: 'Wait', reason: 'EipNotVisibleYet' }, 'the add-on binds it itself');
  t.like(at(TOLD, {}, { podEip: record({ allocationID: 'eip-1' }) }), { do: 'ReadEip' });
});

test('what the virtual node says of the address that came with the instance is not taken back with an EIP that came too late', (t) => {
  const told = eciPod({ ...TOLD, [EIP_MADE_WITH]: 'eci-1' });
  const at = (parts: Partial<ObservedState>) => step({ pod: told, node: ours, ...parts });
  // The virtual node would say it again, and so on for ever.
  const retired = podEip({ request: fresh, isEnding: true });
  t.deepEqual(at({ podEip: retired }), { do: 'ReadTaggedEips' });
  t.deepEqual(at({ podEip: retired, tagged: [] }), { do: 'ReadMarkedEips' });
  t.like(at({ podEip: retired, tagged: [], suspects: [] }), { do: 'RemoveFinalizer' });
  t.like(at({ podEip: podEip({ request: fresh, isEnding: true, allocationID: 'eip-1' }) }), { do: 'ReadEip' });
  const release = { strategy: 'TTL', releaseAfter: '1h' } as const;
  const mine = podEip({ request: fresh, allocationID: 'eip-1', release });
  const stateful = successor({ uid: 'pod', annotations: { ...told.metadata.annotations, ...KEPT } });
  t.like(step({ pod: stateful, node: ours, podEip: mine }), { do: 'Retain' });
  t.like(step({ pod: stateful, node, podEip: mine }), { do: 'ReadEip' }, 'elsewhere it is a copy');
  const retained = podEip({
    request: fresh,
    allocationID: 'eip-1',
    release,
    podUid: '',
    goneSince: '2026-11-21T11:59:00Z',
  });
  const kept = step({ pod: stateful, node: ours, podEip: retained, eip: eip() });
  t.like(kept, { do: 'Wait', reason: 'Kept' }, 'it would be its second');
});

test('what the virtual node says is written down, looked up, and then said to the readiness gate', (t) => {
  t.like(step({ pod: eciPod({}), podEip: record() }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  const status = { phase: 'Pending', reason: 'UnsupportedByECI', message: 'privileged: true is not possible' };
  const refused = step({ pod: { ...eciPod({}), status }, podEip: record() });
  t.like(refused, { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.regex(
    'message' in refused ? refused.message : '',
    /does not run: UnsupportedByECI: privileged: true is not possible;/,
  );
  t.deepEqual(step({ pod: eciPod(TOLD), podEip: record() }), { do: 'ReadEip', allocationId: 'eip-1' });
  const inUse = eip({ ...bound, privateIpAddress: '10.0.0.2', tags: new Map() });
  const others = [null, eip({ tags: new Map() }), eip({ ...inUse, ipAddress: '203.0.113.9' })];
  for (const podEip of [record(), record({ allocationID: 'eip-1' })])
    for (const other of others)
      t.like(step({ pod: eciPod(TOLD), podEip, eip: other }), { do: 'Wait', reason: 'EipNotVisibleYet' });
  t.deepEqual(step({ pod: eciPod(TOLD), podEip: record(), eip: inUse }), {
    do: 'Record',
    podEip: record(),
    allocationId: 'eip-1',
  });
  const held = record({ allocationID: 'eip-1' });
  t.deepEqual(step({ pod: eciPod(TOLD), podEip: held }), { do: 'ReadEip', allocationId: 'eip-1' });
  t.like(step({ pod: eciPod(TOLD), podEip: held, eip: inUse }), { do: 'Done', reason: 'InUse' });
  const gated = eciPod(TOLD, { isGated: true });
  t.deepEqual(step({ pod: gated, podEip: held, eip: inUse }), {
    do: 'Publish',
    pod: gated,
    ipAddress: '203.0.113.1',
    isGated: true,
    message: '203.0.113.1 (eip-1) was made by the virtual node',
  });
  t.like(step({ pod: eciPod(TOLD, { isGated: true, isGateOpen: true }), podEip: held, eip: inUse }), { do: 'Done' });
});

test('an EIP that the account does not show at the pod’s own address is neither written down nor told', (t) => {
  const at = (parts: Partial<Parameters<typeof eip>[0] & object>, more: Partial<ObservedState> = {}) =>
    step({ pod: eciPod(TOLD), podEip: record(), eip: eip({ ...bound, tags: new Map(), ...parts }), ...more });
  t.like(at({ privateIpAddress: '10.0.0.2' }), { do: 'Record' });
  t.like(at({ privateIpAddress: '10.0.0.66' }), { do: 'Wait', reason: 'EipNotVisibleYet' }, 'another pod’s');
  // "" is the primary address of an interface, or of the instance: whose, the interface of the pod's address says.
  t.deepEqual(at({ privateIpAddress: '' }), { do: 'ReadInterfaces', privateIpAddress: '10.0.0.2' });
  const own = eni({ networkInterfaceId: 'eni-own', primaryIpAddress: '10.0.0.2', instanceId: 'eci-own' });
  const interfaces = [own];
  t.like(at({ privateIpAddress: '', instanceId: 'eni-own' }, { interfaces }), { do: 'Record' });
  t.like(at({ privateIpAddress: '', instanceId: 'eci-own', instanceType: 'EcsInstance' }, { interfaces }), {
    do: 'Record',
  });
  for (const [instanceId, found] of [
    ['eni-victim', interfaces],
    ['eci-victim', interfaces],
    ['eni-own', []],
    ['eni-own', [{ ...own, primaryIpAddress: '10.0.0.1' }]],
    [undefined, [{ ...own, instanceId: undefined }]],
  ] as const)
    for (const podEip of [record(), record({ allocationID: 'eip-1' })]) {
      const said = at({ privateIpAddress: '', instanceId }, { interfaces: found, podEip });
      t.like(said, { do: 'Wait', reason: 'EipNotVisibleYet' });
      t.notRegex(JSON.stringify(said), /203\.0\.113|victim/);
    }
  const unborn = eciPod(TOLD, { podIP: '' });
  t.like(at({ privateIpAddress: '' }, { pod: unborn }), { do: 'Wait', reason: 'EipNotVisibleYet' });
});

test('annotations that the account does not bear out are not written down, and nothing of the EIP is told', (t) => {
  const victims = eip({ ...bound, ipAddress: '203.0.113.9', tags: new Map() });
  const forged = [
    eip({ ...bound, ipAddress: '203.0.113.9', tags: new Map() }),
    eip({ tags: new Map() }),
    null,
    // Bought for a pod by this controller, or by one of another cluster.
    eip(bound),
    // There, with that address, and somebody else's.
    eip({ ...bound, privateIpAddress: '10.0.0.66', tags: new Map() }),
  ];
  const said = forged.map((found) => step({ pod: eciPod(TOLD), podEip: record(), eip: found }));
  for (const answer of said) {
    t.deepEqual(answer, said[0], 'nobody learns by it whether there is one with that ID and address');
    t.like(answer, { do: 'Wait', reason: 'EipNotVisibleYet' });
    t.notRegex(JSON.stringify(answer), new RegExp(`${victims.ipAddress}|${victims.instanceId}`.replaceAll('.', '\\.')));
  }
  // An ID that is changed afterwards is not believed either: what was written down stays.
  const held = record({ allocationID: 'eip-1' });
  const other = { ...TOLD, [ALLOCATED_INSTANCE_ID]: 'eip-2' };
  const asked = step({ pod: eciPod(other), podEip: held, eip: { ...victims, allocationId: 'eip-2' } });
  t.like(asked, { do: 'Wait', reason: 'EipNotVisibleYet' });
});

test('after the pod the record stays until the account shows that the address is gone, and complains where it is not', (t) => {
  const held = record({ allocationID: 'eip-1' });
  const left = eip({ status: 'Available', tags: new Map() });
  for (const gone of [null, pod({ uid: 'another' }), pod({ phase: 'Succeeded' })]) {
    t.deepEqual(step({ pod: gone, podEip: held }), { do: 'ReadEip', allocationId: 'eip-1' });
    t.like(step({ pod: gone, podEip: held, eip: null }), { do: 'Retire' });
    t.like(step({ pod: gone, podEip: held, eip: left }), { do: 'Wait', reason: 'Releasing' });
    const memory = { ...quiet, retainedMs: 300_000 };
    t.like(step({ pod: gone, podEip: held, eip: left, memory }), { do: 'ReadCompetingClaims' });
    t.like(step({ pod: gone, podEip: held, eip: left, memory, competitors: [] }), {
      do: 'Fail',
      reason: 'EipLeftBehind',
    });
    t.like(step({ pod: gone, podEip: record() }), { do: 'Retire' });
  }
  const users = {
    ...held,
    spec: { ...held.spec, allocationType: { type: 'Static', releaseStrategy: 'Follow' } as const },
  };
  t.like(step({ podEip: users, eip: left }), { do: 'Retire' });
  t.like(step({ podEip: users, eip: eip(bound) }), { do: 'Wait', reason: 'Releasing' });
  const late = { podEip: users, eip: eip(bound), memory: { ...quiet, retainedMs: 300_000 } };
  t.like(step({ ...late, competitors: [] }), { do: 'Fail' });
  // The next pod has it: a pod of the virtual node again, or another. Of several records the youngest stays.
  const recordOf = (creationTimestamp: string, uid = 'other'): CompetingClaim => {
    const it = record({ allocationID: 'eip-1', creationTimestamp });
    return { podEip: { ...it, metadata: { ...it.metadata, uid } }, pod: null };
  };
  t.like(step({ ...late, competitors: [recordOf('2026-11-20T12:00:00Z')] }), { do: 'Retire' });
  t.like(step({ ...late, competitors: [recordOf('2026-11-20T10:00:00Z')] }), { do: 'Fail' });
  t.like(step({ ...late, competitors: [recordOf('2026-11-20T11:00:00Z', 'a')] }), { do: 'Fail' });
  t.like(step({ ...late, competitors: [recordOf('2026-11-20T11:00:00Z', 'z')] }), { do: 'Retire' });
  const attached = { podEip: podEip({ request: existing, allocationID: 'eip-1', bindings: [binding] }), pod: null };
  t.like(step({ ...late, competitors: [attached] }), { do: 'Retire' });
});

test('a record of what the virtual node does bars nobody from an EIP, and keeps it from being robbed', (t) => {
  const competitors = [{ podEip: record({ allocationID: 'eip-1' }), pod: null }];
  const users = eip({ tags: new Map() });
  const wants = { pod: pod({ annotations: EXISTING }), podEip: podEip({ request: existing }), node: null, competitors };
  t.deepEqual(step({ ...wants, eip: users }), { do: 'Record', podEip: wants.podEip, allocationId: 'eip-1' });
  const won = { ...wants, podEip: podEip({ request: existing, allocationID: 'eip-1' }) };
  t.like(step({ ...won, eip: users }), { do: 'ReadInterfaces' });
  const inUse = { ...users, ...bound };
  for (const it of [wants, won]) {
    const seen = { ...quietly(it), eip: inUse };
    t.is(decide(seen, { ...settings, allowEipRob: true }).do, 'Fail');
    t.is(decide({ ...seen, competitors: [] }, { ...settings, allowEipRob: true }).do, 'ReadNamespace');
  }
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
          for (const retainedMs of [0, 1e9])
            for (const node of [virtual, ours]) {
              const seen = { pod: it, eip: found, podEip: record({ allocationID, isEnding }), node };
              const { do: what } = step({ ...seen, memory: { ...quiet, retainedMs } });
              t.true(
                ['ReadEip', 'ReadCompetingClaims', 'Record', 'Publish', 'Retire', 'Wait', 'Fail', 'Done'].includes(
                  what,
                ),
                what,
              );
            }
});

test('an EIP that is kept for the name goes to a pod that nobody else makes one for', (t) => {
  const kept = { [KEYS.releaseStrategy[0]]: '10m' };
  const keeping = {
    allocationID: 'eip-1',
    podUid: '',
    goneSince: '2026-11-21T11:59:00Z',
    release: { strategy: 'TTL', releaseAfter: '10m' },
  } as const;
  const next = (parts: Partial<ObservedState>, enableVirtualNode = false) =>
    decide(quietly({ podEip: podEip(keeping), eip: eip(), node: ours, ...parts }), { ...settings, enableVirtualNode });
  // Our own virtual node waits for it, and says so.
  const starting = successor({ annotations: { ...NEW, ...kept }, podIP: '', phase: 'Pending' });
  t.like(next({ pod: starting }), { do: 'Wait', reason: 'NoPodIP' });
  const accepted = { ...starting, status: { phase: 'Pending', reason: EIP_PENDING } };
  t.like(next({ pod: accepted }), { do: 'TakeOver', podUid: 'next' });
  const placed = podEip({ ...keeping, bindings: [{ ...binding, podUid: 'pod' }] });
  t.like(next({ pod: accepted, podEip: placed, eip: eip(bound) }), { do: 'Unassociate' }, 'detached first');
  // The add-on makes another one, except where its pods are served from here.
  const running = successor({ annotations: { ...NEW, ...kept } });
  t.like(next({ pod: running, node: virtual }, true), { do: 'TakeOver' });
  t.like(next({ pod: running, node: virtual }), { do: 'Wait', reason: 'Kept' });
  const late = { now: NOW + 3_600_000, memory: { ...quiet, retainedMs: 3_600_000 } };
  t.like(next({ pod: running, node: virtual, ...late }), { do: 'Retire' }, 'which it does not wait for');
  t.like(next({ pod: running, node: null }), { do: 'Wait', reason: 'NoPodIP' }, 'it may be anywhere yet');
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
  t.like(step(seen), { do: 'ReadInterfaces' });
  const eni = {
    networkInterfaceId: 'eni-1',
    status: 'InUse',
    vpcId: 'vpc-1',
    primaryIpAddress: '10.0.0.2',
    privateIpAddresses: ['10.0.0.2'],
  };
  t.like(step({ ...seen, interfaces: [eni] }), { do: 'RecordBinding', binding: { isPrimary: true } });
  t.like(step({ ...seen, interfaces: [{ ...eni, networkInterfaceId: 'eni-2' }] }), { do: 'Fail' });
});
