import type { Eip } from '../../cloud/port.ts';
import { writeRequest, type NewEip } from '../../request/request.ts';
import { besideOthers, unlessBesideOthers, unpublishLost } from './beside-others.ts';
import { claim } from './claim.ts';
import { receiveTransfer } from './transfer.ts';
import { awaitsInstance } from './instance.ts';
import { notVisibleYet, proveOurs } from './ownership.ts';
import { hasNoIPv4, ipv4Of, isAnnounced } from '../../api/pod.ts';
import type { PodRequest } from './pod-request.ts';
import type { NicBinding } from './record.ts';
import { checkPurchases, checkQuota } from './quota.ts';
import {
  boughtBefore,
  isGivenAway,
  isGone,
  isSettled,
  isTokenGivenUp,
  justAccepted,
  provesOwnership,
  unseenMarks,
  unseenWhileWaiting,
} from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, inTransition, isReadStep, POLL_MS, refusedUntil, wait, type Step } from './step.ts';
import { boundElsewhere, bind, withoutIPv4 } from './bind.ts';
import { locateInterface } from './locate.ts';
import { packageObstacle } from './bandwidth-package.ts';
import type { GivenBack, TrackedState } from './observation.ts';

/** An EIP that is bought for the pod: find or buy it, record it, bind it. */
export const provision = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const { allocationID } = it.podEip.spec;
  if (allocationID === '') return unlessBesideOthers(it, asked, acquire(it, asked, request));
  const { eip } = it.seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  if (!eip) return replaceMissing(it, asked);
  const unproven = proveOurs(it, eip);
  if (unproven) return unproven;
  const step = joinPackage(it, eip, request) ?? unlessBesideOthers(it, asked, bind(it, eip, boundElsewhere));
  return returnUnused(it, eip, { request, step }) ?? step;
};

/** How long an EIP may stay unbound before it is given back; milliseconds. */
const UNUSED_MS = 600_000;

/**
 * The step that gives back an EIP that could not be used for {@link UNUSED_MS}: its pod has waited in vain, and it is
 * paid for. Undefined under a strategy that keeps the EIP; while it is locked, since it could not be released either;
 * and while the pod has no address, since an instance may be waiting for the EIP.
 */
const returnUnused = (
  it: PodEipSituation,
  eip: Eip,
  { request, step }: { readonly request: NewEip; readonly step: Step },
): Step | undefined => {
  const { seen, podEip } = it;
  const { memory, pod } = seen;
  if (isGivenAway(it)) return undefined;
  if ((memory.unusedMs ?? 0) < UNUSED_MS || eip.status !== 'Available' || eip.lockReasons.length > 0) return undefined;
  if (podEip.spec.allocationType.releaseStrategy !== 'Follow' || !pod || ipv4Of(pod) === undefined) return undefined;
  if (isReadStep(step) || isAnnounced(pod)) return undefined;
  const cause = causeOf(step, memory);
  const message = `${eip.allocationId} could not be used for ${UNUSED_MS / 60_000} minutes and is given back: ${cause.message}`;
  const unusable = { reason: cause.reason, message, request: writeRequest(request) };
  return { do: 'Retire', podEip, because: 'its EIP cannot be used', unusable };
};

/** The step, repeated in time for the moment when an unused EIP is given back. */
export const lookInTime = (step: Step, { unusedMs = 0 }: TrackedState): Step =>
  (step.do === 'Fail' || step.do === 'Wait') && unusedMs > 0 && unusedMs < UNUSED_MS
    ? { ...step, ms: Math.min(step.ms, UNUSED_MS - unusedMs) }
    : step;

/** What keeps an EIP from being used. */
const causeOf = (step: Step, { refusal }: TrackedState): Pick<GivenBack, 'reason' | 'message'> => {
  if (step.do === 'Fail' || step.do === 'Wait') return step;
  if (step.do === 'JoinBandwidthPackage')
    return {
      reason: refusal?.reason ?? 'CloudBusy',
      message: `bandwidth package ${step.bandwidthPackageId} does not take it (${refusal?.message ?? 'no answer is final'}); correct the package, or leave it out, and make the pod anew`,
    };
  return {
    reason: refusal?.reason ?? 'CloudBusy',
    message: `it cannot be bound to the pod's address (${refusal?.message ?? 'no answer is final'})`,
  };
};

/** No EIP is recorded yet: one that carries the tags of the PodEIP, one of an earlier pod, or a new one. */
const acquire = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const refused = checkPurchases(it, request);
  // Hundreds of pods may wait for their namespace's turn: they ask the cloud nothing.
  if (refused && it.seen.memory.isUntouched === true) return awaitsInstance(asked) ?? receiveTransfer(it) ?? refused;
  const bought = boughtBefore(it);
  const held = besideOthers(it, asked);
  if (bought.kind === 'step') return refused || held ? bought.step : withInterfaces(bought.step, asked);
  if (bought.value) return recordBought(it, asked, { request, eip: bought.value });
  return (
    unseenWhileWaiting(it) ?? awaitsInstance(asked) ?? receiveTransfer(it) ?? held ?? refused ?? buy(it, asked, request)
  );
};

