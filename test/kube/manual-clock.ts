import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';

/** A clock that stands still until a test moves it. `skewMs` sets its wall clock off, never its monotonic one. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: { at: number; fire: () => void }[] = [];

  /** The same time, told by a wall clock that is wrong by `skewMs`. */
  skewed(skewMs: number): Clock {
    return {
      now: () => this.now() + skewMs,
      mono: () => this.mono(),
      sleep: (ms, signal) => this.sleep(ms, signal),
      timer: (ms, fire) => this.timer(ms, fire),
    };
  }

  now(): number {
    return 1_700_000_000_000 + this.#now;
  }

  mono(): number {
    return this.#now;
  }

  timer(ms: number, fire: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const abort = () => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = this.timer(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Lets `ms` pass; after each timer everything that follows from it happens before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
      await settled();
    }
    this.#now = end;
  }

  /** Time jumps and nothing runs meanwhile, as when the process is stopped. */
  freeze(ms: number): void {
    this.#now += ms;
  }
}

/** Everything that can happen without time passing has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Chance that always draws the same number, and counts its UUIDs. */
export const fixedRandom = (draw = 0.5): Random => {
  let uuids = 0;
  return {
    next: () => draw,
    uuid: () => `00000000-0000-4000-8000-${String((uuids += 1)).padStart(12, '0')}`,
  };
};
