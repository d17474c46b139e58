import { TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { isSameService } from './precedence.ts';
import { transferState } from './transfer.ts';
import { hasEipOfInstance } from './instance.ts';
import { mayTag } from './ownership.ts';
import { obstacleToRelease } from './releasable.ts';
import { isAnnounced, isFinal, isGated } from '../../api/pod.ts';
import { hasFinalizer, isAnothers, isBoundTo, isOurs, provesOwnership } from './record.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import { done, fail, inTransition, POLL_MS, unpublish, wait, type Action, type Result, type Step } from './step.ts';

/**
 * The one thing to do next for a PodEIP that is being deleted. There is no way back from here: whatever the pod wants
 * now, it gets from the next PodEIP. The finalizer goes last, and only once the cloud has said that nothing is left.
 */
export const finalize = (it: PodEipSituation): Step => {
  const { podEip, record } = it;
  if (!hasFinalizer(podEip)) return done('Released', 'nothing is held any more');
  const isUsers = record.request ? record.request.kind === 'existing' : podEip.spec.allocationType.type === 'Static';
  const told = toldPodOf(it);
  if (told) return isUsers ? withdraw(it, told) : unpublish(told);
  return isUsers ? detach(it) : release(it);
};

/** The pod that still says that it has the address. */
const toldPodOf = ({ asked, record }: PodEipSituation): Pod | undefined => {
  if (!asked) return undefined;
  const { pod } = asked;
  const isItsPod = pod.metadata.uid === record.podUid && !isFinal(pod);
  return isItsPod && isAnnounced(pod) && !hasEipOfInstance(asked) ? pod : undefined;
};

/**
 * A pod that runs is told that it has lost its address. Whether that is a hand-over shows from who wants the EIP, and
 * not from who deleted this PodEIP: whoever did may have died on the line after it.
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

const settling = ({ seen: { memory }, settings: { settleMs, readLagMs } }: PodEipSituation): Result =>
  wait(
    'Settling',
    'a request without an answer may still take effect; looking again after that',
    Math.max(POLL_MS, (memory.isCertain ? readLagMs : settleMs) - memory.quietMs),
  );

/** An EIP of our own goes back to the cloud. */
const release = (it: PodEipSituation): Step => {
  const { seen, podEip, record, settings } = it;
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '') return releaseUnrecorded(it);
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  // While a successor may take it, it is not ours to release; nor may the successor lose sight of it.
  if (record.successorUid !== undefined) {
    const transfer = transferState(it, record.successorUid);
    if (transfer.kind === 'step') return transfer.step;
  }
  if (eip === null) return afterRelease(it, allocationId);
  if (!provesOwnership(eip, podEip, settings.clusterUid)) return tagOrLeave(it, eip);
  if (eip.status === 'InUse') return unbind(it, eip) ?? boundElsewhere(eip);
  return eip.status === 'Available' ? releaseFree(it, eip) : inTransition(eip);
};

/** No EIP is written down: one that was bought all the same carries the tags of the PodEIP. */
const releaseUnrecorded = (it: PodEipSituation): Step => {
  const { seen, podEip, settings } = it;
  const { memory, tagged } = seen;
  if (!tagged) return { do: 'ReadTaggedEips' };
  const [found] = tagged;
  if (found) return { do: 'Record', podEip, allocationId: found.allocationId };
  // Who made the PodEIP itself and sent nothing knows that nothing was sent; but for another process beside it.
  const isOver = settings.isUnelected === true ? memory.quietMs >= settings.settleMs : isSettled(it);
  return isOver ? removeFinalizer(it, 'no EIP was bought') : settling(it);
};

/** Whether the release of this EIP was accepted so recently that it may still be listed, or listed again. */
const isLeaving = ({ seen: { memory }, settings }: PodEipSituation, allocationId: string): boolean =>
  memory.released === allocationId && memory.quietMs < settings.settleMs;

/** It is not listed any more; another one that carries the tags of the PodEIP goes back as well. */
const afterRelease = (it: PodEipSituation, allocationId: string): Step => {
  const { seen, podEip, settings } = it;
  const { memory, tagged } = seen;
  if (memory.released !== allocationId && memory.quietMs < settings.settleMs) return settling(it);
  if (!tagged) return { do: 'ReadTaggedEips' };
  const other = tagged.find((each) => each.allocationId !== allocationId);
  if (other) return { do: 'Record', podEip, allocationId: other.allocationId };
  if (tagged.length > 0) return wait('Releasing', `${allocationId} is still listed`, POLL_MS);
  return removeFinalizer(it, `${allocationId} was released`);
};

/** Its tags do not prove that it is ours to release. */
const tagOrLeave = (it: PodEipSituation, eip: Eip): Step => {
  const { seen, podEip, settings } = it;
  const allocationId = podEip.spec.allocationID;
  if (mayTag(it, eip) && !justAccepted('Tag', it)) return { do: 'Tag', podEip, allocationId };
  if (seen.memory.quietMs < settings.settleMs) return settling(it);
  return removeFinalizer(it, `${allocationId} does not carry the tags that it was bought with and is left as it is`);
};

/** It is bound to nothing. */
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

/** An EIP of the user's is detached from where we put it, and otherwise left as it is. */
const detach = (it: PodEipSituation): Step => {
  const { seen, podEip, record, settings } = it;
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '' || record.bindings.length === 0) return removeFinalizer(it, 'the EIP was never attached');
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (eip && isAnothers(eip, podEip, settings.clusterUid))
    return removeFinalizer(it, `${allocationId} is another pod’s`);
  if (eip?.status === 'InUse') {
    const unbinding = unbind(it, eip);
    if (unbinding) return unbinding;
  } else if (eip && eip.status !== 'Available') return inTransition(eip);
  return isSettled(it) ? removeFinalizer(it, `${allocationId} was detached`) : settling(it);
};

/** Undoes the binding if it is one of ours. */
const unbind = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  if (!binding) return undefined;
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding };
};
