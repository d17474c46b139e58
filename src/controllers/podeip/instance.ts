import { EIP_MADE_WITH, EIP_PENDING } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodRequest } from './pod-request.ts';
import { RETRY_MS, wait, type Step } from './step.ts';

/** Whether the pod runs, or is to run, on our own virtual node. */
const isOnOurs = ({ target }: PodRequest): boolean => target.on === 'eci' && target.by === 'ours';

/**
 * Whether the pod's instance came with an EIP of its own, so that any other would be its second. What the pod says of
 * its address is the virtual node's word then: whoever took it back would be contradicted at once, again and again.
 */
export const hasEipOfInstance = (asked: PodRequest): boolean => {
  const { metadata, status } = asked.pod;
  return Boolean(status?.podIP) && metadata.annotations?.[EIP_MADE_WITH] !== undefined && isOnOurs(asked);
};

/** Whether the virtual node waits with the instance until the EIP is bought. */
export const waitsForEip = ({ status }: Pod): boolean => !status?.podIP && status?.reason === EIP_PENDING;

/**
 * What has to come first where the pod is on our own virtual node: nothing is bought while that one may be about to
 * make an instance with an EIP of its own. Its instance is made only while its pod does not say that it waits for an
 * EIP, and after a look that has shown no PodEIP; here the PodEIP is there before the pod is read. So at least one of
 * the two sees the other, whichever comes first, and whatever policy or configuration each of them decided by.
 */
export const awaitsInstance = (asked: PodRequest): Step | undefined =>
  isOnOurs(asked) && !asked.pod.status?.podIP && !waitsForEip(asked.pod)
    ? wait('NoPodIP', 'the virtual node does not wait for this EIP at present', RETRY_MS)
    : undefined;
