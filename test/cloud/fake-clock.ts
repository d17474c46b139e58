import type { Clock } from '../../src/lib/clock.ts';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** A clock that moves only when told to. */
export const fakeClock = () => {
  let now = 0;
  const timers = new Set<Timer>();
  const timer: Clock['timer'] = (ms, fire) => {
    const set: Timer = { at: now + ms, fire };
    timers.add(set);
    return () => timers.delete(set);
  };
  const clock: Clock = {
    now: () => now,
    mono: () => now,
    timer,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const cancel = timer(ms, resolve);
        signal?.addEventListener('abort', () => {
          cancel();
          reject(signal.reason as Error);
        });
      }),
  };
  return {
    clock,
    settle,
    /** Moves on by `ms`, firing what is due in order. */
    advance: async (ms: number) => {
      const until = now + ms;
      await settle();
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.fire();
        await settle();
      }
      now = until;
      await settle();
    },
  };
};
