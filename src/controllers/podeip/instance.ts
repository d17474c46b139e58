import { EIP_MADE_WITH, EIP_PENDING } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodRequest } from './pod-request.ts';
import { RETRY_MS, wait, type Step } from './step.ts';

/** Whether the pod runs, or will run, on our own virtual node. */
const isOnOurs = ({ target }: PodRequest): boolean => target.on === 'eci' && target.by === 'ours';

/**
 * Whether the pod's instance was created with an EIP of its own, so that any other would be its second. The address
 * that the pod shows was written by the virtual node then, which would write it again if it were removed.
 */
export const hasEipOfInstance = (asked: PodRequest): boolean => {
  const { metadata, status } = asked.pod;
  return Boolean(status?.podIP) && metadata.annotations?.[EIP_MADE_WITH] !== undefined && isOnOurs(asked);
};

/** Whether the virtual node waits for the EIP before it creates the instance. */
export const waitsForEip = ({ status }: Pod): boolean => !status?.podIP && status?.reason === EIP_PENDING;

/**
 * What must come first if the pod is on our own virtual node: nothing is bought while that node may be about to create
 * an instance with an EIP of its own. It does so only while the pod does not say that it waits for an EIP, and after a
 * read that has shown no PodEIP. Here, the PodEIP is written before the pod is read. So at least one of the two sees
 * the other, in any order, and whatever policy or configuration each of them has read.
 */
export const awaitsInstance = (asked: PodRequest): Step | undefined =>
  isOnOurs(asked) && !asked.pod.status?.podIP && !waitsForEip(asked.pod)
    ? wait('NoPodIP', 'the virtual node does not wait for this EIP at present', RETRY_MS)
    : undefined;
