import { createHash } from 'node:crypto';
import type { StoreEvent } from '../kube/mirror.ts';
import type { KubeObject } from '../kube/port.ts';
import { createReflector, type Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { isOwnCondition } from './instance-status.ts';
import { WORKLOAD_POD, type WorkloadPod, type WorkloadStatus } from './workload-pod.ts';

/**
 * The part of a pod that the watch of the node keeps: enough to tell which pod to reconcile. No decision is based on
 * it.
 */
interface WatchedPod extends KubeObject {
  /** A digest of the status, as far as it matters. */
  readonly status: string;
}

/** The pods that are bound to the node. */
export type PodWatch = Reflector<WatchedPod>;

/** Watches the pods that are bound to the node. Run by `runVirtualNode`, and not to be run before. */
export const createPodWatch = (
  options: Omit<
    ReflectorOptions<WorkloadPod, WatchedPod>,
    'resource' | 'keep' | 'indexes' | 'fieldSelector' | 'namespace' | 'labelSelector'
  >,
  nodeName: string,
): PodWatch =>
  createReflector<WorkloadPod, WatchedPod>({
    ...options,
    resource: WORKLOAD_POD,
    fieldSelector: `spec.nodeName=${nodeName}`,
    keep: ({ metadata, status }) => {
      const { name, namespace, uid, resourceVersion, deletionTimestamp, annotations = {}, finalizers } = metadata;
      const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...kept } = annotations;
      return {
        metadata: { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, annotations: kept },
        status: digestOf(status),
      };
    },
  });

/**
 * What of the status is put right when somebody else has written it, which is all that the virtual node writes: the
 * node-lifecycle controller, for one, marks every pod of a node as not ready whose heartbeat is late, and nobody else
 * takes that back. Of the conditions of others it matters whether they are true, for readiness gates. Times do not
 * matter.
 */
const digestOf = ({ conditions = [], ...status }: WorkloadStatus = {}): string => {
  const told = conditions.map(({ type, status: value, reason = '', message = '' }) =>
    isOwnCondition(type) ? [type, value, reason, message] : [type, value],
  );
  return createHash('sha256')
    .update(JSON.stringify([status, told]))
    .digest('base64');
};

/** Whether a change of a pod requires a reconciliation; a new resource version alone does not. */
export const isRelevantChange = ({ type, object, old }: StoreEvent<WatchedPod>): boolean =>
  type !== 'updated' || old === undefined || relevantPartOf(object) !== relevantPartOf(old);

const relevantPartOf = ({ metadata, status }: WatchedPod): string => {
  const { resourceVersion: _, ...kept } = metadata;
  return JSON.stringify([kept, status]);
};
