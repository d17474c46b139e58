import { POD } from '../../api/core.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import { refOf } from '../../kube/store.ts';
import { isReady } from '../cluster/deployments.ts';
import { FULL_DEPLOYMENT } from '../cluster/workloads.ts';
import { deploymentNameOf, progressDeadlineMs } from './chain.ts';
import { LABEL } from './child-metadata.ts';
import { FULL_POD_AUTOSCALER, REVISION, type ResourceCondition } from './resources.ts';
import { decideScale } from './scale-bounds.ts';
import { knativeConditionOf, overallReadiness, writeStatus, type Hands } from './knative-status.ts';
import type { Traffic } from './traffic.ts';

/**
 * Scales the Deployment of a PodAutoscaler as {@link decideScale} says, and tells why in the PodAutoscaler's status.
 * Source: knative/serving pkg/reconciler/autoscaling/kpa/kpa.go.
 */
export const createAutoscaler = (hands: Hands, traffic: Traffic, stableWindowMs: number) => {
  const { kube, clock } = hands;
  /** UIDs of the PodAutoscalers that have been given up once. */
  const timedOut = new Set<string>();

  return async (key: string): Promise<Requeue> => {
    const autoscaler = await kube.get(FULL_POD_AUTOSCALER, refOf(key));
    if (!autoscaler) traffic.forget(key);
    if (!autoscaler || autoscaler.metadata.deletionTimestamp !== undefined) return 'done';
    const { namespace, name, uid, annotations } = autoscaler.metadata;
    const deployment = await kube.get(FULL_DEPLOYMENT, { namespace, name: deploymentNameOf(autoscaler) });
    const revision = await kube.get(REVISION, { namespace, name });
    if (!deployment || !revision) return 'done';
    const labelSelector = `${LABEL.revisionUid}=${autoscaler.metadata.labels?.[LABEL.revisionUid] ?? ''}`;
    const pods = await kube.list(POD, { namespace, labelSelector });
    const ready = pods.filter(isReady).length;
    const active = knativeConditionOf(autoscaler, 'Active');
    const since = Date.parse(active?.lastTransitionTime ?? '');
    const { desired, replicas, isInitialized, afterMs, ...decided } = decideScale({
      annotations,
      reachability: autoscaler.spec.reachability ?? '',
      ready,
      active,
      activeForMs: Number.isNaN(since) ? 0 : clock.now() - since,
      isInitialized: knativeConditionOf(autoscaler, 'ScaleTargetInitialized')?.status === 'True',
      inFlight: traffic.inFlight(key),
      idleMs: traffic.idleMs(key),
      containerConcurrency: revision.spec.containerConcurrency ?? 0,
      stableWindowMs,
      progressDeadlineMs: progressDeadlineMs(autoscaler),
      hasTimedOut: timedOut.has(uid),
    });
    if (decided.active.reason === 'TimedOut') timedOut.add(uid);
    if (replicas !== undefined && deployment.spec.replicas !== replicas) {
      const body = { metadata: { uid: deployment.metadata.uid }, spec: { replicas } };
      await kube.patch(FULL_DEPLOYMENT, deployment.metadata, { type: 'merge', body });
    }
    const conditions: ResourceCondition[] = [
      decided.active,
      { type: 'ScaleTargetInitialized', status: isInitialized ? 'True' : 'Unknown' },
      { type: 'SKSReady', status: 'True' },
    ];
    await writeStatus(hands, FULL_POD_AUTOSCALER, autoscaler, {
      conditions: [...conditions, overallReadiness(conditions)],
      desiredScale: desired,
      actualScale: ready,
      serviceName: name,
      metricsServiceName: `${name}-private`,
    });
    return afterMs === undefined ? 'done' : { afterMs };
  };
};
