import { isFinal } from '../api/pod.ts';
import { PODEIP } from '../api/podeip.ts';
import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault, topicOf } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import type { Cloud } from '../cloud/port.ts';
import type { Requeue } from '../kube/reconcile-loop.ts';
import { runSteps, type StepLoop } from '../kube/step-loop.ts';
import { UNRESTRICTED, type EffectivePolicy } from '../policies/policy.ts';
import type { Kube } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { refOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { withToken } from '../lib/token.ts';
import { ECI_INSTANCE_ID } from '../api/annotations.ts';
import type { AddressLookUps } from './address-look-ups.ts';
import type { KubeletCalls } from './api-server.ts';
import { decidePod } from './decide.ts';
import { endGroup } from './end-group.ts';
import { hasGroupEnded } from './ended.ts';
import type { NodeGroups } from './groups.ts';
import type { OwnWrites } from './own-writes.ts';
import { causeOf } from './healing.ts';
import { readOnce } from './read-once.ts';
import type { PodTracker } from './tracker.ts';
import { isKept, readReferences } from './references.ts';
import type { DecideSettings, ObservedPod, TrackedPod } from './observation.ts';
import { failsFor } from './spot-fallback.ts';
import { isPodRead, isPodResult, type PodAction, type PodRead, type PodResult } from './step.ts';
import { END_FORMER, onFault, onFaultOfFormer, referenceTo } from './trouble.ts';
import { remarkLine } from './translate/input.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';
import { writePodStatus } from './write-status.ts';

/** The reconciler of single pods. */
export interface ReconcilePorts {
  /** For PodEIPs. */
  readonly kube: Kube;
  /** For pods of the node, and what they refer to. */
  readonly nodeKube: Kube;
  readonly calls: KubeletCalls;
  readonly cloud: Pick<Cloud, 'describeEip' | 'findEipsByAddress'>;
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
  readonly addresses: AddressLookUps;
  readonly ownWrites: OwnWrites;
  /** Whether something of the pod is about to change, and soon: something was just done about it. */
  readonly onRest: (uid: string, how: 'rests' | 'waits' | 'moves') => void;
  /** The pod is gone, and so is all that was made for it. */
  readonly onForget: (uid: string) => void;
}

/** Interval between reads of the group of a pod whose object is gone. */
const LEFTOVER_MS = 3_000;
/** How long after an accepted call its effect is looked for, if the status call does not show it before. */
const EFFECT_MS = 3_000;

/** After so many writes of the status a turn ends, and the pod is read again. */
const MOST_WRITES = 4;

/** Reconciles one pod: observes, decides, and carries out one step. */
export const reconcilePod =
  (ports: ReconcilePorts) =>
  async (key: string, signal: AbortSignal): Promise<Requeue> => {
    const { nodeKube, clock, settings } = ports;
    const pod = await nodeKube.get(WORKLOAD_POD, refOf(key), signal);
    const former = await endFormer(ports, key, pod?.metadata.uid, signal);
    if (former.isStuck) return former.again;
    if (!pod || pod.spec.nodeName !== settings.nodeName) return former.again;
    const observed = (pod: WorkloadPod): ObservedPod => ({
      pod,
      group: undefined,
      surplus: [],
      podEip: undefined,
      eip: undefined,
      references: undefined,
      policy: undefined,
      memory: recall(ports, pod, key),
      now: clock.now(),
    });
    const loop = stepLoopOf(ports, key, former.again);
    let outcome = await runSteps(loop, observed(pod), signal);
    for (let writes = 1; isWritten(outcome); writes += 1) {
      if (writes >= MOST_WRITES) return 'now';
      outcome = await runSteps(loop, observed(outcome.written), signal);
    }
    return outcome;
  };

/**
 * The pod as a write of its status has left it: the turn goes on with it, as the answer is as fresh as a quorum read.
 * What the write was decided from may have changed before it; only those that say whose turn it is are a
 * compare-and-swap (see `patchOfPod`).
 */
interface Written {
  readonly written: WorkloadPod;
}

type Outcome = Requeue | Written;

const isWritten = (outcome: Outcome): outcome is Written => typeof outcome === 'object' && 'written' in outcome;

const recall = ({ tracker, addresses }: ReconcilePorts, pod: WorkloadPod, key: string): TrackedPod => {
  const { uid } = pod.metadata;
  if (isFinal(pod)) tracker.ended(uid);
  return { ...tracker.of(uid, key), ownerRefusal: tracker.owners.of(pod), addressLook: addresses.of(uid) };
};

/** A reading says nothing of the time after it was asked for, however long its answer took. */
const asOfAsking = (memory: TrackedPod, before: TrackedPod): TrackedPod => ({
  ...memory,
  quietMs: Math.min(memory.quietMs, before.quietMs),
  missingMs: Math.min(memory.missingMs, before.missingMs),
  sole: memory.sole && before.sole && { ...memory.sole, agoMs: Math.min(memory.sole.agoMs, before.sole.agoMs) },
});

/** @param former when to look again at the pods that had the name before */
const stepLoopOf = (
  ports: ReconcilePorts,
  key: string,
  former: Requeue,
): StepLoop<ObservedPod, PodRead, PodAction, PodResult, Outcome> => {
  const { settings, tracker, onRest } = ports;
  return {
    decide: (seen) => decidePod(seen, settings),
    isRead: isPodRead,
    isResult: isPodResult,
    read: async (step, seen, signal) => {
      const { pod } = seen;
      const known = { ...seen, ...(await readForPod(ports, step, pod, signal)) };
      const memory = recall(ports, pod, key);
      return { ...known, memory: asOfAsking(memory, seen.memory) };
    },
    act: (step, { pod }, signal) => {
      onRest(pod.metadata.uid, 'moves');
      return runPodAction(ports, step, pod, signal);
    },
    settle: (step, { pod }) => Promise.resolve(restFor(ports, step, pod.metadata.uid) ?? former),
    // Whether CreateGroup was accepted or refused is recorded by `create` itself.
    succeeded: (step, { pod, group }) => {
      const { uid } = pod.metadata;
      if (step.do !== 'CreateGroup') tracker.faults.succeeded(uid, step.do);
      if (step.do === 'WriteStatus' && step.status && group) tracker.wrote(uid, causeOf(pod, group));
    },
    failed: async (error, { step, observed: { pod } }, signal) => {
      if (!(error instanceof CloudFault)) throw error;
      return onFault({ ...ports, kube: ports.nodeKube }, error, { pod, step: step?.do ?? '' }, signal);
    },
  };
};

/** When to reconcile the pod again; undefined if only an event can change anything. */
const restFor = ({ groups, addresses, onRest }: ReconcilePorts, step: PodResult, uid: string): Requeue | undefined => {
  onRest(uid, step.do === 'Done' ? 'rests' : 'waits');
  switch (step.do) {
    case 'Done':
      addresses.forget(uid);
      return undefined;
    case 'Wait':
      groups.trust(uid, step.ms);
      return { afterMs: Math.max(1, Math.ceil(step.ms)) };
  }
};

const idsOf = (groups: readonly ContainerGroup[]): readonly string[] =>
  groups.map(({ containerGroupId }) => containerGroupId);

const readForPod = async (
  { kube, nodeKube, cloud, calls, clock, addresses, policyOf, groups, tracker, settings }: ReconcilePorts,
  step: PodRead,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Partial<ObservedPod>> => {
  const { uid, namespace, name } = pod.metadata;
  switch (step.do) {
    case 'ReadGroup': {
      const found = await groups.ofPod(uid, signal);
      tracker.looked(uid, idsOf(found));
      // The group that is recorded for the pod; the oldest one if none is.
      const told = pod.metadata.annotations?.[ECI_INSTANCE_ID];
      const group = found.find(({ containerGroupId }) => containerGroupId === told) ?? found[0];
      const endedMs = group && hasGroupEnded(group) ? groups.endedMs(group) : undefined;
      return { group: group ?? null, endedMs, surplus: found.filter((other) => other !== group) };
    }
    case 'ReadPodEip':
      return { podEip: (await kube.get(PODEIP, { namespace, name }, signal)) ?? null };
    case 'ReadEip':
      return { eip: (await cloud.describeEip(step.allocationId, signal)) ?? null };
    case 'ReadEipByAddress':
      return { eip: (await addresses.find(uid, step.ipAddress, signal)) ?? null };
    case 'ReadPolicy': {
      const effective = (await policyOf?.(namespace ?? '', step.isFresh, signal)) ?? UNRESTRICTED;
      return { policy: { effective, isFresh: step.isFresh } };
    }
    case 'ReadReferences': {
      const claimUsers = { tracker, groups, settleMs: settings.settleMs };
      const from = { kube: nodeKube, clusterKube: kube, calls, clock, claimUsers };
      const references = await readReferences(from, pod, signal);
      tracker.keeps(uid, isKept(references));
      return { references };
    }
  }
};

const runPodAction = async (
  ports: ReconcilePorts,
  step: PodAction,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Outcome> => {
  const { calls, log, tracker, addresses, record } = ports;
  const { uid, namespace, name } = pod.metadata;
  switch (step.do) {
    case 'CreateGroup':
      return create(ports, step, pod, signal);
    case 'DeleteGroup':
      addresses.forget(uid);
      await end(ports, uid, step.containerGroupId, signal);
      log.info({ pod: `${namespace}/${name}`, because: step.because }, `Ends ${step.containerGroupId}`);
      record(referenceTo(pod.metadata), {
        type: 'Normal',
        reason: 'ContainerGroupDeleted',
        action: step.do,
        note: `deleted elastic container instance ${step.containerGroupId}, because ${step.because}`,
      });
      return { afterMs: EFFECT_MS };
    case 'WriteStatus': {
      const written = await writePodStatus(ports, step, pod, signal);
      return written ? { written } : 'now';
    }
    case 'FinishDeletion':
      await calls.finishDeletion(pod, signal);
      tracker.finished(uid);
      return 'now';
  }
};

const create = async (
  ports: ReconcilePorts,
  { spec, notes, claims }: Extract<PodAction, { do: 'CreateGroup' }>,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { containerGroups, groups, log, tracker, record, settings } = ports;
  const { uid, namespace, name } = pod.metadata;
  // Another pod may have asked for it since the claim was read; from here to the request there is no pause.
  if (tracker.holderOf(claims ?? [], uid, settings.settleMs) !== undefined) return 'now';
  tracker.sends(uid, spec, claims);
  groups.refresh(uid);
  let containerGroupId: string;
  try {
    ({ containerGroupId } = await containerGroups.createContainerGroup(spec, signal));
  } catch (error) {
    if (error instanceof CloudFault) return notCreated(ports, pod, error, spec.clientToken);
    throw error;
  }
  tracker.created(uid, containerGroupId);
  tracker.owners.made(pod);
  tracker.faults.succeeded(uid, 'CreateGroup');
  groups.made(containerGroupId, uid);
  log.info({ pod: `${namespace}/${name}`, containerGroupId }, 'Created an elastic container instance');
  const about = referenceTo(pod.metadata);
  record(about, {
    type: 'Normal',
    reason: 'ContainerGroupCreated',
    action: 'CreateGroup',
    note: [`created elastic container instance ${containerGroupId}`, ...readOnce(pod, settings.tokenSeconds)].join(
      '; ',
    ),
  });
  for (const note of notes)
    record(about, { type: 'Warning', reason: 'ChangedForECI', action: 'CreateGroup', note: remarkLine(note) });
  return { afterMs: EFFECT_MS };
};

/** The longest pause after a refusal that passes by itself; milliseconds. */
const BUSY_MS = 60_000;

/** An Event takes 1,024 bytes of text; characters. */
const MOST_SAID = 1_000;

/** @throws the fault, if it is transient or the group may have been created: neither is reported */
const notCreated = (
  { log, tracker }: ReconcilePorts,
  pod: WorkloadPod,
  fault: CloudFault,
  clientToken: string,
): Requeue => {
  const { uid, namespace, name } = pod.metadata;
  const { kind, code, status, requestId, retryAfterMs } = fault;
  const { effect, tell, reason } = FAULT[kind];
  if (effect === 'possible') throw fault;
  // From here on it is certain that no group was created. A request that was never sent was not refused, either.
  const isAnswer = status !== undefined;
  const isSpent = isAnswer && tracker.answeredNo(uid, clientToken, { code, isFinal: tell !== 'nobody' });
  if (tell === 'nobody') {
    // The next token would start with short pauses again, and a cloud that is busy for long would be called all the
    // time.
    tracker.notMade(uid);
    if (isSpent) tracker.pause(uid, BUSY_MS);
    throw fault;
  }
  const { message } = fault;
  const failure = { reason, message: message.slice(0, MOST_SAID), topic: topicOf(fault) };
  const isSpotOut = tracker.refused(uid, failure, { code, atLeastMs: retryAfterMs });
  if (failsFor(pod, isSpotOut)) tracker.owners.refused(pod, failure);
  const { isUnreported } = tracker.faults.failed(uid, 'CreateGroup', fault);
  log[isUnreported ? 'warn' : 'debug']({ pod: `${namespace}/${name}`, kind, code, requestId }, message);
  return 'now';
};

/** Asks a group to end; succeeds if there is none. */
const end = async (
  { containerGroups, groups, tracker }: ReconcilePorts,
  uid: string,
  containerGroupId: string,
  signal: AbortSignal,
): Promise<void> => {
  // A repeated token would be answered from the memory of the cloud and have no effect.
  const group = withToken('DeleteContainerGroup', tracker.caller(uid), { containerGroupId });
  await endGroup(containerGroups, group, signal);
  tracker.deleted(uid, containerGroupId);
  groups.refresh(uid);
};

/**
 * The object of a pod may be removed before its group is: deleted without grace, or with its node. A quorum read has
 * just shown that its name is free or that of another pod, and its UID is never reused, so its group is ended at once.
 */
const endFormer = async (
  ports: ReconcilePorts,
  key: string,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly again: Requeue; readonly isStuck: boolean }> => {
  const { tracker } = ports;
  let again: Requeue = 'done';
  for (const former of tracker.formerOf(key, uid)) {
    try {
      again = (await endOneFormer(ports, key, former, signal)) ?? again;
      tracker.faults.succeeded(former, END_FORMER);
    } catch (error) {
      if (!(error instanceof CloudFault)) throw error;
      return { again: onFaultOfFormer(ports, error, { ...refOf(key), uid: former }), isStuck: true };
    }
  }
  return { again, isStuck: false };
};

/** When to reconcile again; undefined if nothing is left of the pod. */
const endOneFormer = async (
  ports: ReconcilePorts,
  key: string,
  former: string,
  signal: AbortSignal,
): Promise<Requeue | undefined> => {
  const { groups, log, tracker, settings, onRest } = ports;
  // A look says nothing of the time after it was asked for, however long its answer takes.
  const { quietMs, missingMs, isFinished } = tracker.of(former, key);
  if (isFinished) {
    forget(ports, former);
    return undefined;
  }
  groups.refresh(former);
  const found = await groups.ofPod(former, signal);
  tracker.looked(former, idsOf(found));
  const { wasListed, deletion } = tracker.of(former, key);
  if (found.length === 0) {
    const mayAppear = quietMs !== Infinity && quietMs < settings.settleMs;
    if (!mayAppear && (!wasListed || missingMs >= settings.readLagMs)) {
      forget(ports, former);
      return undefined;
    }
  }
  onRest(former, 'moves');
  for (const { containerGroupId, status } of found) {
    const isAsked = deletion?.containerGroupId === containerGroupId && deletion.agoMs < settings.settleMs;
    if (status === 'Terminating' || isAsked) continue;
    await end(ports, former, containerGroupId, signal);
    log.info({ pod: key, podUid: former }, `Ends ${containerGroupId}, whose pod is gone`);
  }
  return { afterMs: LEFTOVER_MS };
};

/** The pod is gone, and so is all that was made for it. */
const forget = ({ tracker, groups, onForget }: ReconcilePorts, uid: string): void => {
  tracker.forget(uid);
  groups.forget(uid);
  onForget(uid);
};
