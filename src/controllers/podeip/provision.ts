import type { Eip } from '../../cloud/port.ts';
import { writeRequest, type NewEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { receiveTransfer } from './transfer.ts';
import { awaitsInstance } from './instance.ts';
import { isMissing, notVisibleYet, proveOurs } from './ownership.ts';
import { isAnnounced } from '../../api/pod.ts';
import type { PodRequest } from './pod-request.ts';
import { checkQuota } from './quota.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import { fail, inTransition, POLL_MS, unpublish, wait, type Step } from './step.ts';
import { boundElsewhere, bind } from './bind.ts';

/** An EIP of our own: find it or buy it, write it down, put it to use. */
export const provision = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const { allocationID } = it.podEip.spec;
  if (allocationID === '') return acquire(it, asked, request);
  const { eip } = it.seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  if (!eip) return replaceMissing(it, asked);
  return proveOurs(it, eip) ?? joinPackage(it, eip, request) ?? bind(it, eip, boundElsewhere);
};

/**
 * No EIP is written down yet: one that carries the tags of the PodEIP, one of an earlier pod, or one that is bought.
 */
const acquire = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const { seen, podEip } = it;
  if (!seen.tagged) return { do: 'ReadTaggedEips' };
  const [found] = seen.tagged;
  if (found) return { do: 'Record', podEip, allocationId: found.allocationId };
  return awaitsInstance(asked) ?? receiveTransfer(it) ?? buy(it, asked, request);
};

const buy = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const { seen, podEip, record } = it;
  // Nothing is bought, nor asked for anew, on the word of a cache.
  if (seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
  const { refusal } = seen.memory;
  const isRefused = refusal?.action === 'Allocate';
  const wanted = asked.parsed.request;
  const isOtherRequest = wanted !== undefined && writeRequest(wanted) !== writeRequest(request);
  if (isRefused && !isOtherRequest && refusal.dueInMs > 0)
    return fail(refusal.reason, refusal.message, refusal.dueInMs);
  // All attempts are known to have bought nothing: only now may a new token be used, and the annotations be read anew.
  if ((isRefused || isOtherRequest) && isSettled(it)) return claim(it, asked, record.generation + 1);
  return checkQuota(it, request) ?? { do: 'Allocate', podEip, request, generation: record.generation };
};

/** The EIP is not listed. Once that is certain, it is struck out, and another one bought. */
const replaceMissing = (it: PodEipSituation, { pod }: PodRequest): Step => {
  const { seen, podEip, record } = it;
  const { allocationID } = podEip.spec;
  if (!isMissing(it)) return notVisibleYet(allocationID);
  if (!seen.tagged) return { do: 'ReadTaggedEips' };
  if (seen.tagged.some(({ allocationId }) => allocationId === allocationID)) return notVisibleYet(allocationID);
  if (isAnnounced(pod)) return unpublish(pod);
  return { do: 'Forget', podEip, allocationId: allocationID, generation: record.generation + 1 };
};

/** What has to happen before the EIP is in the bandwidth package that is asked for; undefined once it is. */
const joinPackage = (it: PodEipSituation, eip: Eip, { bandwidthPackageId }: NewEip): Step | undefined => {
  const { podEip } = it;
  const allocationId = podEip.spec.allocationID;
  if (bandwidthPackageId === undefined || eip.bandwidthPackageId === bandwidthPackageId) return undefined;
  if (eip.bandwidthPackageId !== undefined)
    return fail(
      'EipInOtherPackage',
      `${allocationId} is in bandwidth package ${eip.bandwidthPackageId}, not ${bandwidthPackageId}`,
    );
  if (eip.status !== 'Available' && eip.status !== 'InUse') return inTransition(eip);
  return justAccepted('JoinBandwidthPackage', it)
    ? wait('JoiningBandwidthPackage', `${allocationId} is joining ${bandwidthPackageId}`, POLL_MS)
    : { do: 'JoinBandwidthPackage', podEip, allocationId, bandwidthPackageId };
};
