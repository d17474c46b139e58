import { appsResource } from '../../api/apps.ts';
import { NODE, POD, type Pod } from '../../api/core.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Kube, KubeObject } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import { kindOf } from '../../request/placement.ts';
import { isReady, ownerKey } from './deployments.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import { hasEnded } from './pod-status.ts';
import { REVISION_HASH } from './stateful-rollout.ts';
import { hash, isOwnedBy, ownedBy, podFrom, type FullPodTemplate } from './workloads.ts';
import { writeWorkloadStatus } from './workload-status.ts';

interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly template: FullPodTemplate;
    readonly updateStrategy?: { readonly type?: string | undefined };
  };
  readonly status?: object | undefined;
}

export const DAEMON_SET = appsResource<DaemonSet>('daemonsets', 'DaemonSet');

/**
 * Stand-in for the DaemonSet controller, without selectors, surge and ControllerRevisions: one pod on each ECS node,
 * replaced one after the other. Virtual nodes have a taint that daemons do not tolerate.
 */
export const runDaemonSets = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<void> =>
  followObjects(
    context,
    [{ resource: DAEMON_SET }, { resource: POD, keyOf: (pod) => ownerKey(pod, 'DaemonSet') }],
    (key) => sync(kube, key),
    signal,
  );

const sync = async (kube: Kube, key: string): Promise<Requeue> => {
  const set = await kube.get(DAEMON_SET, refOf(key));
  if (!set || set.metadata.deletionTimestamp !== undefined) return 'done';
  const { namespace, generation } = set.metadata;
  const nodes = (await kube.list(NODE)).filter((node) => kindOf(node).kind === 'ecs');
  const pods = (await kube.list(POD, { namespace })).filter((pod) => isOwnedBy(pod, set));
  const present = hash(JSON.stringify(set.spec.template));
  const isCurrent = ({ metadata }: Pod) => metadata.labels?.[REVISION_HASH] === present;
  const alive = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  for (const node of nodes)
    if (!pods.some(({ spec }) => spec.nodeName === node.metadata.name))
      await kube.create(POD, podOf(set, node.metadata.name, present));
  const ended = alive.filter(hasEnded);
  // At most one node is without its daemon.
  const isWhole = alive.length === nodes.length && alive.every(isReady);
  const replaces = isWhole && set.spec.updateStrategy?.type !== 'OnDelete';
  const outdated = replaces ? alive.filter((pod) => !isCurrent(pod)).slice(0, 1) : [];
  for (const { metadata } of [...ended, ...outdated])
    await kube.delete(POD, { namespace, name: metadata.name }, { uid: metadata.uid });
  const ready = alive.filter(isReady).length;
  const status = {
    desiredNumberScheduled: nodes.length,
    currentNumberScheduled: alive.length,
    updatedNumberScheduled: alive.filter(isCurrent).length,
    numberReady: ready,
    numberAvailable: ready,
    numberMisscheduled: 0,
    observedGeneration: generation,
  };
  await writeWorkloadStatus(kube, DAEMON_SET, set, status);
  return 'done';
};

const podOf = (set: DaemonSet, nodeName: string, revision: string) =>
  podFrom(
    set.spec.template,
    {
      namespace: set.metadata.namespace,
      generateName: `${set.metadata.name}-`,
      labels: { [REVISION_HASH]: revision },
      ownerReferences: [ownedBy(set, 'DaemonSet')],
    },
    { nodeName },
  );
