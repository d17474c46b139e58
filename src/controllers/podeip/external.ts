import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { heldElsewhere, holding } from './holding.ts';
import { hasEipOfInstance, waitsForEip } from './instance.ts';
import { isPublished } from './pod-announcement.ts';
import type { PodRequest } from './pod-request.ts';
import { isFinal } from '../../api/pod.ts';
import { isExternal } from './record.ts';
import type { PodEipSituation } from './situation.ts';
import {
  done,
  fail,
  POLL_MS,
  publishOn,
  retire,
  RETRY_MS,
  stepFirst,
  valueOf,
  wait,
  type Outcome,
  type Step,
} from './step.ts';

/**
 * An EIP that came with an instance is released with it; one that still exists after this time was left behind.
 * Milliseconds.
 */
const LEFT_BEHIND_MS = 5 * 60_000;
/** Interval between reads of an instance that is ending, or has no address yet. */
const LOOK_MS = 10 * POLL_MS;

/**
 * The one thing to do next for the PodEIP of a pod whose address the virtual node makes and takes back. It is a record:
 * nothing of the cloud is changed for it, ever. It makes the address visible beside the others, opens the pod's
 * readiness gate, and outlives the pod until the account shows that the address has gone with the instance. Source: ECI
 * API reference, DescribeContainerGroups: resources that were created together with the instance are released together
 * with the instance.
 */
export const external = (it: PodEipSituation): Step => {
  const { podEip, record, asked } = it;
  if (podEip.metadata.deletionTimestamp !== undefined) return done('Released', 'only the record is deleted');
  if (!asked || asked.pod.metadata.uid !== record.podUid || isFinal(asked.pod)) return afterPod(it);
  if (!asked.isWanted) return retire(podEip, 'the pod no longer asks for an address');
  const because = podEip.spec.allocationID === '' ? madeElsewhere(asked) : undefined;
  return because === undefined ? follow(it, asked) : retire(podEip, because);
};

/** Why the virtual node does not make the address, as things stand; undefined where it does. */
const madeElsewhere = (asked: PodRequest): string | undefined => {
  const { pod, plan } = asked;
  const { how } = plan;
  if (waitsForEip(pod) && (how === 'vpc-first' || how === 'after-creation'))
    return 'its EIP is bought before the instance is made';
  // The annotations of the pod have changed since it was recorded. Once the instance has its address, it shows whether
  // it has an EIP.
  return how === 'after-creation' && pod.status?.podIP && !hasEipOfInstance(asked)
    ? 'its EIP is bound once the instance runs'
    : undefined;
};

/** As much of what the virtual node says of a pod as a sentence takes. */
const MOST_SAID = 300;

/** Why the virtual node has not made the instance, as it says in the pod's status. */
const troubleOf = ({ status }: Pod): string =>
  status?.phase === 'Pending' && status.reason
    ? `, since it does not run: ${status.reason}: ${(status.message ?? '').slice(0, MOST_SAID)}`
    : '';

/** Writes down, and tells the pod, what the virtual node says and the account shows. */
const follow = (it: PodEipSituation, { pod, parsed: { request } }: PodRequest): Step => {
  const { seen, podEip, settings } = it;
  const said = pod.metadata.annotations ?? {};
  const allocationId = said[ALLOCATED_INSTANCE_ID] ?? '';
  const address = said[ALLOCATED_ADDRESS];
  if (allocationId === '' || address === undefined) {
    return wait(
      'EipNotVisibleYet',
      `the virtual node has not said yet which address the pod has${troubleOf(pod)}; annotations count at the creation of an ECI pod only`,
      pod.status?.podIP === undefined ? LOOK_MS : RETRY_MS,
    );
  }
  // Whoever may edit the pod may write these annotations. Until the account shows the same they are nobody's word:
  // nothing is written down that would count against others. And nothing of the EIP is told, not even whether there is
  // one with that ID and address: the answer is the same.
  const privateIpAddress = pod.status?.podIP ?? '';
  if (privateIpAddress === '') return notVisible('the pod has no address yet to which an EIP could be bound');
  const { eip } = seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  const isThere = isShown(it, eip, { address, privateIpAddress });
  if (isThere.kind === 'step') return isThere.step;
  if (!eip || !isThere.value)
    return notVisible(
      `the virtual node names ${allocationId}, and the account does not show it in use, with the address that the virtual node says, at the pod's own ${privateIpAddress}`,
    );
  const held = (request?.kind === 'existing' ? holding : heldElsewhere)(it, eip);
  if (held) return held;
  if (podEip.spec.allocationID !== allocationId) return { do: 'Record', podEip, allocationId };
  const message = `${address} (${allocationId}) was made by the virtual node`;
  if (!isPublished(pod, address, settings.networkKey)) return publishOn(pod, address, message);
  return done('InUse', message, settings.recheckMs);
};

