import { isAnnounced, isFinal } from '../../api/pod.ts';
import type { Pod } from '../../api/core.ts';
import { PODEIP, type Condition, type PodEip } from '../../api/podeip.ts';
import { isReason, REASON } from '../../api/reason-policy.ts';
import type { Trouble } from '../../cloud/fault-history.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { withLink, withoutLink } from '../../rules/docs-link.ts';
import { regarding, type EventNote, type Regarding } from './events.ts';
import { fieldsOf } from './log-fields.ts';
import type { ObservedState, Settings } from './observation.ts';
import { isExternal, isOurs } from './record.ts';
import { ignoredChange } from './ignored-change.ts';
import { situationOf, withPodEip } from './situation.ts';
import type { Result } from './step.ts';
import { statusOf, statusPatch, unsaidChanges, type Readiness } from './status.ts';
import type { Tracker } from './tracker.ts';

/** Through what people are told how an address stands: status, Events, log. */
export interface ReportPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly tracker: Pick<Tracker, 'versionOf' | 'isNewInLog'>;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /** Tells the Knative Service of a pod, or of the pod of a PodEIP, what is wrong there. */
  readonly warnService: (of: Pod | PodEip, event: EventNote) => void;
  readonly log: Log;
}

/**
 * How often it is written down that the pod is still there, milliseconds. Only who takes a PodEIP over needs to know,
 * and has the time of the pod's end where this controller saw it.
 */
const LAST_SEEN_MS = 3_600_000;

/**
 * Tells of a cloud that keeps saying no: the Event once, and the status whenever it says something else.
 *
 * @param mayPass it is a look that fails, and that may pass by itself: an address that its pod has, it has all the same
 */
export const tellTrouble = async (
  {
    trouble,
    isUnreported,
    mayPass,
  }: { readonly trouble: Trouble; readonly isUnreported: boolean; readonly mayPass: boolean },
  seen: ObservedState,
  ports: ReportPorts,
  signal: AbortSignal,
): Promise<void> => {
  if (!mayPass || !isInUse(seen))
    return void (await tell({ ...trouble, isReady: false, isWarning: isUnreported }, seen, ports, signal));
  if (isUnreported) warn(warningOf(trouble), seen, ports);
};

/** Whether the pod has been told of its address, and has it as far as is known. */
export const isInUse = ({ pod, podEip }: ObservedState): boolean =>
  pod !== null &&
  isAnnounced(pod) &&
  !isFinal(pod) &&
  podEip?.metadata.deletionTimestamp === undefined &&
  readyOf(podEip)?.status === 'True';

const readyOf = (podEip: PodEip | null): Condition | undefined =>
  podEip?.status?.conditions?.find(({ type }) => type === 'Ready');

/**
 * What a process before this one told of a change that the cloud kept refusing: it stays said during a pause, of which
 * people learn nothing, as long as no change was accepted. Undefined where there is nothing of the kind.
 */
export const toldBefore = (step: Result, { podEip, memory }: ObservedState): Trouble | undefined => {
  const isPause = step.do === 'Wait' && (step.reason === 'Settling' || step.reason === 'CloudBusy');
  if (!isPause || memory.accepted !== undefined) return undefined;
  const { status, reason = '', message: written = '' } = readyOf(podEip) ?? {};
  const message = isReason(reason) ? withoutLink(written, reason) : written;
  // Messages of the cloud begin with the call. What a look was answered with is over once one succeeds.
  const [call = ''] = message.split(' ');
  const isOfChange = call.endsWith(':') && !call.startsWith('Describe');
  return status === 'False' && isReason(reason) && isOfChange ? { reason, message, topic: message } : undefined;
};

/** What is said, as an Event. */
export const warningOf = ({ reason, message }: Pick<Readiness, 'reason' | 'message'>): EventNote => ({
  type: 'Warning',
  reason,
  action: 'Reconcile',
  note: message,
});

