import { isDeepStrictEqual } from 'node:util';
import { KEYS } from '../api/annotations.ts';
import type { Finding, FindingId } from '../api/finding.ts';
import type { RuleSettings } from '../rules/rule.ts';
import type { ClusterFacts } from '../rules/cluster-facts.ts';
import { evaluateRequest } from '../rules/evaluate.ts';
import { podsOf, SCALE_KEYS } from '../rules/scale.ts';
import type { Workload } from '../rules/workload.ts';
import { targetOfWorkload, type Provider } from '../rules/placement-facts.ts';
import { countedMbps } from '../request/policy.ts';
import { parseAnnotations } from '../request/parse.ts';
import { readWorkload } from '../manifest/read-workload.ts';
import type { Unreadable } from '../manifest/wire.ts';
import { said, UNCHANGED, type AdmissionRequest, type Admitted } from './review.ts';

/** What the validating webhook knows beside the object. */
export interface ValidationFacts {
  readonly settings: RuleSettings;
  readonly provider: Provider;
  /** Labels of the object's namespace; undefined where they could not be read. */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  readonly onConflict: 'refuse' | 'warn';
  /** What else is known: claims, policy, other controllers. */
  readonly known: ClusterFacts;
}

/** An object that is to be judged. `before` is undefined at its creation. */
interface ObjectChange {
  readonly after: Workload;
  readonly before: Workload | undefined;
}

/** `none`: there is nothing to evaluate. */
export type ReadChange =
  { readonly kind: 'change'; readonly change: ObjectChange } | { readonly kind: 'none' } | Unreadable;

export const NO_CHANGE: ReadChange = { kind: 'none' };

/**
 * The change that a request makes. Nothing is evaluated in an object that is on its way out, in a subresource, in a
 * deletion, and in a change that leaves what EIPs depend on as it was: nobody is kept from anything by a violation that
 * is older than the request.
 */
export const changeOf = ({ operation, subResource, namespace, object, oldObject }: AdmissionRequest): ReadChange => {
  if (subResource !== '' || (operation !== 'CREATE' && operation !== 'UPDATE')) return NO_CHANGE;
  const read = readWorkload(object);
  if (read.kind === 'other') return NO_CHANGE;
  if (read.kind === 'unreadable') return read;
  const after = placed(read.workload, namespace);
  if (!isEvaluated(after)) return NO_CHANGE;
  if (operation === 'CREATE') return { kind: 'change', change: { after, before: undefined } };
  const old = readWorkload(oldObject);
  // An update without the object before it: what was there already cannot be told, so nothing is held against it.
  if (old.kind !== 'workload') return NO_CHANGE;
  const before = placed(old.workload, namespace);
  // The template of a Service that is changed makes another Revision than the one that its status shows.
  const isNew = !isDeepStrictEqual(templateOf(oldObject), templateOf(object));
  const made = isNew ? { ...after, latestRevision: undefined } : after;
  const isSame = isDeepStrictEqual(relevant(before), relevant(after));
  return isSame ? NO_CHANGE : { kind: 'change', change: { after: made, before } };
};

const templateOf = (object: unknown): unknown =>
  (object as { readonly spec?: { readonly template?: unknown } } | null)?.spec?.template;

/** The namespace of an object at its creation may stand in the request only. */
const placed = (workload: Workload, namespace: string): Workload => ({ ...workload, namespace });

/** Characters of a key: a DNS name, a slash, a name. Source: apimachinery pkg/util/validation, IsQualifiedName. */
const LONGEST_KEY = 253 + 1 + 63;

const OURS = /eip|^(network\.alibabacloud\.com|k8s\.aliyun\.com)\//i;

/** Most objects say nothing that any rule reads; and what is on its way out is left alone. */
export const isEvaluated = ({ annotations, outside, isEnding }: Workload): boolean =>
  !isEnding &&
  [...Object.keys(annotations), ...Object.keys(outside)].some((key) => key.length <= LONGEST_KEY && OURS.test(key));

/**
 * What the evaluation depends on. Written by people and their tools; what controllers write on objects is not among it.
 */
const relevant = ({ annotations, outside, replicas, hostNetwork, template, traffic }: Workload) => ({
  traffic,
  annotations: pick(annotations),
  outside: pick(outside),
  replicas,
  hostNetwork,
  labels: template.metadata?.labels ?? {},
  nodeSelector: template.spec?.nodeSelector ?? {},
  tolerations: template.spec?.tolerations ?? [],
  affinity: template.spec?.affinity,
});

const pick = (annotations: Workload['annotations']) =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => OURS.test(key) || SCALE_KEYS.includes(key)));

/** What is said of how many pods there are to be, and of what they hold together. */
const COUNTED: ReadonlySet<FindingId> = new Set(['ExistingEipForMany', 'QuotaOfNamespaceExceeded', 'UncountedOnEci']);

/**
 * Too many pods for one EIP, or for the limits of the namespace, and no more of them than before, nor of their
 * bandwidth: whoever scales down adds no violation.
 */
const isLess = ({ id }: Finding, existing: Finding, { after, before }: ObjectChange, settings: RuleSettings): boolean =>
  before !== undefined &&
  id === existing.id &&
  COUNTED.has(id) &&
  KEYS.instanceId.every((key) => after.annotations[key] === before.annotations[key]) &&
  podsOf(after) <= podsOf(before) &&
  bandwidthOf(after, settings) <= bandwidthOf(before, settings);

/** Mbit/s that all pods ask for. */
const bandwidthOf = (workload: Workload, { defaults }: RuleSettings): number => {
  const { request } = parseAnnotations(workload.annotations, defaults);
  return request?.kind === 'new' ? countedMbps(request) * podsOf(workload) : 0;
};

/**
 * Lets a change in, with warnings, or refuses it with the sentences of the catalogue. Refused is what the change
 * brings: what was wrong before it is only said again, and so is everything about an object that something else made
 * and controls, because the one to tell is whoever wrote the owner, and pods that do not start are worse than pods
 * without an address. Pure and total.
 */
export const validate = (change: ObjectChange, facts: ValidationFacts): Admitted => {
  const { after, before } = change;
  const { settings, onConflict, known } = facts;
  const evaluated = (workload: Workload, was: Workload | undefined): readonly Finding[] =>
    evaluateRequest({
      workload,
      target: targetOfWorkload(workload, facts.namespaceLabels, facts.provider),
      settings,
      facts: { ...known, before: was?.annotations },
    }).findings;
  const findings = evaluated(after, before).filter(({ severity }) => severity !== 'note');
  const old = before ? evaluated(before, undefined) : [];
  const wasThere = (it: Finding) =>
    old.some((existing) => said(existing) === said(it) || isLess(it, existing, change, settings));
  const refusals = findings.filter((it) => it.severity === 'refuse' && !wasThere(it));
  if (findings.length === 0) return UNCHANGED;
  if (refusals.length === 0 || onConflict === 'warn' || after.owner)
    return { patch: [], warnings: findings.map(said), findings };
  const isConflict = refusals.every(({ id }) => id === 'EipWantedTwice');
  return {
    patch: [],
    warnings: findings.filter((it) => !refusals.includes(it)).map(said),
    findings,
    denied: {
      ...(isConflict ? { code: 409, reason: 'Conflict' } : { code: 403, reason: 'Forbidden' }),
      message: refusals.map(said).join('. '),
    },
  };
};
