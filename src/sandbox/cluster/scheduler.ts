import { NAMESPACE, NODE, type Pod } from '../../api/core.ts';
import { kindOf } from '../../request/placement.ts';
import { targetOfTemplate } from '../../request/target.ts';
import type { Kube } from '../../kube/port.ts';

/**
 * The node for a pod: a virtual one for a pod that is sent to ECI by its labels, its namespace's or its selectors, as
 * ACK's scheduler for ECI does; otherwise the ECS node that is given. Undefined where there is none, and the pod stays
 * Pending. Source: ACK documentation of virtual nodes.
 */
export const chooseNode = async (kube: Kube, pod: Pod, ecsNode: string | undefined): Promise<string | undefined> => {
  const namespace = await kube.get(NAMESPACE, { name: pod.metadata.namespace ?? 'default' });
  if (targetOfTemplate(pod, namespace?.metadata.labels ?? {}).on === 'eci')
    return (await kube.list(NODE)).find((node) => kindOf(node).kind !== 'ecs')?.metadata.name;
  return pod.spec.nodeSelector === undefined ? ecsNode : undefined;
};
