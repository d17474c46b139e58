import type { Pod } from '../../api/core.ts';
import { CONFIGURATION_GENERATION } from '../../api/knative.ts';
import { isGated, isGateOpen } from '../../api/pod.ts';
import type { PodEip } from '../../api/podeip.ts';
import { GOES_ON, LATER } from '../../policies/policy.ts';
import { isSameService } from './handover-order.ts';
import { revisionOf } from './service-routing.ts';

const generationOf = ({ metadata: { labels } }: PodEip): number =>
  Number(labels?.[CONFIGURATION_GENERATION] ?? Number.NaN);

/**
 * The PodEIP of an older Revision that keeps the EIP for which this pod waits: Knative stops that pod once this one is
 * Ready, and its gate keeps it from that. Undefined where there is none, or where it is giving its EIP back.
 *
 * @param ofService the PodEIPs of the Service, as the cache has them
 */
const keptBefore = (pod: Pod, podEip: PodEip, ofService: Iterable<PodEip>): PodEip | undefined =>
  isGated(pod) && !isGateOpen(pod)
    ? [...ofService]
        .filter(
          (it) =>
            isSameService(podEip, it) &&
            generationOf(it) < generationOf(podEip) &&
            it.metadata.deletionTimestamp === undefined &&
            it.spec.allocationType.type === 'Auto' &&
            it.spec.allocationID !== '',
        )
        .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0]
    : undefined;

/**
 * The message to a pod for which there is no EIP, with what keeps its rollout and what to do, where that is an older
 * Revision of its own Service: then nothing goes on by itself. Otherwise the message as it is.
 *
 * @param message of a limit of the namespace, or the cloud's about its quota
 */
export const sayRollout = (
  message: string,
  { pod, podEip }: { readonly pod: Pod | null; readonly podEip: PodEip | null },
  ofService: (podEip: PodEip) => Iterable<PodEip>,
): string => {
  const before = pod && podEip && keptBefore(pod, podEip, ofService(podEip));
  if (!before) return message;
  const revision = revisionOf(before);
  const because = `pod ${before.metadata.name} of Revision ${revision} of the same Knative Service has one, and Knative keeps it until this pod is Ready, which it is not without an EIP: a rollout needs room for one more`;
  const remedy = `have the limit raised, or delete Revision ${revision}, and requests fail until this pod is Ready`;
  const rest = message.endsWith(`; ${LATER}`) ? message.slice(0, -`; ${LATER}`.length) : message;
  return `${rest}; ${because}; ${remedy}`;
};

/** Whether a limit of the namespace is said that leaves room once somebody else gives an EIP back. */
export const isForLater = (message: string): boolean => message.includes(GOES_ON);
