import { QUIET_SINCE } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import { sign, type MarkIssuer } from '../../lib/mark.ts';
import type { ObservedState, Settings, TrackedState } from './observation.ts';
import { hasFinalizer, isOurs, readRecord } from './record.ts';
import type { RecordAction, Step } from './step.ts';

/*
 * How long nothing has been sent for a PodEIP, across restarts. A process that remembers nothing waits until a change
 * of the one before it can no longer take effect; where each dies before that time is over, nothing would ever be given
 * back. So the first that waits writes down since when, by the API server's clock, and those after it go on from there.
 *
 * The note is true because of what is done before a change is sent (`endQuiet` in sending.ts): a write that takes the
 * note away, and with its version every note that is still on its way. Only the way out goes by it: a PodEIP that is
 * being deleted, or that has no pod. The same write comes before a purchase, for a new generation on its way.
 *
 * Nobody can write one without the key of the marks. Whoever may write PodEIPs may put an old one back, and gains less
 * by that than by taking off the finalizer, which needs the same right. What does not check out counts for nothing, and
 * costs the time that it costs without notes.
 */

/** So long before a change is sent at most, the write has to be made that ends the quiet; milliseconds. */
export const SEND_WITHIN_MS = 10_000;

/** The clocks of the API servers of one cluster differ by less; milliseconds. Etcd wants them within a second. */
const SKEW_MS = 30_000;

const signatureOf = (issuer: MarkIssuer, podEipUid: string, since: string): string | undefined =>
  sign(issuer, ['quiet', podEipUid, since]);

/**
 * The note: an RFC 3339 time and its HMAC; undefined where there is no key.
 *
 * @param since milliseconds, by the API server's clock
 */
export const writeQuiet = (issuer: MarkIssuer, podEipUid: string, since: number): string | undefined => {
  const time = new Date(since).toISOString();
  const mac = signatureOf(issuer, podEipUid, time);
  return mac === undefined ? undefined : `${time} ${mac}`;
};

/** Whether there is anything in the place of the note that could be taken for one. */
export const isNoted = ({ metadata }: PodEip): boolean =>
  metadata.annotations?.[QUIET_SINCE]?.startsWith(CHANGING) === false;

/** How what stands in the place of the note begins while a change is sent. */
export const CHANGING = 'changing ';

/** Whether the PodEIP is on its way out, or has no pod: only then is its quiet noted, and gone by. */
export const mayBeQuiet = (podEip: PodEip): boolean => {
  if (!isOurs(podEip) || !hasFinalizer(podEip)) return false;
  const { podUid, successorUid } = readRecord(podEip);
  // What the successor sends says nothing in this PodEIP.
  if (successorUid !== undefined) return false;
  return podEip.metadata.deletionTimestamp !== undefined || podUid === '';
};

/** What is gone by. */
type Clocks = Pick<ObservedState, 'now' | 'serverNow'>;

/** Since when nothing has been sent, by the note; undefined where there is none that counts. */
const quietSince = (podEip: PodEip, { serverNow }: Clocks, issuer: MarkIssuer): number | undefined => {
  if (serverNow === undefined || !mayBeQuiet(podEip)) return undefined;
  const { uid, annotations, deletionTimestamp } = podEip.metadata;
  const [time = '', mac] = annotations?.[QUIET_SINCE]?.split(' ') ?? [];
  const since = Date.parse(time);
  // A time that has not come yet was not written by a clock.
  if (Number.isNaN(since) || since > serverNow + SKEW_MS || mac !== signatureOf(issuer, uid, time)) return undefined;
  return Math.max(since, Date.parse(deletionTimestamp ?? time));
};

/**
 * For how long nothing has been sent, by the note; milliseconds, 0 where none counts. Two clocks must agree, the API
 * server's and the machine's: one that is set forward would otherwise end the wait.
 */
export const quietByNote = (podEip: PodEip, clocks: Clocks, issuer: MarkIssuer): number => {
  const since = quietSince(podEip, clocks, issuer);
  if (since === undefined) return 0;
  const now = Math.min(clocks.now, clocks.serverNow ?? since);
  return Math.max(0, now - since - SEND_WITHIN_MS - SKEW_MS);
};

/** The steps that pass with time, as long as nothing is sent. */
const WAITS_FOR_QUIET: ReadonlySet<string> = new Set(['Settling', 'EipNotVisibleYet', 'Kept']);

/**
 * The note that a wait is worth; undefined where there is one already, or where this process has sent something itself
 * and knows better. One for the life of a wait, however many processes it takes.
 */
export const noteDue = (step: Step, seen: ObservedState, settings: Settings): RecordAction | undefined => {
  const { podEip, serverNow, memory } = seen;
  if (step.do !== 'Wait' || !WAITS_FOR_QUIET.has(step.reason)) return undefined;
  if (!podEip || serverNow === undefined || memory.hasSent !== false || memory.isCertain || !mayBeQuiet(podEip))
    return undefined;
  if (settings.markKey === undefined || quietSince(podEip, seen, settings) !== undefined) return undefined;
  const note = writeQuiet(settings, podEip.metadata.uid, serverNow);
  return note === undefined ? undefined : { do: 'NoteQuiet', podEip, note };
};

/**
 * What is remembered after a reading. How long it has been quiet, and how long readings have shown the same, is held
 * against the reading, which says nothing of the time after it was asked for, however long its answer took, or the
 * process was not at work: that stays as it was when the pass began.
 */
export const asOfAsking = (memory: TrackedState, before: TrackedState): TrackedState => ({
  ...memory,
  quietMs: Math.min(memory.quietMs, before.quietMs),
  driftMs: Math.min(memory.driftMs, before.driftMs),
  missingMs: Math.min(memory.missingMs, before.missingMs),
  noInterfaceMs: Math.min(memory.noInterfaceMs ?? 0, before.noInterfaceMs ?? 0),
  unusedMs: Math.min(memory.unusedMs ?? 0, before.unusedMs ?? 0),
  ...(memory.twinMs !== undefined && { twinMs: Math.min(memory.twinMs, before.twinMs ?? Infinity) }),
  inUseMs: Math.min(memory.inUseMs ?? 0, before.inUseMs ?? 0),
  ...(memory.detachedMs !== undefined && { detachedMs: Math.min(memory.detachedMs, before.detachedMs ?? 0) }),
  ...(memory.ageMs !== undefined && { ageMs: Math.min(memory.ageMs, before.ageMs ?? 0) }),
});
