import type { z } from 'zod';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../api/knative.ts';
import type { Workload } from '../rules/workload.ts';
import { cronJobSchema, headSchema, podLikeSchema, routedSchema, templatedSchema } from './template.ts';

/** Something in a manifest that cannot be read: where, as a path of keys, and what to write. */
export interface Unreadable {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** `other`: it is read by nobody here, because it has no pods. */
export type ReadWorkload =
  | { readonly as: 'workload'; readonly workload: Workload }
  | { readonly as: 'other'; readonly kind: string }
  | { readonly as: 'unreadable'; readonly problems: readonly Unreadable[] };

const KNATIVE = 'serving.knative.dev';

/** The kinds that have pods, by group. */
const POD_LIKE: ReadonlySet<string> = new Set(['/Pod', `${KNATIVE}/Revision`]);
const TEMPLATED: ReadonlySet<string> = new Set([
  `${KNATIVE}/Service`,
  `${KNATIVE}/Configuration`,
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'batch/Job',
]);

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

/** The group and kind of an object, as in `apps/Deployment`; undefined where it is none. */
export const workloadKindOf = (object: unknown): string | undefined => {
  const head = headSchema.safeParse(object);
  return head.success ? `${groupOf(head.data.apiVersion)}/${head.data.kind}` : undefined;
};

/** More than anybody writes. All annotations together may have 256 KiB, so that an API server could send more. */
const MOST_ANNOTATIONS = 5_000;

const METADATA = [['metadata'], ['spec', 'template', 'metadata']] as const;

/** Where there are so many annotations that reading them would keep everybody else waiting. */
const crowded = (object: unknown): Unreadable | undefined => {
  for (const place of METADATA) {
    const path = [...place, 'annotations'];
    const annotations = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
      object,
    );
    if (typeof annotations === 'object' && annotations !== null && Object.keys(annotations).length > MOST_ANNOTATIONS)
      return { path, message: `there are more than ${MOST_ANNOTATIONS} annotations` };
  }
  return undefined;
};

/** Reads one object of any kind. Never throws. */
export const readWorkload = (object: unknown): ReadWorkload => {
  const problem = crowded(object);
  if (problem) return { as: 'unreadable', problems: [problem] };
  const head = headSchema.safeParse(object);
  if (!head.success) return unreadable(head.error, object);
  const { kind, apiVersion } = head.data;
  const group = groupOf(apiVersion);
  const isKnative = group === KNATIVE;
  const of = `${group}/${kind}`;
  if (POD_LIKE.has(of)) {
    const read = podLikeSchema.safeParse(object);
    if (!read.success) return unreadable(read.error, object);
    const { metadata, spec } = read.data;
    return {
      as: 'workload',
      workload: made(kind, isKnative, metadata, {}, metadata.annotations ?? {}, metadata.labels, spec, undefined),
    };
  }
  const isCronJob = of === 'batch/CronJob';
  if (!isCronJob && !TEMPLATED.has(of)) return { as: 'other', kind };
  const read = isCronJob ? cronJobSchema.safeParse(object) : templatedSchema.safeParse(object);
  if (!read.success) return unreadable(read.error, object);
  const { metadata } = read.data;
  const spec = 'jobTemplate' in read.data.spec ? read.data.spec.jobTemplate.spec : read.data.spec;
  const { template, replicas, parallelism } = spec ?? {};
  const count = isKnative || kind === 'DaemonSet' ? undefined : (replicas ?? parallelism ?? 1);
  const workload = made(
    kind,
    isKnative,
    metadata,
    metadata.annotations ?? {},
    template?.metadata?.annotations ?? {},
    template?.metadata?.labels,
    template?.spec,
    count,
  );
  if (of !== `${KNATIVE}/Service`) return { as: 'workload', workload };
  const routed = routedSchema.safeParse(object);
  if (!routed.success) return unreadable(routed.error, object);
  const { spec: how, status } = routed.data;
  return {
    as: 'workload',
    workload: { ...workload, traffic: how.traffic, latestRevision: status?.latestCreatedRevisionName },
  };
};

type Metadata = z.output<typeof podLikeSchema>['metadata'];
type PodSpec = z.output<typeof podLikeSchema>['spec'];

const made = (
  kind: string,
  isKnativeKind: boolean,
  metadata: Metadata,
  outside: Workload['outside'],
  annotations: Workload['annotations'],
  labels: Readonly<Record<string, string>> | undefined,
  spec: PodSpec,
  replicas: number | undefined,
): Workload => {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  const { name = metadata.generateName ?? '', namespace = '' } = metadata;
  const own = metadata.labels ?? {};
  return {
    kind,
    namespace,
    name,
    isKnative: isKnativeKind || Object.hasOwn(own, REVISION_LABEL) || Object.hasOwn(own, SERVICE_UID),
    service: isKnativeKind && kind === 'Service' ? name : own[SERVICE_LABEL],
    owner: owner && { kind: owner.kind, name: owner.name },
    annotations,
    outside,
    template: { metadata: { labels, annotations }, spec },
    hostNetwork: spec?.hostNetwork === true,
    replicas,
    isEnding: metadata.deletionTimestamp !== undefined,
  };
};

const MOST_PROBLEMS = 20;

/** What does not fit, and what to write. */
export const problemsIn = ({ issues }: z.ZodError, object: unknown): readonly Unreadable[] =>
  issues.slice(0, MOST_PROBLEMS).map((issue) => {
    const { path, message } = issue;
    const value = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
      object,
    );
    return { path, message: 'expected' in issue ? wanted(String(issue.expected), value) : message };
  });

const unreadable = (error: z.ZodError, object: unknown): ReadWorkload => ({
  as: 'unreadable',
  problems: problemsIn(error, object),
});

const WANTED: Readonly<Record<string, string>> = {
  string: 'a text',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

const LONGEST_QUOTE = 200;

const described = (value: unknown): string => {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
};

/** What was found, what Kubernetes wants, and what to write: a value of another type is most often one without quotes. */
const wanted = (expected: string, value: unknown): string => {
  const problem = `found ${described(value)}, and Kubernetes wants ${WANTED[expected] ?? `a ${expected}`} here`;
  if (expected !== 'string') return problem;
  if (typeof value === 'number' || typeof value === 'boolean') return `${problem}: write "${value}"`;
  if (typeof value !== 'object' || value === null) return problem;
  // Deeper ones may be too deep, or contain themselves.
  if (Object.values(value).some((inner) => typeof inner === 'object' && inner !== null)) return problem;
  const text = JSON.stringify(value).slice(0, LONGEST_QUOTE);
  return text.startsWith('{"{')
    ? `${problem}: render the template first, for example with helm template`
    : `${problem}: write it in quotes, such as '${text}'`;
};
