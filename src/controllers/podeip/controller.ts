import { runAction, type ActionPorts } from './actions.ts';
import { createAnnouncer, type AnnouncePorts } from './publish.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import type { Eip } from '../../cloud/port.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { LONGEST_UNTOLD_MS } from '../../cloud/fault-history.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { ObjectRef } from '../../kube/port.ts';
import { sharingLists } from '../../kube/shared-lists.ts';
import { keyOf } from '../../kube/store.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import { MOST_READS, runSteps, type FailedTurn, type StepLoop } from '../../kube/step-loop.ts';
import { preparingChanges } from '../../lib/prepare.ts';
import { collectRequests } from '../../lib/requests.ts';
import { decideCounted } from './counting.ts';
import { stateAfter, withWritten } from './carry.ts';
import { Carried } from './carried.ts';
import { observe, recalled, remember, type ObservePorts } from './observe.ts';
import type { ObservedState, RefusedChange } from './observation.ts';
import {
  isEipAction,
  isReadStep,
  type Action,
  type ActionOutcome,
  type EipAction,
  type ReadStep,
  type Result,
  type Step,
} from './step.ts';
import { requeueAfter } from './retry.ts';
import { labelOf } from './step-label.ts';
import { noticesOf, warningsOf } from './events.ts';
import { fieldsOf, logSentence, outcomeFields, TAGS_DROPPED } from './log-fields.ts';
import { whyNotHeld } from './hold-failure.ts';
import { lookAhead, readUnlessAhead, type ReadPorts } from './reads.ts';
import { readinessBefore } from './status.ts';
import type { Trouble } from '../../cloud/fault-history.ts';
import { isInUse, tell, tellTrouble, toldBefore, warn, warningOf, type ReportPorts } from './report.ts';
import { sayRollout } from './rollout-room.ts';
import { asOfAsking } from './quiet.ts';
import { isSettled } from './safeguards.ts';
import { endQuiet, noteTransfer } from './sending.ts';
import type { Tracker } from './tracker.ts';
import { asOf, FOLLOWED_MS, transitionAfter, transitionOf, YOUNG_MS, type TransitionWatch } from './transition.ts';
import type { LatencyTracker } from './latency.ts';
import type { PurchaseHistory } from '../../policies/purchase-history.ts';

/** The ports and settings of the reconciler of pods and PodEIPs. */
export interface PodEipPorts extends Omit<ActionPorts, 'announce'>, ObservePorts, ReadPorts, ReportPorts {
  readonly tracker: Tracker;
  /** The resource through which pods are annotated. @default 'status' */
  readonly annotateThrough?: AnnouncePorts['through'] | undefined;
  /** Looks at EIPs in transition; undefined where each turn looks by itself. */
  readonly transitions?: TransitionWatch | undefined;
  /** Measures latencies; undefined if no metrics are served. */
  readonly latency?: LatencyTracker | undefined;
  /** What namespaces have bought; undefined if nobody counts. */
  readonly purchases?: Pick<PurchaseHistory, 'of' | 'decided' | 'bought'> | undefined;
  /** See `decideCounted`. */
  readonly ofService?: ((podEip: PodEip) => Iterable<PodEip>) | undefined;
  /** Whether this process may still change anything: false once the leadership is in doubt. */
  readonly mayAct: () => boolean;
  /** Called once it is known that AllocateEipAddress drops its tags. */
  readonly onTagsDropped?: (() => void) | undefined;
  /** Called after an EIP was released: PodEIPs that wait for quota may try again. */
  readonly onQuotaFreed: () => void;
  /** Observes what happens to addresses; undefined if no CloudEvents are sent. */
  readonly changes?: Changes | undefined;
}

/** Observes what happens to addresses in each pass. Neither method rejects. */
interface Changes {
  /**
   * Called before a step. False if the step must wait, since it would make a change undetectable that is not recorded
   * yet.
   */
  observed(step: Action | Result, seen: ObservedState): Promise<boolean>;
  /** The cloud refused a change, and a person must act. */
  refused(podEip: PodEip, trouble: { readonly reason: Reason; readonly message: string }): void;
}

