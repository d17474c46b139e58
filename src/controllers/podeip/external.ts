import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import { planCreation, type CreationPlan } from '../../request/provisioner.ts';
import { creationFacts } from '../../request/policy.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { targetOf } from '../../request/target.ts';
import { hasEipOfInstance, waitsForEip } from './instance.ts';
import { isPublished, parsePod } from './pod-request.ts';
import { isFinal, isGated } from '../../api/pod.ts';
import { isExternal, readRecord } from './record.ts';
import type { ObservedState, Settings } from './observation.ts';
import { done, fail, POLL_MS, RETRY_MS, wait, type Step } from './step.ts';

/** An EIP that came with an instance goes with it; one that is still there after so long was left behind. Milliseconds. */
const LEFT_BEHIND_MS = 5 * 60_000;
/** Between two looks at an instance that is ending, or has no address yet. */
const LOOK_MS = 10 * POLL_MS;

/**
 * The one thing to do next for the PodEIP of a pod whose address the virtual node makes and takes back. It is a record:
 * nothing of the cloud is changed for it, ever. It makes the address visible beside the others, opens the pod's readiness
 * gate, and outlives the pod until the account shows that the address has gone with the instance.
 * Source: ECI API reference, DescribeContainerGroups: resources that were created together with the instance are released
 * together with the instance.
 */
export const external = (seen: ObservedState, podEip: PodEip, settings: Settings): Step => {
  const { pod } = seen;
  const record = readRecord(podEip);
  if (podEip.metadata.deletionTimestamp !== undefined) return done('Released', 'only the record is deleted');
  if (!pod || pod.metadata.uid !== record.podUid || isFinal(pod)) return afterPod(seen, podEip);
  const parsed = parsePod(pod, settings);
  if (!parsed.wanted) return { do: 'Retire', because: 'the pod no longer asks for an address' };
  const { allocationID } = podEip.spec;
  if (allocationID === '') {
    const how = provisionerOf(seen, pod, parsed, settings);
    if (waitsForEip(pod) && (how === 'vpc-first' || how === 'after-creation'))
      return { do: 'Retire', because: 'its EIP is bought before the instance is made' };
    // The pod has another annotation now than when it was recorded. With its address the instance says whether it has an EIP.
    if (how === 'after-creation' && pod.status?.podIP && !hasEipOfInstance(pod, seen.node))
      return { do: 'Retire', because: 'its EIP is bound once the instance runs' };
  }
  const said = pod.metadata.annotations ?? {};
  const allocationId = said[ALLOCATED_INSTANCE_ID] ?? '';
  const address = said[ALLOCATED_ADDRESS];
  if (allocationId === '' || address === undefined) {
    return wait(
      'EipNotVisibleYet',
      'the virtual node has not said yet which address the pod has; annotations count at the creation of an ECI pod only',
      pod.status?.podIP === undefined ? LOOK_MS : RETRY_MS,
    );
  }
  if (seen.eip === undefined) return { do: 'ReadEip', allocationId };
  const { eip } = seen;
  // Whoever may edit the pod may write these annotations. Until the account shows the same they are nobody's word: nothing is
  // written down that would count against others, and nothing of the EIP is told.
  if (!eip || eip.status !== 'InUse' || eip.ipAddress !== address || eip.tags.has(TAG_PODEIP_UID))
    return wait(
      'EipNotVisibleYet',
      `the virtual node says ${address}, and the account does not show ${allocationId} in use with that address`,
      LOOK_MS,
    );
  if (allocationID !== allocationId) return { do: 'Record', allocationId };
  if (!isPublished(pod, eip)) return { do: 'Publish', ipAddress: address, isGated: isGated(pod) };
  return done('InUse', `${address} (${allocationId}) was made by the virtual node`, settings.recheckMs);
};

/** Who makes the address, as things stand: a policy may have come, or an annotation. */
const provisionerOf = (
  { node }: ObservedState,
  pod: Pod,
  parsed: ParsedRequest,
  settings: Settings,
): CreationPlan['how'] =>
  planCreation(parsed, pod.metadata.annotations, targetOf(pod, node ?? undefined), creationFacts(settings)).how;

/** The instance ends, and its address with it: believed once the account shows it. */
const afterPod = (seen: ObservedState, podEip: PodEip): Step => {
  const { allocationID, allocationType } = podEip.spec;
  if (allocationID === '') return { do: 'Retire', because: 'the pod is gone, and no address of it is known' };
  const { eip, memory } = seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  if (!eip) return { do: 'Retire', because: `${allocationID} went with the instance` };
  if (allocationType.type === 'Static' && eip.status === 'Available')
    return { do: 'Retire', because: `${allocationID} was detached with the instance` };
  if (memory.retainedMs < LEFT_BEHIND_MS)
    return wait('Releasing', `${allocationID} is still ${eip.status}; it goes with the instance`, LOOK_MS);
  // An EIP of the user's serves one pod after the other.
  if (!seen.competitors) return { do: 'ReadCompetingClaims', allocationId: allocationID };
  const next = seen.competitors.find(
    (competitor) => !isExternal(competitor.podEip) || isYounger(competitor.podEip, podEip),
  );
  if (next) return { do: 'Retire', because: `pod ${next.podEip.metadata.name} has ${allocationID} now` };
  return fail(
    'EipLeftBehind',
    allocationType.type === 'Static'
      ? `${allocationID} is still bound to ${eip.instanceId ?? 'something'} although the pod is gone; detach it there if nobody uses it`
      : `${allocationID} (${eip.ipAddress}) was made with an instance that is gone and is still there, ${eip.status}; release it in the console, or delete this PodEIP if it is in use on purpose`,
    10 * RETRY_MS,
  );
};

/** A strict order, so that of several records of one EIP one stays. */
const isYounger = ({ metadata: one }: PodEip, { metadata: other }: PodEip): boolean => {
  const [born, before] = [one.creationTimestamp ?? '', other.creationTimestamp ?? ''];
  return born === before ? one.uid > other.uid : born > before;
};
