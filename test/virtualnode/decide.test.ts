import test from 'ava';
import {
  ECI_ATTEMPT,
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  CONTROLLER,
  CONTROLLER_NAME,
  ECI_INSTANCE_ID,
  ECI_PROFILE_LEFT_OUT,
  EIP_MADE_WITH,
  EIP_PENDING,
  POD_UID,
} from '../../src/api/annotations.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { ContainerGroup } from '../../src/cloud/container-groups.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { MADE_WITH_GROUP, TAG_EIP } from '../../src/virtualnode/create.ts';
import { decidePod } from '../../src/virtualnode/decide.ts';
import { isKeptEnough } from '../../src/virtualnode/ended.ts';
import type { DecideSettings, TrackedPod, ObservedPod } from '../../src/virtualnode/observation.ts';
import { podStatusOf } from '../../src/virtualnode/instance-status.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { virtualNodeSettings } from '../harness/settings.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const settings: DecideSettings = virtualNodeSettings({ statefulKinds: [] });
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
  const references = { configMaps: new Map(), secrets: new Map(), tokens: new Map(), claims: new Map() };
  t.like(step({ group: null, references }), { do: 'CreateGroup', spec: { eip: {} }, notes: [] });
  // An Event tells it then, and names the annotation.
  const partly = pod({ annotations: { [ECI_PROFILE_LEFT_OUT]: 'gpu: not read' } });
  const problem = 'selectors of the ConfigMap kube-system/eci-profile were left out: gpu: not read';
  t.like(step({ group: null, references, pod: partly }), { do: 'CreateGroup', notes: [{ problem }] });
});

test('a pod that came to this process, and for which nothing was ever sent, can have no group', (t) => {
  const isNew = { memory: { ...memory, isNew: true } };
  t.is(step(isNew).do, 'ReadReferences');
  t.is(step({ ...isNew, pod: deleting }).do, 'FinishDeletion');
  t.is(step({ ...isNew, pod: pod({ annotations: { [ECI_ATTEMPT]: '1' } }) }).do, 'ReadGroup', 'an attempt was refused');
  const told = pod({ annotations: { [ECI_INSTANCE_ID]: 'eci-1' } }, { startTime: '2026-11-20T12:00:00Z' });
  t.is(step({ ...isNew, pod: told }).do, 'ReadGroup', 'somebody had it run before');
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
  // A reading shows none whose delay is shorter than the group has been known.
  const listed = { wasListed: true, quietMs: 60_000, sole: { containerGroupId: 'eci-9', agoMs: 50_000 } };
  t.is(gone({ ...listed, deletion }).do, 'FinishDeletion');
  t.like(gone({ ...listed, deletion, sole: { ...listed.sole, agoMs: 1_000 } }), { do: 'Wait', ms: 2_000 });
  t.like(gone(listed), { do: 'Wait', ms: 3_000 }, 'nobody had it ended, so the answer may be wrong as a whole');
  t.like(gone({ ...listed, deletion: { ...deletion, containerGroupId: 'eci-8' } }), { do: 'Wait', ms: 3_000 });
  t.like(gone({ ...listed, deletion, sole: undefined }), { do: 'Wait', ms: 3_000 }, 'there are several');
  t.is(step({ pod: deleting, group: group() }).do, 'DeleteGroup');
  t.is(step({ pod: deleting, group: group({ status: 'Terminating' }) }).do, 'Wait');
  t.is(step({ pod: deleting, group: group({ status: 'Succeeded' }) }).do, 'DeleteGroup');
});

const failed = (annotations = {}) => pod({ annotations }, { phase: 'Failed' });

