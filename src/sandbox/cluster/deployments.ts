import { POD, type Pod } from '../../api/core.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, KubeObject } from '../../kube/port.ts';
import { keyOf, refOf } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import { countsOf, progressOf, rollOut } from './rollout.ts';
import { FULL_DEPLOYMENT, isOwnedBy, podOf, REPLICA_SET, replicaSetOf, type DeployedWorkload } from './workloads.ts';
import { writeWorkloadStatus } from './workload-status.ts';

/**
 * Stand-ins for the deployment and the replica-set controller: as many pods as asked for, of the present template,
 * rolled out within surge and unavailability. What is left of deleted owners is the garbage collector's.
 */
export const runDeployments = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<unknown> =>
  Promise.all([
    followObjects(
      context,
      [{ resource: FULL_DEPLOYMENT }, { resource: REPLICA_SET, keyOf: (it) => ownerKey(it, 'Deployment') }],
      (key) => syncDeployment(kube, context.clock, key),
      signal,
    ),
    followObjects(
      context,
      [{ resource: REPLICA_SET }, { resource: POD, keyOf: (pod) => ownerKey(pod, 'ReplicaSet') }],
      (key) => syncReplicaSet(kube, key),
      signal,
    ),
  ]);

/** The key of the controller that made an object, where it is one of this kind. */
export const ownerKey = ({ metadata }: KubeObject, kind: string): string | undefined => {
  const owner = metadata.ownerReferences?.find((it) => it.kind === kind && it.controller);
  return owner && keyOf({ namespace: metadata.namespace, name: owner.name });
};

const syncDeployment = async (kube: Kube, clock: Clock, key: string): Promise<Requeue> => {
  const deployment = await kube.get(FULL_DEPLOYMENT, refOf(key));
  if (!deployment || deployment.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace } = deployment.metadata;
  const { replicas: desired = 1, strategy } = deployment.spec;
  const all = (await kube.list(REPLICA_SET, { namespace })).filter((it) => isOwnedBy(it, deployment));
  const wanted = replicaSetOf(deployment);
  const there = all.find((it) => it.metadata.name === wanted.metadata.name);
  if (!there) await unlessThere(kube.create(REPLICA_SET, wanted));
  const current = there ?? (await kube.get(REPLICA_SET, wanted.metadata));
  if (!current) return 'now';
  const old = all.filter((it) => it.metadata.uid !== current.metadata.uid);
  const scales = rollOut(desired, strategy, current, old);
  for (const replicaSet of [current, ...old]) {
    const replicas = scales.get(replicaSet.metadata.name);
    if (replicas !== undefined && replicaSet.spec.replicas !== replicas) await scale(kube, replicaSet, replicas);
  }
  const counts = countsOf(current, old);
  const { condition, leftMs } = progressOf(deployment, current, { counts, isNew: !there }, clock.now());
  await writeWorkloadStatus(kube, FULL_DEPLOYMENT, deployment, {
    ...counts,
    conditions: [condition],
    observedGeneration: deployment.metadata.generation,
  });
  return leftMs === undefined ? 'done' : { afterMs: leftMs };
};

const scale = (kube: Kube, { metadata: { namespace, name } }: DeployedWorkload, replicas: number) =>
  kube.patch(REPLICA_SET, { namespace, name }, { type: 'merge', body: { spec: { replicas } } });

/** A creation that somebody else may have been faster with. */
export const unlessThere = async (creation: Promise<unknown>): Promise<void> => {
  try {
    await creation;
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'exists')) throw error;
  }
};

const syncReplicaSet = async (kube: Kube, key: string): Promise<'done'> => {
  const replicaSet = await kube.get(REPLICA_SET, refOf(key));
  if (!replicaSet || replicaSet.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace } = replicaSet.metadata;
  const mine = (await kube.list(POD, { namespace })).filter((pod) => isOwnedBy(pod, replicaSet));
  const pods = mine.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status?.phase !== 'Failed' && status?.phase !== 'Succeeded',
  );
  const { replicas = 1 } = replicaSet.spec;
  for (let missing = replicas - pods.length; missing > 0; missing -= 1) await kube.create(POD, podOf(replicaSet));
  const dispensable = pods.toSorted((a, b) => Number(isReady(b)) - Number(isReady(a))).slice(replicas);
  for (const { metadata } of dispensable)
    await kube.delete(POD, { namespace, name: metadata.name }, { uid: metadata.uid });
  const readyReplicas = pods.filter(isReady).length;
  await writeWorkloadStatus(kube, REPLICA_SET, replicaSet, {
    replicas: pods.length,
    readyReplicas,
    availableReplicas: readyReplicas,
    observedGeneration: replicaSet.metadata.generation,
  });
  return 'done';
};

/** Whether the pod's condition Ready is True. */
export const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True') ?? false;