/** When a step that waits for a write is tried again, if no event comes before; milliseconds. */
const HELD_MS = 10_000;

/**
 * observe → decide → do one thing → report, for one pod and the PodEIP of its name. One reconciler serves both objects,
 * because one key in one queue means that a pod and its PodEIP are never worked on twice at once.
 *
 * Safe to stop between any two lines and safe to run in two processes. Decisions are made from quorum reads; the caches
 * of the watches only say when to look.
 */
export const reconcilePodEip = (given: PodEipPorts): ((ref: ObjectRef, signal: AbortSignal) => Promise<Requeue>) => {
  const ports = { ...given, kube: sharingLists(given.kube, given.clock) };
  const carried = new Carried();
  const loop = stepLoopOf(ports, carried);
  return async (ref, signal) => runSteps(loop, await observe(ref, ports, carried, signal), signal);
};

/** How long a PodEIP that was created waits for the watch to show it, where that lags; milliseconds. */
const CLAIMED_MS = 1_000;

const stepLoopOf = (
  ports: PodEipPorts,
  carried: Carried,
): StepLoop<ObservedState, ReadStep, Action, Result, Requeue> => {
  const { kube, tracker, settings, changes, mayAct, annotateThrough = 'status', log } = ports;
  const announce = createAnnouncer({ kube, networkKey: settings.networkKey, through: annotateThrough, log });
  const acting = { ...ports, announce };
  return {
    decide: (seen) => decideCounted(seen, ports),
    isRead: isReadStep,
    isResult,
    // Each reservation under the limits of the namespace may need a read of its own.
    mostReads: ({ quota }) => MOST_READS + (quota?.usage?.places?.length ?? 0),
    read: async (step, seen, signal) => {
      const taken = step.do === 'ReadEip' ? takeReading(step.allocationId, ports) : undefined;
      const read = taken ? { eip: taken.eip } : await readUnlessAhead(step, seen, { ...ports, carried }, signal);
      const known = { ...seen, ...read };
      if (step.do === 'ReadEip') remember(step.allocationId, known, ports);
      if (seen.podEip && known.interfaces && known.interfaces !== seen.interfaces)
        tracker.sawInterface(seen.podEip.metadata.uid, known.interfaces.length > 0);
      if (seen.podEip && step.do === 'ReadBandwidthPackage') tracker.lookedUpPackage(seen.podEip.metadata.uid, true);
      if (seen.podEip && step.do === 'ReadMarkedEips' && known.tagged?.length === 0 && isSettled({ seen, settings }))
        tracker.foundNothing(seen.podEip.metadata.uid);
      const memory = asOfAsking(recalled(seen, ports), seen.memory);
      return { ...known, memory: taken ? asOf(memory, taken.agoMs) : memory };
    },
    beforeStep:
      changes && (async (step, seen) => ((await changes.observed(step, seen)) ? undefined : { afterMs: HELD_MS })),
    fence: () => (mayAct() ? undefined : 'backoff'),
    act: async (step, seen, signal) => {
      const told = await tellBefore(step, seen, ports, signal);
      if (told && step.do !== 'Publish') {
        carried.leave(told);
        return 'now';
      }
      const ahead = lookAhead(step, ports, signal);
      const { fields, acted } = await perform(step, told ?? seen, acting, signal);
      const after = stateAfter(step, told ?? seen, acted);
      if (after) carried.leave(after, ahead);
      if (step.do === 'RemoveFinalizer') tracker.forget(seen.podEip?.metadata.uid ?? '');
      log.info({ step: labelOf(step.do), ...fieldsOf(seen, step), ...fields }, logSentence(step));
      // Its lane in the queue is known once the watch shows it, which makes it due.
      return step.do === 'Claim' && !seen.podEip ? { afterMs: CLAIMED_MS } : (followed(step, seen, ports) ?? 'now');
    },
    settle: (step, seen, signal) => settle(step, seen, ports, signal),
    succeeded: (step, seen) => {
      tracker.faults.succeeded(subjectOf(seen), step.do);
      if (!isReadStep(step) && isEipAction(step)) tracker.faults.movedOn(subjectOf(seen));
    },
    failed: async (error, at, signal) => {
      if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) return 'backoff';
      const unheld = whyNotHeld(error, at.step);
      // An address that its pod has, it has all the same.
      if (unheld) return warnInUse(unheld, at.observed, ports) ?? settle(unheld, at.observed, ports, signal);
      if (!(error instanceof CloudFault)) throw error;
      return faulted(error, at, ports, signal);
    },
  };
};

