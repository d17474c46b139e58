import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import { cutAt } from '../lib/text.ts';
import { isCutShort, linesOf, MOST_LINES, notice } from './log-query.ts';

/**
 * Interval between two reads, milliseconds. ECI does not stream a container's output (DescribeContainerLog: 500 calls
 * in 60 s), and a read shows the last lines only: of a container that writes much, they are read sooner.
 */
const READ_MS = 2_000;
const BUSY_READ_MS = 500;
const BUSY_LINES = MOST_LINES / 4;

interface LogSource {
  /**
   * Reads the output with a timestamp in each line, as much as there is: first from where the user asked, and with
   * `since` everything from that second on.
   * @param since RFC 3339
   */
  readonly read: (since: string | undefined) => Promise<string>;
  /** Whether more output may follow. */
  readonly isRunning: () => Promise<boolean>;
}

/** What the reader wants to see. */
interface Wanted {
  readonly timestamps: boolean;
  /** How many of the lines that are there already; undefined: all. */
  readonly tail: number | undefined;
}

/** A line with its time. */
interface Line {
  readonly at: number;
  readonly text: string;
}

/**
 * Yields the output of a container in pieces of whole lines, until the container has ended or the signal aborts. Lines
 * that were there before are recognised by their timestamps, and among lines with equal timestamps by their number.
 * Where lines may be missing, a line says so. Output without timestamps ends it, because new lines could not be
 * recognised.
 */
export async function* followLog(
  { read, isRunning }: LogSource,
  { timestamps, tail }: Wanted,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const seen = new SeenLines();
  const shown = ({ text }: Line) => `${timestamps ? text : cutAt(text, ' ')[1]}\n`;
  for (let isFirst = true; ; isFirst = false) {
    // Checked before the read, so that the last read has everything that was written until the end.
    const isLast = !(await isRunning());
    const text = await read(seen.since);
    const all = timed(text);
    if (!all) return;
    const isFull = all.length >= MOST_LINES;
    const isGap = isFull && (isFirst ? (tail ?? Infinity) > MOST_LINES : seen.mayMiss(all));
    const fresh = seen.take(all);
    const lines = isFirst && tail !== undefined ? fresh.slice(Math.max(0, fresh.length - tail)) : fresh;
    const what = `lines before these, if there are any, are left out: ECI gives the last ${MOST_LINES}`;
    const gap = isGap ? notice(what, timestamps ? lines[0]?.text : undefined) : '';
    const piece = gap + lines.map(shown).join('');
    if (piece !== '') yield piece;
    if (isLast && (fresh.length === 0 || !isCutShort(text))) return;
    await sleepUnlessAborted(clock, all.length > BUSY_LINES ? BUSY_READ_MS : READ_MS, signal);
    if (signal.aborted) return;
  }
}

/** The lines with their times; undefined where one has none. */
const timed = (text: string): readonly Line[] | undefined => {
  const lines = linesOf(text);
  // Half a line at the end comes again as a whole one.
  const whole = isCutShort(text) && !text.endsWith('\n') ? lines.slice(0, -1) : lines;
  const found = whole.map((line): Line => ({ at: Date.parse(cutAt(line, ' ')[0]), text: line }));
  return found.some(({ at }) => Number.isNaN(at)) ? undefined : found;
};

/** Up to which line the output is known: the time of the last one, and how many have this time. */
class SeenLines {
  #at = -Infinity;
  #count = 0;

  /** From where to read on: the second of the last line. RFC 3339. */
  get since(): string | undefined {
    return this.#at === -Infinity ? undefined : new Date(Math.floor(this.#at / 1_000) * 1_000).toISOString();
  }

  /** Whether lines may be missing between what is known and an answer that is full. */
  mayMiss([first]: readonly Line[]): boolean {
    return first !== undefined && first.at >= this.#at;
  }

  /** The lines that were not seen before, which are then. */
  take(lines: readonly Line[]): readonly Line[] {
    const before = { at: this.#at, count: this.#count };
    let same = 0;
    const fresh = lines.filter(({ at }) => at > before.at || (at === before.at && (same += 1) > before.count));
    for (const { at } of fresh) {
      if (at < this.#at) continue;
      this.#count = at === this.#at ? this.#count + 1 : 1;
      this.#at = at;
    }
    return fresh;
  }
}
