import type { Lease } from '../../src/kube/lease.ts';
import type { ManualClock } from '../harness/clock.ts';
import type { Write } from './oracle.ts';

/**
 * The Lease as the API server has it: who holds it, since when it was last renewed, and whether it passes on in order.
 */
export class LeaseWatch {
  readonly #time: ManualClock;
  readonly #broken: (said: string) => void;
  #held: { holder: string; renewedAt: number; validMs: number } | undefined;
  /** Somebody deleted it: until the next renewals nobody can know who leads. */
  #isTampered = false;

  constructor(time: ManualClock, broken: (said: string) => void) {
    this.#time = time;
    this.#broken = broken;
  }

  onWrite({ type, object }: Write): void {
    if (type === 'DELETED') {
      this.#isTampered = true;
      this.#held = undefined;
      return;
    }
    const { spec } = object as unknown as Lease;
    const holder = spec?.holderIdentity ?? '';
    const now = this.#time.mono();
    const before = this.#held;
    if (before && holder !== before.holder && holder !== '' && before.holder !== '') {
      const ageMs = now - before.renewedAt;
      if (ageMs < before.validMs)
        this.#broken(`${holder} takes the Lease ${Math.round(ageMs)} ms after ${before.holder} renewed it`);
    }
    this.#held = { holder, renewedAt: now, validMs: (spec?.leaseDurationSeconds ?? 0) * 1_000 };
  }

  /** How long the Lease still covers the process whose identity begins so; undefined where nobody can say. */
  leftMs(process: string): number | undefined {
    if (this.#isTampered) return undefined;
    if (!this.#held?.holder.startsWith(`${process}_`)) return 0;
    return this.#held.renewedAt + this.#held.validMs - this.#time.mono();
  }
}