test('the group of a pod that has ended stays for its log, but not for its address', (t) => {
  const [main] = group().containers;
  const ended = (agoMs: number, over: Partial<ContainerGroup> = {}) =>
    group({
      status: 'Failed',
      containers: main
        ? [
            {
              ...main,
              ready: false,
              currentState: { state: 'Terminated', exitCode: 3, finishTime: new Date(NOW - agoMs).toISOString() },
            },
          ]
        : [],
      ...over,
    });
  const internetIp = '47.1.1.1';
  t.is(step({ pod: failed(), group: ended(1_000) }).do, 'Done');
  t.is(step({ pod: failed(), group: ended(7_200_000) }).do, 'Done', 'the search for groups ends it');
  t.deepEqual(
    [ended(3_500_000), ended(3_700_000), group()].map((each) => isKeptEnough(each, NOW, 0)),
    [false, true, false],
  );
  const silent = { containers: [] };
  t.deepEqual(
    [3_500_000, 3_700_000].map((knownMs) => isKeptEnough(ended(0, silent), NOW, knownMs)),
    [false, true],
    'a group that does not say when it ended',
  );
  t.false(isKeptEnough(ended(0), NOW, 3_700_000));
  t.is(step({ pod: failed(), group: group() }).do, 'DeleteGroup', 'the pod was failed by somebody else');
  t.is(step({ pod: failed(), group: ended(0, { status: 'ScheduleFailed' }) }).do, 'DeleteGroup');
  t.is(step({ pod: failed(), group: ended(1_000, { internetIp }) }).do, 'Wait');
  t.is(step({ pod: failed(), group: ended(31_000, { internetIp }) }).do, 'DeleteGroup');
  t.is(step({ pod: failed(), group: ended(-600_000, { internetIp }) }).do, 'DeleteGroup', 'the clocks differ');
  const silently = (endedMs: number) => step({ pod: failed(), group: ended(0, { internetIp, ...silent }), endedMs }).do;
  t.deepEqual([silently(1_000), silently(31_000)], ['Wait', 'DeleteGroup']);

  const own = { tags: new Map([[TAG_EIP, MADE_WITH_GROUP]]) };
  const had = failed({ [ALLOCATED_ADDRESS]: internetIp, [ALLOCATED_INSTANCE_ID]: 'eip-1' });
  const eip = { allocationId: 'eip-1', ipAddress: internetIp } as Eip;
  const look = (agoMs: number, found?: Eip | null) =>
    step({ pod: had, group: ended(agoMs, own), ...(found !== undefined && { eip: found }) });
  t.deepEqual(look(1_000), { do: 'ReadEipByAddress', ipAddress: internetIp });
  t.is(look(1_000, null).do, 'Done');
  t.is(look(1_000, { ...eip, allocationId: 'eip-of-another' }).do, 'Done');
  t.is(look(1_000, eip).do, 'Wait');
  t.is(look(31_000, eip).do, 'DeleteGroup');

  // It ended before its EIP was looked up, or before it showed an address at all.
  const early = failed({ [ALLOCATED_ADDRESS]: internetIp });
  const bound = (agoMs: number, found: Eip | null) => step({ pod: early, group: ended(agoMs, own), eip: found }).do;
  t.is(step({ pod: early, group: ended(1_000, own) }).do, 'ReadEipByAddress');
  t.is(bound(31_000, null), 'Done');
  t.is(bound(31_000, { ...eip, instanceId: 'eci-of-another' }), 'Done');
  t.is(bound(31_000, { ...eip, instanceId: '' }), 'Done');
  for (const instanceId of ['eci-1', 'eni-1'])
    t.deepEqual(
      [1_000, 31_000].map((agoMs) => bound(agoMs, { ...eip, instanceId })),
      ['Wait', 'DeleteGroup'],
    );
  const unknown = (agoMs: number) => step({ pod: failed(), group: ended(agoMs, own) }).do;
  t.deepEqual([unknown(1_000), unknown(31_000)], ['Wait', 'DeleteGroup']);
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

test('an instance that no reading shows is called gone once every reading would show it, and not before', (t) => {
  const told = pod({ annotations: { [ECI_INSTANCE_ID]: 'eci-1' } }, { startTime: '2026-11-20T12:00:00Z' });
  const missing = (over: Partial<TrackedPod>) => step({ pod: told, group: null, memory: { ...memory, ...over } });
  const { readLagMs, missingMs } = settings;
  t.like(missing({ missingMs: missingMs - 1 }), { do: 'Wait', ms: 1 }, 'this process never saw it');
  t.like(missing({ missingMs }), { do: 'WriteStatus', status: { reason: 'ContainerGroupGone' } });
  t.like(missing({ wasListed: true, missingMs: readLagMs - 1 }), { do: 'Wait', ms: 1 }, 'a reading may lag');
  t.like(missing({ wasListed: true, missingMs: readLagMs }), { do: 'WriteStatus' });
});

test('an address that came with the instance is told at once, and its ID once the account shows it bound there', (t) => {
  const tags = new Map([[TAG_EIP, MADE_WITH_GROUP]]);
  const internetIp = '47.1.1.1';
  const eip = { allocationId: 'eip-1', ipAddress: internetIp, status: 'InUse', instanceId: 'eni-1' } as Eip;
  const own = { [EIP_MADE_WITH]: 'eci-1', [ECI_INSTANCE_ID]: 'eci-1' };
  const made = group({ tags, internetIp });
  const annotated = (it: ReturnType<typeof step>) => (it.do === 'WriteStatus' ? it.annotations : it);
  t.deepEqual(annotated(step({ group: made })), { ...own, [ALLOCATED_ADDRESS]: internetIp });
  const told = (annotations: Readonly<Record<string, string>> = {}) => {
    const all = { ...own, [ALLOCATED_ADDRESS]: internetIp, ...annotations };
    const { conditions, ...status } = (podStatusOf(pod(), made, { now: NOW, hostIP: undefined }) ?? {}) as NonNullable<
      WorkloadPod['status']
    >;
    return pod({ annotations: all }, { ...status, conditions: conditions ?? [] });
  };
  const ask = (over: Partial<ObservedPod>) => step({ pod: told(), group: made, ...over });
  t.deepEqual(ask({}), { do: 'ReadEipByAddress', ipAddress: internetIp });
  t.deepEqual(annotated(ask({ eip })), { [ALLOCATED_INSTANCE_ID]: 'eip-1' });
  t.is(ask({ eip: { ...eip, instanceId: 'eni-2' } }).do, 'Wait', 'what it is bound to must be this instance');
  t.is(ask({ pod: told({ [ALLOCATED_INSTANCE_ID]: 'eip-1' }) }).do, 'Done');
  // Later and later: all pods share the rate of that call.
  const look = (looks: number, agoMs: number, ipAddress = internetIp) =>
    ask({ memory: { ...memory, addressLook: { ipAddress, looks, agoMs, isFound: false } } });
  t.like(look(1, 1_000), { do: 'Wait', ms: 3_000 });
  t.is(look(1, 3_000).do, 'ReadEipByAddress');
  t.like(look(3, 2_000), { do: 'Wait', ms: 10_000 });
  t.like(look(99, 0), { do: 'Wait', ms: 60_000 });
  t.is(look(3, 2_000, '47.9.9.9').do, 'ReadEipByAddress');
  const moved = told({ [ALLOCATED_ADDRESS]: '47.9.9.9', [ALLOCATED_INSTANCE_ID]: 'eip-9' });
  t.deepEqual(annotated(ask({ pod: moved })), { [ALLOCATED_ADDRESS]: internetIp, [ALLOCATED_INSTANCE_ID]: null });

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

/** As the types of an API server write it: without what is zero there and `omitempty`, and a time of zero as null. */
const stored = (value: unknown, key = ''): unknown => {
  if (Array.isArray(value)) return value.map((each) => stored(each));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, each]) => {
        const kept = stored(each, name);
        return kept === undefined ? [] : [[name, kept]];
      }),
    );
  if (value === '0001-01-01T00:00:00Z') return null;
  if (value === 0 && key === 'signal') return undefined;
  return value === '' && !['name', 'image', 'imageID'].includes(key) ? undefined : value;
};

