import { readFileSync, writeFileSync } from 'node:fs';
import { DEATHS } from './crash-points.ts';
import type { Work } from './pool.ts';
import type { Extras } from './seeds.ts';
import type { CrashPoint } from './world.ts';

/** The run that noticed a mutant: one seed, or one scenario with a crash or without. */
export type Notice = { readonly seed: number } | { readonly scenario: string; readonly crash?: CrashPoint | undefined };

const FILE = new URL('notices.json', import.meta.url);

/**
 * What noticed each mutant, by its name. It is tried first, so that a mutant costs one run and not hundreds; where it
 * notices nothing any more, because worlds have changed, all others are tried.
 */
export const readNotices = (): Map<string, Notice> =>
  new Map(Object.entries(JSON.parse(readFileSync(FILE, 'utf8')) as Readonly<Record<string, Notice>>));

export const saveNotices = (notices: ReadonlyMap<string, Notice>): void =>
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(notices), undefined, 2)}\n`);

/** From the options of the command line that bring a run back. */
export const noticeIn = (run: string): Notice | undefined => {
  const [, seed] = /--seed (\d+)$/u.exec(run) ?? [];
  if (seed !== undefined) return { seed: Number(seed) };
  const [, scenario, io, how] = /--scenario '([^']+)'(?: --crash-at '(\d+) ([a-z ]+)')?$/u.exec(run) ?? [];
  if (scenario === undefined) return undefined;
  const death = DEATHS.find((it) => it === how);
  return { scenario, ...(death && { crash: { io: Number(io), death } }) };
};

export const workOf = (notice: Notice, extras: Extras): Work =>
  'seed' in notice
    ? { kind: 'seeds', from: notice.seed, count: 1, isFirstEnough: true, extras }
    : { kind: 'crash points', scenario: notice.scenario, points: [notice.crash], extras };
