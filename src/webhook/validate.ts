import { surplusOf } from '../rules/rollout.ts';
import { isDeepStrictEqual } from 'node:util';
import { KEYS } from '../api/annotations.ts';
import type { Finding, FindingId } from '../api/finding.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { profiledWorkload, type ProfileSelector } from '../rules/eci-profile.ts';
import type { ClusterFacts } from '../rules/cluster-facts.ts';
import { withLink } from '../rules/docs-link.ts';
import { evaluate } from '../rules/evaluate.ts';
import { podsOf, SCALE_KEYS } from '../rules/scale.ts';
import type { Workload } from '../rules/workload.ts';
import type { Provider } from '../request/target.ts';
import { targetOfWorkload } from '../rules/placement-facts.ts';
import { countedMbps } from '../policies/policy.ts';
import { parseAnnotations } from '../request/parse.ts';
import { profileRecord } from '../request/profile-record.ts';
import { readWorkload } from '../manifest/read-workload.ts';
import type { Unreadable } from '../manifest/wire.ts';
import { said, UNCHANGED, type AdmissionRequest, type Admitted } from './review.ts';

/** What the validating webhook knows beside the object. */
export interface ValidationFacts {
  readonly settings: RuleSettings;
  readonly provider: Provider;
  /** Labels of the object's namespace; undefined if they could not be read. */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  readonly onConflict: 'refuse' | 'warn';
  /** The selectors of the eci-profile, where it is honoured. @default none */
  readonly profile?: readonly ProfileSelector[] | undefined;
  /** Facts about the cluster, as far as they could be read. */
  readonly known: ClusterFacts;
}

/** An object to evaluate. `before` is undefined at its creation. */
interface ObjectChange {
  readonly after: Workload;
  readonly before: Workload | undefined;
  /**
   * Whether the template changes, as by another image, in nothing that EIPs depend on: only what a rollout needs is
   * looked at. @default false
   */
  readonly isRolloutOnly?: boolean | undefined;
}

/** `none`: there is nothing to evaluate. */
export type ReadChange =
  { readonly kind: 'change'; readonly change: ObjectChange } | { readonly kind: 'none' } | Unreadable;

export const NO_CHANGE: ReadChange = { kind: 'none' };

/**
 * The change that a request makes. Not evaluated are objects that are being deleted, subresources, deletions, and
 * changes that leave everything that EIPs depend on as it was: a violation that is older than the request must not
 * block it.
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
  // An update without the old object: it cannot be told what is new, so that nothing is refused.
  if (old.kind !== 'workload') return NO_CHANGE;
  const before = placed(old.workload, namespace);
  // If the template of a Service changes, its next Revision is not the one that its status shows.
  const isNew = !isDeepStrictEqual(templateOf(oldObject), templateOf(object));
  const made = isNew ? { ...after, latestRevision: undefined } : after;
  const isSame = isDeepStrictEqual(relevant(before), relevant(after));
  const isRolloutOnly =
    isSame &&
    isNew &&
    KEYS.withEip.some((key) => after.annotations[key] === 'true') &&
    surplusOf(after, podsOf(after)) > 0;
  return isSame && !isRolloutOnly ? NO_CHANGE : { kind: 'change', change: { after: made, before, isRolloutOnly } };
};

const templateOf = (object: unknown): unknown =>
  (object as { readonly spec?: { readonly template?: unknown } } | null)?.spec?.template;

/** At its creation, an object's namespace may be given by the request only. */
const placed = (workload: Workload, namespace: string): Workload => ({ ...workload, namespace });

/** Characters of a key: a DNS name, a slash, a name. Source: apimachinery pkg/util/validation, IsQualifiedName. */
const LONGEST_KEY = 253 + 1 + 63;

const OURS = /eip|^(network\.alibabacloud\.com|k8s\.aliyun\.com)\//i;

/**
 * Whether any rule reads something of the object. Most objects have nothing to read; objects that are being deleted are
 * not evaluated.
 */
export const isEvaluated = (workload: Workload): boolean =>
  !workload.isEnding &&
  (workload.volumes?.some(({ nfs, flexVolume }) => nfs ?? flexVolume) === true ||
    [workload.annotations, workload.outside, ...labelsOf(workload)]
      .flatMap((written) => Object.keys(written ?? {}))
      .some((key) => key.length <= LONGEST_KEY && OURS.test(key)));

const labelsOf = ({ template, outsideLabels }: Workload) => [template.metadata?.labels, outsideLabels];

/**
 * The parts that the evaluation depends on. Users and their tools write them; what controllers write on objects is not
 * included.
 */
