import type { ManualClock } from '../harness/clock.ts';

/**
 * How often a process may look at one PodEIP in a minute: once a second while it waits for the cloud, and some more for
 * what happens meanwhile.
 */
const MOST_LOOKS = 130;

/** I10: nobody spins. */
export class Looks {
  readonly #time: ManualClock;
  readonly #broken: (said: string) => void;
  /** When the minute began, virtual time. */
  #began = 0;
  /** Within this minute, by process and PodEIP. */
  readonly #looks = new Map<string, number>();

  constructor(time: ManualClock, broken: (said: string) => void) {
    this.#time = time;
    this.#broken = broken;
  }

  /** @param label method and path of a request to the API server */
  onIo(process: string, label: string): void {
    const [, name] = /^GET .*\/podeips\/([^/?]+)$/u.exec(label) ?? [];
    if (name === undefined) return;
    if (this.#time.mono() - this.#began >= 60_000) {
      this.#began = this.#time.mono();
      this.#looks.clear();
    }
    const key = `${process} ${name}`;
    const looks = (this.#looks.get(key) ?? 0) + 1;
    this.#looks.set(key, looks);
    if (looks === MOST_LOOKS) this.#broken(`${process} looks ${looks} times a minute at PodEIP ${name}`);
  }
}
