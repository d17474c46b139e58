import type { PodEip } from '../../api/podeip.ts';
import type { Clock } from '../../lib/clock.ts';
import { CHANGING, mayBeQuiet, SEND_WITHIN_MS } from './quiet.ts';
import { QUIET_SINCE } from '../../api/annotations.ts';

/** What a PodEIP said of another process when it was last read. */
interface Sign {
  readonly note: string | undefined;
  readonly isEnding: boolean;
  /** When it last said something new; monotonic milliseconds. -Infinity if it never did. */
  readonly at: number;
}

/**
 * The signs of a second process that works on the same PodEIPs: a twin. Only without a leader election can there be
 * one that lives. What this process knows of itself says nothing of what a twin has sent, so that each sign begins the
 * quiet anew. There are two:
 *
 * - the note that a twin writes before a purchase, a transfer, or a change on the way out (see quiet.ts);
 * - that the PodEIP is on its way out. Until a twin has seen that, it changes the EIP without a note, as it does for
 *   one that is wanted.
 */
export class Twins {
  readonly #signs = new Map<string, Sign>();
  readonly #clock: Clock;
  readonly #process: string;

  constructor(clock: Clock, processId: string) {
    this.#clock = clock;
    this.#process = processId;
  }

  /**
   * How long ago, at least, a twin can have sent something: milliseconds since the last sign, less the time that it may
   * take from there to its call, so that it is negative at first. Infinity where there was no sign.
   */
  see(podEip: PodEip): number {
    const { uid, annotations } = podEip.metadata;
    const before = this.#signs.get(uid);
    const note = this.#noteOfTwin(annotations?.[QUIET_SINCE]);
    const isEnding = mayBeQuiet(podEip);
    const isNew = (note !== undefined && note !== before?.note) || (isEnding && before?.isEnding !== true);
    const at = isNew ? this.#clock.mono() : (before?.at ?? -Infinity);
    this.#signs.set(uid, { note: note ?? before?.note, isEnding, at });
    return this.#clock.mono() - at - SEND_WITHIN_MS;
  }

  /** The PodEIP is gone. */
  forget(uid: string): void {
    this.#signs.delete(uid);
  }

  #noteOfTwin(note: string | undefined): string | undefined {
    return note?.startsWith(CHANGING) === true && !note.startsWith(`${CHANGING}${this.#process}/`) ? note : undefined;
  }
}
