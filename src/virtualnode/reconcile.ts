import { PODEIP } from '../api/podeip.ts';
import type { ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import type { Cloud, Eip } from '../cloud/port.ts';
import type { Requeue } from '../kube/reconcile-loop.ts';
import { runSteps, type StepLoop } from '../kube/step-loop.ts';
import { UNRESTRICTED, type EffectivePolicy } from '../request/policy.ts';
import type { Kube } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { refOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { withToken } from '../lib/token.ts';
import { ECI_INSTANCE_ID } from '../api/annotations.ts';
import type { KubeletCalls } from './api-server.ts';
import { decidePod } from './decide.ts';
import type { NodeGroups } from './groups.ts';
import type { PodTracker } from './tracker.ts';
import { readReferences } from './references.ts';
import type { DecideSettings, ObservedPod } from './observation.ts';
import type { Failure } from './instance-status.ts';
import { isPodRead, isPodResult, type PodAction, type PodRead, type PodResult } from './step.ts';
import { remarkLine } from './translate/input.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

/** What works on one pod at a time. */
export interface ReconcilePorts {
  readonly kube: Kube;
  readonly calls: KubeletCalls;
  readonly cloud: Pick<Cloud, 'describeEip'>;
  /** The EIP that has a public address (VPC API, DescribeEipAddresses, EipAddress); rejects as the cloud port does. */
  readonly findEip: (ipAddress: string, signal?: AbortSignal) => Promise<Eip | undefined>;
  /** What the policies say about a namespace; undefined where there are none. Rejects with a KubeFault. */
  readonly policyOf?:
    ((namespace: string, isFresh: boolean, signal: AbortSignal) => Promise<EffectivePolicy>) | undefined;
  readonly containerGroups: ContainerGroups;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: DecideSettings;
  readonly record: (about: ObjectReference, happening: Happening) => void;
  readonly tracker: PodTracker;
  readonly groups: NodeGroups;
  /** Whether something of the pod is about to change. */
  readonly onRest: (uid: string, isAtRest: boolean) => void;
  /** The pod is gone, and so is all that was made for it. */
  readonly onForget: (uid: string) => void;
}

/** Between two looks at the group of a pod whose object is gone. */
const LEFTOVER_MS = 3_000;
/** Until the effect of an accepted deletion is looked for. */
const AFTER_DELETION_MS = 1_000;

/** Brings one pod closer to what it should be: looks, decides, and does one thing. */
export const reconcilePod =
  (ports: ReconcilePorts) =>
  async (key: string, signal: AbortSignal): Promise<Requeue> => {
    const { kube, clock, settings, tracker } = ports;
    const pod = await kube.get(WORKLOAD_POD, refOf(key), signal);
    const former = await endFormer(ports, key, pod?.metadata.uid, signal);
    if (!pod || pod.spec.nodeName !== settings.nodeName) return former;
    const seen: ObservedPod = {
      pod,
      group: undefined,
      surplus: [],
      podEip: undefined,
      eip: undefined,
      references: undefined,
      policy: undefined,
      memory: tracker.of(pod.metadata.uid, key),
      now: clock.now(),
    };
    return runSteps(stepLoopOf(ports, key, former), seen, signal);
  };

/** @param former when to look again at the pods that had the name before */
const stepLoopOf = (
  ports: ReconcilePorts,
  key: string,
  former: Requeue,
): StepLoop<ObservedPod, PodRead, PodAction, PodResult, Requeue> => {
  const { settings, tracker, onRest } = ports;
  return {
    decide: (seen) => decidePod(seen, settings),
    isRead: isPodRead,
    isResult: isPodResult,
    read: async (step, seen, signal) => {
      const { pod } = seen;
      const known = { ...seen, ...(await readForPod(ports, step, pod, signal)) };
      return { ...known, memory: tracker.of(pod.metadata.uid, key) };
    },
    act: (step, { pod }, signal) => {
      onRest(pod.metadata.uid, false);
      return runPodAction(ports, step, pod, signal);
    },
    settle: (step, { pod }) => Promise.resolve(restFor(ports, step, pod.metadata.uid) ?? former),
  };
};

/** When to look at the pod again; undefined where only an event can change anything. */
const restFor = ({ groups, settings, onRest }: ReconcilePorts, step: PodResult, uid: string): Requeue | undefined => {
  onRest(uid, step.do === 'Done');
  switch (step.do) {
    case 'Done':
      if (!groups.mayLag(uid, settings.readLagMs)) return undefined;
      groups.refresh(uid);
      return { afterMs: settings.readLagMs };
    case 'Wait':
      groups.refresh(uid);
      return { afterMs: Math.max(1, Math.ceil(step.ms)) };
  }
};

const readForPod = async (
  { kube, cloud, calls, findEip, policyOf, groups, tracker }: ReconcilePorts,
  step: PodRead,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Partial<ObservedPod>> => {
  const { uid, namespace, name } = pod.metadata;
  switch (step.do) {
    case 'ReadGroup': {
      const found = await groups.ofPod(uid, signal);
      tracker.looked(uid, found.length > 0);
      // The one that the pod was told to have; the oldest where it was told of none.
      const told = pod.metadata.annotations?.[ECI_INSTANCE_ID];
      const group = found.find(({ containerGroupId }) => containerGroupId === told) ?? found[0];
      return { group: group ?? null, surplus: found.filter((other) => other !== group) };
    }
    case 'ReadPodEip':
      return { podEip: (await kube.get(PODEIP, { namespace, name }, signal)) ?? null };
    case 'ReadEip':
      return { eip: (await cloud.describeEip(step.allocationId, signal)) ?? null };
    case 'ReadEipByAddress':
      return { eip: (await findEip(step.ipAddress, signal)) ?? null };
    case 'ReadPolicy': {
      const effective = (await policyOf?.(namespace ?? '', step.isFresh, signal)) ?? UNRESTRICTED;
      return { policy: { effective, isFresh: step.isFresh } };
    }
    case 'ReadReferences':
      return { references: await readReferences({ kube, calls }, pod, signal) };
  }
};

const runPodAction = async (
  ports: ReconcilePorts,
  step: PodAction,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { kube, calls, log, tracker, record } = ports;
  const { uid, namespace, name } = pod.metadata;
  const about = referenceTo(pod);
  switch (step.do) {
    case 'CreateGroup':
      return create(ports, step, pod, signal);
    case 'DeleteGroup':
      await end(ports, uid, step.containerGroupId, signal);
      log.info({ pod: `${namespace}/${name}`, because: step.because }, `Ends ${step.containerGroupId}`);
      record(about, {
        type: 'Normal',
        reason: 'ContainerGroupDeleted',
        action: step.do,
        note: `deleted elastic container instance ${step.containerGroupId}, because ${step.because}`,
      });
      return { afterMs: AFTER_DELETION_MS };
    case 'WriteStatus': {
      const { annotations, status, warning } = step;
      const body = { metadata: { uid, ...(annotations && { annotations }) }, ...(status && { status }) };
      await kube.patch(WORKLOAD_POD, { namespace, name }, { type: 'strategic', subresource: 'status', body }, signal);
      if (warning) record(about, warningOf(warning));
      return 'now';
    }
    case 'FinishDeletion':
      await calls.finishDeletion(pod, signal);
      tracker.finished(uid);
      return 'now';
  }
};

const referenceTo = ({ metadata: { namespace, name, uid } }: WorkloadPod): ObjectReference => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace,
  name,
  uid,
});

const warningOf = ({ reason, message }: Failure): Happening => ({
  type: 'Warning',
  reason,
  action: 'Run',
  note: message,
});

const create = async (
  ports: ReconcilePorts,
  { spec, notes }: Extract<PodAction, { do: 'CreateGroup' }>,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { containerGroups, groups, log, tracker, record } = ports;
  const { uid, namespace, name } = pod.metadata;
  tracker.sends(uid, spec);
  groups.refresh(uid);
  let containerGroupId: string;
  try {
    ({ containerGroupId } = await containerGroups.createContainerGroup(spec, signal));
  } catch (error) {
    if (error instanceof CloudFault) return notCreated(ports, pod, error);
    throw error;
  }
  tracker.created(uid, containerGroupId);
  groups.made(containerGroupId, uid);
  log.info({ pod: `${namespace}/${name}`, containerGroupId }, 'Created an elastic container instance');
  const about = referenceTo(pod);
  record(about, {
    type: 'Normal',
    reason: 'ContainerGroupCreated',
    action: 'CreateGroup',
    note: `created elastic container instance ${containerGroupId}`,
  });
  for (const note of notes)
    record(about, { type: 'Warning', reason: 'ChangedForECI', action: 'CreateGroup', note: remarkLine(note) });
  return 'now';
};

/** @throws the fault, where it passes by itself or the group may have been made: that is nobody's news */
const notCreated = ({ log, tracker }: ReconcilePorts, pod: WorkloadPod, fault: CloudFault): Requeue => {
  const { uid, namespace, name } = pod.metadata;
  const { kind, action, code, requestId, retryAfterMs } = fault;
  const { effect, tell, reason } = FAULT[kind];
  if (effect === 'possible') throw fault;
  // From here on it is certain that nothing was made.
  if (tell === 'nobody') {
    tracker.notMade(uid);
    throw fault;
  }
  const message = `${action} answered ${code}: ${fault.message}`;
  tracker.refused(uid, { reason, message: message.slice(0, 1000) }, retryAfterMs);
  log.warn({ pod: `${namespace}/${name}`, kind, code, requestId }, message);
  return 'now';
};

/** Asks a group to end. That there is none is as good. */
const end = async (
  { containerGroups, groups, tracker }: ReconcilePorts,
  uid: string,
  containerGroupId: string,
  signal: AbortSignal,
): Promise<void> => {
  // The same token twice would be answered from memory, and have no effect.
  const group = withToken('DeleteContainerGroup', tracker.caller(uid), { containerGroupId });
  try {
    await containerGroups.deleteContainerGroup(group, signal);
  } catch (error) {
    if (!(error instanceof CloudFault) || FAULT[error.kind].effect !== 'absent') throw error;
  }
  tracker.deleted(uid, containerGroupId);
  groups.refresh(uid);
};

/**
 * A pod's object may go before its group does: deleted without grace, or with its node. A quorum read has just shown
 * that its name is free or another's, and its UID never comes again, so its group is ended at once.
 */
const endFormer = async (
  ports: ReconcilePorts,
  key: string,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { groups, log, tracker, settings, onRest, onForget } = ports;
  let again: Requeue = 'done';
  for (const former of tracker.formerOf(key, uid)) {
    groups.refresh(former);
    const found = await groups.ofPod(former, signal);
    tracker.looked(former, found.length > 0);
    const { quietMs, missingMs, wasListed, deletion } = tracker.of(former, key);
    if (found.length === 0) {
      const mayAppear = quietMs !== Infinity && quietMs < settings.settleMs;
      if (!mayAppear && (!wasListed || missingMs >= settings.readLagMs)) {
        tracker.forget(former);
        groups.forget(former);
        onForget(former);
        continue;
      }
    }
    onRest(former, false);
    again = { afterMs: LEFTOVER_MS };
    for (const { containerGroupId, status } of found) {
      const isAsked = deletion?.containerGroupId === containerGroupId && deletion.agoMs < settings.settleMs;
      if (status === 'Terminating' || isAsked) continue;
      await end(ports, former, containerGroupId, signal);
      log.info({ pod: key, podUid: former }, `Ends ${containerGroupId}, whose pod is gone`);
    }
  }
  return again;
};
