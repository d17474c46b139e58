import type { Clock } from '../../src/lib/clock.ts';
import { sleepOn } from './clock.ts';

/**
 * When a process dies at a call: before it is sent, after its effect, or after sending, with an effect that comes late.
 */
export interface Death {
  /** The how manieth of the calls that count, from 1. */
  readonly at: number;
  readonly how: 'before' | 'after' | 'late';
}

export class Killed extends Error {
  override readonly name = 'Killed';
}

/** How late the effect of a call comes whose sender is dead; milliseconds. Less than a settling time. */
const LATE_MS = 4_000;

/** How long it then takes until the next process starts: less than that, so that it meets the effect. */
export const DOWN_MS = 2_000;

const WRITES = new Set([
  'create',
  'replace',
  'patch',
  'delete',
  'finishDeletion',
  'allocateEip',
  'associateEip',
  'unassociateEip',
  'releaseEip',
  'joinBandwidthPackage',
  'leaveBandwidthPackage',
  'untagEip',
  'createContainerGroup',
  'deleteContainerGroup',
  'createImageCache',
  'deleteImageCache',
]);

export interface ProcessOptions {
  readonly death?: Death | undefined;
  /** Which calls count for its death. @default all */
  readonly counts?: 'all' | 'writes';
  /**
   * What becomes of the calls of a dead process. With `hang` they never settle, as nothing of a process that was killed
   * goes on; with `throw` they reject with {@link Killed}, for a test that waits for them. @default throw
   */
  readonly once?: 'throw' | 'hang';
}

/** Nobody is left to hear it. */
const ignore = (): void => undefined;

/**
 * One process of the product after another is what a test of crashes needs: each has its ports through this, and once
 * it is dead nothing that it does has an effect, it hears nothing, and its timers do not fire.
 */
export class KillableProcess {
  isDead = false;
  death: Death | undefined;
  /** Every call so far: the name, and whether it changes anything. */
  readonly calls: { readonly name: string; readonly isWrite: boolean }[] = [];
  readonly #clock: Clock;
  readonly #countsAll: boolean;
  readonly #hangs: boolean;
  #counted = 0;

  constructor(clock: Clock, { death, counts = 'all', once = 'throw' }: ProcessOptions = {}) {
    this.#clock = clock;
    this.death = death;
    this.#countsAll = counts === 'all';
    this.#hangs = once === 'hang';
  }

  /** The names of what it changed, in order. */
  get writes(): readonly string[] {
    return this.calls.filter(({ isWrite }) => isWrite).map(({ name }) => name);
  }

  /** Time as the process has it. */
  get clock(): Clock {
    const timer: Clock['timer'] = (ms, fire) => this.#clock.timer(ms, () => void (this.isDead || fire()));
    return {
      now: () => this.#clock.now(),
      mono: () => this.#clock.mono(),
      timer,
      sleep: (ms, signal) => sleepOn({ timer }, ms, signal),
    };
  }

  /** It ends on the spot, without any of its code running. */
  kill(): void {
    this.isDead = true;
  }

  /** The same port, for as long as the process lives. */
  through<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name: string) => {
        const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.call(name, () => call.apply(target, args));
      },
    });
  }

  /** The same function, for as long as the process lives. */
  throughCall<T extends (...args: never[]) => Promise<unknown>>(name: string, call: T): T {
    return ((...args: never[]) => this.call(name, () => call(...args))) as T;
  }

  /** Sends a call of the process, which dies at it if its time has come. */
  async call<T>(name: string, send: () => Promise<T>): Promise<T> {
    if (this.isDead) return this.#gone();
    const isWrite = WRITES.has(name);
    this.calls.push({ name, isWrite });
    if (isWrite || this.#countsAll) {
      this.#counted += 1;
      if (this.#counted === this.death?.at) {
        this.isDead = true;
        if (this.death.how === 'after') await send().catch(ignore);
        if (this.death.how === 'late') this.#clock.timer(LATE_MS, () => void send().catch(ignore));
        return this.#gone();
      }
    }
    try {
      const answer = await send();
      return this.isDead ? await this.#gone() : answer;
    } catch (error) {
      if (this.isDead) return this.#gone();
      throw error;
    }
  }

  #gone(): Promise<never> {
    return this.#hangs ? new Promise(ignore) : Promise.reject(new Killed());
  }
}
