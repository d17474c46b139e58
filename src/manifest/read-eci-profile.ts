import { z } from 'zod';
import {
  ACS_INSTANCE_ID,
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  ON_VIRTUAL_NODE,
  OURS,
} from '../api/annotations.ts';
import type { LabelSelector } from '../api/eippolicy.ts';
import { isDeeperThan } from '../lib/json.ts';
import type { ProfileSelector } from '../rules/eci-profile.ts';
import { maybe, strings, unreadable } from './wire.ts';

/** `broken`: why nothing of it can be used, each with what to write. */
type ReadProfile =
  | { readonly kind: 'profile'; readonly selectors: readonly ProfileSelector[] }
  | { readonly kind: 'broken'; readonly problems: readonly string[] };

/** More than a ConfigMap of 1 MiB could be used for: the annotations of a pod are 256 KiB at most. Characters. */
const LONGEST_TEXT = 256 * 1024;
const DEEPEST = 10;
const LONGEST_PREFIX = 253;
/** A key with its prefix. */
const LONGEST_KEY = LONGEST_PREFIX + 1 + 63;
const MOST_SELECTORS = 100;
/** What all of them together may add to one pod; characters. Whatever else is on it has as much. */
const MOST_ADDED = 64 * 1024;

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** Whether the API server takes the key of a label. Source: apimachinery pkg/util/validation, IsQualifiedName. */
const isKey = (key: string): boolean => {
  if (key.length > LONGEST_KEY) return false;
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  return NAME.test(key.slice(slash + 1)) && (prefix === undefined || isSubdomain(prefix));
};

const isSubdomain = (text: string): boolean =>
  text.length <= LONGEST_PREFIX && text.split('.').every((label) => DNS_LABEL.test(label));

const isLabelValue = (value: string): boolean => value === '' || (value.length <= 63 && NAME.test(value));

/** Written by controllers and virtual nodes as what they have done: it proves something, and nobody else may say it. */
const PROOFS: ReadonlySet<string> = new Set([
  ECI_INSTANCE_ID,
  ACS_INSTANCE_ID,
  ON_VIRTUAL_NODE,
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  ALLOCATED_INSTANCE_ID,
]);

/** What a mistyped word would mean is all pods, or nothing at all. */
const only = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `found ${issue.keys.map(quoted).join(', ')}, which is not known; here are ${Object.keys(shape).join(', ')}: correct it or take it out`
        : undefined,
  });

const MOST_QUOTED = 80;
const quoted = (text: string): string =>
  JSON.stringify(text.length > MOST_QUOTED ? `${text.slice(0, MOST_QUOTED)}…` : text);

const expression = only({
  key: z.string().refine(isKey, { error: ({ input }) => `${quoted(String(input))} is no key of a label` }),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], {
    error: ({ input }) => `found ${JSON.stringify(input) ?? 'nothing'}; write In, NotIn, Exists or DoesNotExist`,
  }),
  values: maybe(z.array(z.string())),
}).superRefine(({ operator, values = [] }, context) => {
  const isListed = operator === 'In' || operator === 'NotIn';
  if (isListed && values.length === 0)
    context.addIssue({ code: 'custom', path: ['values'], message: `is empty; ${operator} needs at least one value` });
  if (!isListed && values.length > 0)
    context.addIssue({
      code: 'custom',
      path: ['values'],
      message: `has values; ${operator} takes none: take them out`,
    });
});

const labelSelector = only({ matchLabels: maybe(strings), matchExpressions: maybe(z.array(expression)) }).superRefine(
  ({ matchLabels = {} }, context) => {
    for (const [key, value] of Object.entries(matchLabels))
      if (!isKey(key) || !isLabelValue(value))
        context.addIssue({
          code: 'custom',
          path: ['matchLabels', key],
          message: `${quoted(value)} is no label of that key: no pod has it`,
        });
  },
);

const checkedEffect = only({ annotations: maybe(strings), labels: maybe(strings) }).superRefine(
  ({ annotations = {}, labels = {} }, context) => {
    const say = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    for (const key of Object.keys(annotations))
      if (!isKey(key.toLowerCase()))
        say(['annotations', key], 'is no key of an annotation: every pod with it would be refused');
    for (const [key, value] of Object.entries(labels))
      if (!isKey(key) || !isLabelValue(value))
        say(['labels', key], `${quoted(value)} is no label of that key: every pod with it would be refused`);
    for (const key of [...Object.keys(annotations), ...Object.keys(labels)])
      if (key.startsWith(OURS) || PROOFS.has(key))
        say([key], 'is written by controllers as what they have done, and believed: take it out');
  },
);

const schema = z
  .array(
    only({
      name: z
        .string()
        .min(1, { error: 'is empty; every selector needs a name' })
        .max(253, { error: 'is longer than 253 characters' }),
      namespaceSelector: maybe(labelSelector),
      objectSelector: maybe(labelSelector),
      effect: maybe(checkedEffect),
    }),
  )
  .max(MOST_SELECTORS, { error: `has more than ${MOST_SELECTORS} selectors` });

const broken = (...problems: string[]): ReadProfile => ({ kind: 'broken', problems });

const EXAMPLE = '[{"name": "demo", "objectSelector": {"matchLabels": {"eci": "true"}}, "effect": {"annotations": {}}}]';

/**
 * Reads `data.selectors` of the ConfigMap kube-system/eci-profile. All of it or nothing: half a profile is one that
 * nobody wrote. Never throws.
 */
export const readEciProfile = (text: string | undefined): ReadProfile => {
  if (text === undefined || text.trim() === '') return { kind: 'profile', selectors: [] };
  if (text.length > LONGEST_TEXT)
    return broken(`selectors has ${text.length} characters; at most ${LONGEST_TEXT} are read`);
  if (isDeeperThan(DEEPEST, text))
    return broken(`selectors is nested deeper than ${DEEPEST}; write it such as ${EXAMPLE}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return broken(`selectors is not JSON (${why.slice(0, 200)}); without comments, such as ${EXAMPLE}`);
  }
  const read = schema.safeParse(json);
  if (!read.success)
    return broken(
      ...unreadable(read.error, json).problems.map(({ path, message }) => `${pathOf(path).slice(0, 200)}: ${message}`),
    );
  const selectors = read.data.map(({ name, namespaceSelector, objectSelector, effect }) => ({
    name,
    namespaceSelector: saying(namespaceSelector),
    objectSelector: saying(objectSelector),
    annotations: effect?.annotations ?? {},
    labels: effect?.labels ?? {},
  }));
  const added = JSON.stringify(selectors.map(({ annotations, labels }) => [annotations, labels])).length;
  return added > MOST_ADDED
    ? broken(`selectors adds ${added} characters in all, at most ${MOST_ADDED} are let onto a pod: make it shorter`)
    : { kind: 'profile', selectors };
};

/** `selectors[0].effect.labels` */
const pathOf = (path: readonly PropertyKey[]): string =>
  `selectors${path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')}`;

/** An empty selector matches everything by the rules of Kubernetes; here it says nothing, which moves no pod. */
const saying = (selector: LabelSelector | undefined): LabelSelector | undefined =>
  Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) > 0
    ? selector
    : undefined;
