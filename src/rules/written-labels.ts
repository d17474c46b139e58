import type { LabelSelector } from '../api/eippolicy.ts';
import { selectorMatches } from '../policies/policy.ts';

/** A label that no template has, and each pod of it gets when it is made. */
export interface WrittenLabel {
  readonly key: string;
  /** Each is that of a pod. `unknown`: the label is there, and nobody knows before with which value. */
  readonly values: readonly string[] | 'unknown';
  /** Who writes it, as "the Job controller". */
  readonly by: string;
}

/** Whether the pods are selected; or the label that this depends on, which differs among them or is not known yet. */
type SelectorAnswer = boolean | WrittenLabel;

/** No label can have it, and so no selector means it. */
const ANY_OTHER = '(any other)';

/** Evaluates a selector for the pods of a template, each requirement by itself: one that says no settles it. */
export const selectorAnswer = (
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
  written: readonly WrittenLabel[],
): SelectorAnswer => {
  const requirements = [
    ...Object.entries(matchLabels).map(([key, value]) => ({
      key,
      named: [value],
      only: { matchLabels: { [key]: value } },
    })),
    ...matchExpressions.map((it) => ({ key: it.key, named: it.values ?? [], only: { matchExpressions: [it] } })),
  ];
  let open: WrittenLabel | undefined;
  for (const { key, named, only } of requirements) {
    const label = Object.hasOwn(labels, key) ? undefined : written.find((it) => it.key === key);
    const values = label && (label.values === 'unknown' ? [...named, ANY_OTHER] : label.values);
    const answers = new Set(
      values?.map((value) => selectorMatches(only, { [key]: value })) ?? [selectorMatches(only, labels)],
    );
    if (!answers.has(true)) return false;
    if (answers.has(false)) open ??= label;
  }
  return open ?? true;
};