const isResult = (step: Action | Result): step is Result =>
  step.do === 'Wait' || step.do === 'Fail' || step.do === 'Done';

/** Carries out one step, records its outcome in the tracker, and reports it. Resolves to it, with its log line. */
const perform = async (
  step: Action,
  seen: ObservedState,
  ports: PodEipPorts & ActionPorts,
  signal: AbortSignal,
): Promise<{ readonly acted: ActionOutcome; readonly fields: object }> => {
  const { tracker, latency, clock } = ports;
  const uid = seen.podEip?.metadata.uid ?? '';
  const isCloud = isEipAction(step);
  const began = clock.mono();
  latency?.begins(step, seen);
  if (isCloud) tracker.sending(uid, step.do);
  const run = async () => {
    if (step.do !== 'AssignSuccessor') return runAction(step, ports, tracker.epoch(uid), signal);
    const podEip = await noteTransfer(step.podEip, ports, signal);
    return runAction({ ...step, podEip }, ports, tracker.epoch(uid), signal);
  };
  let noted: PodEip | undefined;
  const prepare = async (its: EipAction) => {
    noted = (await endQuiet(changeOf(its, seen.readAt ?? began, ports.settings), ports, signal)) ?? noted;
  };
  try {
    const { result, requestIds } = await collectRequests(() =>
      isCloud ? preparingChanges(() => prepare(step), run) : run(),
    );
    // A change of the cloud alone leaves the PodEIP as it was, but for the note before it.
    const acted = isCloud && !result.written ? { ...result, written: { podEip: noted ?? step.podEip } } : result;
    if (isCloud) tracker.accepted(uid, step);
    noteDone(step, acted, seen, ports);
    if (acted.created !== undefined) tracker.created(acted.created);
    else if (step.do === 'Claim' || step.do === 'Forget') tracker.renewed(uid);
    latency?.done(step, seen, began);
    announceDone(step, acted, seen, ports);
    return { acted, fields: outcomeFields(acted, requestIds) };
  } catch (error) {
    if (isCloud && error instanceof CloudFault) tracker.failed(uid, step, error);
    else if (isCloud) tracker.lostTrack(uid);
    if (seen.podEip && MAY_COME_LATE.has(step.do)) tracker.wrote(uid, false);
    throw error;
  }
};

const changeOf = (step: EipAction, readAt: number, { isUnelected }: Pick<PodEipPorts['settings'], 'isUnelected'>) => ({
  podEip: step.podEip,
  // A twin that is about to buy one, because the transfer was refused to it, has to see this too.
  isPurchase: step.do === 'Allocate' || (step.do === 'TransferOwnership' && isUnelected === true),
  readAt,
});

/** Steps that have changed the PodEIP itself, once they were answered. */
const CHANGES_ITS_OWN: ReadonlySet<Step['do']> = new Set([
  'Claim',
  'Forget',
  'Retain',
  'Retire',
  'Record',
  'RecordBinding',
]);

/** Those that go through after what is sent next, and change what that rests on, if their answer is lost. */
const MAY_COME_LATE: ReadonlySet<Step['do']> = new Set(['Claim', 'Forget', 'NoteQuiet']);

