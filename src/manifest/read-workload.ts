import type * as z from 'zod';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../api/knative.ts';
import type { Workload } from '../rules/workload.ts';
import { labelsOfControllers } from './labels-of-controllers.ts';
import { readPodSpec } from './pod-spec.ts';
import { cronJobSchema, headSchema, podLikeSchema, routedSchema, templatedSchema } from './template.ts';
import { unreadable, valueAt, type Problem, type Unreadable } from './wire.ts';

/** `other`: a kind that has no pods. */
type ReadWorkload =
  { readonly kind: 'workload'; readonly workload: Workload } | { readonly kind: 'other' } | Unreadable;

const KNATIVE = 'serving.knative.dev';

/** Kinds whose own metadata are those of the pods, by group. */
const POD_LIKE: ReadonlySet<string> = new Set(['/Pod', `${KNATIVE}/Revision`]);
const TEMPLATED: ReadonlySet<string> = new Set([
  `${KNATIVE}/Configuration`,
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'batch/Job',
  '/ReplicationController',
]);

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

/** The group and kind of an object, for example `apps/Deployment`; undefined if it is not a Kubernetes object. */
export const workloadKindOf = (object: unknown): string | undefined => {
  const head = headSchema.safeParse(object);
  return head.success ? `${groupOf(head.data.apiVersion)}/${head.data.kind}` : undefined;
};

/**
 * More than any real object has. Kubernetes allows 256 KiB of annotations per object, so that the API server could send
 * more.
 */
const MOST_ANNOTATIONS = 5_000;

const METADATA = [
  ['metadata'],
  ['spec', 'template', 'metadata'],
  ['spec', 'jobTemplate', 'metadata'],
  ['spec', 'jobTemplate', 'spec', 'template', 'metadata'],
] as const;

/** Refuses objects with so many annotations that reading them would delay all other requests. */
const crowded = (object: unknown): Problem | undefined => {
  for (const place of METADATA) {
    const path = [...place, 'annotations'];
    const annotations = valueAt(object, path);
    if (typeof annotations === 'object' && annotations !== null && Object.keys(annotations).length > MOST_ANNOTATIONS)
      return { path, message: `there are more than ${MOST_ANNOTATIONS} annotations` };
  }
  return undefined;
};

/** Reads one object of any kind. Never throws. */
export const readWorkload = (object: unknown): ReadWorkload => {
  const problem = crowded(object);
  if (problem) return { kind: 'unreadable', problems: [problem] };
  const head = headSchema.safeParse(object);
  if (!head.success) return unreadable(head.error, object);
  const { kind, apiVersion } = head.data;
  const group = groupOf(apiVersion);
  const of = { kind, isKnative: group === KNATIVE };
  const name = `${group}/${kind}`;
  if (POD_LIKE.has(name)) return readPodLike(object, of);
  if (name === 'batch/CronJob') return readCronJob(object, of);
  if (name === `${KNATIVE}/Service`) return readService(object, of);
  return TEMPLATED.has(name) ? readTemplated(object, of) : { kind: 'other' };
};

interface Kind {
  readonly kind: string;
  readonly isKnative: boolean;
}

type Metadata = z.output<typeof podLikeSchema>['metadata'];
type TemplatedSpec = z.output<typeof templatedSchema>['spec'];

/** The parts of an object that describe its pods, wherever they are in it. */
interface Source {
  readonly annotations: Metadata['annotations'];
  readonly labels: Metadata['labels'];
  readonly spec: z.output<typeof podLikeSchema>['spec'];
  readonly outside: Metadata['annotations'];
  readonly outsideLabels?: Metadata['labels'];
  readonly replicas: number | undefined;
  readonly templateName?: string | undefined;
}

const readPodLike = (object: unknown, of: Kind): ReadWorkload => {
  const read = podLikeSchema.safeParse(object);
  if (!read.success) return unreadable(read.error, object);
  const { metadata, spec } = read.data;
  const { annotations, labels } = metadata;
  const pods = workloadOf(of, metadata, { annotations, labels, spec, outside: {}, replicas: undefined });
  return { kind: 'workload', workload: of.isKnative ? labelled(pods, of, metadata.name) : pods };
};

