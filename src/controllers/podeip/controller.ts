import { runAction, type ActionPorts } from './actions.ts';
import { POD, type Node, type Pod } from '../../api/core.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { ObjectRef } from '../../kube/port.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import { MOST_READS, runSteps, type StepLoop } from '../../kube/step-loop.ts';
import type { Log } from '../../lib/log.ts';
import { collectRequests } from '../../lib/requests.ts';
import { decide } from './decide.ts';
import { isDrifting } from './pod-request.ts';
import { isFinal } from '../../api/pod.ts';
import { isOurs, isExternal, readRecord } from './record.ts';
import type { ObservedState, Settings, TrackedState } from './observation.ts';
import {
  isCloudAction,
  isReadStep,
  RETRY_MS,
  type Action,
  type ActionOutcome,
  type ReadStep,
  type Result,
} from './step.ts';
import { labelOf } from './step-label.ts';
import { noticesOf, regarding, warningsOf, type EventNote, type Regarding } from './events.ts';
import { fieldsOf, sentenceOf } from './log-fields.ts';
import { readFor, type ReadPorts } from './reads.ts';
import { statusOf, statusPatch, type Readiness } from './status.ts';
import { UNTRACKED, type Tracker } from './tracker.ts';
import type { LatencyTracker } from './latency.ts';
import { recallPolicy } from '../policy-cache.ts';

/** What the reconciler of pods and PodEIPs works with. */
export interface PodEipPorts extends ActionPorts, ReadPorts {
  readonly settings: Settings;
  readonly tracker: Tracker;
  /** Times what is done; undefined where nobody reads the figures. */
  readonly latency?: LatencyTracker | undefined;
  /** Other controllers of EIPs in the cluster; undefined where nobody looks for them. */
  readonly otherControllers?: (() => readonly string[] | undefined) | undefined;
  /** The node of this name, from the cache. */
  readonly nodeOf: (name: string) => Node | undefined;
  /** Whether this process may still change anything: false once the leadership is in doubt. */
  readonly mayAct: () => boolean;
  /** An EIP was given back: those that wait for room may ask again. */
  readonly onQuotaFreed: () => void;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /** Tells the Knative Service of a pod, or of the pod of a PodEIP, what is wrong there. */
  readonly warnService: (of: Pod | PodEip, event: EventNote) => void;
  /** Who notices what happens to addresses; undefined where nobody wants to know. */
  readonly changes?: Changes | undefined;
  readonly log: Log;
}

/** Notices what happens to addresses, from what each pass sees. Neither method rejects. */
interface Changes {
  /**
   * Before a step. False if the step must wait: after it, what is not written down yet could not be noticed any more.
   */
  observed(step: Action | Result, seen: ObservedState): Promise<boolean>;
  /** The cloud refused something, and somebody must act. */
  refused(podEip: PodEip, trouble: { readonly reason: Reason; readonly message: string }): void;
}

/** Before a throttled call takes its place in the queue of its action again; milliseconds. */
const THROTTLED_MS = 1_000;

/** Until a step that waits for a write is looked at again, if nobody calls before; milliseconds. */
const HELD_MS = 10_000;

/**
 * observe → decide → do one thing → report, for one pod and the PodEIP of its name. One reconciler serves both objects,
 * because one key in one queue means that a pod and its PodEIP are never worked on twice at once.
 *
 * Safe to stop between any two lines and safe to run in two processes. Decisions are made from quorum reads; the caches
 * of the watches only say when to look.
 */
export const reconcilePodEip = (ports: PodEipPorts): ((ref: ObjectRef, signal: AbortSignal) => Promise<Requeue>) => {
  const loop = stepLoopOf(ports);
  return async (ref, signal) => runSteps(loop, await observe(ref, ports, signal), signal);
};

/** What is known before anything is asked of the cloud. */
const observe = async (ref: ObjectRef, ports: PodEipPorts, signal: AbortSignal): Promise<ObservedState> => {
  const { kube, tracker, policies, otherControllers, nodeOf, clock } = ports;
  const [podEip, pod] = await Promise.all([kube.get(PODEIP, ref, signal), kube.get(POD, ref, signal)]);
  if (podEip) tracker.retained(podEip.metadata.uid, isWithoutPod(podEip, pod));
  const nodeName = pod?.spec.nodeName;
  const node = nodeName === undefined ? undefined : nodeOf(nodeName);
  const now = clock.now();
  const effective =
    policies && isAsking(pod, podEip) ? await recallPolicy(policies, kube, ref.namespace ?? '', signal) : undefined;
  return {
    pod: pod ?? null,
    podEip: podEip ?? null,
    node: node ?? null,
    otherControllers: otherControllers?.(),
    policy: effective && { effective, isFresh: false },
    memory: recalled(podEip, tracker),
    now,
  };
};