/** Records the effects of a completed step that later steps, and other pods, depend on. */
const noteDone = (step: Action, acted: ActionOutcome, seen: ObservedState, ports: PodEipPorts): void => {
  const { tracker, log } = ports;
  const { pod, podEip } = seen;
  const uid = podEip?.metadata.uid ?? '';
  if (podEip && CHANGES_ITS_OWN.has(step.do)) tracker.wrote(uid, true);
  if (step.do === 'RestoreFinalizer') tracker.restored(uid);
  if (step.do === 'Allocate' && acted.allocationId !== undefined) {
    tracker.bought(uid, acted.allocationId);
    ports.purchases?.bought(step.podEip);
    if (acted.eip) remember(acted.allocationId, { ...seen, eip: acted.eip }, ports);
  }
  if (step.do === 'Tag' && tracker.sawTags(uid, step.allocationId, 'dropped')) {
    log.warn({ eip: step.allocationId, action: 'AllocateEipAddress' }, TAGS_DROPPED);
    ports.onTagsDropped?.();
  }
  if (step.do === 'Release') ports.onQuotaFreed();
  if (step.do === 'Retire' && step.unusable && pod) tracker.givenBack.add(pod.metadata.uid, step.unusable);
};

/**
 * Writes the status before the pod is annotated: a client that is notified of the pod reads the address in its PodEIP,
 * and no longer finds one that is about to be detached. Resolves to the state after that; undefined where there was
 * nothing to write.
 */
