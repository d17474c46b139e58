import test from 'ava';
import { CONTROLLER, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { PlannedPod } from '../../src/migrate/planned.ts';
import { planPod } from '../../src/migrate/plan.ts';
import type { SeenPod, Surroundings } from '../../src/migrate/inventory.ts';
import { ADDRESS, around, eipOf, interfaceOf, node, ofTerway, ourTags, podEipOf, podOf, seenOf } from './situations.ts';

const plan = (over: Partial<SeenPod> = {}, where: Partial<Surroundings> = {}): PlannedPod =>
  planPod(seenOf(over), around(where), false);
const writes = ({ steps }: PlannedPod) => steps.map((step) => step.do);

test('a documented PodEIP gets its tags, then the notes of where its EIP is', (t) => {
  const planned = plan();
  t.is(planned.is, 'takeOver');
  t.deepEqual(writes(planned), ['Tag', 'Adopt']);
  const [, adoption] = planned.steps;
  t.like(adoption, {
    from: 'ack-extend-network-controller',
    podUid: 'pod-uid',
    goneSince: undefined,
    bindings: [{ networkInterfaceId: 'eni-1', privateIpAddress: ADDRESS, isPrimary: false, podUid: 'pod-uid' }],
  });
  t.deepEqual(writes(plan({ eip: eipOf({ tags: ourTags }) })), ['Adopt'], 'after a run that died between the two');
});

test('an EIP at the primary address of an interface is known by the interface alone', (t) => {
  const eip = eipOf({ privateIpAddress: '' });
  t.is(plan({ eip, interfaces: [] }).is, 'blocked');
  t.is(plan({ eip, interfaces: [interfaceOf(false)] }).is, 'blocked');
  const [, adoption] = plan({ eip, interfaces: [interfaceOf(true)] }).steps;
  t.like(adoption, { bindings: [{ isPrimary: true, privateIpAddress: ADDRESS }] });
  const halfWritten = podEipOf({ status: { networkInterfaceID: undefined, privateIPAddress: undefined } });
  t.is(plan({ podEip: halfWritten, interfaces: [] }).is, 'blocked');
  t.is(plan({ podEip: halfWritten, interfaces: [interfaceOf(false)] }).is, 'takeOver');
});

test('a user’s EIP is never tagged, and must be the namespace’s to name', (t) => {
  const podEip = podEipOf({ spec: { allocationType: { type: 'Static', releaseStrategy: 'Follow' } } });
  const pod = podOf({ 'k8s.aliyun.com/pod-eip-instanceid': 'eip-1' });
  t.deepEqual(writes(plan({ podEip, pod })), ['Adopt']);
  const settings = { ...around().settings, existingEips: 'granted' } as const;
  const refused = plan({ podEip, pod }, { settings });
  t.is(refused.is, 'blocked');
  t.regex(refused.todo ?? '', /grant eip-1 to the namespace shop/);
  const anothers = new Map([
    [TAG_CLUSTER_UID, 'cluster-uid'],
    [TAG_PODEIP_UID, 'another'],
  ]);
  t.regex(plan({ podEip, pod, eip: eipOf({ tags: anothers }) }).because, /bought for another PodEIP/);
});

const gone = { pod: null, eip: eipOf({ status: 'Available', instanceId: undefined, privateIpAddress: undefined }) };

const kept = (releaseStrategy: 'Never' | 'Follow' | 'TTL') =>
  podEipOf({ spec: { allocationType: { type: 'Auto', releaseStrategy, releaseAfter: '10m' } } });

test('a PodEIP alone proves nothing: of a pod that is gone, only an EIP that is vouched for is taken over', (t) => {
  const vouchedFor = new Set(['eip-1']);
  for (const releaseStrategy of ['Never', 'Follow', 'TTL'] as const) {
    const podEip = kept(releaseStrategy);
    const alone = plan({ ...gone, podEip });
    t.like(alone, { is: 'blocked', steps: [] });
    t.regex(alone.todo ?? '', /write --take-over eip-1 if/);
    t.is(plan({ ...gone, podEip }, { vouchedFor: new Set(['eip-2']) }).is, 'blocked');
    const [, adoption] = plan({ ...gone, podEip }, { vouchedFor }).steps;
    t.like(adoption, { podUid: '', goneSince: Date.parse('2026-11-30T11:59:50Z'), bindings: [] });
  }
  const inUse = { pod: null, eip: eipOf() };
  t.is(plan(inUse).is, 'blocked');
  const [, adoption] = plan(inUse, { vouchedFor }).steps;
  t.like(adoption, { bindings: [{ networkInterfaceId: 'eni-1', privateIpAddress: ADDRESS, podUid: '' }] });
  const elsewhere = plan({ ...inUse, interfaces: [] }, { vouchedFor });
  t.like(elsewhere, { is: 'blocked', steps: [] });
  t.regex(elsewhere.because, /no network interface of this VPC/);
});

test('what a PodEIP says of an interface is not believed: the EIP of another VPC with the same address stays', (t) => {
  const podEip = podEipOf({ status: { networkInterfaceID: 'eni-other', privateIPAddress: ADDRESS } });
  for (const interfaces of [[], [interfaceOf(false)]])
    for (const vouchedFor of [new Set<string>(), new Set(['eip-1'])])
      t.is(plan({ podEip, eip: eipOf({ instanceId: 'eni-other' }), interfaces }, { vouchedFor }).is, 'blocked');
});

const ODD: Readonly<Record<string, readonly [Partial<SeenPod>, RegExp]>> = {
  'an EIP of another account': [{ eip: null }, /not listed in this region and account/],
  'an EIP that two PodEIPs name': [{ competitors: ['shop/b'] }, /eip-1 is named by shop\/b, too/],
  'an EIP that somebody moved by hand': [
    { eip: eipOf({ instanceId: 'eni-9', privateIpAddress: '192.168.0.9' }) },
    /bound to eni-9 \(192\.168\.0\.9\), not to its pod/,
  ],
  'an EIP on a server': [{ eip: eipOf({ instanceId: 'i-1', instanceType: 'EcsInstance' }) }, /bound to i-1/],
  'an EIP that is not bound yet': [{ eip: eipOf({ status: 'Available', instanceId: undefined }) }, /bound to nothing/],
  'an EIP that is being bound': [{ eip: eipOf({ status: 'Associating' }) }, /is Associating/],
  'an EIP with the tags of another cluster': [
    { eip: eipOf({ tags: new Map([[TAG_CLUSTER_UID, 'other']]) }) },
    /another PodEIP or cluster/,
  ],
  'an EIP of a cloud service': [{ eip: eipOf({ serviceManaged: true }) }, /another cloud service/],
  'a PodEIP without an EIP': [{ podEip: podEipOf({ spec: { allocationID: '' } }), eip: undefined }, /holds no EIP/],
  'a PodEIP without the finalizer': [{ podEip: podEipOf({ metadata: { finalizers: [] } }) }, /holds no EIP/],
  'a PodEIP that is being deleted': [
    { podEip: podEipOf({ metadata: { deletionTimestamp: '2026-11-30T11:59:00Z' } }) },
    /being deleted/,
  ],
  'a duration that is none': [
    { podEip: podEipOf({ spec: { allocationType: { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: 'soon' } } }) },
    /releaseAfter "soon" is no duration/,
  ],
  'a bandwidth package that the EIP is not in': [
    { podEip: podEipOf({ spec: { bandwidthPackageID: 'cbwp-1' } }) },
    /in no bandwidth package, and the PodEIP asks for cbwp-1/,
  ],
  'a PodEIP of somebody else': [
    { podEip: podEipOf({ metadata: { annotations: { [CONTROLLER]: 'somebody' } } }) },
    /somebody looks after it/,
  ],
  'a PodEIP for Terway’s way': [{ podEip: ofTerway() }, /terway looks after it/],
  'a pod that is ending': [{ pod: podOf(undefined, { deletionTimestamp: '2026-11-30T11:59:00Z' }) }, /is ending/],
  'a pod on a virtual node': [
    {
      node: { metadata: { ...node.metadata, labels: { type: 'virtual-kubelet' } } },
      pod: podOf({ 'k8s.aliyun.com/eci-instance-id': 'eci-1' }),
    },
    /runs on ECI/,
  ],
};
for (const [what, [over, because]] of Object.entries(ODD))
  test(`${what} is left alone, and said`, (t) => {
    const planned = plan(over);
    t.is(planned.is, 'blocked', planned.because);
    t.deepEqual(planned.steps, []);
    t.regex(planned.because, because);
    t.truthy(planned.todo);
  });

test('what is ours already, or only recorded, is not touched', (t) => {
  for (const controller of ['knative-eip', 'eci-virtual-node']) {
    const finalizers = controller === 'knative-eip' ? undefined : { finalizers: [] };
    const podEip = podEipOf({ metadata: { annotations: { [CONTROLLER]: controller }, ...finalizers } });
    t.deepEqual([plan({ podEip }).is, writes(plan({ podEip }))], ['done', []]);
  }
});
