import { KEYS } from '../../../src/api/annotations.ts';
import { OLD_TERWAY } from '../../../src/rules/conflicting-controllers.ts';
import * as the from './situation.ts';
import { bound, boundElsewhere, justStarted, eip, eni, pod, podEip, quiet, usersEip } from './situation.ts';
import { testDecisions } from './decisions.ts';

const bandwidthPackageId = 'cbwp-1';
const allocationID = 'eip-1';
const allocationId = allocationID;
const bindings = [the.binding];
const packaged = { ...the.fresh, bandwidthPackageId };
const ours = podEip({ allocationID, bindings });
const other = { uid: 'another' };
const virtual = { ...the.node, metadata: { ...the.node.metadata, labels: { type: 'virtual-kubelet' } } };
const refusedPurchase = { action: 'Allocate', reason: 'QuotaExceeded', message: 'no room', dueInMs: 0 } as const;
const gone = { ...quiet, missingMs: 30_000 };

const AT = '2026-11-20T10:00:00Z';
/** A pod that was created then. */
const from = (creationTimestamp: string, parts: Parameters<typeof pod>[0] = {}) => {
  const { metadata, ...rest } = pod(parts);
  return { ...rest, metadata: { ...metadata, creationTimestamp } };
};

/* Each row is one line of the decision. EIPs of users are in decide-users-eip.test.ts. */
testDecisions([
  // no PodEIP
  ['nothing is done without a pod', { pod: null }, { do: 'Done', reason: 'NoAddressWanted' }],
  ['nothing is done for a pod that has ended', { pod: pod({ phase: 'Succeeded' }) }, { reason: 'NoAddressWanted' }],
  ['nothing is done for a pod that is ending', { pod: pod({ isEnding: true }) }, { reason: 'NoAddressWanted' }],
  ['a pod without annotations gets nothing', { pod: pod({ annotations: {} }) }, { reason: 'NoAddressWanted' }],
  ['a pod that is not scheduled waits', { pod: pod({ spec: { nodeName: undefined } }) }, { reason: 'NotScheduled' }],
  ['a pod on a node that is not known waits', { node: null }, { do: 'Done', reason: 'NotScheduled' }],
  [
    'a pod on a virtual node is left to it, and recorded',
    { pod: pod({ labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } }), node: virtual },
    { do: 'RecordExternal' },
  ],
  [
    'a pod that only says so itself, on a node that nothing shows to be virtual, gets nothing before somebody has looked',
    { pod: pod({ labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } }) },
    { do: 'Done', reason: 'NotScheduled' },
  ],
  ['a pod without an address waits for one', { pod: pod({ podIP: '' }) }, { do: 'Done', reason: 'NoPodIP' }],
  [
    'beside another controller nothing is written down',
    { otherControllers: ['ack-extend-network-controller'] },
    { do: 'Fail', reason: 'OtherEipController' },
  ],
  [
    'beside another controller what the virtual node makes is recorded',
    {
      otherControllers: ['ack-extend-network-controller'],
      pod: pod({ labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } }),
      node: virtual,
    },
    { do: 'RecordExternal' },
  ],
  [
    'beside another controller an address that is there is kept',
    {
      otherControllers: ['ack-extend-network-controller'],
      pod: pod({ isTold: true }),
      podEip: podEip({ allocationID, bindings }),
      eip: eip(bound),
    },
    { do: 'Done', reason: 'InUse' },
  ],
  [
    'beside another controller a PodEIP from before gets no EIP',
    { otherControllers: [OLD_TERWAY], podEip: podEip(), tagged: [] },
    { do: 'Fail', reason: 'OtherEipController' },
  ],
  [
    'beside another controller an EIP that was bought before is written down, so that somebody gives it back',
    { otherControllers: [OLD_TERWAY], podEip: podEip(), tagged: [eip()] },
    { do: 'Record', allocationId },
  ],
  [
    'beside another controller an EIP that was bought before is not bound',
    { otherControllers: [OLD_TERWAY], podEip: podEip({ allocationID, bindings }), eip: eip(), interfaces: [eni()] },
    { do: 'Fail', reason: 'OtherEipController' },
  ],
  [
    'beside another controller an EIP that cannot be bound for long is given back',
    {
      otherControllers: [OLD_TERWAY],
      podEip: podEip({ allocationID, bindings }),
      eip: eip(),
      interfaces: [eni()],
      memory: { ...quiet, unusedMs: 600_000 },
    },
    { do: 'Retire', because: 'its EIP cannot be used' },
  ],
  [
    'a Terway that is older than the switch is no business of a pod on ECI',
    {
      otherControllers: [OLD_TERWAY],
      pod: pod({ labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } }),
      node: virtual,
    },
    { do: 'RecordExternal' },
  ],
  [
    'a pod that says an address of an old Terway’s has its EIP yet, and gets no second',
    { terwayUntil: Date.parse(AT), pod: from(AT, { isTold: true }) },
    { do: 'Fail', reason: 'OtherEipController' },
  ],
  [
    'a pod from after the last old Terway says an address that is a copy',
    { terwayUntil: Date.parse(AT) - 1, pod: from(AT, { isTold: true }) },
    { do: 'Claim', generation: 1 },
  ],
  ['a pod from before that says none is served', { terwayUntil: Date.parse(AT), pod: from(AT) }, { do: 'Claim' }],
  [
    'a pod of an old Terway’s time keeps what this controller gave it',
    {
      terwayUntil: Date.parse(AT),
      pod: from(AT, { isTold: true }),
      podEip: podEip({ allocationID, bindings }),
      eip: eip(bound),
    },
    { do: 'Done', reason: 'InUse' },
  ],
  ['a request is written down first', {}, { do: 'Claim', request: the.fresh, generation: 1 }],
  [
    'a refused request is written down too',
    { pod: pod({ annotations: { ...the.NEW, [KEYS.isp[0]]: 'x' } }) },
    { do: 'Claim', request: undefined },
  ],
  [
    'a pod in the network of its node is refused',
    { pod: pod({ spec: { hostNetwork: true } }), podEip: podEip({ request: undefined, hasFinalizer: false }) },
    { do: 'Fail', reason: 'HostNetwork' },
  ],
  // whose PodEIP
  ['another controller’s PodEIP is left alone', { podEip: podEip({ controller: 'x' }) }, { reason: 'NotManagedHere' }],
  ['without its pod a PodEIP goes', { pod: null, podEip: ours }, { do: 'Retire', because: 'the pod is gone' }],
  ['a PodEIP does not serve another pod of the name', { pod: pod(other), podEip: ours }, { do: 'Retire' }],
  ['a PodEIP goes when its pod has ended', { pod: pod({ phase: 'Failed' }), podEip: ours }, { do: 'Retire' }],
  ['a pod that ends early gets nothing', { pod: pod({ isEnding: true }), podEip: ours }, { do: 'Retire' }],
  [
    'a pod that ends keeps its address until it has ended',
    { pod: pod({ isEnding: true, isTold: true }), podEip: ours, eip: eip(bound) },
    { do: 'Done', reason: 'InUse' },
  ],
  ['a pod that wants no address any more loses it', { pod: pod({ annotations: {} }), podEip: ours }, { do: 'Retire' }],
  [
    'a PodEIP whose request was edited is not guessed at',
    { podEip: podEip({ request: undefined }) },
    { do: 'Fail', reason: 'RecordTampered' },
  ],
  [
    'a corrected request is claimed',
    { podEip: podEip({ request: undefined, hasFinalizer: false }) },
    { do: 'Claim', request: the.fresh, generation: 1 },
  ],
  // an EIP of our own
  ['before one is bought, one is looked for', { podEip: podEip() }, { do: 'ReadTaggedEips' }],
  ['one that is found is written down', { podEip: podEip(), tagged: [eip()] }, { do: 'Record', allocationId }],
  ['without one, one is bought', { podEip: podEip({ generation: 3 }), tagged: [] }, { do: 'Allocate', generation: 3 }],
  [
    'a refused purchase is tried again with what the pod says now, under a new number',
    { podEip: podEip({ generation: 3 }), tagged: [], memory: { ...quiet, refusal: refusedPurchase } },
    { do: 'Claim', generation: 4 },
  ],
  [
    'a refused purchase keeps its number while an earlier one may still take effect',
    { podEip: podEip({ generation: 3 }), tagged: [], memory: { ...justStarted, refusal: refusedPurchase } },
    { do: 'Allocate', generation: 3 },
  ],
  [
    'a refused purchase is not tried again before its time',
    { podEip: podEip(), tagged: [], memory: { ...quiet, refusal: { ...refusedPurchase, dueInMs: 5_000 } } },
    { do: 'Fail', reason: 'QuotaExceeded', message: 'no room', ms: 5_000 },
  ],
  [
    'a refused purchase is tried again at once when the pod says something else',
    {
      pod: pod({ annotations: { ...the.NEW, [KEYS.bandwidth[0]]: '7' } }),
      podEip: podEip(),
      tagged: [],
      memory: { ...quiet, refusal: { ...refusedPurchase, dueInMs: 5_000 } },
    },
    { do: 'Claim', generation: 2 },
  ],
  ['the EIP is looked at', { podEip: ours }, { do: 'ReadEip', allocationId }],
  [
    'one that is not listed may be new',
    { podEip: ours, eip: null, memory: justStarted },
    { reason: 'EipNotVisibleYet' },
  ],
  ['one that is not listed for a moment may be there', { podEip: ours, eip: null }, { reason: 'EipNotVisibleYet' }],
  [
    'one that is not listed for long is looked for',
    { podEip: ours, eip: null, memory: gone },
    { do: 'ReadMarkedEips' },
  ],
  [
    'one that is listed by its tags only is there',
    { podEip: ours, eip: null, tagged: [eip()], memory: gone },
    { reason: 'EipNotVisibleYet' },
  ],
  [
    'the pod is told first that its address is gone',
    { pod: pod({ isTold: true }), podEip: ours, eip: null, tagged: [], memory: gone },
    { do: 'Unpublish' },
  ],
  [
    'one that is gone is struck out, and another one is bought with a new token',
    { podEip: ours, eip: null, tagged: [], memory: gone },
    { do: 'Forget', allocationId, generation: 2 },
  ],
  [
    'one without tags may be new',
    { podEip: ours, eip: usersEip(), memory: justStarted },
    { reason: 'EipNotVisibleYet' },
  ],
  ['one without tags is not ours: is there one', { podEip: ours, eip: usersEip() }, { do: 'ReadTaggedEips' }],
  [
    'the one that is ours is written down again',
    { podEip: ours, eip: usersEip(), tagged: [eip({ allocationId: 'eip-2' })] },
    { do: 'Record', allocationId: 'eip-2' },
  ],
  ['one without tags is not ours', { podEip: ours, eip: usersEip(), tagged: [] }, { do: 'Fail', reason: 'EipNotOurs' }],
  [
    'one of another cluster is not ours',
    { podEip: ours, eip: eip(), tagged: [] },
    { do: 'Fail', reason: 'EipNotOurs' },
    { clusterUid: 'x' },
  ],
  [
    'it joins its bandwidth package',
    { podEip: podEip({ request: packaged, allocationID }), eip: eip() },
    { do: 'JoinBandwidthPackage', allocationId, bandwidthPackageId },
  ],
  [
    'it joins it once',
    {
      podEip: podEip({ request: packaged, allocationID }),
      eip: eip(),
      memory: { ...justStarted, accepted: 'JoinBandwidthPackage' },
    },
    { do: 'Wait', reason: 'JoiningBandwidthPackage' },
  ],
  [
    'it joins when it rests',
    { podEip: podEip({ request: packaged, allocationID }), eip: eip({ status: 'Associating' }) },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'it is not taken out of another package',
    { podEip: podEip({ request: packaged, allocationID }), eip: eip({ bandwidthPackageId: 'cbwp-2' }) },
    { do: 'Fail', reason: 'EipInOtherPackage' },
  ],
  [
    'in its package it is put to use',
    { podEip: podEip({ request: packaged, allocationID }), eip: eip({ bandwidthPackageId }) },
    { do: 'ReadInterfaces' },
  ],
  // put to use
  [
    'without an address there is nowhere to bind',
    { pod: pod({ podIP: '' }), podEip: ours, eip: eip() },
    { reason: 'NoPodIP' },
  ],
  ['what is bound is published', { podEip: ours, eip: eip(bound) }, { do: 'Publish', isGated: false }],
  [
    'a gate is opened too',
    { pod: pod({ isGated: true, isTold: true }), podEip: ours, eip: eip(bound) },
    { do: 'Publish', isGated: true, ipAddress: '203.0.113.1' },
  ],
  [
    'as wanted, it rests until the next look',
    { pod: pod({ isGated: true, isTold: true, isGateOpen: true }), podEip: ours, eip: eip(bound) },
    { do: 'Done', reason: 'InUse', ms: 600_000 },
  ],
  [
    'one contradicting look proves nothing',
    { pod: pod({ isTold: true }), podEip: ours, eip: eip() },
    { do: 'Wait', reason: 'EipNotVisibleYet' },
  ],
  [
    'after two the pod is told',
    { pod: pod({ isTold: true }), podEip: ours, eip: eip(), memory: { ...quiet, driftMs: 2_000 } },
    { do: 'Unpublish', isGated: false },
  ],
  [
    'a pod whose address has changed is followed',
    { pod: pod({ podIP: '10.0.0.3' }), podEip: ours, eip: eip(bound) },
    { do: 'Unassociate', binding: the.binding },
  ],
  [
    'one that was handed over may still be read where it was, and is waited for',
    { podEip: ours, eip: eip(boundElsewhere), interfaces: [eni()], memory: { ...quiet, detachedMs: 1_000 } },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'a foreign binding is left',
    { podEip: ours, eip: eip(boundElsewhere), interfaces: [eni()] },
    { do: 'Fail', reason: 'EipBoundElsewhere' },
  ],
  ['a transition is waited for', { podEip: ours, eip: eip({ status: 'Associating' }) }, { reason: 'InTransition' }],
  ['a locked EIP is said', { podEip: ours, eip: eip({ lockReasons: ['financial'] }) }, { reason: 'EipLocked' }],
  [
    'it is bound once',
    { podEip: ours, eip: eip(), memory: { ...justStarted, accepted: 'Associate' } },
    { do: 'Wait', reason: 'InTransition' },
  ],
  ['its place is looked for', { podEip: ours, eip: eip() }, { do: 'ReadInterfaces', privateIpAddress: '10.0.0.2' }],
  ['no interface yet', { podEip: ours, eip: eip(), interfaces: [] }, { do: 'Wait', reason: 'NoInterfaceYet' }],
  [
    'two interfaces are one too many',
    { podEip: ours, eip: eip(), interfaces: [eni(), eni({ networkInterfaceId: 'eni-2' })] },
    { do: 'Fail', reason: 'AmbiguousInterface' },
  ],
  [
    'an interface that is not attached is waited for',
    { podEip: ours, eip: eip(), interfaces: [eni({ status: 'Attaching' })] },
    { do: 'Wait', reason: 'NoInterfaceYet' },
  ],
  [
    'a new place is written down before it is used',
    { podEip: podEip({ allocationID }), eip: eip(), interfaces: [eni()] },
    { do: 'RecordBinding', binding: the.binding },
  ],
  [
    'a place that became primary is written down anew',
    { podEip: ours, eip: eip(), interfaces: [eni({ primaryIpAddress: '10.0.0.2' })] },
    { do: 'RecordBinding', binding: { ...the.binding, isPrimary: true } },
  ],
  [
    'an address that was the EIP’s before waits until no request can take it from there any more',
    {
      podEip: podEip({ allocationID, bindings: [{ ...the.binding, podUid: 'earlier' }] }),
      eip: eip(),
      interfaces: [eni()],
      memory: { ...justStarted, quietMs: 9_000 },
    },
    { do: 'Wait', reason: 'Settling' },
  ],
  [
    'and is then written down as this pod’s',
    {
      podEip: podEip({ allocationID, bindings: [{ ...the.binding, podUid: 'earlier' }] }),
      eip: eip(),
      interfaces: [eni()],
      memory: { ...justStarted, quietMs: 10_000 },
    },
    { do: 'RecordBinding', binding: the.binding },
  ],
  ['a written place is used', { podEip: ours, eip: eip(), interfaces: [eni()] }, { do: 'Associate', allocationId }],
]);
