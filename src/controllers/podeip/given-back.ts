import type { Clock } from '../../lib/clock.ts';
import type { GivenBack } from './observation.ts';
import type { UnusableEip } from './step.ts';

/** Until an EIP is bought again for a pod whose EIP could not be used: at first, and at most; milliseconds. */
const HOLD_MS = [600_000, 21_600_000] as const;

interface Entry {
  readonly why: UnusableEip;
  readonly dueAt: number;
  readonly times: number;
}

/**
 * The pods whose EIPs could not be used and were given back, by UID: what cannot be bound is not bought again and
 * again. May be lost at any time; that costs one EIP for as long as it takes to see once more that it cannot be used.
 */
export class GivenBackPods {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The EIP of the pod goes back. */
  add(podUid: string, why: UnusableEip): void {
    const now = this.#clock.mono();
    for (const [uid, { dueAt }] of this.#entries) if (dueAt < now - HOLD_MS[1]) this.#entries.delete(uid);
    const times = (this.#entries.get(podUid)?.times ?? 0) + 1;
    const [first, most] = HOLD_MS;
    this.#entries.set(podUid, { why, times, dueAt: now + Math.min(most, first * 2 ** (times - 1)) });
  }

  of(podUid: string): GivenBack | undefined {
    const entry = this.#entries.get(podUid);
    return entry && { ...entry.why, dueInMs: Math.max(0, entry.dueAt - this.#clock.mono()) };
  }
}
