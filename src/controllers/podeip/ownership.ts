import { TAG_CLUSTER_UID, TAG_PODEIP_UID, TAG_PREFIX, UID_TO_KEEP } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { readMark, type MarkIssuer, type MarkReading } from '../../lib/mark.ts';
import type { Settings } from './observation.ts';
import { provesOwnership } from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, POLL_MS, wait, type Result, type Step } from './step.ts';

export const notVisibleYet = (allocationId: string): Result =>
  wait('EipNotVisibleYet', `${allocationId} is not listed; looking again before it counts as gone`, POLL_MS);

/**
 * What has to happen before the EIP counts as bought for this PodEIP; undefined once its tags prove that. An adopted
 * EIP, and one that was bought here and lost its tags on the way, gets them if it carries none of ours yet.
 */
export const proveOurs = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { seen, podEip, settings } = it;
  if (provesOwnership(eip, podEip, settings.clusterUid)) return undefined;
  const { allocationId } = eip;
  const tagging = tag(it, eip, 'EipNotOurs');
  if (tagging) return tagging;
  if (seen.memory.quietMs < settings.settleMs)
    return wait('EipNotVisibleYet', `the tags of ${allocationId} are not listed yet`, POLL_MS);
  return (
    recordAsTagged(it) ??
    fail(
      'EipNotOurs',
      `${allocationId} does not carry the tags that it was bought with and is left alone; ${howToTag(it)}`,
    )
  );
};

/**
 * Somebody wrote the ID of another EIP into the PodEIP: the one that carries its tags is looked up, and written down
 * again. Otherwise it would stay bound where the pod was. Undefined where none carries them.
 */
export const recordAsTagged = ({ seen, podEip }: PodEipSituation): Step | undefined => {
  if (!seen.tagged) return { do: 'ReadTaggedEips' };
  const ours = seen.tagged.find(({ allocationId }) => allocationId !== podEip.spec.allocationID);
  return ours && { do: 'Record', podEip, allocationId: ours.allocationId };
};

/**
 * Gives the EIP its tags, once; undefined where it may not get any.
 *
 * @param blocked the reason where the cloud accepts the tags and does not show them
 */
export const tag = (it: PodEipSituation, eip: Eip, blocked: 'EipNotOurs' | 'ReleaseBlocked'): Step | undefined => {
  const { seen, podEip, settings } = it;
  const { memory } = seen;
  const { allocationId } = eip;
  const notListed = wait('EipNotVisibleYet', `the tags of ${allocationId} are not listed yet`, POLL_MS);
  if (!mayAdopt(it, eip)) {
    if (!isBoughtUntagged(it, eip)) return undefined;
    // What was bought a moment ago may be read from a replica that does not know its tags yet.
    if (!awaitsNoTags(it)) return notListed;
  }
  if (memory.accepted !== 'Tag') return { do: 'Tag', podEip, allocationId };
  return memory.quietMs < settings.settleMs
    ? notListed
    : fail(blocked, `${allocationId} does not show the tags that the cloud has accepted; ${howToTag(it)}`);
};

/** Whether tags that are not shown now will not come by themselves any more. */
const awaitsNoTags = ({ seen: { memory }, settings: { readLagMs } }: PodEipSituation): boolean =>
  memory.allocateTags === 'dropped' || memory.quietMs >= readLagMs;

/** How a person says whose an EIP is that carries no tags. Follows a sentence about it. */
export const howToTag = ({ podEip, settings }: PodEipSituation): string =>
  `give it the tags ${TAG_CLUSTER_UID}=${settings.clusterUid} and ${TAG_PODEIP_UID}=${podEip.metadata.uid} if it was bought for this PodEIP, or ${TAG_PODEIP_UID}=${UID_TO_KEEP} to keep it`;

/** Nobody has marked the EIP as theirs in our way. */
export const isUntagged = (eip: Eip): boolean => ![...eip.tags.keys()].some((key) => key.startsWith(TAG_PREFIX));

/**
 * Whether the EIP was bought for this PodEIP although it carries no tag of ours: AllocateEipAddress has dropped them.
 * Proved by the cloud's answer to this process, or by the mark that the EIP was bought with. It ends with the first
 * binding, which is written down only after the tags were seen: an EIP without them was taken from us by a person.
 */
const isBoughtUntagged = (it: PodEipSituation, eip: Eip): boolean => {
  const { seen, record } = it;
  if (record.bindings.length > 0 || !isUntagged(eip) || eip.serviceManaged) return false;
  return seen.memory.bought === eip.allocationId || markReading(eip, it.podEip, it.settings) === 'ours';
};

/** The clocks of the API server and of the cloud differ by less; milliseconds. */
const CLOCK_SKEW_MS = 600_000;

/** Whether the EIP was there before the PodEIP, so that it cannot have been bought for it. */
const isOlder = ({ allocationTime = '' }: Eip, { metadata: { creationTimestamp = '' } }: PodEip): boolean =>
  Date.parse(allocationTime) < Date.parse(creationTimestamp) - CLOCK_SKEW_MS;

/**
 * Whether the EIP, which nothing proves to be this PodEIP's, may have been bought for it all the same: nobody's tags
 * say whose it is, and it is not older. One that was bound here had its tags then, and somebody has taken them off to
 * keep it.
 */
export const isSuspect = ({ podEip, record }: PodEipSituation, eip: Eip): boolean =>
  isUntagged(eip) && !eip.serviceManaged && !record.isAdopted && record.bindings.length === 0 && !isOlder(eip, podEip);

/**
 * What the mark of the EIP says of this PodEIP. One that was there before the PodEIP was not bought for it, whatever
 * somebody has written on it: the API server has set the one time, and the cloud the other.
 */
const markReading = (eip: Eip, podEip: PodEip, issuer: MarkIssuer): MarkReading => {
  if (isOlder(eip, podEip)) return 'others';
  return readMark(eip.description, issuer, podEip.metadata.uid);
};

/** Of free EIPs, those without tags that were bought for this PodEIP, and those of which nobody can tell any more. */
export const sortByMark = (
  free: readonly Eip[],
  podEip: PodEip,
  issuer: MarkIssuer,
): { readonly ours: readonly Eip[]; readonly suspects: readonly Eip[] } => {
  const untagged = free.filter((eip) => isUntagged(eip) && !eip.serviceManaged);
  const saying = (reading: MarkReading) => untagged.filter((eip) => markReading(eip, podEip, issuer) === reading);
  return { ours: saying('ours'), suspects: saying('unreadable') };
};

/**
 * Whether the EIP of an adoption may get the tags that make it this PodEIP's. The note of an adoption can be forged,
 * the time that the API server has set cannot: whoever may write PodEIPs could otherwise have us tag, and then release,
 * any EIP of the account.
 */
const mayAdopt = ({ podEip, record, settings }: PodEipSituation, eip: Eip): boolean =>
  record.isAdopted && isOfBefore(podEip, settings) && isUntagged(eip) && !eip.serviceManaged;

/** Whether the PodEIP was made before the time up to which the operator has PodEIPs of other controllers taken over. */
export const isOfBefore = ({ metadata }: PodEip, { adoptBefore }: Settings): boolean =>
  adoptBefore !== undefined && Date.parse(metadata.creationTimestamp ?? '') < adoptBefore;
