import { KubeFault } from '../kube/fault.ts';
import type { Clock } from '../lib/clock.ts';

/** `unread`: the API server does not say it, or not in time. */
type Reading<T> = { readonly kind: 'read'; readonly value: T } | { readonly kind: 'unread'; readonly why: string };

/**
 * Reads from the API server for a review, which the API server itself waits 3 s for: after `ms` it is judged without. A
 * mistake of ours is thrown.
 */
export const readWithin = async <T>(
  clock: Clock,
  ms: number,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<Reading<T>> => {
  const stop = new AbortController();
  const cancel = clock.timer(ms, () => stop.abort(new Error('the API server took too long')));
  try {
    return { kind: 'read', value: await read(stop.signal) };
  } catch (error) {
    if (!(error instanceof KubeFault) && !stop.signal.aborted) throw error;
    return { kind: 'unread', why: error instanceof Error ? error.message : String(error) };
  } finally {
    cancel();
  }
};