/**
 * Whether the account shows the EIP as the virtual node says, at the pod's own address. The pod's annotations could
 * name anybody's EIP; its private address is the kubelet's word, and no two pods of a VPC have the same.
 */
const isShown = (
  { seen }: PodEipSituation,
  eip: Eip | null,
  { address, privateIpAddress }: { readonly address: string; readonly privateIpAddress: string },
): Outcome<boolean> => {
  if (!eip || eip.status !== 'InUse' || eip.ipAddress !== address || eip.tags.has(TAG_PODEIP_UID))
    return valueOf(false);
  // "" stands for the primary address of the interface.
  if (eip.privateIpAddress) return valueOf(eip.privateIpAddress === privateIpAddress);
  if (!seen.interfaces) return stepFirst({ do: 'ReadInterfaces', privateIpAddress });
  return valueOf(
    seen.interfaces.some(
      ({ networkInterfaceId, instanceId, primaryIpAddress }) =>
        primaryIpAddress === privateIpAddress &&
        (networkInterfaceId === eip.instanceId || (instanceId !== undefined && instanceId === eip.instanceId)),
    ),
  );
};

const notVisible = (message: string): Step => wait('EipNotVisibleYet', message, LOOK_MS);

/** The instance ends, and its address with it: only a read of the account proves that. */
const afterPod = ({ seen, podEip }: PodEipSituation): Step => {
  const { allocationID, allocationType } = podEip.spec;
  if (allocationID === '') return retire(podEip, 'the pod is gone, and no address of it is known');
  const { eip, memory } = seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  if (!eip) return retire(podEip, `${allocationID} went with the instance`);
  if (allocationType.type === 'Static' && eip.status === 'Available')
    return retire(podEip, `${allocationID} was detached with the instance`);
  if (memory.retainedMs < LEFT_BEHIND_MS)
    return wait('Releasing', `${allocationID} is still ${eip.status}; it goes with the instance`, LOOK_MS);
  // An existing EIP of the user serves one pod after the other.
  if (!seen.competitors) return { do: 'ReadCompetingClaims', allocationId: allocationID };
  const next = seen.competitors.find(
    (competitor) => !isExternal(competitor.podEip) || isYounger(competitor.podEip, podEip),
  );
  if (next) return retire(podEip, `pod ${next.podEip.metadata.name} has ${allocationID} now`);
  return fail(
    'EipLeftBehind',
    allocationType.type === 'Static'
      ? `${allocationID} is still bound to ${eip.instanceId ?? 'something'} although the pod is gone; detach it there if nobody uses it`
      : `${allocationID} (${eip.ipAddress}) was made with an instance that is gone and is still there, ${eip.status}; release it in the console, or delete this PodEIP if it is in use on purpose`,
    10 * RETRY_MS,
  );
};

/** A strict order, so that one of several records of the same EIP stays. */
const isYounger = ({ metadata: one }: PodEip, { metadata: other }: PodEip): boolean => {
  const [born, before] = [one.creationTimestamp ?? '', other.creationTimestamp ?? ''];
  return born === before ? one.uid > other.uid : born > before;
};
