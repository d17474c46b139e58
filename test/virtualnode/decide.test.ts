import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  CONTROLLER,
  CONTROLLER_NAME,
  ECI_INSTANCE_ID,
  EIP_MADE_WITH,
  EIP_PENDING,
  POD_UID,
} from '../../src/api/annotations.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { ContainerGroup } from '../../src/cloud/container-groups.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { MADE_WITH_GROUP, TAG_EIP } from '../../src/virtualnode/create.ts';
import { decidePod } from '../../src/virtualnode/decide.ts';
import type { DecideSettings, TrackedPod, ObservedPod } from '../../src/virtualnode/observation.ts';
import { podStatusOf } from '../../src/virtualnode/instance-status.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const settings: DecideSettings = {
  nodeName: 'virtual-1',
  node: {
    clusterUid: 'c',
    vSwitchIds: ['vsw-1'],
    securityGroupId: 'sg-1',
    clusterDNS: [],
    clusterDomain: 'cluster.local',
  },
  defaults: { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' },
  statefulKinds: [],
  enableVirtualNode: false,
  existingEips: 'any',
  existingEipNamespaces: [],
  settleMs: 15_000,
  missingMs: 60_000,
  readLagMs: 3_000,
};
const memory: TrackedPod = { quietMs: Infinity, wasListed: false, missingMs: 0, isFinished: false };

const pod = (over: Partial<WorkloadPod['metadata']> = {}, status: WorkloadPod['status'] = {}): WorkloadPod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1', ...over },
  spec: { nodeName: 'virtual-1', containers: [{ name: 'main', image: 'nginx' }] },
  status,
});
const group = (over: Partial<ContainerGroup> = {}): ContainerGroup => ({
  containerGroupId: 'eci-1',
  containerGroupName: 'default-web',
  status: 'Running',
  eniInstanceId: 'eni-1',
  intranetIp: '10.1.0.1',
  creationTime: '2026-11-20T11:59:00Z',
  tags: new Map(),
  events: [],
  containers: [
    {
      name: 'main',
      image: 'nginx',
      ready: true,
      restartCount: 0,
      currentState: { state: 'Running', startTime: '2026-11-20T11:59:30Z' },
    },
  ],
  initContainers: [],
  ...over,
});
const seen = (over: Partial<ObservedPod> = {}): ObservedPod => ({
  pod: pod(),
  group: undefined,
  surplus: [],
  podEip: undefined,
  eip: undefined,
  references: undefined,
  memory,
  now: NOW,
  ...over,
});
const deleting = pod({ deletionTimestamp: '2026-11-20T12:00:00Z' });
const step = (over: Partial<ObservedPod>) => decidePod(seen(over), settings);

test('a group is looked for before one is made', (t) => {
  t.is(step({}).do, 'ReadGroup');
  t.is(step({ group: null }).do, 'ReadReferences');
  const references = { configMaps: new Map(), secrets: new Map(), tokens: new Map() };
  t.like(step({ group: null, references }), { do: 'CreateGroup', spec: { eip: {} } });
});

test('the object of a pod goes only when nothing can be left', (t) => {
  const gone = (over: Partial<TrackedPod>) => step({ pod: deleting, group: null, memory: { ...memory, ...over } });
  t.is(gone({}).do, 'FinishDeletion', 'this process saw it come, and made nothing');
  t.like(gone({ quietMs: 5_000 }), { do: 'Wait', ms: 10_000 });
  t.is(gone({ quietMs: 15_000 }).do, 'FinishDeletion');
  t.like(gone({ quietMs: 5_000, wasListed: true, missingMs: 1_000 }), { do: 'Wait', ms: 2_000 });
  t.is(gone({ quietMs: 5_000, wasListed: true, missingMs: 3_000 }).do, 'FinishDeletion');
  t.like(gone({ createdId: 'eci-9' }), { do: 'DeleteGroup', containerGroupId: 'eci-9' });
  const deletion = { containerGroupId: 'eci-9', agoMs: 4_000 };
  t.like(gone({ createdId: 'eci-9', deletion, quietMs: 5_000, missingMs: 4_000 }), { do: 'Wait', ms: 10_000 });
  t.is(gone({ isFinished: true }).do, 'Done');
  t.is(step({ pod: deleting, group: group() }).do, 'DeleteGroup');
  t.is(step({ pod: deleting, group: group({ status: 'Terminating' }) }).do, 'Wait');
  t.is(step({ pod: deleting, group: group({ status: 'Succeeded' }) }).do, 'DeleteGroup');
});

