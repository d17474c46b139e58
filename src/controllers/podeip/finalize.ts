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
import {
  hasFinalizer,
  isAnothers,
  isBoundTo,
  isOurs,
  provesOwnership,
  readRecord,
  type PodEipRecord,
} from './record.ts';
import { isSettled, justAccepted, type ObservedState, type Settings } from './observation.ts';
import { done, fail, inTransition, POLL_MS, wait, type Action, type Result, type Step } from './step.ts';

/**
 * The one thing to do next for a PodEIP that is being deleted. There is no way back from here: whatever the pod wants now,
 * it gets from the next PodEIP. The finalizer goes last, and only once the cloud has said that nothing is left.
 */
export const finalize = (seen: ObservedState, podEip: PodEip, settings: Settings): Step => {
  if (!hasFinalizer(podEip)) return done('Released', 'nothing is held any more');
  const record = readRecord(podEip);
  const { pod } = seen;
  const isUsers = record.request ? record.request.kind === 'existing' : podEip.spec.allocationType.type === 'Static';
  if (
    pod &&
    pod.metadata.uid === record.podUid &&
    !isFinal(pod) &&
    isAnnounced(pod) &&
    !hasEipOfInstance(pod, seen.node)
  )
    return isUsers ? withdraw(seen, podEip, pod) : { do: 'Unpublish', isGated: isGated(pod) };
  return isUsers ? detach(seen, podEip, record, settings) : release(seen, podEip, record, settings);
};

/**
 * A pod that runs is told that it has lost its address. Whether that is a hand-over shows from who wants the EIP, and not
 * from who deleted this PodEIP: whoever did may have died on the line after it.
 */
const withdraw = ({ competitors }: ObservedState, podEip: PodEip, pod: Pod): Step => {
  const { allocationID: allocationId } = podEip.spec;
  if (allocationId === '' || podEip.metadata.labels?.[SERVICE_UID] === undefined)
    return { do: 'Unpublish', isGated: isGated(pod) };
  if (!competitors) return { do: 'ReadCompetingClaims', allocationId };
  const successor = competitors.find(
    (competitor) => isSameService(podEip, competitor.podEip) && isWanted(competitor.podEip),
  );
  return successor
    ? { do: 'StandAside', isGated: isGated(pod), successor: successor.podEip.metadata.name }
    : { do: 'Unpublish', isGated: isGated(pod) };
};

const isWanted = (podEip: PodEip): boolean => isOurs(podEip) && podEip.metadata.deletionTimestamp === undefined;

const removeFinalizer = (because: string): Action => ({ do: 'RemoveFinalizer', because });

const settling = ({ memory }: ObservedState, { settleMs, readLagMs }: Settings): Result =>
  wait(
    'Settling',
    'a request without an answer may still take effect; looking again after that',
    Math.max(POLL_MS, (memory.isCertain ? readLagMs : settleMs) - memory.quietMs),
  );

/** An EIP of our own goes back to the cloud. */
const release = (seen: ObservedState, podEip: PodEip, record: PodEipRecord, settings: Settings): Step => {
  const { memory, eip, tagged } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '') {
    if (!tagged) return { do: 'ReadTaggedEips' };
    const [found] = tagged;
    if (found) return { do: 'Record', allocationId: found.allocationId };
    // Who made the PodEIP itself and sent nothing knows that nothing was sent; but for another process beside it.
    const isOver = settings.isUnelected === true ? memory.quietMs >= settings.settleMs : isSettled(seen, settings);
    return isOver ? removeFinalizer('no EIP was bought') : settling(seen, settings);
  }
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  // While a successor may take it, it is not ours to release; nor may the successor lose sight of it.
  if (record.successorUid !== undefined) {
    const now = transferState(seen, podEip, record, settings);
    if (typeof now !== 'string') return now;
  }
  if (eip === null) {
    if (memory.released !== allocationId && memory.quietMs < settings.settleMs) return settling(seen, settings);
    if (!tagged) return { do: 'ReadTaggedEips' };
    const other = tagged.find((it) => it.allocationId !== allocationId);
    if (other) return { do: 'Record', allocationId: other.allocationId };
    if (tagged.length > 0) return wait('Releasing', `${allocationId} is still listed`, POLL_MS);
    return removeFinalizer(`${allocationId} was released`);
  }
  if (!provesOwnership(eip, podEip, settings.clusterUid)) {
    if (mayTag(eip, podEip, record, settings) && !justAccepted('Tag', seen, settings))
      return { do: 'Tag', allocationId };
    if (memory.quietMs < settings.settleMs) return settling(seen, settings);
    return removeFinalizer(`${allocationId} does not carry the tags that it was bought with and is left as it is`);
  }
  if (eip.status === 'InUse') return unbind(seen, eip, record, settings) ?? boundElsewhere(eip);
  if (eip.status !== 'Available') return inTransition(eip);
  if (memory.released === allocationId && memory.quietMs < settings.settleMs)
    return wait('Releasing', `${allocationId} is still listed`, POLL_MS);
  const obstacle = obstacleToRelease(eip);
  if (obstacle !== undefined) return fail('ReleaseBlocked', `${allocationId} cannot be released: ${obstacle}`);
  if (eip.bandwidthPackageId !== undefined) {
    return justAccepted('LeaveBandwidthPackage', seen, settings)
      ? wait('InTransition', `${allocationId} is leaving its bandwidth package`, POLL_MS)
      : { do: 'LeaveBandwidthPackage', allocationId, bandwidthPackageId: eip.bandwidthPackageId };
  }
  return { do: 'Release', allocationId };
};

const boundElsewhere = (eip: Eip): Result =>
  fail(
    'ReleaseBlocked',
    `${eip.allocationId} is bound to ${eip.instanceId ?? 'something'}, where this controller did not put it; detach it there to have it released, or remove its tag ${TAG_PODEIP_UID} to keep it`,
  );

/** An EIP of the user's is detached from where we put it, and otherwise left as it is. */
const detach = (seen: ObservedState, podEip: PodEip, record: PodEipRecord, settings: Settings): Step => {
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '' || record.bindings.length === 0) return removeFinalizer('the EIP was never attached');
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (eip && isAnothers(eip, podEip, settings.clusterUid)) return removeFinalizer(`${allocationId} is another pod’s`);
  if (eip?.status === 'InUse') {
    const unbinding = unbind(seen, eip, record, settings);
    if (unbinding) return unbinding;
  } else if (eip && eip.status !== 'Available') return inTransition(eip);
  return isSettled(seen, settings) ? removeFinalizer(`${allocationId} was detached`) : settling(seen, settings);
};

/** Undoes the binding if it is one of ours. */
const unbind = (seen: ObservedState, eip: Eip, record: PodEipRecord, settings: Settings): Step | undefined => {
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  if (!binding) return undefined;
  return justAccepted('Unassociate', seen, settings)
    ? wait('InTransition', `${eip.allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', allocationId: eip.allocationId, binding };
};
