import type { Clock } from '../lib/clock.ts';
import type { Refusal } from './kubelet-refusal.ts';

/** For how long what was not there is not looked for again, milliseconds. */
const ABSENT_MS = 5_000;
const MOST_ABSENCES = 1_000;

/** What a reader of logs asked for and was not there: for some seconds neither API server nor cloud is asked again. */
export class Absences {
  readonly #clock: Clock;
  readonly #until = new Map<string, { readonly refusal: Refusal; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why there is none; undefined where that is not known any more. */
  of(key: string): Refusal | undefined {
    const known = this.#until.get(key);
    return known && known.until > this.#clock.mono() ? known.refusal : undefined;
  }

  note(key: string, refusal: Refusal): void {
    if (this.#until.size >= MOST_ABSENCES) this.#until.clear();
    this.#until.set(key, { refusal, until: this.#clock.mono() + ABSENT_MS });
  }
}