test('the instance of another pod is not ended on the word of an annotation', (t) => {
  const annotations = { [ECI_INSTANCE_ID]: 'eci-of-another' };
  for (const phase of ['Pending', 'Running', 'Succeeded', 'Failed']) {
    const status = { phase, startTime: '2026-11-20T11:00:00Z' };
    const forged = { ...deleting, metadata: { ...deleting.metadata, annotations }, status };
    const ends = (over: Partial<TrackedPod>) => step({ pod: forged, group: null, memory: { ...memory, ...over } });
    t.like(ends({ quietMs: 0 }), { do: 'Wait', ms: 15_000 }, 'a process that has just started');
    t.is(ends({ quietMs: 15_000 }).do, 'FinishDeletion');
    t.like(ends({ quietMs: 0, createdId: 'eci-9' }), { do: 'DeleteGroup', containerGroupId: 'eci-9' });
    t.like(step({ pod: forged, group: group() }), { do: 'DeleteGroup', containerGroupId: 'eci-1' });
  }
});

test('a pod with a finalizer is shown as ended before its object is asked to go', (t) => {
  const held = { ...deleting, metadata: { ...deleting.metadata, finalizers: ['batch.kubernetes.io/job-tracking'] } };
  t.like(step({ pod: held, group: null }), { do: 'WriteStatus', status: { phase: 'Failed', reason: 'Terminated' } });
  t.is(step({ pod: { ...held, status: { phase: 'Failed' } }, group: null }).do, 'FinishDeletion');
});

test('an instance ID that came with the template of the pod proves nothing', (t) => {
  const annotations = { [ECI_INSTANCE_ID]: 'eci-copied' };
  t.is(step({ pod: pod({ annotations }), group: null }).do, 'ReadReferences');
  const told = pod({ annotations }, { startTime: '2026-11-20T11:00:00Z' });
  t.is(step({ pod: told, group: null }).do, 'Wait');
  t.like(step({ pod: told, group: null, memory: { ...memory, missingMs: 60_000 } }), {
    do: 'WriteStatus',
    status: { phase: 'Failed', reason: 'ContainerGroupGone' },
  });
  t.like(step({ pod: told, group: null, memory: { ...memory, missingMs: 3_000, wasListed: true } }), {
    do: 'WriteStatus',
    warning: { reason: 'ContainerGroupGone' },
  });
});

test('an address is told only where it came with the instance and is bound to it', (t) => {
  const tags = new Map([[TAG_EIP, MADE_WITH_GROUP]]);
  const internetIp = '47.1.1.1';
  const eip = { allocationId: 'eip-1', ipAddress: internetIp, status: 'InUse', instanceId: 'eni-1' } as Eip;
  t.deepEqual(step({ group: group({ tags, internetIp }) }), { do: 'ReadEipByAddress', ipAddress: internetIp });
  t.like(step({ group: group({ tags, internetIp }), eip }), {
    annotations: {
      [EIP_MADE_WITH]: 'eci-1',
      [ECI_INSTANCE_ID]: 'eci-1',
      [ALLOCATED_ADDRESS]: internetIp,
      [ALLOCATED_INSTANCE_ID]: 'eip-1',
    },
  });
  const other = step({ group: group({ tags, internetIp }), eip: { ...eip, instanceId: 'eni-2' } });
  t.deepEqual(other.do === 'WriteStatus' && other.annotations, {
    [EIP_MADE_WITH]: 'eci-1',
    [ECI_INSTANCE_ID]: 'eci-1',
  });
  const bound = step({ group: group({ internetIp }), eip });
  t.deepEqual(bound.do === 'WriteStatus' && bound.annotations, { [ECI_INSTANCE_ID]: 'eci-1' });
  const copied = step({ pod: pod({ annotations: { [EIP_MADE_WITH]: 'eci-0' } }), group: group({ internetIp }) });
  t.like(copied, { do: 'WriteStatus', annotations: { [EIP_MADE_WITH]: null }, status: { podIP: '10.1.0.1' } });
});

