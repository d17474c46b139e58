import type { Clock } from '../lib/clock.ts';

/** A launcher (npm, src/bin.js) passes on what the terminal has sent to the whole process group already. */
const SAME_WISH_MS = 500;

/** The shell's convention for a process that ended because of a signal. */
const KILLED = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Turns SIGINT and SIGTERM into an abort: the first asks to stop in order, a second one, later than a launcher's copy
 * of the first would come, ends the process at once.
 */
export const stopSignal = (clock: Clock): { signal: AbortSignal; dispose: () => void } => {
  const controller = new AbortController();
  let first: number | undefined;
  const stop = (name: NodeJS.Signals) => {
    if (first === undefined) {
      first = clock.mono();
      controller.abort(new Error(`stopped by ${name}`));
    } else if (clock.mono() - first > SAME_WISH_MS) process.exit(name === 'SIGINT' ? KILLED.SIGINT : KILLED.SIGTERM);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
};
