import { legible } from '../lib/text.ts';
import type { AppliedPod } from '../migrate/apply-plan.ts';
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

const DONE = {
  ...WORDS,
  takeOver: 'taken over',
  handBack: 'handed back',
  discard: 'PodEIP removed',
} as const satisfies Record<PlannedPod['is'], string>;

const counted = (words: readonly string[]): string => {
  const counts = Object.entries(Object.groupBy(words, (word) => word)).map(
    ([word, all = []]) => `${word}: ${all.length}`,
  );
  return `${words.length} pods${counts.length === 0 ? '' : ` (${counts.join(', ')})`}`;
};

/** How many of each are planned. */
export const countsText = (pods: readonly PlannedPod[]): string => counted(pods.map(({ is }) => WORDS[is]));

/** How many of each there were in the end. Those that were planned and not come to are among them. */
export const outcomesText = (pods: readonly PlannedPod[], applied: readonly AppliedPod[]): string => {
  const planned = new Map(pods.map((pod) => [pod.key, pod]));
  // A pod that came to it twice counts as it ended.
  const ended = new Map(applied.map((it) => [it.key, it.is]));
  const outcome = (key: string): string => {
    const { is = 'done', steps = [] } = planned.get(key) ?? {};
    const end = ended.get(key);
    if (end === 'failed') return 'FAILED';
    if (end === 'waits' || end === 'blocked') return WORDS[end];
    if (end === 'done') return is === 'waits' || is === 'blocked' ? 'nothing to do any more' : DONE[is];
    return steps.length > 0 ? 'not begun' : WORDS[is];
  };
  return counted([...new Set([...planned.keys(), ...ended.keys()])].map(outcome));
};
