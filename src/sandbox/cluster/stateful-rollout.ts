import type { Pod } from '../../api/core.ts';
import type { KubeObject } from '../../kube/port.ts';
import { hasEnded } from './pod-status.ts';
import { hash, type FullPodTemplate } from './workloads.ts';

export interface StatefulSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined;
    readonly serviceName?: string | undefined;
    readonly template: FullPodTemplate;
    readonly podManagementPolicy?: string | undefined;
    readonly updateStrategy?:
      | { readonly type?: string | undefined; readonly rollingUpdate?: { readonly partition?: number } | undefined }
      | undefined;
  };
  readonly status?: { readonly currentRevision?: string | undefined } | undefined;
}

/** What a pod is made by the template of; its label. */
export const REVISION_HASH = 'controller-revision-hash';

export const controllerRevisionOf = ({ metadata, spec }: StatefulSet): string =>
  `${metadata.name}-${hash(JSON.stringify(spec.template))}`;

/** The number at the end of a pod's name; -1 where it has none. */
export const ordinalOf = ({ metadata: { name } }: KubeObject): number => {
  const digits = name.slice(name.lastIndexOf('-') + 1);
  return digits !== '' && Number.isInteger(Number(digits)) ? Number(digits) : -1;
};

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

const isGoing = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

/** Ready, and to stay. */
const stands = (pod: Pod | undefined): boolean => pod !== undefined && !isGoing(pod) && isReady(pod);

/** What a StatefulSet does next. */
interface Steps {
  /** The ordinals of the pods that are made. */
  readonly create: readonly number[];
  readonly remove: readonly Pod[];
}

/**
 * Pods come one after the other, each when all before it are Ready, and go and are replaced from the highest number
 * down. With podManagementPolicy Parallel they do not wait for each other, except when the template changes. A pod
 * whose containers have ended is replaced, under the same name. Source: kubernetes/kubernetes
 * pkg/controller/statefulset/stateful_set_control.go.
 */
export const statefulSteps = (set: StatefulSet, pods: readonly Pod[]): Steps => {
  const { replicas = 1, podManagementPolicy, updateStrategy } = set.spec;
  const isParallel = podManagementPolicy === 'Parallel';
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
  const ended = pods.filter((pod) => hasEnded(pod) && !isGoing(pod));
  if (ended.length > 0) return { create: [], remove: ended };
  const wanted = Array.from({ length: replicas }, (_, ordinal) => ordinal);
  const firstGap = wanted.find((ordinal) => !stands(byOrdinal.get(ordinal)));
  const missing = wanted.filter((ordinal) => !byOrdinal.has(ordinal));
  const create = isParallel ? missing : missing.filter((ordinal) => ordinal === firstGap);
  const surplus = pods.filter((pod) => ordinalOf(pod) >= replicas).toSorted((a, b) => ordinalOf(b) - ordinalOf(a));
  if (create.length > 0 || (firstGap !== undefined && !isParallel)) return { create, remove: [] };
  const leaving = surplus.filter((pod) => !isGoing(pod));
  if (isParallel ? leaving.length > 0 : surplus.length > 0)
    return { create, remove: isParallel ? leaving : surplus.slice(0, 1).filter((pod) => !isGoing(pod)) };
  if (updateStrategy?.type === 'OnDelete' || firstGap !== undefined) return { create, remove: [] };
  const { partition = 0 } = updateStrategy?.rollingUpdate ?? {};
  const revision = controllerRevisionOf(set);
  const outdated = wanted
    .filter((ordinal) => ordinal >= partition)
    .toReversed()
    .map((ordinal) => byOrdinal.get(ordinal))
    .find((pod) => pod?.metadata.labels?.[REVISION_HASH] !== revision);
  return { create, remove: outdated ? [outdated] : [] };
};

/** What `kubectl rollout status` and `kubectl get` read. */
export const statefulStatus = (set: StatefulSet, pods: readonly Pod[]): object => {
  const { replicas: desired = 1 } = set.spec;
  const updateRevision = controllerRevisionOf(set);
  const staying = pods.filter((pod) => !isGoing(pod));
  const ready = staying.filter(isReady);
  const updated = staying.filter(({ metadata }) => metadata.labels?.[REVISION_HASH] === updateRevision);
  const isDone = updated.length === desired && staying.length === desired && ready.length === desired;
  const currentRevision = isDone ? updateRevision : (set.status?.currentRevision ?? updateRevision);
  return {
    observedGeneration: set.metadata.generation,
    replicas: staying.length,
    readyReplicas: ready.length,
    availableReplicas: ready.length,
    updatedReplicas: updated.length,
    currentReplicas: staying.filter(({ metadata }) => metadata.labels?.[REVISION_HASH] === currentRevision).length,
    currentRevision,
    updateRevision,
    collisionCount: 0,
  };
};
