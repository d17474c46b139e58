import { TAG_PREFIX } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { provesOwnership } from './record.ts';
import type { Settings } from './observation.ts';
import { justAccepted, type PodEipSituation, type Situation } from './situation.ts';
import { fail, POLL_MS, wait, type Result, type Step } from './step.ts';

/** "Not listed" means "not yet" for something new, and may come from a replica that lags for anything. */
export const isMissing = ({ seen: { memory }, settings: { missingMs } }: Situation): boolean =>
  memory.missingMs >= missingMs;

export const notVisibleYet = (allocationId: string): Result =>
  wait('EipNotVisibleYet', `${allocationId} is not listed; looking again before it counts as gone`, POLL_MS);

/**
 * What has to happen before the EIP counts as bought for this PodEIP; undefined once its tags prove that. An adopted
 * EIP gets the tags if it carries none of ours yet.
 */
export const proveOurs = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { seen, podEip, settings } = it;
  if (provesOwnership(eip, podEip, settings.clusterUid)) return undefined;
  const { allocationId } = eip;
  if (mayTag(it, eip)) {
    return justAccepted('Tag', it)
      ? wait('EipNotVisibleYet', `the tags of ${allocationId} are not listed yet`, POLL_MS)
      : { do: 'Tag', podEip, allocationId };
  }
  return seen.memory.quietMs >= settings.settleMs
    ? fail('EipNotOurs', `${allocationId} does not carry the tags that it was bought with and is left alone`)
    : wait('EipNotVisibleYet', `the tags of ${allocationId} are not listed yet`, POLL_MS);
};

/** Nobody has marked the EIP as theirs in our way. */
export const isUntagged = (eip: Eip): boolean => ![...eip.tags.keys()].some((key) => key.startsWith(TAG_PREFIX));

/**
 * Whether the EIP may get the tags that make it this PodEIP's. The note of an adoption can be forged, the time that the
 * API server has set cannot: whoever may write PodEIPs could otherwise have us tag, and then release, any EIP of the
 * account.
 */
export const mayTag = ({ podEip, record, settings }: PodEipSituation, eip: Eip): boolean =>
  record.isAdopted && isOfBefore(podEip, settings) && isUntagged(eip) && !eip.serviceManaged;

/** Whether the PodEIP was made before the time up to which the operator has PodEIPs of other controllers taken over. */
export const isOfBefore = ({ metadata }: PodEip, { adoptBefore }: Settings): boolean =>
  adoptBefore !== undefined && Date.parse(metadata.creationTimestamp ?? '') < adoptBefore;
