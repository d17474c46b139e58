import { ECI_INSTANCE_ID, EIP_PENDING } from '../api/annotations.ts';
import { isFinal } from '../api/pod.ts';
import type { CloudFault } from '../cloud/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { Requeue } from '../kube/reconcile-loop.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { GIVEN_UP, inSameWords, isSaid, waitingStatus, type Failure } from './instance-status.ts';
import type { PodTracker } from './tracker.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

interface TroublePorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracker: PodTracker;
  readonly record: (about: ObjectReference, happening: Happening) => void;
}

/**
 * The cloud refused a step for a pod, or did not answer. A refusal that lasts is told once: a line of the log and an
 * Event; and in the status of a pod that has no instance yet, for as long as it lasts.
 */
export const onFault = async (
  { kube, clock, log, tracker, record }: TroublePorts,
  fault: CloudFault,
  { pod, step }: { readonly pod: WorkloadPod; readonly step: string },
  signal: AbortSignal,
): Promise<Requeue> => {
  const { uid, namespace, name } = pod.metadata;
  const { kind, action, code, requestId, message, retryAfterMs } = fault;
  const { trouble, isUnreported } = tracker.faults.failed(uid, step, fault);
  log[isUnreported ? 'warn' : 'debug']({ pod: `${namespace}/${name}`, kind, action, code, requestId }, message);
  if (trouble && isUnreported && !isSaid(pod, trouble)) record(referenceTo(pod.metadata), troubleEvent(trouble));
  // The pod hears of its own change, and is looked at again at once: answers that alternate would void the back-off.
  const isDue = isUnreported || tracker.mayRestate(uid);
  const status = trouble && isDue && isWaiting(pod) && waitingStatus(pod, inSameWords(pod, trouble), clock.now());
  if (status) {
    tracker.stated(uid);
    const body = { metadata: { uid }, status };
    await kube.patch(WORKLOAD_POD, { namespace, name }, { type: 'strategic', subresource: 'status', body }, signal);
  }
  return retryAfterMs === undefined ? 'backoff' : { afterMs: retryAfterMs };
};

/** The same for a pod whose object is gone, and whose instance is to end. */
export const onFaultOfFormer = (
  { log, tracker, record }: Omit<TroublePorts, 'kube' | 'clock'>,
  fault: CloudFault,
  { namespace, name, uid }: Omit<ObjectReference, 'apiVersion' | 'kind'>,
): Requeue => {
  const { kind, action, code, requestId, message, retryAfterMs } = fault;
  const { trouble, isUnreported } = tracker.faults.failed(uid, END_FORMER, fault);
  const fields = { pod: `${namespace}/${name}`, podUid: uid, kind, action, code, requestId };
  log[isUnreported ? 'warn' : 'debug'](fields, message);
  if (trouble && isUnreported) record(referenceTo({ namespace, name, uid }), troubleEvent(trouble));
  return retryAfterMs === undefined ? 'backoff' : { afterMs: retryAfterMs };
};

/** The step that ends the instance of a pod whose object is gone. */
export const END_FORMER = 'EndFormer';

/**
 * Whether the status of the pod is free to say why it has no instance. The PodEIP controller waits for EIP_PENDING, and
 * GIVEN_UP is all that keeps the next process from asking.
 */
const isWaiting = (pod: WorkloadPod): boolean =>
  pod.status?.startTime === undefined &&
  pod.status?.reason !== EIP_PENDING &&
  pod.status?.reason !== GIVEN_UP &&
  pod.metadata.annotations?.[ECI_INSTANCE_ID] === undefined &&
  pod.metadata.deletionTimestamp === undefined &&
  !isFinal(pod);

export const referenceTo = ({
  namespace,
  name,
  uid,
}: Omit<ObjectReference, 'apiVersion' | 'kind'>): ObjectReference => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace,
  name,
  uid,
});

export const troubleEvent = ({ reason, message }: Failure): Happening => ({
  type: 'Warning',
  reason,
  action: 'Run',
  note: message,
});
