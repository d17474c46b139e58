import { ECI_ATTEMPT, ECI_PAY_AS_YOU_GO } from '../api/annotations.ts';
import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import type { ObservedPod, TrackedPod } from './observation.ts';
import type { PodAction } from './step.ts';
import { onRefusalOf, spotOf } from './translate/eci-annotations.ts';
import { attemptOf } from './translate/group.ts';
import type { WorkloadPod } from './workload-pod.ts';

/*
 * `k8s.aliyun.com/eci-spot-fallback: "true"`: where no spot instance is to be had, a pay-as-you-go instance is asked
 * for. That is another request, with a token of its own, so that it could be a second instance beside the first. It is
 * sent only
 *
 * - after an answer that is certain and for want of stock or price. With one token the cloud answers a request that has
 *   made an instance with that instance, and not with a refusal;
 * - once no other request for the pod can take effect any more, of this process or one before it, and
 * - after a look at the account by the tags of the pod that shows none, which was asked for later than that.
 *
 * The pod says so first, in one write with the number of the attempt, which the token depends on: whoever comes after
 * this process asks for the same, and not for a spot instance again. Two processes at once, which nothing but the
 * configuration keeps apart where there is no election, may each ask for one for a moment: the second one is ended.
 */

/**
 * What CreateContainerGroup answers where there are no instances of the kind at the price (ECI API reference,
 * CreateContainerGroup, error codes).
 */
const NONE_TO_BE_HAD: ReadonlySet<string> = new Set([
  'OperationDenied.NoStock',
  'Spot.NotMatched',
  'RecommendEmpty.InstanceTypeFamilyNotMatched',
]);

/** Whether a request for an instance was refused because there is no spot instance to be had. */
export const isWithoutSpot = (spec: ContainerGroupSpec | undefined, code: string): boolean =>
  spec?.spotStrategy !== undefined && spec.spotStrategy !== 'NoSpot' && NONE_TO_BE_HAD.has(code);

/** The pod is to be run by a pay-as-you-go instance from now on; undefined where it is not, or not yet. */
export const payAsYouGo = ({ pod, memory }: ObservedPod, unsureMs: number): PodAction | undefined => {
  const { refusal } = memory;
  if (refusal?.withoutSpot === undefined || spotOf(pod.metadata) !== 'or-pay-as-you-go') return undefined;
  if (unsureMs > 0) return undefined;
  const annotations = {
    [ECI_ATTEMPT]: String(attemptOf(pod) + 1),
    [ECI_PAY_AS_YOU_GO]: `${pod.metadata.uid} ${refusal.withoutSpot}`,
  };
  return { do: 'WriteStatus', annotations };
};

/**
 * Whether the pod fails for a refusal, and keeps others of its controller waiting: not while something else is
 * tried.
 */
export const failsFor = (pod: WorkloadPod, isSpotOut: boolean): boolean =>
  onRefusalOf(pod) === 'fails' && !(isSpotOut && spotOf(pod.metadata) === 'or-pay-as-you-go');

/** Without the refusal of a spot instance, once a pay-as-you-go instance is to run the pod. */
export const withoutSpotRefusal = (seen: ObservedPod): ObservedPod => {
  const { refusal, ...memory }: TrackedPod = seen.memory;
  const isPast = refusal?.withoutSpot !== undefined && spotOf(seen.pod.metadata) === 'pay-as-you-go';
  return isPast ? { ...seen, memory } : seen;
};
