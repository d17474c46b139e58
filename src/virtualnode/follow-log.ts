import type { Clock } from '../lib/clock.ts';
import { cutAt } from '../lib/text.ts';

/**
 * Between two reads; milliseconds. ECI has no stream of a container's output (DescribeContainerLog: 500 calls in 60 s).
 */
const READ_MS = 2_000;

interface LogSource {
  /**
   * The output with a time before each line: first what was asked for, then, where `since` is given, all from that
   * second on.
   * @param since RFC 3339
   */
  readonly read: (since: string | undefined) => Promise<string>;
  /** Whether there may be more output. */
  readonly isRunning: () => Promise<boolean>;
}

/**
 * The output of a container as it comes, in pieces of whole lines, until it has ended or the signal aborts. What was
 * read before is told by the time of its lines, and of lines with the same time by how many of them there were. Output
 * without times ends it, because nothing tells what of it is new.
 */
export async function* followLog(
  { read, isRunning }: LogSource,
  hasTimes: boolean,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  /** The time of the last line, and how many lines had it. */
  let last = -Infinity;
  let count = 0;
  for (;;) {
    // Asked before: what was written until then is read.
    const isLast = !(await isRunning());
    const since = last === -Infinity ? undefined : new Date(Math.floor(last / 1_000) * 1_000).toISOString();
    let seen = 0;
    let piece = '';
    for (const line of (await read(since)).split('\n')) {
      if (line === '') continue;
      const [stamp] = cutAt(line, ' ');
      const at = Date.parse(stamp);
      if (Number.isNaN(at)) return;
      if (at < last) continue;
      if (at === last) {
        seen += 1;
        if (seen <= count) continue;
        count += 1;
      } else {
        last = at;
        count = 1;
        // None of the lines with this time had been seen; those that follow are counted with it.
        seen = 1;
      }
      piece += `${hasTimes ? line : line.slice(stamp.length + 1)}\n`;
    }
    if (piece !== '') yield piece;
    if (isLast) return;
    await clock.sleep(READ_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
}
