import { TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { isSameService } from './handover-order.ts';
import { isSeenDetached } from './detached.ts';
import { transferState } from './transfer.ts';
import { howToTag, isSuspect, notVisibleYet, recordAsTagged, tag } from './ownership.ts';
import { obstacleToRelease } from './releasable.ts';
import { isFinal, isGated } from '../../api/pod.ts';
import { asDescribed, hasFinalizer, isOurs } from './record.ts';
import {
  boughtUnrecorded,
  isAnothers,
  isGivenAway,
  isPlaceOfAnother,
  isMissing,
  isMoving,
  isSettled,
  isUsers,
  justAccepted,
  notReleasedYet,
  ourBinding,
  provesOwnership,
  settling,
  toldPodOf,
  unseenMarks,
} from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { done, fail, inTransition, POLL_MS, unpublish, wait, type Action, type Result, type Step } from './step.ts';

/**
 * The next step for a PodEIP that is being deleted. Deletion is final: whatever the pod asks for now, it gets from the
 * next PodEIP. The finalizer is removed last, and only once the cloud has shown that nothing is left.
 */
export const finalize = (it: PodEipSituation): Step => {
  const { podEip } = it;
  if (!hasFinalizer(podEip)) return done('Released', 'nothing is held any more');
  const told = toldPodOf(it);
  // A pod that has ended serves no requests: its gate need not stay open.
  if (told) return isUsers(it) && !isFinal(told) ? withdraw(it, told) : unpublish(told);
  return isUsers(it) ? detach(it) : release(it);
};

/**
 * Tells a running pod that it has lost its address. Whether the EIP is handed over is decided by which PodEIP claims
 * it, and not by who deleted this one: the process that did may have died on the next line.
 */
const withdraw = ({ seen: { competitors }, podEip }: PodEipSituation, pod: Pod): Step => {
  const { allocationID: allocationId } = podEip.spec;
  if (allocationId === '' || podEip.metadata.labels?.[SERVICE_UID] === undefined) return unpublish(pod);
  if (!competitors) return { do: 'ReadCompetingClaims', allocationId };
  const successor = competitors.find(
    (competitor) => isSameService(podEip, competitor.podEip) && isWanted(competitor.podEip),
  );
  return successor
    ? { do: 'StandAside', pod, isGated: isGated(pod), successor: successor.podEip.metadata.name }
    : unpublish(pod);
};

const isWanted = (podEip: PodEip): boolean => isOurs(podEip) && podEip.metadata.deletionTimestamp === undefined;

const removeFinalizer = ({ podEip }: PodEipSituation, because: string): Action => ({
  do: 'RemoveFinalizer',
  podEip,
  because,
});

/** Releases an EIP that was bought for the PodEIP. */
const release = (it: PodEipSituation): Step => {
  const { seen, podEip, record, settings } = it;
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '') return releaseUnrecorded(it);
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  // While a successor may take the EIP, it is not released, and its PodEIP stays, so that the successor finds it.
  if (record.successorUid !== undefined) {
    const transfer = transferState(it, record.successorUid);
    if (transfer.kind === 'step') return transfer.step;
  }
  if (isGivenAway(it)) return giveAway(it, eip);
  if (eip === null) return notReleasedYet(it) ?? removeFinalizer(it, `${allocationId} was released`);
  if (!provesOwnership(eip, podEip, settings.clusterUid)) return tagOrLeave(it, eip);
  if (eip.status === 'InUse') return unbind(it, eip) ?? boundElsewhere(eip);
  return eip.status === 'Available' ? releaseFree(it, eip) : inTransition(eip);
};

/**
 * The PodEIP declares the EIP the property of the user (type Static): the EIP is detached, loses our tags, and is kept.
 */
const giveAway = (it: PodEipSituation, eip: Eip | null): Step => {
  const { podEip, settings } = it;
  const allocationId = podEip.spec.allocationID;
  // Once the PodEIP is gone, garbage collection releases any EIP that still carries our tags.
  if (eip === null)
    return isMissing(it) ? removeFinalizer(it, `${allocationId} does not exist any more`) : notVisibleYet(allocationId);
  // The EIP was transferred to another pod, and the recorded binding may be that of the other one.
  if (isAnothers(eip, podEip, settings.clusterUid))
    return removeFinalizer(it, `${allocationId} belongs to another PodEIP by now`);
  const unbinding = eip.status === 'InUse' ? unbind(it, eip) : undefined;
  if (unbinding) return unbinding;
  if (isMoving(eip)) return inTransition(eip);
  if (provesOwnership(eip, podEip, settings.clusterUid))
    return justAccepted('Untag', it)
      ? wait('EipNotVisibleYet', `the tags of ${allocationId} are still listed`, POLL_MS)
      : { do: 'Untag', podEip, allocationId };
  return isSettled(it) ? removeFinalizer(it, `${allocationId} is kept, as type Static says`) : settling(it);
};

