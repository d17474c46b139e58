import type { Script } from './script.ts';
import { SeededInput } from './seeded-input.ts';
import { runWorld, type Outcome } from './world.ts';

/** A world that can be run again: the script, and every draw. */
export interface Recording {
  readonly script: Script;
  readonly draws: readonly number[];
}

export const replay = (recording: Recording, keepTrace = false): Promise<Outcome> =>
  runWorld(recording.script, { input: SeededInput.of(recording.draws), keepTrace });

/** How many draws went wrong for somebody. */
export const weight = ({ draws }: Recording): number => draws.filter((draw) => draw !== 0).length;

/**
 * Makes a failing recording simpler, while the same invariant still breaks: fewer draws that are not kind, fewer
 * actions. At most `budget` runs.
 */
export const shrink = async (
  failing: Recording,
  invariant: string,
  budget = 500,
): Promise<Recording & { runs: number }> => {
  let best = failing;
  let runs = 0;
  const attempt = async (candidate: Recording): Promise<boolean> => {
    if (runs >= budget) return false;
    runs += 1;
    const { violation, draws } = await replay(candidate);
    if (violation?.invariant !== invariant) return false;
    // What lies beyond the end of the run does not count.
    best = { script: candidate.script, draws: [...draws] };
    return true;
  };
  const withoutActions = async (): Promise<void> => {
    for (let index = best.script.actions.length - 1; index >= 0; index -= 1) {
      const actions = best.script.actions.filter((_, other) => other !== index);
      await attempt({ ...best, script: { ...best.script, actions } });
    }
  };
  const withoutDraws = async (parts: number): Promise<void> => {
    const size = Math.max(1, Math.ceil(best.draws.length / parts));
    for (let from = 0; from < best.draws.length; from += size) {
      const draws = best.draws.map((draw, index) => (index >= from && index < from + size ? 0 : draw));
      if (draws.every((draw, index) => draw === best.draws[index])) continue;
      await attempt({ ...best, draws });
    }
  };
  await attempt({ ...best, script: { ...best.script, quiet: false } });
  for (const reading of best.script.readings ?? []) {
    const readings = (best.script.readings ?? []).filter((other) => other !== reading);
    await attempt({ ...best, script: { ...best.script, readings } });
  }
  await attempt({ ...best, draws: [] });
  await withoutActions();
  for (let parts = 2; parts <= 64; parts *= 2) await withoutDraws(parts);
  await withoutActions();
  for (let parts = 128; parts <= 1_024; parts *= 2) await withoutDraws(parts);
  return { ...best, runs };
};
