import { scenarios } from './scenarios.ts';
import { add, NOTHING, optionsOf, sumOf, withExtras, type Extras, type Sum } from './seeds.ts';
import { SeededInput } from './seeded-input.ts';
import { runWorld, type CrashPoint, type Outcome } from './world.ts';
import type { Death } from './wire.ts';

export const DEATHS = ['before', 'in flight', 'after'] as const satisfies Death[];

/** Some crash points of one scenario; undefined for the scenario as it is. */
export interface CrashWork {
  readonly scenario: string;
  readonly points: readonly (CrashPoint | undefined)[];
  readonly extras?: Extras;
}

export const runScenario = (
  name: string,
  crash?: CrashPoint,
  { extras = {}, keepTrace = false }: { readonly extras?: Extras; readonly keepTrace?: boolean } = {},
): Promise<Outcome> => {
  const script = scenarios.find((it) => it.name === name);
  if (!script) throw new Error(`there is no scenario ${name}; there are: ${scenarios.map((it) => it.name).join(', ')}`);
  // The seed makes delays and lags; the death is the only fault.
  return runWorld(withExtras(script, extras), { input: SeededInput.ofSeed(crash?.io ?? 0), crash, keepTrace });
};

/** A read changes nothing outside, so that a process that dies before, in or after it leaves the same world behind. */
const isRead = (label: string): boolean => /^(?:GET|Describe)/u.test(label);

/** Every I/O of the first process, each with every way to die there that leaves another world behind. */
export const crashPointsOf = async (name: string, extras: Extras = {}): Promise<readonly CrashPoint[]> => {
  const { firstIos, violation } = await runScenario(name, undefined, { extras });
  if (violation) throw new Error(`scenario ${name} fails without any crash: ${violation.said}`);
  return firstIos.flatMap((label, index) =>
    (isRead(label) ? (['after'] as const) : DEATHS).map((death) => ({ io: index + 1, death })),
  );
};

export const runCrashPoints = async ({ scenario, points, extras = {} }: CrashWork): Promise<Sum> => {
  let sum = NOTHING;
  for (const point of points) {
    const outcome = await runScenario(scenario, point, { extras });
    const at = point ? ` --crash-at '${point.io} ${point.death}'` : '';
    const run = `${optionsOf(extras)}--scenario '${scenario}'${at}`;
    sum = add(sum, sumOf(outcome, run));
  }
  return sum;
};
