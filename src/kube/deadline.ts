import type { Clock } from '../lib/clock.ts';

/** Thrown by {@link withDeadline} when time is up. What was under way may still take effect. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
  readonly afterMs: number;

  constructor(afterMs: number) {
    super(`No answer within ${Math.round(afterMs)} ms.`);
    this.afterMs = afterMs;
  }
}

/**
 * Runs `work` for at most `ms`. Rejects with {@link DeadlineExceeded} when time is up and with the signal's reason when
 * `signal` aborts, both at once, also where `work` does not heed the signal it is given.
 */
export const withDeadline = async <T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  signal?.throwIfAborted();
  const scope = new AbortController();
  const abort = () => scope.abort(signal?.reason);
  // A listener that is taken off again, not AbortSignal.any: the outer signal lives as long as the process.
  signal?.addEventListener('abort', abort, { once: true });
  const cancel = clock.timer(ms, () => scope.abort(new DeadlineExceeded(ms)));
  try {
    return await raceAbort(work(scope.signal), scope.signal);
  } finally {
    cancel();
    signal?.removeEventListener('abort', abort);
  }
};

/** Settles as `work` does, or rejects with the signal's reason as soon as `signal` aborts. */
export const raceAbort = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
