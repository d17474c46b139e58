import type { CloudFault, CloudFaultKind } from '../../cloud/fault.ts';
import { FAULT, type FaultPolicy } from '../../cloud/fault-policy.ts';
import type { RefusedChange, Settings } from './observation.ts';
import { RETRY_MS, type Action } from './step.ts';

/** Before a throttled call takes its place in the queue of its action again; milliseconds. */
const THROTTLED_MS = 1_000;

/**
 * When the key is reconciled again after a fault of the cloud; `backoff`: with growing delays. There is always a next
 * time: no event says that the cloud works again, and an address without a next time would stay as it is for ever.
 * Calls of a throttled action are slowed down by their common bucket: a longer pause would only let newer PodEIPs
 * overtake this one.
 *
 * @param refusal of the failed step, if it is not to be repeated before some time has passed
 */
export const requeueAfter = (
  { kind, retryAfterMs = 0 }: CloudFault,
  refusal: RefusedChange | undefined,
  { readLagMs }: Settings,
): 'backoff' | { readonly afterMs: number } => {
  const { retry, tell } = FAULT[kind];
  if (retry === 'throttle') return { afterMs: Math.max(THROTTLED_MS, retryAfterMs) };
  if (tell === 'nobody') return 'backoff';
  // If the transfer was refused, the next pass buys an EIP instead.
  if (refusal?.action === 'TransferOwnership') return { afterMs: readLagMs };
  if (retry !== 'gradual') return { afterMs: Math.max(RETRY_MS, retryAfterMs) };
  return refusal ? { afterMs: Math.min(RETRY_MS, refusal.dueInMs) } : 'backoff';
};

/** First and longest wait after a refusal, milliseconds: only a person, or a released EIP, changes the answer. */
const REFUSAL_MS = 60_000;
const REFUSALS_MS = [REFUSAL_MS, 600_000] as const;
const REFUSED_MS = {
  backoff: undefined,
  throttle: undefined,
  gradual: [5_000, 600_000],
  slow: REFUSALS_MS,
  onceFreed: REFUSALS_MS,
  steady: [REFUSAL_MS, REFUSAL_MS],
} as const satisfies Record<FaultPolicy['retry'], readonly [base: number, cap: number] | undefined>;
/**
 * The same for a token that was refused too often. A new token starts with short pauses again, so that without this
 * wait a cloud that is busy for long would be called all the time.
 */
export const SPENT_MS = [5_000, REFUSAL_MS] as const;
/** The same for an address that already has an EIP: usually that of a pod which has just ended. */
const TAKEN_MS = [2_000, REFUSAL_MS] as const;

/** The first and the longest pause before a finalizer is put back that is taken off again and again; milliseconds. */
const RESTORE_MS = [5_000, 60_000] as const;
/** One that has stayed for so long is put back at once again; milliseconds. */
export const FORGOTTEN_MS = 600_000;

/** The pause after it was put back so many times. Once may be an accident; then it is other software. */
export const restorePauseMs = (times: number): number => {
  const [firstMs, longestMs] = RESTORE_MS;
  return times < 2 ? 0 : Math.min(longestMs, firstMs * 2 ** (times - 2));
};

/** The private address already has an EIP that this controller may not detach. */
export const isAddressTaken = (kind: CloudFaultKind, action: Action['do']): boolean =>
  FAULT[kind].effect === 'already' && action === 'Associate';

/**
 * First and longest wait after a change that the cloud refused; undefined where it did not refuse it for sure. Only
 * after a refusal may a new token be used: after silence an attempt may still buy.
 */
export const refusalMs = (
  kind: CloudFaultKind,
  action: Action['do'],
): readonly [baseMs: number, capMs: number] | undefined =>
  isAddressTaken(kind, action) ? TAKEN_MS : REFUSED_MS[FAULT[kind].retry];