/** Writes down what was bought, or was transferred; and where it will be bound, if it is free and its tags prove it. */
const recordBought = (
  it: PodEipSituation,
  asked: PodRequest,
  { request, eip }: { readonly request: NewEip; readonly eip: Eip },
): Step => {
  const { podEip, settings } = it;
  const isFree = eip.status === 'Available' && eip.lockReasons.length === 0;
  const binding = isFree && provesOwnership(eip, podEip, settings.clusterUid) ? placeOf(it, asked, request) : undefined;
  return { do: 'Record', podEip, allocationId: eip.allocationId, ...(binding && { binding }) };
};

/** If the address of the pod is known, its interface is read at the same time: nothing is bought without one. */
const withInterfaces = (step: Step, { pod }: PodRequest): Step => {
  const privateIpAddress = ipv4Of(pod);
  return step.do !== 'ReadTaggedEips' || privateIpAddress === undefined ? step : { ...step, privateIpAddress };
};

/** Why an EIP that is bought now could not be bound; undefined if no reason is known. */
const obstacleToUse = (it: PodEipSituation, { pod }: PodRequest, request: NewEip): Step | undefined => {
  const { givenBack } = it.seen.memory;
  if (givenBack && givenBack.dueInMs > 0 && givenBack.request === writeRequest(request))
    return fail(givenBack.reason, givenBack.message, givenBack.dueInMs);
  const address = ipv4Of(pod);
  if (address === undefined) return hasNoIPv4(pod) ? withoutIPv4(pod, it.settings.recheckMs) : undefined;
  const found = locateInterface(it, address);
  return found.kind === 'step' ? found.step : undefined;
};

const buy = (it: PodEipSituation, asked: PodRequest, request: NewEip): Step => {
  const { seen, podEip, record } = it;
  // Nothing is bought, and no request is renewed, on the word of a cache.
  if (seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
  const { refusal } = seen.memory;
  const isRefused = refusal?.action === 'Allocate';
  const wanted = asked.parsed.request;
  const isOtherRequest = wanted !== undefined && writeRequest(wanted) !== writeRequest(request);
  if (isRefused && !isOtherRequest && refusal.dueInMs > 0) return refusedUntil(refusal);
  const isSpent = isTokenGivenUp(it);
  // All attempts are known to have bought nothing: only now may a new token be used and the annotations be read again.
  if ((isRefused || isOtherRequest || isSpent) && isSettled(it))
    return unseenMarks(it) ?? claim(it, asked, record.generation + 1);
  // Each further attempt would postpone that moment.
  if (isSpent)
    return wait('Settling', 'an attempt to buy an EIP may still take effect; the next one has a new token', POLL_MS);
  return (
    obstacleToUse(it, asked, request) ??
    checkQuota(it, request) ??
    // After the policy of the namespace: who may not name the package does not hear of it either.
    packageObstacle(it, request) ??
    unseenMarks(it) ?? {
      do: 'Allocate',
      podEip,
      request,
      generation: record.generation,
      place: placeOf(it, asked, request),
    }
  );
};

/** Where the EIP will be bound, if nothing comes before that and no other place is written down. */
const placeOf = (it: PodEipSituation, { pod }: PodRequest, request: NewEip): NicBinding | undefined => {
  const address = ipv4Of(pod);
  // A look would show no tags.
  const isInVain = it.seen.memory.allocateTags === 'dropped';
  const isPlaced = request.bandwidthPackageId !== undefined || it.record.bindings.length > 0;
  if (address === undefined || isInVain || isPlaced) return undefined;
  const found = locateInterface(it, address);
  return found.kind === 'value' ? found.value : undefined;
};

/**
 * The EIP is not listed. Once it is certain that it is gone, it is removed from the PodEIP, and another one is bought.
 */
const replaceMissing = (it: PodEipSituation, asked: PodRequest): Step => {
  const { podEip, record } = it;
  const { allocationID } = podEip.spec;
  const gone = isGone(it);
  if (gone.kind === 'step') return gone.step;
  if (!gone.value) return notVisibleYet(allocationID);
  if (isAnnounced(asked.pod)) return unpublishLost(it, asked);
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
      `${allocationId} is in bandwidth package ${eip.bandwidthPackageId}, not ${bandwidthPackageId}; take it out of that one in the console, or correct the annotation and make the pod anew`,
    );
  if (eip.status !== 'Available' && eip.status !== 'InUse') return inTransition(eip);
  return justAccepted('JoinBandwidthPackage', it)
    ? wait('JoiningBandwidthPackage', `${allocationId} is joining ${bandwidthPackageId}`, POLL_MS)
    : { do: 'JoinBandwidthPackage', podEip, allocationId, bandwidthPackageId };
};
