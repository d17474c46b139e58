import type { Clock } from '../lib/clock.ts';

/** How an API call ended, as far as a call budget is concerned; `later`: it is to be tried again later, as usual. */
export type CallEnd = 'ok' | 'later' | 'throttled' | 'failed';

/** The calls of the last minute, by action. */
interface CallBudget {
  called(action: string, end: CallEnd): void;
  lastMinute(action: string): Readonly<Record<CallEnd, number>>;
  /** Every action that was called since the start. */
  actions(): Iterable<string>;
}

const SECONDS = 60;
const ENDS: readonly CallEnd[] = ['ok', 'later', 'throttled', 'failed'];

/** Counts calls per second, so that memory does not grow with the number of calls. */
export const createCallBudget = (clock: Clock): CallBudget => {
  const counts = new Map<string, { second: number; readonly by: Record<CallEnd, number> }[]>();
  const second = () => Math.floor(clock.mono() / 1_000);
  return {
    called: (action, end) => {
      const slots = counts.get(action) ?? [];
      counts.set(action, slots);
      const now = second();
      const last = slots.at(-1);
      const slot = last?.second === now ? last : { second: now, by: { ok: 0, later: 0, throttled: 0, failed: 0 } };
      slot.by[end] += 1;
      if (slot !== last) slots.push(slot);
      while ((slots[0]?.second ?? now) <= now - SECONDS) slots.shift();
    },
    lastMinute: (action) => {
      const from = second() - SECONDS;
      const recent = (counts.get(action) ?? []).filter((slot) => slot.second > from);
      const sum = (end: CallEnd) => recent.reduce((total, { by }) => total + by[end], 0);
      const [ok, later, throttled, failed] = ENDS.map(sum);
      return { ok: ok ?? 0, later: later ?? 0, throttled: throttled ?? 0, failed: failed ?? 0 };
    },
    actions: () => counts.keys(),
  };
};