/** No EIP is recorded: if one was bought, it carries the tags of the PodEIP. */
const releaseUnrecorded = (it: PodEipSituation): Step => {
  const { seen, podEip, settings } = it;
  const { memory } = seen;
  const bought = boughtUnrecorded(it);
  if (bought.kind === 'step') return bought.step;
  if (bought.value) return { do: 'Record', podEip, allocationId: bought.value.allocationId };
  // The process that created the PodEIP and sent nothing knows that nothing was sent, unless another process works
  // beside it.
  // An EIP whose tags were just written for it is found by them, and a query by tags may know later than others.
  const isLate = settings.isUnelected === true || memory.accepted === 'TransferOwnership';
  const isOver = isLate ? memory.quietMs >= settings.settleMs : isSettled(it);
  if (!isOver) return settling(it);
  const unseen = unseenMarks(it);
  if (unseen) return unseen;
  const [suspect] = seen.suspects ?? [];
  return suspect ? undecided(it, suspect) : removeFinalizer(it, 'no EIP was bought');
};

/** Whether the release of this EIP was accepted so recently that it may still be listed, or listed again. */
const isLeaving = ({ seen: { memory }, settings }: PodEipSituation, allocationId: string): boolean =>
  memory.released === allocationId && memory.quietMs < settings.settleMs;

/** The tags of the EIP do not prove that it may be released. */
const tagOrLeave = (it: PodEipSituation, eip: Eip): Step => {
  const { seen, podEip, settings } = it;
  const allocationId = podEip.spec.allocationID;
  const tagging = tag(it, eip, 'ReleaseBlocked');
  if (tagging) return tagging;
  if (seen.memory.quietMs < settings.settleMs) return settling(it);
  const recording = recordAsTagged(it);
  if (recording) return recording;
  // No tags say whose the EIP is: it may be paid for until somebody adds them.
  if (isSuspect(it, eip)) return undecided(it, eip);
  return removeFinalizer(it, `${allocationId} does not carry the tags that it was bought with and is left as it is`);
};

/**
 * Nothing proves that the EIP is ours, and nothing that it is not: a person has to say. Which one it is the log says,
 * and not the PodEIP, which whoever has the pod may read: it may be somebody else's.
 */
const undecided = (it: PodEipSituation, { allocationId, ipAddress, name }: Eip): Result => ({
  ...fail(
    'ReleaseBlocked',
    `an EIP that carries no tag may have been bought for this PodEIP; the log of the controller names it: ${howToTag(it)}`,
  ),
  logged: { suspect: allocationId, suspectAddress: ipAddress, suspectName: name },
});

/** Releases an EIP that is bound to nothing. */
const releaseFree = (it: PodEipSituation, eip: Eip): Step => {
  const { podEip } = it;
  const { bandwidthPackageId } = eip;
  const allocationId = podEip.spec.allocationID;
  if (isLeaving(it, allocationId)) return wait('Releasing', `${allocationId} is still listed`, POLL_MS);
  const obstacle = obstacleToRelease(eip);
  if (obstacle !== undefined) return fail('ReleaseBlocked', `${allocationId} cannot be released: ${obstacle}`);
  if (bandwidthPackageId === undefined) return { do: 'Release', podEip, allocationId };
  return justAccepted('LeaveBandwidthPackage', it)
    ? wait('InTransition', `${allocationId} is leaving its bandwidth package`, POLL_MS)
    : { do: 'LeaveBandwidthPackage', podEip, allocationId, bandwidthPackageId };
};

const boundElsewhere = (eip: Eip): Result =>
  fail(
    'ReleaseBlocked',
    `${eip.allocationId} is bound to ${eip.instanceId ?? 'something'}, where this controller did not put it; detach it there to have it released, or remove its tag ${TAG_PODEIP_UID} to keep it`,
  );

/** Detaches an existing EIP of the user from where this controller bound it, and leaves it unchanged otherwise. */
const detach = (it: PodEipSituation): Step => {
  const { seen, podEip, record, settings } = it;
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '' || record.bindings.length === 0)
    return detachGivenUp(it) ?? removeFinalizer(it, 'the EIP was never attached');
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (eip && isAnothers(eip, podEip, settings.clusterUid))
    return removeFinalizer(it, `${allocationId} is another pod’s`);
  if (eip?.status === 'InUse') {
    const unbinding = unbind(it, eip);
    if (unbinding) return unbinding;
  } else if (eip && isMoving(eip)) return inTransition(eip);
  const isOver = isSettled(it) || isSeenDetached(it);
  return isOver ? removeFinalizer(it, `${allocationId} was detached`) : settling(it);
};

/**
 * The step for an EIP of the user whose claim was given up, and which a twin may have bound in that moment; undefined
 * if there is none. What another pod claims by now is that one's.
 */
const detachGivenUp = (it: PodEipSituation): Step | undefined => {
  const { seen, record, settings } = it;
  const { eip, competitors } = seen;
  if (settings.isUnelected !== true || record.bindings.length === 0 || record.request?.kind !== 'existing')
    return undefined;
  if (!isSettled(it)) return settling(it);
  const { allocationId } = record.request;
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (!competitors) return { do: 'ReadCompetingClaims', allocationId };
  if (!eip || competitors.some((competitor) => isWanted(competitor.podEip))) return undefined;
  if (eip.status === 'InUse') return unbind(it, eip);
  return isMoving(eip) ? inTransition(eip) : undefined;
};

/** Undoes the binding if this controller made it; undefined otherwise. */
const unbind = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  const binding = ourBinding(record, eip);
  if (!binding) return undefined;
  const others = isPlaceOfAnother(it, eip);
  if (others.kind === 'step') return others.step;
  if (others.value) return undefined;
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding: asDescribed(binding, eip) };
};