const tellBefore = async (
  step: Action,
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<ObservedState | undefined> => {
  const readiness = readinessBefore(step, seen.podEip?.status);
  if (!readiness) return undefined;
  // A read from before the detachment says nothing about the time after it.
  const known = readiness.isReady ? seen : { ...seen, eip: undefined };
  const podEip = await tell({ ...readiness, isWarning: false }, known, ports, signal);
  return podEip && { ...seen, ...withWritten(seen, { pod: seen.pod, podEip }) };
};

/** Reports what was done, and the findings about a request that was recorded. */
const announceDone = (step: Action, acted: ActionOutcome, seen: ObservedState, ports: PodEipPorts): void => {
  const findings = step.do === 'Claim' || step.do === 'RecordExternal' ? step.findings : undefined;
  if (findings) ports.latency?.read({ findings });
  for (const { about, event } of noticesOf(step, acted, seen)) ports.record(about, event);
  // Findings that refuse the request are in the condition and its Event.
  const isRefused = step.do === 'Claim' && !step.request;
  for (const warning of warningsOf({ findings: isRefused ? [] : (findings ?? []) }))
    warn(warning, { pod: seen.pod, podEip: null }, ports);
};

/** What a look has shown that was waited for, unless it was a while ago. */
const takeReading = (
  allocationId: string,
  { transitions, clock }: Pick<PodEipPorts, 'transitions' | 'clock'>,
): { readonly eip: Eip; readonly agoMs: number } | undefined => {
  const reading = transitions?.take(allocationId);
  const agoMs = reading ? clock.mono() - reading.askedAt : Infinity;
  return reading && agoMs < YOUNG_MS ? { eip: reading.eip, agoMs } : undefined;
};

/**
 * Leaves an EIP that has just begun to change its state to whoever looks at all of them, and says when to look all the
 * same; undefined where there is nothing to wait for. People are told by that turn: most transitions are over by then.
 */
const followed = (
  step: Action,
  { podEip }: ObservedState,
  { transitions, clock }: PodEipPorts,
): Requeue | undefined => {
  const transition = transitions && transitionAfter(step, clock.mono());
  if (!transition || !podEip) return undefined;
  transitions.follow(transition, keyOf(podEip.metadata));
  return { afterMs: FOLLOWED_MS };
};

/** Nothing to do now: reports the state. */
const settle = async (step: Result, seen: ObservedState, ports: PodEipPorts, signal: AbortSignal): Promise<Requeue> => {
  const { tracker, settings } = ports;
  const { reason, message } = step;
  const isReady = step.do === 'Done' && reason === 'InUse';
  const transition = ports.transitions && transitionOf(step, seen, ports.clock.mono());
  if (transition && seen.podEip) ports.transitions?.follow(transition, keyOf(seen.podEip.metadata));
  const afterMs = transition ? FOLLOWED_MS : step.ms;
  const again: Requeue = afterMs === undefined ? 'done' : { afterMs };
  const subject = subjectOf(seen);
  // Between two attempts the reason is the answer of the cloud, and not what the pause waits for.
  const pauseMs = settings.settleMs + LONGEST_UNTOLD_MS;
  const trouble = step.do === 'Wait' ? (tracker.faults.current(subject, pauseMs) ?? toldBefore(step, seen)) : undefined;
  if (trouble) {
    await tell({ ...trouble, isReady: false, isWarning: false }, seen, ports, signal);
    // By then it is over, or has been said again: what is waited for may come late or never, and is said then.
    return { afterMs: Math.min(afterMs ?? Infinity, pauseMs) };
  }
  const topic = step.do === 'Fail' ? step.topic : undefined;
  if (step.do === 'Done') tracker.faults.forget(subject);
  else if (step.do === 'Fail' && topic === undefined) tracker.faults.movedOn(subject);
  // A refusal of the cloud had its Event when it came.
  const isWarning = step.do === 'Fail' && topic === undefined;
  const logged = step.do === 'Fail' ? step.logged : undefined;
  await tell({ isReady, isWarning, reason, message, topic, logged }, seen, ports, signal);
  return again;
};

/** Warns of a pod whose address is in use, which stays so; undefined for every other one. */
const warnInUse = (
  { reason, message, ms }: Extract<Result, { readonly do: 'Fail' }>,
  seen: ObservedState,
  ports: PodEipPorts,
): Requeue | undefined => {
  if (!isInUse(seen)) return undefined;
  ports.log.warn({ reason, ...fieldsOf(seen) }, message);
  warn(warningOf({ reason, message }), seen, ports);
  return ms === undefined ? 'done' : { afterMs: ms };
};

/** Whose answers are counted. */
const subjectOf = ({ pod, podEip }: ObservedState): string => (podEip ?? pod)?.metadata.uid ?? '';

/** Handles a call of the cloud that was refused or not answered. */
const faulted = async (
  fault: CloudFault,
  { step, observed: seen }: FailedTurn<ObservedState, Step>,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { tracker, log, changes } = ports;
  const { kind, action, code, requestId, message } = fault;
  const name = step?.do ?? '';
  if (seen.podEip && name === 'ReadBandwidthPackage') tracker.lookedUpPackage(seen.podEip.metadata.uid, false);
  const refusal = refusalOf(name, seen, ports);
  const needsSomebody = FAULT[kind].tell !== 'nobody';
  // A pause after a transient fault is not reported yet; any other reason, such as an address that is taken, is.
  const isOwnReason = refusal !== undefined && refusal.reason !== FAULT[kind].reason;
  const view = refusal && { reason: refusal.reason, needsSomebody: needsSomebody || isOwnReason };
  const { trouble: said, isUnreported } = tracker.faults.failed(subjectOf(seen), name, fault, view);
  const trouble = said && name === 'Allocate' && isQuotaOfEips(code) ? withRollout(said, seen, ports) : said;
  log[isUnreported ? 'warn' : 'debug']({ kind, action, code, requestId, ...fieldsOf(seen) }, message);
  if (trouble) {
    if (needsSomebody && seen.podEip) changes?.refused(seen.podEip, trouble);
    await tellTrouble(
      { trouble, isUnreported, mayPass: !needsSomebody && step !== undefined && isReadStep(step) },
      seen,
      ports,
      signal,
    );
  }
  return requeueAfter(fault, refusal, ports.settings);
};

/** Whether the account has no EIP left, and not no money. Source: VPC API, error codes of AllocateEipAddress. */
const isQuotaOfEips = (code: string | undefined): boolean => code?.startsWith('QuotaExceeded.') === true;

/** The same, with what keeps the rollout where an older Revision has an EIP. */
const withRollout = (trouble: Trouble, seen: ObservedState, { ofService }: PodEipPorts): Trouble =>
  ofService ? { ...trouble, message: sayRollout(trouble.message, seen, ofService) } : trouble;

/** The refusal because of which this step of the PodEIP is not repeated before some time has passed. */
const refusalOf = (step: string, { podEip }: ObservedState, { tracker }: PodEipPorts): RefusedChange | undefined => {
  const refusal = podEip ? tracker.recall(podEip.metadata.uid).refusal : undefined;
  return refusal?.action === step ? refusal : undefined;
};
