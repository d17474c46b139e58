import type { Clock } from '../lib/clock.ts';

/**
 * Launchers (npm, src/bin.js) forward a signal that the terminal has already sent to the whole process group. A second
 * signal within this time, in milliseconds, is such a copy.
 */
const SAME_WISH_MS = 500;

/** Exit codes after a signal, by the shell's convention. */
const KILLED = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Turns SIGINT and SIGTERM into an abort. The first signal asks for an orderly stop; another one ends the process at
 * once, unless it comes so soon that it is a launcher's copy of the first.
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