const recalled = (podEip: PodEip | null | undefined, tracker: Tracker): TrackedState =>
  podEip ? tracker.recall(podEip.metadata.uid) : UNTRACKED;

const stepLoopOf = (ports: PodEipPorts): StepLoop<ObservedState, ReadStep, Action, Result, Requeue> => {
  const { tracker, settings, changes, mayAct, log } = ports;
  return {
    decide: (seen) => decide(seen, settings),
    isRead: isReadStep,
    isResult,
    // Each place under the limits of the namespace may be asked for by itself.
    mostReads: ({ quota }) => MOST_READS + (quota?.usage?.places?.length ?? 0),
    read: async (step, seen, signal) => {
      const known = { ...seen, ...(await readFor(step, seen, ports, signal)) };
      if (step.do === 'ReadEip') remember(step.allocationId, known, tracker);
      return { ...known, memory: recalled(seen.podEip, tracker) };
    },
    beforeStep:
      changes && (async (step, seen) => ((await changes.observed(step, seen)) ? undefined : { afterMs: HELD_MS })),
    fence: () => (mayAct() ? undefined : 'backoff'),
    act: async (step, seen, signal) => {
      const done = await perform(step, seen, ports, signal);
      if (step.do === 'RemoveFinalizer') tracker.forget(seen.podEip?.metadata.uid ?? '');
      log.info({ step: labelOf(step.do), ...fieldsOf(seen, step), ...done }, sentenceOf(step));
      return 'now';
    },
    settle: (step, seen, signal) => settle(step, seen, ports, signal),
    failed: async (error, seen, signal) => {
      if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) return 'backoff';
      if (!(error instanceof CloudFault)) throw error;
      return faulted(error, seen, ports, signal);
    },
  };
};

/** What this reading of the EIP says of the time since when. */
const remember = (allocationId: string, { pod, podEip, eip }: ObservedState, tracker: Tracker): void =>
  tracker.observed(podEip?.metadata.uid ?? '', allocationId, {
    isDrifting: podEip !== null && isDrifting(pod, eip ?? null, readRecord(podEip)),
    isMissing: eip === null,
  });

/** Whether what the policy says makes a difference: nothing is asked for by a pod that is not there. */
const isAsking = (pod: Pod | undefined, podEip: PodEip | undefined): boolean =>
  pod !== undefined && podEip?.metadata.deletionTimestamp === undefined;

/** Whether the PodEIP outlives its pod at present. */
const isWithoutPod = (podEip: PodEip, pod: Pod | undefined): boolean => {
  const { podUid } = readRecord(podEip);
  return isOurs(podEip) ? podUid === '' : isExternal(podEip) && (!pod || isFinal(pod) || pod.metadata.uid !== podUid);
};

const isResult = (step: Action | Result): step is Result =>
  step.do === 'Wait' || step.do === 'Fail' || step.do === 'Done';

/**
 * Does one step, remembers what is known of its outcome, and tells people. Resolves to what its line of the log adds.
 */
const perform = async (step: Action, seen: ObservedState, ports: PodEipPorts, signal: AbortSignal): Promise<object> => {
  const { tracker, latency, clock } = ports;
  const uid = seen.podEip?.metadata.uid ?? '';
  const isCloud = isCloudAction(step);
  const began = clock.mono();
  latency?.begins(step, seen);
  if (isCloud) tracker.sending(uid);
  try {
    const { result: acted, requestIds } = await collectRequests(() =>
      runAction(step, ports, tracker.epoch(uid), signal),
    );
    if (isCloud) tracker.accepted(uid, step);
    if (step.do === 'Release') ports.onQuotaFreed();
    if (acted.created !== undefined) tracker.created(acted.created);
    else if (step.do === 'Claim' || step.do === 'Forget') tracker.renewed(uid);
    latency?.done(step, seen, began);
    announceDone(step, acted, seen, ports);
    return outcomeFields(acted, requestIds);
  } catch (error) {
    if (isCloud && error instanceof CloudFault) tracker.failed(uid, step, error);
    else if (isCloud) tracker.lostTrack(uid);
    throw error;
  }
};

/** What came of a step, for its line of the log. */
const outcomeFields = (acted: ActionOutcome, requestIds: readonly string[]): object => ({
  ...(acted.created !== undefined && { podEipUid: acted.created }),
  ...(acted.allocationId !== undefined && { eip: acted.allocationId }),
  ...(acted.ipAddress !== undefined && { ipAddress: acted.ipAddress }),
  ...(requestIds.length > 0 && { requestId: requestIds.join(' ') }),
});

