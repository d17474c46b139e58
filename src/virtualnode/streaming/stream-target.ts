import type { ContainerGroup, ContainerGroups } from '../../cloud/container-groups.ts';
import type { Kube } from '../../kube/port.ts';
import { Refusal } from '../kubelet-refusal.ts';
import { nodeTags, TAG_POD_UID } from '../translate/group.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../workload-pod.ts';

/** What is needed to find the instance of a pod. */
export interface TargetParts {
  readonly kube: Kube;
  readonly containerGroups: Pick<ContainerGroups, 'describeContainerGroups'>;
  readonly nodeName: string;
  readonly clusterUid: string;
}

/** The pod that a request names. */
export interface NamedPod {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: whichever has this name. */
  readonly uid: string | undefined;
}

/** A pod of this node, and its instance. */
interface Target {
  readonly pod: WorkloadPod;
  readonly group: ContainerGroup;
}

/** Rejects with a Refusal, in the kubelet's words (kubernetes pkg/kubelet/server/server.go), or with a fault. */
export const findTarget = async (
  { kube, containerGroups, nodeName, clusterUid }: TargetParts,
  { namespace, name, uid }: NamedPod,
  signal: AbortSignal,
): Promise<Target> => {
  const pod = await kube.get(WORKLOAD_POD, { namespace, name }, signal);
  if (pod?.spec.nodeName !== nodeName || (uid !== undefined && pod.metadata.uid !== uid))
    throw new Refusal(404, 'pod does not exist');
  // Found by its tags: anybody who may write the pod could put another instance's ID there.
  const tags = [...nodeTags(clusterUid, nodeName), { key: TAG_POD_UID, value: pod.metadata.uid }];
  const [group] = await containerGroups.describeContainerGroups({ tags }, signal);
  if (!group) throw new Refusal(404, `pod ${JSON.stringify(name)} has no elastic container instance now`);
  return { pod, group };
};

/** @throws Refusal if the container is none of the pod's, or does not run */
export const checkRunning = ({ pod, group }: Target, containerName: string): void => {
  const { containers, initContainers = [] } = pod.spec;
  if (![...containers, ...initContainers].some(({ name }) => name === containerName))
    throw new Refusal(404, `container not found (${JSON.stringify(containerName)})`);
  const container = [...group.containers, ...group.initContainers].find(({ name }) => name === containerName);
  const { state = 'Waiting', reason } = container?.currentState ?? {};
  if (state === 'Running') return;
  const which = `container ${JSON.stringify(containerName)} in pod ${JSON.stringify(pod.metadata.name)}`;
  throw new Refusal(400, `${which} is not running: it is ${state}${reason === undefined ? '' : ` (${reason})`}`);
};
