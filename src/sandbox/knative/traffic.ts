import type { Trigger } from '../cluster/follow-objects.ts';
import type { Clock } from '../../lib/clock.ts';

interface Requests {
  readonly inFlight: number;
  /** Monotonic milliseconds of the moment when the last request ended. */
  readonly endedAt: number | undefined;
}

/** The requests of each Revision, as activator and queue-proxy report them to the autoscaler. */
export class Traffic {
  readonly #clock: Clock;
  readonly #requests = new Map<string, Requests>();
  readonly #listeners = new Set<(key: string) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request is under way to the Revision. To be called when it has ended: the returned function. */
  begin(key: string): () => void {
    this.#change(key, 1);
    return () => this.#change(key, -1);
  }

  inFlight(key: string): number {
    return this.#requests.get(key)?.inFlight ?? 0;
  }

  /** For how long the Revision has had no request, milliseconds; Infinity where it never had one. */
  idleMs(key: string): number {
    const { inFlight, endedAt } = this.#requests.get(key) ?? { inFlight: 0, endedAt: undefined };
    if (inFlight > 0) return 0;
    return endedAt === undefined ? Infinity : this.#clock.mono() - endedAt;
  }

  forget(key: string): void {
    this.#requests.delete(key);
  }

  /** Rings with the Revision whose requests have changed. */
  readonly trigger: Trigger = (due) => {
    this.#listeners.add(due);
    return () => this.#listeners.delete(due);
  };

  #change(key: string, by: 1 | -1): void {
    const inFlight = this.inFlight(key) + by;
    this.#requests.set(key, { inFlight, endedAt: inFlight === 0 ? this.#clock.mono() : undefined });
    for (const listener of this.#listeners) listener(key);
  }
}
