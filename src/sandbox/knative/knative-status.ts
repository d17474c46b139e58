import { isDeepStrictEqual } from 'node:util';
import { patchUnchanged } from '../../kube/write.ts';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ResourceCondition } from './resources.ts';

/** What the reconcilers work with. */
export interface Hands {
  readonly kube: Kube;
  readonly clock: Clock;
}

/** Times as the API writes them: whole seconds. */
export const knativeTimestamp = (clock: Clock): string => `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;

/**
 * The conditions that an object has from now on: ours over those that are there, whoever wrote them. Any change moves
 * the time of transition. Source: knative.dev/pkg apis/condition_set.go SetCondition.
 */
const mergeConditions = (
  have: readonly ResourceCondition[],
  wanted: readonly ResourceCondition[],
  now: string,
): ResourceCondition[] => {
  const merged = new Map(have.map((condition) => [condition.type, condition]));
  for (const given of wanted) {
    const condition = withoutUndefined(given);
    const lastTransitionTime = merged.get(condition.type)?.lastTransitionTime ?? now;
    const same = isDeepStrictEqual(merged.get(condition.type), { ...condition, lastTransitionTime });
    merged.set(condition.type, { ...condition, lastTransitionTime: same ? lastTransitionTime : now });
  }
  return [...merged.values()].toSorted((a, b) => (a.type < b.type ? -1 : 1));
};

const withoutUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

export const knativeConditionOf = (
  object:
    { readonly status?: { readonly conditions?: readonly ResourceCondition[] | undefined } | undefined } | undefined,
  type: string,
): ResourceCondition | undefined => object?.status?.conditions?.find((condition) => condition.type === type);

/**
 * Ready as it follows from the conditions that count, those without a severity: the first that is False, else the first
 * that is Unknown, else True. Source: knative.dev/pkg apis/condition_set.go findUnhappyDependent.
 */
export const overallReadiness = (conditions: readonly ResourceCondition[]): ResourceCondition => {
  const counting = conditions.filter(({ type, severity = '' }) => type !== 'Ready' && severity === '');
  const unhappy = counting.find(({ status }) => status === 'False') ?? counting.find(({ status }) => status !== 'True');
  return unhappy === undefined
    ? { type: 'Ready', status: 'True' }
    : { type: 'Ready', status: unhappy.status, reason: unhappy.reason, message: unhappy.message };
};

interface WithStatus extends KubeObject {
  readonly status?: { readonly conditions?: readonly ResourceCondition[] | undefined } | undefined;
}

/**
 * Writes the status where it differs; conditions of others stay. A write in between is a conflict, and is tried again.
 */
export const writeStatus = async <T extends WithStatus>(
  { kube, clock }: Hands,
  resource: Resource<T>,
  object: T,
  { conditions, ...fields }: { readonly conditions: readonly ResourceCondition[]; readonly [field: string]: unknown },
): Promise<void> => {
  const have = object.status ?? {};
  const observedGeneration = object.metadata.generation ?? 1;
  const next = {
    ...have,
    ...fields,
    observedGeneration,
    conditions: mergeConditions(have.conditions ?? [], conditions, knativeTimestamp(clock)),
  };
  const kept = withoutUndefined(next);
  if (isDeepStrictEqual({ ...have }, kept)) return;
  const removed = Object.fromEntries(
    Object.keys(have)
      .filter((key) => !(key in kept))
      .map((key) => [key, null]),
  );
  await patchUnchanged(kube, resource, object, { status: { ...removed, ...kept }, subresource: 'status' });
};
