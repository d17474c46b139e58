import type { Clock } from '../../src/lib/clock.ts';

/** Any date will do; this one is no leap second and no change to summer time. */
export const EPOCH = Date.UTC(2026, 0, 5, 8);

interface Event {
  readonly at: number;
  readonly order: number;
  /** Undefined once it was cancelled. */
  fire: (() => void) | undefined;
}

/** Lets everything that does not wait for time come to rest: promise reactions, and what they set off. */
const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * The one time of a simulated world. Nothing happens but in the callback of an event, or in the promise reactions that
 * follow it before the next event: the order of everything is given by the events alone.
 */
export class VirtualTime implements Clock {
  readonly #heap: Event[] = [];
  #order = 0;
  #now = 0;
  /** How many events have happened. */
  events = 0;

  now(): number {
    return EPOCH + this.#now;
  }

  mono(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  timer(ms: number, fire: () => void): () => void {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, fire };
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
    return () => {
      event.fire = undefined;
    };
  }

  /** Lets time pass until `end`, or until `after`, which is called after every event has come to rest, says stop. */
  async pass(end: number, after: () => 'stop' | undefined): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.at > end) break;
      this.#takeFirst();
      if (!next.fire) continue;
      this.#now = next.at;
      this.events += 1;
      next.fire();
      await rest();
      if (after() === 'stop') return;
    }
    this.#now = Math.max(this.#now, end);
  }

  #takeFirst(): void {
    const heap = this.#heap;
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

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

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
