import {
  CONFIGURATION_GENERATION,
  CONFIGURATION_LABEL,
  POD_TEMPLATE_HASH,
  REVISION_LABEL,
  REVISION_UID,
  SERVICE_LABEL,
  SERVICE_UID,
} from '../api/knative.ts';
import type { WrittenLabel } from '../rules/written-labels.ts';

/** What makes pods, as far as it says which labels they get beside those of their template. */
interface PodMaker {
  /** Without its group, as in the manifest. */
  readonly kind: string;
  readonly isKnative: boolean;
  /** Undefined where the API server makes it up. */
  readonly name: string | undefined;
  /** The Knative Service that it is, or belongs to. */
  readonly service: string | undefined;
  readonly replicas: number | undefined;
  readonly startOrdinal: number | undefined;
  /** Of a Job, or of those of a CronJob. */
  readonly hasManualSelector: boolean;
  /** Of an Indexed Job; undefined for others. */
  readonly completions: number | undefined;
}

/** Of more pods the values are as good as not known. */
const MOST_PODS = 100;

/**
 * The labels that pods get when they are made, and that no template has. Sources: kubernetes/kubernetes
 * pkg/registry/batch/job (generateSelector), pkg/controller/job (job-completion-index), pkg/controller/statefulset
 * (updateIdentity, setPodRevision) and pkg/controller/deployment (getNewReplicaSet); knative/serving
 * pkg/reconciler/revision/resources/meta.go. Those of a DaemonSet are left out: nothing selects its pods.
 */
export const labelsOfControllers = (maker: PodMaker): readonly WrittenLabel[] => {
  const { kind, name, replicas, startOrdinal = 0 } = maker;
  if (maker.isKnative) return ofKnative(maker);
  switch (kind) {
    case 'Job':
      return ofJob(maker, known(name));
    case 'CronJob':
      // The name of each Job ends with the minute that it was due.
      return ofJob(maker, 'unknown');
    case 'StatefulSet': {
      const by = 'the StatefulSet controller';
      const ordinals = countedFrom(startOrdinal, replicas);
      return [
        { key: 'statefulset.kubernetes.io/pod-name', values: joined(name, ordinals), by },
        { key: 'apps.kubernetes.io/pod-index', values: ordinals, by },
        { key: 'controller-revision-hash', values: 'unknown', by },
      ];
    }
    case 'Deployment':
      return [{ key: POD_TEMPLATE_HASH, values: 'unknown', by: 'the Deployment controller' }];
    default:
      return [];
  }
};

type Values = WrittenLabel['values'];

const known = (value: string | undefined): Values => (value === undefined || value === '' ? 'unknown' : [value]);

const countedFrom = (first: number, count: number | undefined): Values =>
  count === undefined || !(count >= 1 && count <= MOST_PODS)
    ? 'unknown'
    : Array.from({ length: count }, (_, index) => String(first + index));

const joined = (name: string | undefined, ordinals: Values): Values =>
  name === undefined || ordinals === 'unknown' ? 'unknown' : ordinals.map((ordinal) => `${name}-${ordinal}`);

const ofJob = ({ hasManualSelector, completions }: PodMaker, name: Values): readonly WrittenLabel[] => {
  const by = 'the Job controller';
  const generated = hasManualSelector
    ? []
    : [
        ...['batch.kubernetes.io/job-name', 'job-name'].map((key) => ({ key, values: name, by })),
        ...['batch.kubernetes.io/controller-uid', 'controller-uid'].map((key) => ({
          key,
          values: 'unknown' as const,
          by,
        })),
      ];
  return completions === undefined
    ? generated
    : [...generated, { key: 'batch.kubernetes.io/job-completion-index', values: countedFrom(0, completions), by }];
};

const ofKnative = ({ kind, name, service: owner }: PodMaker): readonly WrittenLabel[] => {
  const by = 'Knative';
  const isService = kind === 'Service';
  const configuration = kind === 'Revision' ? undefined : known(name);
  const revision = kind === 'Revision' ? known(name) : 'unknown';
  return [
    ...(owner === undefined && !isService
      ? []
      : [
          { key: SERVICE_LABEL, values: known(isService ? name : owner), by },
          { key: SERVICE_UID, values: 'unknown' as const, by },
        ]),
    // A Revision has those of its Configuration itself.
    ...(configuration === undefined
      ? []
      : [
          { key: CONFIGURATION_LABEL, values: configuration, by },
          { key: CONFIGURATION_GENERATION, values: 'unknown' as const, by },
          { key: 'serving.knative.dev/configurationUID', values: 'unknown' as const, by },
        ]),
    { key: REVISION_LABEL, values: revision, by },
    { key: REVISION_UID, values: 'unknown', by },
    { key: 'app', values: revision, by },
    { key: POD_TEMPLATE_HASH, values: 'unknown', by: 'the Deployment controller' },
  ];
};
