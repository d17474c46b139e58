import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** What is needed to read the cluster around a workload. */
export interface ContextReader {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** After the labels of the namespace (1 s) and, for `scale`, the right to read (0.5 s), of 3 s. Milliseconds. */
export const CONTEXT_TIMEOUT_MS = 900;

/** `unread`: the API server answered with an error, or not in time. */
type Reading<T> = { readonly kind: 'read'; readonly value: T } | { readonly kind: 'unread'; readonly why: string };

/**
 * Reads from the API server during a review, for which the API server itself waits at most 3 s: all that one review
 * reads, one after the other, takes less than 2.5 s, so that there is time left for the answer. After `ms` the review
 * goes on without the answer. Rejects with errors that are neither a KubeFault nor the timeout: they are bugs.
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
