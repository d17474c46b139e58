import type { Clock } from '../../src/lib/clock.ts';
import { sleepOn, type ManualClock } from '../harness/clock.ts';

/** What a process asks of the world outside, for the code that decides whether the process survives it. */
export interface Io {
  readonly process: Process;
  /** For example `PATCH /api/v1/…` or `AllocateEipAddress`. */
  readonly label: string;
  readonly isWrite: boolean;
  /** Counted from 1 over the life of the process; leases, events and watches are not counted. */
  readonly number: number | undefined;
}

/**
 * One operating-system process: its clocks, and the line between it and the world. Everything that reaches it comes
 * through {@link deliver}; once it is dead, nothing does, and its promises never settle.
 */
export class Process implements Clock {
  readonly name: string;
  readonly #time: ManualClock;
  /** How far its wall clock is off; milliseconds. */
  wallOffset: number;
  readonly #monoOffset: number;
  #alive = true;
  #pausedUntil = -Infinity;
  #backlog: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];
  /** Timers that are set. */
  timers = 0;
  /** Numbered I/Os so far. */
  ios = 0;

  constructor(name: string, time: ManualClock, offsets: { readonly wall: number; readonly mono: number }) {
    this.name = name;
    this.#time = time;
    this.wallOffset = offsets.wall;
    this.#monoOffset = offsets.mono;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isPaused(): boolean {
    return this.#time.mono() < this.#pausedUntil;
  }

  /** When it was or will be stopped last, virtual time. */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  now(): number {
    return this.#time.now() + this.wallOffset;
  }

  mono(): number {
    return this.#time.mono() + this.#monoOffset;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  timer(ms: number, fire: () => void): () => void {
    if (!this.#alive) return () => undefined;
    let isSet = true;
    this.timers += 1;
    const end = () => {
      if (isSet) this.timers -= 1;
      isSet = false;
    };
    const cancel = this.#time.timer(ms, () =>
      this.deliver(() => {
        // Cancelled while the process stood still.
        if (!isSet) return;
        end();
        fire();
      }),
    );
    return () => {
      end();
      cancel();
    };
  }

  /** Lets something reach the process: now, when it goes on, or never. */
  deliver(work: () => void): void {
    if (!this.#alive) return;
    if (this.isPaused || this.#backlog.length > 0) this.#backlog.push(work);
    else work();
  }

  /** SIGSTOP for `ms`, then SIGCONT: clocks go on, nothing else does. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#time.mono() + ms);
    this.#time.timer(ms, () => this.#goOn());
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#backlog = [];
    for (const end of this.#onEnd.splice(0)) end();
  }

  /** Calls `end` when the process is killed, as the kernel closes what it had open. */
  onEnd(end: () => void): void {
    if (this.#alive) this.#onEnd.push(end);
    else end();
  }

  /** What has piled up comes one by one, each in an event of its own. */
  #goOn(): void {
    if (!this.#alive || this.isPaused) return;
    const work = this.#backlog.shift();
    work?.();
    if (this.#backlog.length > 0) this.#time.timer(0, () => this.#goOn());
  }
}