const labelled = (workload: Workload, of: Kind, name: string | undefined, spec?: TemplatedSpec): Workload => ({
  ...workload,
  writtenLabels: labelsOfControllers({
    ...of,
    name,
    service: workload.service,
    replicas: workload.replicas,
    startOrdinal: spec?.ordinals?.start,
    hasManualSelector: spec?.manualSelector === true,
    completions: spec?.completionMode === 'Indexed' ? spec.completions : undefined,
  }),
});

const readTemplated = (object: unknown, of: Kind): ReadWorkload => {
  const read = templatedSchema.safeParse(object);
  return read.success ? templated(of, read.data.metadata, read.data.spec) : unreadable(read.error, object);
};

const readCronJob = (object: unknown, of: Kind): ReadWorkload => {
  const read = cronJobSchema.safeParse(object);
  if (!read.success) return unreadable(read.error, object);
  const { metadata, spec } = read.data;
  const ofJobs = spec.jobTemplate.metadata;
  // What its Jobs get themselves, their pods get no more than what the CronJob has itself.
  const dropped = spec.template?.metadata;
  const annotations = { ...metadata.annotations, ...ofJobs?.annotations, ...dropped?.annotations };
  const labels = { ...metadata.labels, ...ofJobs?.labels, ...dropped?.labels };
  return templated(of, { ...metadata, annotations, labels }, spec.jobTemplate.spec);
};

const readService = (object: unknown, of: Kind): ReadWorkload => {
  const read = readTemplated(object, of);
  if (read.kind !== 'workload') return read;
  const routed = routedSchema.safeParse(object);
  if (!routed.success) return unreadable(routed.error, object);
  const { spec, status } = routed.data;
  const latestRevision = status?.latestCreatedRevisionName;
  return { kind: 'workload', workload: { ...read.workload, traffic: spec.traffic, latestRevision } };
};

const templated = (of: Kind, metadata: Metadata, spec: TemplatedSpec | undefined): ReadWorkload => {
  const { template, replicas, parallelism, strategy } = spec ?? {};
  const pods = workloadOf(of, metadata, {
    annotations: template?.metadata?.annotations,
    labels: template?.metadata?.labels,
    spec: template?.spec,
    templateName: of.isKnative ? template?.metadata?.name : undefined,
    outside: metadata.annotations,
    outsideLabels: metadata.labels,
    replicas: of.isKnative || of.kind === 'DaemonSet' ? undefined : (replicas ?? parallelism ?? 1),
  });
  const workload = labelled(pods, of, metadata.name, spec);
  if (of.kind !== 'Deployment' || !strategy) return { kind: 'workload', workload };
  return { kind: 'workload', workload: { ...workload, strategy: { type: strategy.type, ...strategy.rollingUpdate } } };
};

const workloadOf = ({ kind, isKnative }: Kind, metadata: Metadata, source: Source): Workload => {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  const { name = metadata.generateName ?? '', namespace = '' } = metadata;
  const own = metadata.labels ?? {};
  const { annotations = {}, labels, spec, outside = {}, outsideLabels, replicas, templateName } = source;
  return {
    kind,
    namespace,
    name,
    isKnative: isKnative || Object.hasOwn(own, REVISION_LABEL) || Object.hasOwn(own, SERVICE_UID),
    service: isKnative && kind === 'Service' ? name : own[SERVICE_LABEL],
    owner: owner && { kind: owner.kind, name: owner.name },
    annotations,
    outside,
    outsideLabels,
    templateName,
    template: { metadata: { labels, annotations }, spec },
    hostNetwork: spec?.hostNetwork === true,
    podSpec: readPodSpec(spec),
    volumes: spec?.volumes,
    replicas,
    isEnding: metadata.deletionTimestamp !== undefined,
  };
};
