import type { Cloud } from '../../src/cloud/port.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { Clock } from '../../src/lib/clock.ts';

/**
 * When a process dies at a call: before it is sent, after its effect, or after sending, with an effect that comes late.
 */
export type Death = { readonly at: number; readonly how: 'before' | 'after' | 'late' };

export class Killed extends Error {
  override readonly name = 'Killed';
}

/** How late the effect of a call comes whose sender is dead; milliseconds. Less than a settling time. */
export const LATE_MS = 4_000;

/** How long it then takes until the next process starts: less than that, so that it meets the effect. */
export const DOWN_MS = 2_000;

const WRITES = new Set([
  'create',
  'replace',
  'patch',
  'delete',
  'allocateEip',
  'associateEip',
  'unassociateEip',
  'releaseEip',
  'joinBandwidthPackage',
  'leaveBandwidthPackage',
]);

/** Nobody is left to hear it. */
const ignore = (): void => undefined;

/** The calls of one process, counted from 1, and its end. */
export class Life {
  readonly #clock: Clock;
  readonly #death: Death | undefined;
  /** Every call so far: the name, and whether it changes anything. */
  readonly calls: { readonly name: string; readonly isWrite: boolean }[] = [];
  isOver = false;

  constructor(clock: Clock, death: Death | undefined) {
    this.#clock = clock;
    this.#death = death;
  }

  /** The same port, for as long as the process lives. */
  through<T extends Kube | Cloud>(port: T): T {
    return new Proxy(port, {
      get: (target, name: string) => {
        const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#call(name, () => call.apply(target, args));
      },
    });
  }

  async #call(name: string, send: () => Promise<unknown>): Promise<unknown> {
    if (this.isOver) throw new Killed();
    this.calls.push({ name, isWrite: WRITES.has(name) });
    if (this.calls.length !== this.#death?.at) {
      const answer = await send();
      if (this.isOver) throw new Killed();
      return answer;
    }
    this.isOver = true;
    if (this.#death.how === 'after') await send().catch(ignore);
    if (this.#death.how === 'late') this.#clock.timer(LATE_MS, () => void send().catch(ignore));
    throw new Killed();
  }
}
