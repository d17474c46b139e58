import type { Clock } from '../lib/clock.ts';

/**
 * Longest time that one API call takes, from the moment it is admitted until its promise settles, milliseconds:
 * two seconds to connect and six to answer. Below the ten seconds that an orderly shutdown may take. The fence lets a
 * call start only if the lease lasts for this long (fence.ts).
 */
export const CALL_TIMEOUT_MS = 8_000;

/** The deadline has passed; what the work did or will do is not known. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/**
 * Settles with `work`, or rejects with {@link DeadlinePassed} after `ms`.
 *
 * The SDK's own timeouts cannot be relied on. Its HTTP client (httpx 2.3.3) keeps its read timer on the socket: the
 * timer of an earlier request on the same kept-alive socket cancels that of a later one, which then waits for ever;
 * and its connect timeout is a timeout of the idle socket, which also cuts answers that are merely slow.
 */
export const callWithDeadline = <T>(clock: Clock, ms: number, work: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const cancel = clock.timer(Math.max(0, ms), () => reject(new DeadlinePassed('no answer in time')));
    work().finally(cancel).then(resolve, reject);
  });
