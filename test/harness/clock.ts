import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../../src/lib/clock.ts';

/** When the world of a test begins. Any date will do; this one is no leap second and no change to summer time. */
export const EPOCH = Date.UTC(2026, 10, 20, 12);

interface Timer {
  readonly at: number;
  readonly order: number;
  /** Undefined once it was cancelled. */
  fire: (() => void) | undefined;
}

/** Everything that can happen without time passing has happened: promise reactions, and what they set off. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A clock that stands still until a test moves it. Nothing happens but in the callback of a timer, or in the promise
 * reactions that follow it before the next timer: timers of the same time fire in the order in which they were set.
 */
export class ManualClock implements Clock {
  /** A binary heap: a simulated world has thousands. */
  readonly #timers: Timer[] = [];
  #order = 0;
  #now = 0;
  readonly #epoch: number;
  /** How many timers have fired. */
  fired = 0;

  /** @param epoch what its wall clock shows at first, milliseconds since 1970 */
  constructor(epoch = EPOCH) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#now;
  }

  mono(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  timer(ms: number, fire: () => void): () => void {
    // As with a timer of Node, what fires is in the context of who has set it.
    const bound = AsyncLocalStorage.bind(fire);
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fire: bound };
    const heap = this.#timers;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = timer;
    return () => {
      timer.fire = undefined;
    };
  }

  /** How many timers are set. */
  pending(): number {
    return this.#timers.filter(({ fire }) => fire !== undefined).length;
  }

  /** Lets `ms` pass; after each timer everything that follows from it happens before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    await this.advanceTo(end);
    await settled();
  }

  /**
   * The same until `end` of {@link mono}, or until `after`, which is called once a timer has come to rest, says stop.
   */
  async advanceTo(end: number, after?: () => 'stop' | undefined): Promise<void> {
    for (;;) {
      const next = this.#timers[0];
      if (!next || next.at > end) break;
      this.#takeFirst();
      const { fire } = next;
      if (!fire) continue;
      next.fire = undefined;
      this.#now = Math.max(this.#now, next.at);
      this.fired += 1;
      fire();
      await settled();
      if (after?.() === 'stop') return;
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Time jumps and nothing runs meanwhile, as when the process is stopped. */
  freeze(ms: number): void {
    this.#now += ms;
  }

  /** The same time, told by a wall clock that is wrong by `skewMs`; the monotonic one never is. */
  skewed(skewMs: number): Clock {
    return {
      now: () => this.now() + skewMs,
      mono: () => this.mono(),
      sleep: (ms, signal) => this.sleep(ms, signal),
      timer: (ms, fire) => this.timer(ms, fire),
    };
  }

  #takeFirst(): void {
    const heap = this.#timers;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** `Clock.sleep` on any clock's timers. */
export const sleepOn = (clock: Pick<Clock, 'timer'>, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.timer(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
