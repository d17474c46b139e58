import type { PodEip } from '../../api/podeip.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { writeRequest, type NewEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { receiveTransfer } from './transfer.ts';
import { awaitsInstance } from './instance.ts';
import { isMissing, notVisibleYet, proveOurs } from './ownership.ts';
import { isAnnounced, isGated } from '../../api/pod.ts';
import type { PodEipRecord } from './record.ts';
import { checkQuota } from './quota.ts';
import { isSettled, justAccepted, type ObservedState, type Settings } from './observation.ts';
import { fail, inTransition, POLL_MS, wait, type Step } from './step.ts';
import { boundElsewhere, bind } from './bind.ts';

/** An EIP of our own: find it or buy it, write it down, put it to use. */
export const provision = (
  seen: ObservedState,
  podEip: PodEip,
  record: PodEipRecord,
  request: NewEip,
  parsed: ParsedRequest,
  settings: Settings,
): Step => {
  const { memory, pod, eip, tagged } = seen;
  const { allocationID } = podEip.spec;
  if (allocationID === '') {
    if (!tagged) return { do: 'ReadTaggedEips' };
    const [found] = tagged;
    if (found) return { do: 'Record', allocationId: found.allocationId };
    const early = pod && awaitsInstance(pod, seen.node);
    if (early) return early;
    const inherited = receiveTransfer(seen, podEip, settings);
    if (inherited) return inherited;
    // Nothing is bought, nor asked for anew, on the word of a cache.
    if (seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
    const isRefused = memory.refusal?.action === 'Allocate';
    const isOtherRequest = parsed.request !== undefined && writeRequest(parsed.request) !== writeRequest(request);
    if (isRefused && !isOtherRequest && memory.refusal.dueInMs > 0)
      return fail(memory.refusal.reason, memory.refusal.message, memory.refusal.dueInMs);
    // All attempts are known to have bought nothing: only now may a new token be used, and the annotations be read anew.
    if ((isRefused || isOtherRequest) && isSettled(seen, settings))
      return claim(parsed, seen, record.generation + 1, settings);
    return checkQuota(seen, podEip, request) ?? { do: 'Allocate', request, generation: record.generation };
  }
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  if (!eip) {
    if (!isMissing(seen, settings)) return notVisibleYet(allocationID);
    if (!tagged) return { do: 'ReadTaggedEips' };
    if (tagged.some(({ allocationId }) => allocationId === allocationID)) return notVisibleYet(allocationID);
    if (pod && isAnnounced(pod)) return { do: 'Unpublish', isGated: isGated(pod) };
    return { do: 'Forget', allocationId: allocationID, generation: record.generation + 1 };
  }
  const unproven = proveOurs(seen, eip, podEip, record, settings);
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
  return bind(seen, eip, record, settings, boundElsewhere);
};
