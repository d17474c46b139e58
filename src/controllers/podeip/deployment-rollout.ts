import type { Pod } from '../../api/core.ts';
import { POD_TEMPLATE_HASH } from '../../api/knative.ts';
import { isGated, isGateOpen } from '../../api/pod.ts';
import type { PodEip } from '../../api/podeip.ts';

/**
 * The Deployment of the pod, by the name of its ReplicaSet, `<Deployment>-<hash of the template>`; undefined where the
 * pod has none. Source: kubernetes/kubernetes pkg/controller/deployment/sync.go, getNewReplicaSet.
 */
const deploymentOf = ({ metadata: { labels, ownerReferences } }: Pod): string | undefined => {
  const hash = labels?.[POD_TEMPLATE_HASH];
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  return hash !== undefined && owner?.kind === 'ReplicaSet' && owner.name.endsWith(`-${hash}`)
    ? owner.name.slice(0, -`-${hash}`.length)
    : undefined;
};

/**
 * Whether the PodEIP is that of another pod of the same Deployment, by their names: only for a message, because whoever
 * names a pod may choose its name. Names that were cut are not recognized.
 */
export const isOfSameDeployment = (pod: Pod, { metadata: { namespace, name, labels } }: PodEip): boolean => {
  const deployment = deploymentOf(pod);
  const hash = labels?.[POD_TEMPLATE_HASH];
  return (
    deployment !== undefined &&
    hash !== undefined &&
    namespace === pod.metadata.namespace &&
    name.startsWith(`${deployment}-${hash}-`)
  );
};

/**
 * Why the pod waits for another one of its Deployment, and what to do: a rolling update may keep the old pod until this
 * one is Ready, and with the readiness gate it is not Ready without its EIP.
 */
export const keptByDeployment = (pod: Pod, before: PodEip, allocationId: string): string => {
  const { name, labels } = before.metadata;
  const is = `${allocationId} is with pod ${name} of the same Deployment, and an EIP serves one pod`;
  if (labels?.[POD_TEMPLATE_HASH] === pod.metadata.labels?.[POD_TEMPLATE_HASH])
    return `${is}; this pod gets it when that one is gone; write replicas: 1`;
  const recreate = 'write strategy: { type: Recreate } into the Deployment';
  return isGated(pod) && !isGateOpen(pod)
    ? `${is}; a rolling update may keep that pod until this one is Ready, which its readiness gate keeps it from without the EIP: ${recreate}, so that the old pod ends first`
    : `${is}; this pod gets it when that one is gone: ${recreate}, so that the old pod ends first`;
};
