import { appsResource } from '../../api/apps.ts';
import { POD, type Pod } from '../../api/core.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Kube } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import { ownerKey, unlessThere } from './deployments.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import {
  REVISION_HASH,
  controllerRevisionOf,
  statefulStatus,
  statefulSteps,
  type StatefulSet,
} from './stateful-rollout.ts';
import { isOwnedBy, ownedBy, podFrom } from './workloads.ts';
import { writeWorkloadStatus } from './workload-status.ts';

export const FULL_STATEFUL_SET = appsResource<StatefulSet>('statefulsets', 'StatefulSet');

/** Stand-in for the StatefulSet controller, without volumes and ControllerRevisions. */
export const runStatefulSets = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<void> =>
  followObjects(
    context,
    [{ resource: FULL_STATEFUL_SET }, { resource: POD, keyOf: (pod) => ownerKey(pod, 'StatefulSet') }],
    (key) => sync(kube, key),
    signal,
  );

const sync = async (kube: Kube, key: string): Promise<Requeue> => {
  const set = await kube.get(FULL_STATEFUL_SET, refOf(key));
  if (!set || set.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace } = set.metadata;
  const pods: readonly Pod[] = (await kube.list(POD, { namespace })).filter((pod) => isOwnedBy(pod, set));
  const { create, remove } = statefulSteps(set, pods);
  for (const ordinal of create) await unlessThere(kube.create(POD, podOf(set, ordinal)));
  for (const { metadata } of remove) await kube.delete(POD, { namespace, name: metadata.name }, { uid: metadata.uid });
  const status = statefulStatus(set, pods);
  await writeWorkloadStatus(kube, FULL_STATEFUL_SET, set, status);
  return 'done';
};

const podOf = (set: StatefulSet, ordinal: number) => {
  const { namespace, name: setName } = set.metadata;
  const name = `${setName}-${ordinal}`;
  return podFrom(
    set.spec.template,
    {
      namespace,
      name,
      labels: {
        [REVISION_HASH]: controllerRevisionOf(set),
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
      },
      ownerReferences: [ownedBy(set, 'StatefulSet')],
    },
    { hostname: name, subdomain: set.spec.serviceName },
  );
};
