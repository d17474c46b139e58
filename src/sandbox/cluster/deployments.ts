import { POD } from '../../api/core.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, KubeObject } from '../../kube/port.ts';
import { keyOf, refOf } from '../../kube/store.ts';
import { follow, type Ground } from './follow.ts';
import { DEPLOYMENT, isOwnedBy, podOf, REPLICA_SET, replicaSetOf, type Workload } from './workloads.ts';

/**
 * Stand-ins for the deployment and the replica-set controller: as many pods as asked for, of the present template. A
 * rollout replaces everything at once. What is left of deleted owners is the garbage collector's.
 */
export const runDeployments = (ground: Ground, kube: Kube, signal: AbortSignal): Promise<unknown> =>
  Promise.all([
    follow(ground, [{ resource: DEPLOYMENT }], (key) => syncDeployment(kube, key), signal),
    follow(
      ground,
      [{ resource: REPLICA_SET }, { resource: POD, keyOf: (pod) => ownerKey(pod, 'ReplicaSet') }],
      (key) => syncReplicaSet(kube, key),
      signal,
    ),
  ]);

const ownerKey = ({ metadata }: KubeObject, kind: string): string | undefined => {
  const owner = metadata.ownerReferences?.find((it) => it.kind === kind && it.controller);
  return owner && keyOf({ namespace: metadata.namespace, name: owner.name });
};

const syncDeployment = async (kube: Kube, key: string): Promise<'done'> => {
  const deployment = await kube.get(DEPLOYMENT, refOf(key));
  if (!deployment || deployment.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace } = deployment.metadata;
  const wanted = replicaSetOf(deployment);
  const { name } = wanted.metadata as { name: string };
  const all = (await kube.list(REPLICA_SET, { namespace })).filter((it) => isOwnedBy(it, deployment));
  if (!all.some((it) => it.metadata.name === name)) await unlessThere(kube.create(REPLICA_SET, wanted));
  for (const replicaSet of all) {
    const replicas = replicaSet.metadata.name === name ? (deployment.spec.replicas ?? 1) : 0;
    if (replicaSet.spec.replicas !== replicas) await scale(kube, replicaSet, replicas);
  }
  return 'done';
};

const scale = (kube: Kube, { metadata: { namespace, name } }: Workload, replicas: number) =>
  kube.patch(REPLICA_SET, { namespace, name }, { type: 'merge', body: { spec: { replicas } } });

const unlessThere = async (creation: Promise<unknown>): Promise<void> => {
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
  const pods = (await kube.list(POD, { namespace })).filter(
    (pod) => isOwnedBy(pod, replicaSet) && pod.metadata.deletionTimestamp === undefined,
  );
  const { replicas = 1 } = replicaSet.spec;
  for (let missing = replicas - pods.length; missing > 0; missing -= 1) await kube.create(POD, podOf(replicaSet));
  for (const { metadata } of pods.slice(replicas))
    await kube.delete(POD, { namespace, name: metadata.name }, { uid: metadata.uid });
  return 'done';
};