const relevant = (workload: Workload) => {
  const {
    annotations,
    outside,
    outsideLabels = {},
    replicas,
    hostNetwork,
    template,
    traffic,
    podSpec,
    volumes,
    strategy,
    templateName,
  } = workload;
  return {
    traffic,
    // Some tools give each Revision a name; nothing depends on it where no Revision is routed to by name.
    templateName: traffic?.some(({ revisionName }) => revisionName) === true ? templateName : undefined,
    strategy,
    readinessGates: template.spec?.readinessGates ?? [],
    // They choose of the account also where the rest of the pod cannot be read.
    volumes: volumes ?? [],
    // Another image is what most updates bring, and nothing that anything here depends on.
    podSpec: podSpec && { ...podSpec, containers: podSpec.containers.map((each) => ({ ...each, image: '' })) },
    annotations: pick(annotations),
    outside: pick(outside),
    outsideLabels: pick(outsideLabels),
    replicas,
    hostNetwork,
    labels: template.metadata?.labels ?? {},
    nodeSelector: template.spec?.nodeSelector ?? {},
    tolerations: template.spec?.tolerations ?? [],
    affinity: template.spec?.affinity,
  };
};

const pick = (annotations: Workload['annotations']) =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => OURS.test(key) || SCALE_KEYS.includes(key)));

/**
 * What is only warned about: what Knative and other webhooks make of a template is seen when the pod is there, and then
 * the virtual node says the same.
 */
const WARNED: ReadonlySet<FindingId> = new Set(['UnsupportedByECI']);

/** Findings about the number of pods, and about what they hold together. */
const COUNTED: ReadonlySet<FindingId> = new Set(['ExistingEipForMany', 'QuotaOfNamespaceExceeded', 'UncountedOnEci']);

/**
 * Whether the finding is about too many pods, and the change adds neither pods nor bandwidth: scaling down adds no
 * violation.
 */
const isLess = ({ id }: Finding, existing: Finding, { after, before }: ObjectChange, settings: RuleSettings): boolean =>
  before !== undefined &&
  id === existing.id &&
  COUNTED.has(id) &&
  KEYS.instanceId.every((key) => after.annotations[key] === before.annotations[key]) &&
  podsOf(after) <= podsOf(before) &&
  bandwidthOf(after, settings) <= bandwidthOf(before, settings);

/** The sum over all pods, Mbit/s. */
const bandwidthOf = (workload: Workload, { defaults }: RuleSettings): number => {
  const { request } = parseAnnotations(workload.annotations, defaults);
  return request?.kind === 'new' ? countedMbps(request) * podsOf(workload) : 0;
};

/**
 * Admits a change, with warnings, or refuses it with the sentences of the catalogue. Only violations that the change
 * adds are refused; earlier ones are warned about. Objects that another object controls are only warned about as well:
 * the author of the owner is the one to tell, and pods that do not start are worse than pods without an address. Pure
 * and total.
 */
export const validate = (change: ObjectChange, facts: ValidationFacts): Admitted => {
  const { after, before, isRolloutOnly = false } = change;
  const { settings, onConflict, known } = facts;
  // Which policies mean the namespace is not known without its labels; the virtual node asks the same again.
  const isPolicyKnown = facts.namespaceLabels !== undefined && settings.policy !== undefined;
  const evaluated = (workload: Workload, was: Workload | undefined): readonly Finding[] =>
    evaluate({
      workload,
      target: targetOfWorkload(workload, facts.namespaceLabels, facts.provider),
      settings: isPolicyKnown ? settings : { ...settings, instance: undefined },
      facts: { ...known, before: was?.annotations },
    });
  const findings = evaluated(after, before).filter(
    ({ id, severity }) => severity !== 'note' && (!isRolloutOnly || id === 'NoRoomForRollout'),
  );
  const old = before ? evaluated(before, undefined) : [];
  const wasThere = (it: Finding) =>
    old.some((existing) => said(existing) === said(it) || isLess(it, existing, change, settings));
  const refusals = findings.filter((it) => it.severity === 'refuse' && !WARNED.has(it.id) && !wasThere(it));
  if (findings.length === 0) return UNCHANGED;
  const added = profileRecord(after.annotations) ?? [];
  if (refusals.length === 0 || onConflict === 'warn' || after.owner)
    return { patch: [], warnings: [...findings.map(said), added].flat(), findings };
  const isConflict = refusals.every(({ id }) => id === 'EipWantedTwice');
  return {
    patch: [],
    warnings: findings.filter((it) => !refusals.includes(it)).map(said),
    findings,
    denied: {
      ...(isConflict ? { code: 409, reason: 'Conflict' } : { code: 403, reason: 'Forbidden' }),
      message: [...refusals.map((it) => withLink(said(it), it.id, settings.docsURL)), added].flat().join('. '),
    },
  };
};

/**
 * The same, and what is wrong only with what the eci-profile will add to the pods: who writes the object did not write
 * that, so that it is refused for nothing that is not its own, and warned of the rest.
 */
export const validateProfiled = (change: ObjectChange, facts: ValidationFacts): Admitted => {
  const admitted = validate(change, facts);
  const { profile = [], namespaceLabels } = facts;
  const after = profile.length === 0 ? change.after : profiledWorkload(profile, change.after, namespaceLabels).workload;
  if (admitted.denied || after === change.after) return admitted;
  const { warnings, findings } = validate({ ...change, after, before: undefined }, { ...facts, onConflict: 'warn' });
  return { ...admitted, warnings: [...new Set([...admitted.warnings, ...warnings])], findings };
};
