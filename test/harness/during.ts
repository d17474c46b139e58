import { setImmediate } from 'node:timers/promises';
import type { ManualClock } from './clock.ts';

/** Waits for something in virtual time, which passes only while nothing else moves, `stepMs` at once. */
export const waitDuring = async <T>(clock: ManualClock, work: Promise<T>, stepMs: number): Promise<T> => {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  work.then(end, end);
  for (;;) {
    await setImmediate();
    if (isOver) return work;
    await clock.advance(stepMs);
  }
};
