/** The port through which everything tells and waits for time. Units: milliseconds. */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. For timestamps that people read; never for deadlines. */
  now(): number;
  /** Monotonic time, milliseconds from an arbitrary origin. For deadlines, leases and durations. */
  mono(): number;
  /** Resolves after `ms`, never before; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fire` once after `ms`, never before, unless the returned function is called first. */
  timer(ms: number, fire: () => void): () => void;
}

/** Waits for `ms`, or until `signal` aborts: whoever waits looks at the signal then. Never rejects. */
export const sleepUnlessAborted = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  clock.sleep(ms, signal).catch(() => undefined);

/** The longest delay that Node's timers accept; anything longer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `fire` once `ms` are over by the monotonic clock. Node's own timers count whole milliseconds from when their
 * loop last looked at the time, and half of them fire up to one too early: whoever is woken then finds that it is not
 * time yet, and nobody would wake him again.
 */
const timer = (ms: number, fire: () => void): (() => void) => {
  const due = performance.now() + ms;
  const set = (): NodeJS.Timeout => {
    const leftMs = Math.max(0, due - performance.now());
    return setTimeout(look, Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS));
  };
  const look = (): void => {
    if (performance.now() < due) timeout = set();
    else fire();
  };
  let timeout = set();
  return () => clearTimeout(timeout);
};

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const abort = () => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = timer(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    }),
  timer,
};
