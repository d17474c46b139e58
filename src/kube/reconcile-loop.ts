import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { onBehalfOf } from '../lib/on-behalf-of.ts';
import type { QueueLane, WorkQueue } from './queue.ts';
import { refOf } from './store.ts';

/**
 * When a key wants to be looked at again, unless something happens to it before.
 *
 * - `done`: never · `now`: at once, one step is done and the next is known · `{ afterMs }`: then
 * - `backoff`: it did not work and nobody is to blame; later and later each time
 *
 * All but `backoff` forget earlier failures.
 */
export type Requeue = 'done' | 'now' | 'backoff' | { readonly afterMs: number };

/** How a reconcile ended: what it asked for, or that it threw. */
type ReconcileOutcome = 'done' | 'now' | 'backoff' | 'after' | 'error';

interface ControllerOptions {
  /** For logs and metrics. */
  readonly name: string;
  readonly queue: WorkQueue;
  /** How many keys of the lane `main` are worked on at once. */
  readonly workers: number;
  /** How many keys of the other lanes are worked on beside them. @default none */
  readonly laneWorkers?: Readonly<Partial<Record<Exclude<QueueLane, 'main'>, number>>> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Brings one key closer to what it should be, on behalf of its namespace (src/lib/on-behalf-of.ts). Whatever it
   * throws is logged and retried with backoff, and not before the error's `retryAfterMs`, where it has one.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Requeue>;
  /** Called after each reconcile; for metrics. Must not throw. */
  readonly observe?: ((reconcile: { name: string; outcome: ReconcileOutcome; durationMs: number }) => void) | undefined;
}

/**
 * A key that asks to be looked at again at once more often than this without a rest is slowed down: it goes in circles.
 */
const MOST_NOW = 100;
/** So many steps in a row it goes before others: no more make an address. */
const MOST_FIRST = 10;

/**
 * Works on the queue until the signal aborts. Then the queue is shut down, what is in it is dropped (whoever starts
 * next lists anew), and the promise resolves when the reconciles under way have ended.
 */
export const runController = async (options: ControllerOptions, signal: AbortSignal): Promise<void> => {
  const { name, queue, workers, laneWorkers, clock, reconcile, observe } = options;
  const log = options.log.child({ controller: name });
  /** How often in a row each key asked for `now`. */
  const steps = new Map<string, number>();

  const isInCircles = (key: string, again: Requeue): boolean => {
    if (again !== 'now') {
      steps.delete(key);
      return false;
    }
    const count = (steps.get(key) ?? 0) + 1;
    steps.set(key, count);
    if (count === MOST_NOW + 1)
      log.error({ key, steps: MOST_NOW }, 'This object does not come to rest; it is slowed down. Please report it.');
    return count > MOST_NOW;
  };

  const reconcileOne = async (key: string) => {
    const start = clock.mono();
    let outcome: ReconcileOutcome;
    try {
      const again = await onBehalfOf(refOf(key).namespace ?? '', () => reconcile(key, signal));
      outcome = typeof again === 'string' ? again : 'after';
      if (isInCircles(key, again) || again === 'backoff') {
        queue.retry(key);
      } else {
        queue.forget(key);
        if (again === 'now' && (steps.get(key) ?? 0) <= MOST_FIRST) queue.goOn(key);
        else if (again === 'now') queue.add(key);
        else if (again !== 'done') queue.addAfter(key, again.afterMs);
      }
    } catch (error) {
      outcome = 'error';
      if (signal.aborted) {
        log.debug({ key, error: messageOf(error) }, 'Reconcile ended by the stop.');
      } else {
        const retryInMs = Math.round(queue.retry(key, retryAfterOf(error)));
        log.warn({ key, error: messageOf(error), retryInMs }, 'Reconcile failed; it is retried.');
      }
    }
    observe?.({ name, outcome, durationMs: clock.mono() - start });
  };

  const work = async (lane: QueueLane) => {
    for (let key = await queue.take(lane); key !== undefined; key = await queue.take(lane)) {
      try {
        await reconcileOne(key);
      } finally {
        queue.done(key);
      }
    }
  };

  const stop = () => void queue.shutDown('drop');
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const workersOf = (count: number, lane: QueueLane) => Array.from({ length: count }, () => work(lane));
  await Promise.all([
    ...workersOf(Math.max(1, workers), 'main'),
    ...workersOf(laneWorkers?.purchase ?? 0, 'purchase'),
    ...workersOf(laneWorkers?.started ?? 0, 'started'),
    ...workersOf(laneWorkers?.detach ?? 0, 'detach'),
    ...workersOf(laneWorkers?.priority ?? 0, 'priority'),
  ]);
  signal.removeEventListener('abort', stop);
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** KubeFault has it, and so may the error of any other port. */
const retryAfterOf = (error: unknown): number => {
  const ms = (error as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
};
