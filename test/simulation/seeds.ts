import { fitting } from './readings.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import { generate } from './generate.ts';
import type { Violation } from './inspector.ts';
import type { Script } from './script.ts';
import { SeededInput } from './seeded-input.ts';
import { runWorld, type Outcome } from './world.ts';

/** Every so many seeds one is run again, to see that it is the same world. */
const REPLAY_EVERY = 50;

/** What every seed gets beside what it draws. */
export interface Extras {
  /** Whether a sink is told by CloudEvents. */
  readonly sink?: boolean;
  /** Readings of the cloud that are on in every world. */
  readonly readings?: readonly CloudReading[];
}

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

/** The script with more of what is to be tried. */
export const withExtras = (script: Script, { sink = false, readings = [] }: Extras): Script => ({
  ...script,
  sink,
  readings: fitting([...new Set([...readings, ...(script.readings ?? [])])], script.legacy.length > 0),
});

export const scriptOf = (seed: number, extras: Extras = {}): Script => withExtras(generate(seed), extras);

export const runSeed = (seed: number, extras: Extras = {}, keepTrace = false): Promise<Outcome> =>
  runWorld(scriptOf(seed, extras), { input: SeededInput.ofSeed(seed), keepTrace });

/** The options of the command line that bring these back. */
export const optionsOf = ({ sink = false, readings = [] }: Extras): string =>
  [...(sink ? ['--sink '] : []), ...readings.map((name) => `--reading ${name} `)].join('');

/** Runs the seeds from `from` on; ends early at a violation where that is all that is asked for. */
export const runSeeds = async (work: {
  readonly from: number;
  readonly count: number;
  readonly isFirstEnough: boolean;
  readonly extras?: Extras | undefined;
}): Promise<Sum> => {
  const { extras } = work;
  const option = optionsOf(extras ?? {});
  let sum = NOTHING;
  for (let seed = work.from; seed < work.from + work.count; seed += 1) {
    const outcome = await runSeed(seed, extras);
    sum = add(sum, sumOf(outcome, `${option}--seed ${seed}`));
    // A mutant may count its calls, and is another one the second time.
    if (!work.isFirstEnough && seed % REPLAY_EVERY === 0) {
      const again = await runSeed(seed, extras);
      if (again.hash !== outcome.hash) {
        const said = `replay: seed ${seed} is another world the second time (${outcome.hash}, ${again.hash})`;
        sum = {
          ...sum,
          violations: [...sum.violations, { invariant: 'replay', said, atMs: 0, run: `${option}--seed ${seed}` }],
        };
      }
    }
    if (work.isFirstEnough && sum.violations.length > 0) break;
  }
  return sum;
};
