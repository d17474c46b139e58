import type { PodEip } from '../../api/podeip.ts';
import type { Reading } from '../../request/parse.ts';
import { writeRequest, type NewEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { inherit } from './transfer.ts';
import { awaitsInstance } from './instance.ts';
import { isMissing, notVisibleYet, proveOurs } from './ownership.ts';
import { isAnnounced, isGated } from '../../api/pod.ts';
import type { Notes } from './record.ts';
import { mayBuy } from './quota.ts';
import { isSettled, justAccepted, type Seen, type Settings } from './observation.ts';
import { fail, inTransition, POLL_MS, wait, type Step } from './step.ts';
import { boundElsewhere, putToUse } from './bind.ts';

/** An EIP of our own: find it or buy it, write it down, put it to use. */
export const obtain = (
  seen: Seen,
  podEip: PodEip,
  notes: Notes,
  request: NewEip,
  reading: Reading,
  settings: Settings,
): Step => {
  const { memory, pod, eip, tagged } = seen;
  const { allocationID } = podEip.spec;
  if (allocationID === '') {
    if (!tagged) return { do: 'LookForTagged' };
    const [found] = tagged;
    if (found) return { do: 'Record', allocationId: found.allocationId };
    const early = pod && awaitsInstance(pod, seen.node);
    if (early) return early;
    const inherited = inherit(seen, podEip, settings);
    if (inherited) return inherited;
    // Nothing is bought, nor asked for anew, on the word of a cache.
    if (seen.policy?.isFresh === false) return { do: 'LookAtPolicy' };
    const isRefused = memory.refusal?.act === 'Allocate';
    const isOtherRequest = reading.request !== undefined && writeRequest(reading.request) !== writeRequest(request);
    if (isRefused && !isOtherRequest && memory.refusal.dueInMs > 0)
      return fail(memory.refusal.reason, memory.refusal.message, memory.refusal.dueInMs);
    // All attempts are known to have bought nothing: only now may a new token be used, and the annotations be read anew.
    if ((isRefused || isOtherRequest) && isSettled(seen, settings))
      return claim(reading, seen, notes.generation + 1, settings);
    return mayBuy(seen, podEip, request) ?? { do: 'Allocate', request, generation: notes.generation };
  }
  if (eip === undefined) return { do: 'LookAtEip', allocationId: allocationID };
  if (!eip) {
    if (!isMissing(seen, settings)) return notVisibleYet(allocationID);
    if (!tagged) return { do: 'LookForTagged' };
    if (tagged.some(({ allocationId }) => allocationId === allocationID)) return notVisibleYet(allocationID);
    if (pod && isAnnounced(pod)) return { do: 'Unpublish', isGated: isGated(pod) };
    return { do: 'Forget', allocationId: allocationID, generation: notes.generation + 1 };
  }
  const unproven = proveOurs(seen, eip, podEip, notes, settings);
  if (unproven) return unproven;
  const { bandwidthPackageId } = request;
  if (bandwidthPackageId !== undefined && eip.bandwidthPackageId !== bandwidthPackageId) {
    if (eip.bandwidthPackageId !== undefined)
      return fail(
        'EipInOtherPackage',
        `${allocationID} is in bandwidth package ${eip.bandwidthPackageId}, not ${bandwidthPackageId}`,
      );
    if (eip.status !== 'Available' && eip.status !== 'InUse') return inTransition(eip);
    return justAccepted('JoinBandwidthPackage', seen, settings)
      ? wait('JoiningBandwidthPackage', `${allocationID} is joining ${bandwidthPackageId}`, POLL_MS)
      : { do: 'JoinBandwidthPackage', allocationId: allocationID, bandwidthPackageId };
  }
  return putToUse(seen, eip, notes, settings, boundElsewhere);
};