/** Tells pod and PodEIP, and their Knative Service, which hears of each reason once and of which pod. */
export const warn = (
  warning: EventNote,
  { pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>,
  { record, warnService }: Pick<ReportPorts, 'record' | 'warnService'>,
): void => {
  for (const object of regarding({ pod, podEip })) record(object, warning);
  const one = pod ?? podEip;
  if (one) warnService(one, warning);
};

/**
 * Writes the status if it changed, and an Event if somebody must act and has not been told this yet. What the cloud
 * says differs with each request: there its words stay until it says something else.
 *
 * @param readiness with `isWarning`: what is said is worth an Event; of the cloud's words, that they are new
 * @returns the PodEIP as it was written; undefined where it was not
 */
export const tell = async (
  readiness: Readiness & { readonly isWarning: boolean; readonly logged?: object | undefined },
  seen: ObservedState,
  ports: ReportPorts,
  signal: AbortSignal,
): Promise<PodEip | undefined> => {
  const { kube, clock, settings, tracker } = ports;
  const { podEip } = seen;
  const { isWarning, topic } = readiness;
  const warning = warningOf(readiness);
  if (!podEip || !(isOurs(podEip) || isExternal(podEip))) {
    if (isWarning) warn(warning, { pod: seen.pod, podEip: null }, ports);
    return undefined;
  }
  const said = explained(inSameWords(readiness, readyOf(podEip)), settings);
  const ignored = isOurs(podEip) ? ignoredChange(withPodEip(situationOf(seen, settings), podEip)) : undefined;
  const time = { now: clock.now(), refreshMs: Math.max(settings.recheckMs, LAST_SEEN_MS), ignored };
  const after = statusOf(podEip, seen, said, time);
  const status = statusPatch(podEip.status, after);
  const { logged } = readiness;
  // What only the log names must be found there, also after a restart, and where it is another one by now.
  const isNewInLog = logged !== undefined && tracker.isNewInLog(podEip.metadata.uid, logged);
  const say = (): void =>
    ports.log[isWarning ? 'warn' : 'debug'](
      { reason: readiness.reason, isReady: readiness.isReady, ...fieldsOf(seen), ...logged },
      readiness.message,
    );
  if (!status) {
    if (isNewInLog) say();
    return undefined;
  }
  const before = readyOf(podEip);
  const wordsOf = (it: Pick<Condition, 'message'>): string => withoutLink(it.message, said.reason);
  // Another link alone is nothing new.
  const hasChanged = before?.reason !== said.reason || wordsOf(before) !== wordsOf(said);
  // That the cloud's words are new is known only now, whatever becomes of the write.
  if (isWarning && hasChanged && topic !== undefined) warn(warning, seen, ports);
  const { namespace, name, uid } = podEip.metadata;
  const body = { metadata: { uid, resourceVersion: tracker.versionOf(podEip) }, status };
  const written = await kube.patch(PODEIP, { namespace, name }, { type: 'merge', subresource: 'status', body }, signal);
  for (const change of unsaidChanges(podEip.status, after)) warn(warningOf(change), seen, ports);
  // What the cloud says has its line already, with the ID of the request.
  if (topic !== undefined) return written;
  if (hasChanged || isNewInLog) say();
  if (isWarning && hasChanged) warn(warning, seen, ports);
  return written;
};

/** With the link to its reason, where somebody must act: what passes by itself is read by nobody. */
const explained = (it: Readiness, { docsURL }: Settings): Readiness =>
  REASON[it.reason].phase === 'attention' ? { ...it, message: withLink(it.message, it.reason, docsURL) } : it;

/** What is said already, where it is the same but for the ID of the request, or of several answers the one before. */
const inSameWords = (
  readiness: Readiness & { readonly isWarning: boolean },
  before: Condition | undefined,
): Readiness => {
  const { reason, topic, isWarning } = readiness;
  if (topic === undefined || before?.reason !== reason) return readiness;
  const message = withoutLink(before.message, reason);
  return !isWarning || message.startsWith(topic) ? { ...readiness, message } : readiness;
};