test('what a container did before and does now is in the status, as a kubelet writes it', (t) => {
  const [main] = group().containers;
  const previousState = { state: 'Terminated' as const, exitCode: 7, finishTime: '2026-11-20T11:59:20.5Z' };
  const waiting = { state: 'Waiting' as const, reason: 'CrashLoopBackOff', message: 'back-off 10s' };
  const crashing = group({
    containers: main ? [{ ...main, ready: false, restartCount: 2, currentState: waiting, previousState }] : [],
    initContainers: [],
  });
  const withInit = pod({}, {});
  const change = podStatusOf(
    { ...withInit, spec: { ...withInit.spec, initContainers: [{ name: 'first', image: 'busybox' }] } },
    crashing,
    { now: NOW, hostIP: '10.9.9.9' },
  );
  t.like(change, { phase: 'Running', podIP: '10.1.0.1', hostIP: '10.9.9.9', startTime: '2026-11-20T11:59:00Z' });
  t.like(change?.['containerStatuses'], [
    {
      ready: false,
      started: false,
      restartCount: 2,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } },
      lastState: { terminated: { exitCode: 7, reason: 'Error', finishedAt: '2026-11-20T11:59:20Z' } },
    },
  ]);
  t.like(change?.['initContainerStatuses'], [{ name: 'first', state: { waiting: { reason: 'ContainerCreating' } } }]);
  const verdicts = change?.['conditions'] as { type: string; status: string; reason?: string }[];
  t.deepEqual(
    verdicts.map(({ type, status, reason }) => [type, status, reason ?? '']),
    [
      ['PodScheduled', 'True', ''],
      ['Initialized', 'False', 'ContainersNotInitialized'],
      ['ContainersReady', 'False', 'ContainersNotReady'],
      ['Ready', 'False', 'ContainersNotReady'],
    ],
  );
});

test('a status that the pod shows already is not written again, and an end is never undone', (t) => {
  const options = { now: NOW, hostIP: undefined };
  const { conditions, ...status } = (podStatusOf(pod(), group(), options) ?? {}) as NonNullable<WorkloadPod['status']>;
  const shown = pod({}, { ...status, conditions: [...(conditions ?? []), { type: 'Theirs', status: 'False' }] });
  t.is(podStatusOf(shown, group(), { ...options, now: NOW + 60_000 }), undefined);
  t.is(podStatusOf(pod({}, { phase: 'Failed' }), group(), options)?.['phase'], undefined);
  t.is(podStatusOf(pod({}, { phase: 'Running' }), group({ status: 'Restarting' }), options)?.['phase'], undefined);
  t.is(podStatusOf(pod({}, { phase: 'Running' }), group({ status: 'Terminating' }), options)?.['phase'], undefined);
});

const wants = (status: WorkloadPod['status'] = {}) =>
  pod({ annotations: { 'k8s.aliyun.com/eci-with-eip': 'true' } }, status);
const record = (uid: string): PodEip => ({
  metadata: {
    name: 'web',
    uid: 'e',
    resourceVersion: '1',
    annotations: { [CONTROLLER]: CONTROLLER_NAME, [POD_UID]: uid },
  },
  spec: { allocationID: '', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
});

test('an instance with an EIP of its own is made only where none is being bought for the pod', (t) => {
  const references = { configMaps: new Map(), secrets: new Map(), tokens: new Map() };
  const unlimited = { effective: { names: [], limits: {}, defaults: {} }, isFresh: true };
  const limited = { effective: { names: ['few'], limits: { eips: 5 }, defaults: {} }, isFresh: true };
  const begun = (over: Partial<ObservedPod>) =>
    step({ pod: wants(), group: null, references, policy: unlimited, ...over });
  const pending = { phase: 'Pending', reason: EIP_PENDING };
  t.deepEqual(begun({ policy: undefined }), { do: 'ReadPolicy', isFresh: false });
  t.deepEqual(begun({ policy: { ...unlimited, isFresh: false } }), { do: 'ReadPolicy', isFresh: true });
  t.deepEqual(begun({}), { do: 'ReadPodEip' });
  t.like(begun({ podEip: null }), { do: 'CreateGroup', spec: { eip: { autoCreateEip: true } } });
  t.like(begun({ podEip: record('another') }), { do: 'CreateGroup' });
  t.like(begun({ podEip: record('u') }), { do: 'WriteStatus', status: pending });
  // First it is taken back that the pod waits for an EIP, then it is looked whether anybody took it at its word.
  t.like(begun({ pod: wants(pending), podEip: null }), { do: 'WriteStatus', status: { reason: 'Creating' } });
  t.is(begun({ pod: wants(pending), podEip: record('u') }).do, 'WriteStatus');
  t.like(begun({ policy: limited }), { do: 'ReadPodEip' });
  t.like(begun({ policy: limited, podEip: null }), { do: 'WriteStatus', status: pending });
  const young = { ...memory, quietMs: 5_000 };
  t.like(begun({ policy: limited, podEip: null, memory: young }), { do: 'Wait', ms: 10_000 });
  t.is(step({ group: null, references, policy: undefined }).do, 'CreateGroup', 'whoever wants no address, asks nobody');
});
