import { readFileSync, writeFileSync } from 'node:fs';
import type { Script } from './script.ts';
import type { Recording } from './shrink.ts';

/** A recording as a file: of the draws only those that are not kind, with their positions. */
interface Fixture {
  /** Which invariant broke, and how, when it was recorded. */
  readonly broke: string;
  readonly script: Script;
  readonly draws: readonly (readonly [position: number, draw: number])[];
}

export const saveFixture = (path: string, { script, draws }: Recording, broke: string): void => {
  const sparse = draws.flatMap((draw, position) => (draw === 0 ? [] : [[position, draw] as const]));
  const fixture: Fixture = { broke, script, draws: sparse };
  writeFileSync(path, `${JSON.stringify(fixture)}\n`);
};

export const readFixture = (path: string | URL): Recording & { readonly broke: string } => {
  const { broke, script, draws: sparse } = JSON.parse(readFileSync(path, 'utf8')) as Fixture;
  const draws = Array.from({ length: (sparse.at(-1)?.[0] ?? -1) + 1 }, () => 0);
  for (const [position, draw] of sparse) draws[position] = draw;
  return { broke, script, draws };
};
