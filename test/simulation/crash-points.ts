import { scenarios } from './scenarios.ts';
import { add, NOTHING, sumOf, type Sum } from './seeds.ts';
import { SeededInput } from './seeded-input.ts';
import { runWorld, type CrashPoint, type Outcome } from './world.ts';
import type { Death } from './wire.ts';

export const DEATHS = ['before', 'in flight', 'after'] as const satisfies Death[];

/** Some crash points of one scenario. */
export interface CrashWork {
  readonly scenario: string;
  readonly points: readonly CrashPoint[];
  readonly sink?: boolean;
}

export const runScenario = (
  name: string,
  crash?: CrashPoint,
  { sink = false, keepTrace = false } = {},
): Promise<Outcome> => {
  const script = scenarios.find((it) => it.name === name);
  if (!script) throw new Error(`there is no scenario ${name}; there are: ${scenarios.map((it) => it.name).join(', ')}`);
  // The seed makes delays and lags; the death is the only fault.
  return runWorld({ ...script, sink }, { input: SeededInput.ofSeed(crash?.io ?? 0), crash, keepTrace });
};

/** Every I/O of the first process, each with every way to die there. */
export const crashPointsOf = async (name: string, sink = false): Promise<readonly CrashPoint[]> => {
  const { firstIos, violation } = await runScenario(name, undefined, { sink });
  if (violation) throw new Error(`scenario ${name} fails without any crash: ${violation.said}`);
  return firstIos.flatMap((_, index) => DEATHS.map((death) => ({ io: index + 1, death })));
};

export const runCrashPoints = async ({ scenario, points, sink = false }: CrashWork): Promise<Sum> => {
  let sum = NOTHING;
  for (const point of points) {
    const outcome = await runScenario(scenario, point, { sink });
    const run = `${sink ? '--sink ' : ''}--scenario '${scenario}' --crash-at '${point.io} ${point.death}'`;
    sum = add(sum, sumOf(outcome, run));
  }
  return sum;
};