/** Tells people what was done, and what there is to say about a request that was written down. */
const announceDone = (step: Action, acted: ActionOutcome, seen: ObservedState, ports: PodEipPorts): void => {
  const findings = step.do === 'Claim' || step.do === 'RecordExternal' ? step.findings : undefined;
  if (findings) ports.latency?.read({ findings });
  for (const { about, event } of noticesOf(step, acted, seen)) ports.record(about, event);
  // What refuses is in the condition and its Event.
  const isRefused = step.do === 'Claim' && !step.request;
  for (const warning of warningsOf({ findings: isRefused ? [] : (findings ?? []) }))
    warn(warning, { pod: seen.pod, podEip: null }, ports);
};

/** Nothing to do now: say how things stand. */
const settle = async (step: Result, seen: ObservedState, ports: PodEipPorts, signal: AbortSignal): Promise<Requeue> => {
  const isReady = step.do === 'Done' && step.reason === 'InUse';
  const { reason, message } = step;
  await tell({ isReady, isWarning: step.do === 'Fail', reason, message }, seen, ports, signal);
  return step.ms === undefined ? 'done' : { afterMs: step.ms };
};

/** The cloud said no, or nothing at all. */
const faulted = async (
  fault: CloudFault,
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { kind, action, code, requestId, message } = fault;
  const { tell: whom, retry, reason } = FAULT[kind];
  const needsSomebody = whom !== 'nobody';
  const fields = { kind, action, code, requestId, ...fieldsOf(seen) };
  if (needsSomebody) ports.log.warn(fields, message);
  else ports.log.debug(fields, message);
  // The bucket of the action slows everybody down together: a pause of its own would let newcomers pass this one.
  if (retry === 'throttle') return { afterMs: Math.max(THROTTLED_MS, fault.retryAfterMs ?? 0) };
  if (!needsSomebody) return 'backoff';
  if (seen.podEip) ports.changes?.refused(seen.podEip, { reason, message });
  await tell({ isReady: false, isWarning: true, reason, message, isOfCloud: true }, seen, ports, signal);
  // Who may not take an EIP over buys one instead.
  if (seen.podEip && ports.tracker.recall(seen.podEip.metadata.uid).refusal?.action === 'TransferOwnership')
    return { afterMs: ports.settings.readLagMs };
  return { afterMs: Math.max(RETRY_MS, fault.retryAfterMs ?? 0) };
};

/** Tells pod and PodEIP, and their Knative Service, which hears of each reason once and of which pod. */
const warn = (
  warning: EventNote,
  { pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>,
  { record, warnService }: Pick<PodEipPorts, 'record' | 'warnService'>,
): void => {
  for (const object of regarding({ pod, podEip })) record(object, warning);
  const one = pod ?? podEip;
  if (one) warnService(one, warning);
};

/** Writes the status if it changed, and an Event if somebody must act and has not been told this yet. */
const tell = async (
  readiness: Readiness & { readonly isWarning: boolean },
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<void> => {
  const { kube, clock, settings } = ports;
  const { podEip } = seen;
  const { isWarning } = readiness;
  const warning: EventNote = {
    type: 'Warning',
    reason: readiness.reason,
    action: 'Reconcile',
    note: readiness.message,
  };
  if (!podEip || !(isOurs(podEip) || isExternal(podEip))) {
    if (isWarning) warn(warning, { pod: seen.pod, podEip: null }, ports);
    return;
  }
  const before = podEip.status?.conditions?.find(({ type }) => type === 'Ready');
  const time = { now: clock.now(), refreshMs: settings.recheckMs };
  const status = statusPatch(podEip.status, statusOf(podEip, seen, readiness, time));
  if (!status) return;
  const { namespace, name, uid, resourceVersion } = podEip.metadata;
  const body = { metadata: { uid, resourceVersion }, status };
  await kube.patch(PODEIP, { namespace, name }, { type: 'merge', subresource: 'status', body }, signal);
  // The cloud's own messages carry the ID of each request: only another reason is news.
  const hasChanged =
    before?.reason !== readiness.reason || (!readiness.isOfCloud && before.message !== readiness.message);
  // What the cloud refuses has its line already, with the ID of the request.
  const line = { reason: readiness.reason, isReady: readiness.isReady, ...fieldsOf(seen) };
  if (hasChanged && !readiness.isOfCloud) ports.log[isWarning ? 'warn' : 'debug'](line, readiness.message);
  if (isWarning && hasChanged) warn(warning, seen, ports);
};
