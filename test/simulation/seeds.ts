import { generate } from './generate.ts';
import type { Violation } from './inspector.ts';
import { SeededInput } from './seeded-input.ts';
import { runWorld, type Outcome } from './world.ts';

/** Every so many seeds one is run again, to see that it is the same world. */
const REPLAY_EVERY = 50;

/** What many runs add up to. */
export interface Sum {
  readonly runs: number;
  readonly ios: number;
  readonly faults: number;
  readonly deaths: number;
  readonly virtualMs: number;
  readonly longestConvergenceMs: number;
  readonly violations: readonly (Violation & { readonly run: string })[];
}

export const NOTHING: Sum = {
  runs: 0,
  ios: 0,
  faults: 0,
  deaths: 0,
  virtualMs: 0,
  longestConvergenceMs: 0,
  violations: [],
};

export const add = (a: Sum, b: Sum): Sum => ({
  runs: a.runs + b.runs,
  ios: a.ios + b.ios,
  faults: a.faults + b.faults,
  deaths: a.deaths + b.deaths,
  virtualMs: a.virtualMs + b.virtualMs,
  longestConvergenceMs: Math.max(a.longestConvergenceMs, b.longestConvergenceMs),
  violations: [...a.violations, ...b.violations],
});

export const sumOf = (outcome: Outcome, run: string): Sum => ({
  runs: 1,
  ios: outcome.ios,
  faults: outcome.faults,
  deaths: outcome.deaths,
  virtualMs: outcome.virtualMs,
  longestConvergenceMs: outcome.convergedMs,
  violations: outcome.violation ? [{ ...outcome.violation, run }] : [],
});

export const runSeed = (seed: number, sink = false, keepTrace = false): Promise<Outcome> =>
  runWorld({ ...generate(seed), sink }, { input: SeededInput.ofSeed(seed), keepTrace });

/** Runs the seeds from `from` on; ends early at a violation where that is all that is asked for. */
export const runSeeds = async (work: {
  readonly from: number;
  readonly count: number;
  readonly isFirstEnough: boolean;
  readonly sink?: boolean | undefined;
}): Promise<Sum> => {
  const { sink = false } = work;
  const option = sink ? '--sink ' : '';
  let sum = NOTHING;
  for (let seed = work.from; seed < work.from + work.count; seed += 1) {
    const outcome = await runSeed(seed, sink);
    sum = add(sum, sumOf(outcome, `${option}--seed ${seed}`));
    if (seed % REPLAY_EVERY === 0) {
      const again = await runSeed(seed, sink);
      if (again.hash !== outcome.hash) {
        const said = `replay: seed ${seed} is another world the second time (${outcome.hash}, ${again.hash})`;
        sum = {
          ...sum,
          violations: [...sum.violations, { invariant: 'replay', said, atMs: 0, run: `--seed ${seed}` }],
        };
      }
    }
    if (work.isFirstEnough && sum.violations.length > 0) break;
  }
  return sum;
};