test('a status from which the API server drops what is empty is not written again', (t) => {
  const [main] = group().containers;
  const none = '0001-01-01T00:00:00Z';
  const states = {
    'ended without a signal': { state: 'Terminated', exitCode: 0, signal: 0, reason: '', message: '' },
    'ended by a signal': { state: 'Terminated', exitCode: 137, signal: 9, reason: 'OOMKilled' },
    'without times': { state: 'Terminated', exitCode: 1, startTime: none, finishTime: none },
    'with words for times': { state: 'Terminated', exitCode: 1, startTime: '', finishTime: '+012000-01-01T00:00:00Z' },
    'runs since nobody knows when': { state: 'Running', startTime: none },
    waits: { state: 'Waiting', reason: '', message: '' },
  } as const;
  const options = { now: NOW, hostIP: undefined };
  for (const [what, currentState] of Object.entries(states))
    for (const over of [{}, { status: 'Failed', creationTime: none, events: [] }]) {
      const containers = main ? [{ ...main, ready: false, currentState, previousState: currentState }] : [];
      const shown = group({ ...over, containers });
      const written = podStatusOf(pod({}, {}), shown, options);
      const { startTime } = written as { startTime: string };
      t.regex(startTime, /^20/, what);
      const status = stored(written) as WorkloadPod['status'];
      t.is(podStatusOf(pod({}, status), shown, options), undefined, what);
    }
  const ended = podStatusOf(
    pod(),
    group({ containers: main ? [{ ...main, currentState: states.waits }] : [] }),
    options,
  );
  t.like(ended?.['containerStatuses'], [{ state: { waiting: { reason: 'ContainerCreating' } } }]);
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
  const references = { configMaps: new Map(), secrets: new Map(), tokens: new Map(), claims: new Map() };
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

test('both addresses of an instance with IPv6 are in podIPs', (t) => {
  const options = { now: NOW, hostIP: undefined };
  const status = podStatusOf(pod(), group({ ipv6Address: '2001:db8::7' }), options);
  t.like(status, { podIP: '10.1.0.1', podIPs: [{ ip: '10.1.0.1' }, { ip: '2001:db8::7' }] });
});
