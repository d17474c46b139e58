import { legible } from '../lib/text.ts';
import type { Plan, MigrationRefusal } from '../migrate/plan.ts';
import type { PlannedPod } from '../migrate/planned.ts';
import { describeStep, type MigrationStep } from '../migrate/migration-step.ts';
import { reportTable } from './report-table.ts';

const WORDS = {
  takeOver: 'take over',
  handBack: 'hand back',
  discard: 'remove the PodEIP',
  done: 'nothing to do',
  waits: 'wait',
  blocked: 'BLOCKED',
} as const satisfies Record<PlannedPod['is'], string>;

const words = (steps: readonly MigrationStep[]) => steps.map(describeStep);

/** What becomes of each pod. JSON has the todo and the writes of each, too. */
export const migrationText = ({ pods, refusals, first, last, afterwards }: Plan, output: 'table' | 'json'): string => {
  if (output === 'json') {
    const rows = pods.map(({ steps, ...it }) => ({ ...it, writes: words(steps) }));
    return `${JSON.stringify({ refusals, first: words(first), pods: rows, last: words(last), afterwards }, null, 2)}\n`;
  }
  if (pods.length === 0) return '';
  return reportTable([
    ['POD', 'EIP', 'ADDRESS', 'PLAN', 'BECAUSE'],
    ...pods.map((it) => [it.key, it.allocationId || '-', it.ipAddress || '-', WORDS[it.is], it.because]),
  ]);
};

/** Every single write, in order; `1.` and on. */
export const writesText = ({ first, pods, last }: Plan): string =>
  [...first, ...pods.flatMap(({ steps }) => steps), ...last]
    .map((step, index) => `${index + 1}. ${legible(describeStep(step))}\n`)
    .join('');

/** What stands against anything at all. */
export const refusalsText = (refusals: readonly MigrationRefusal[]): string =>
  refusals.map(({ because, todo }) => `Nothing is written: ${legible(because)}\n  do: ${todo}\n`).join('');

/** What is blocked, and what to do about it. */
export const blockedText = (pods: readonly PlannedPod[]): string =>
  pods
    .filter(({ is }) => is === 'blocked')
    .map(({ key, because, todo = '' }) => `${legible(key)}: ${legible(because)}\n  do: ${legible(todo)}\n`)
    .join('');

/** How many of each. */
export const countsText = (pods: readonly PlannedPod[]): string => {
  const counts = Object.entries(Object.groupBy(pods, ({ is }) => WORDS[is])).map(
    ([word, all]) => `${word}: ${all.length}`,
  );
  return `${pods.length} pods${counts.length === 0 ? '' : ` (${counts.join(', ')})`}`;
};
