import type { PodEip } from '../api/podeip.ts';
import { ipv4Of, isFinal } from '../api/pod.ts';
import type { Eip } from '../cloud/port.ts';
import { ACK_EXTEND_CONTROLLER, adopt, predecessorOf, TERWAY_CONTROLLER } from '../controllers/podeip/adopt.ts';
import { mayName } from '../controllers/podeip/grant.ts';
import type { ObservedState } from '../controllers/podeip/observation.ts';
import { isUntagged } from '../controllers/podeip/ownership.ts';
import { PodRequest } from '../controllers/podeip/pod-request.ts';
import { hasFinalizer, isBoundTo, isExternal, isOurs, type NicBinding } from '../controllers/podeip/record.ts';
import { isAnothers, provesOwnership } from '../controllers/podeip/safeguards.ts';
import { situationOf } from '../controllers/podeip/situation.ts';
import { readReleaseAfter } from '../request/release-policy.ts';
import type { Predecessor, SeenPod, Surroundings } from './inventory.ts';
import { blocked, nothingToDo, planned, waits, type PlannedPod } from './planned.ts';
import type { Adoption, MigrationStep } from './migration-step.ts';

/** Something that a person has to do first. */
interface Obstacle {
  readonly because: string;
  readonly todo: string;
}

/** What the predecessor does by itself, if it is let. */
export const RESUME: Readonly<Record<Predecessor, string>> = {
  'ack-extend-network-controller':
    'let ack-extend-network-controller finish it (--replicas=1), scale it to 0 again, and run this again',
  terway: 'let Terway finish it (enable_eip_pool "true", restart), and run this again',
};

/**
 * What becomes of a PodEIP that another controller wrote. It is taken over where the controller that goes on has
 * nothing to do, since its EIP is bound to its pod; else where the operator vouches for it.
 */
export const planTakeOver = (seen: SeenPod, podEip: PodEip, around: Surroundings): PlannedPod => {
  if (isExternal(podEip)) return nothingToDo(seen, 'a virtual node made the address; the PodEIP records it');
  if (isOurs(podEip)) return nothingToDo(seen, 'knative-eip looks after it');
  const obstacle = obstacleIn(podEip, seen, around) ?? obstacleAtEip(podEip, seen, around);
  if (obstacle) return blocked(seen, obstacle.because, obstacle.todo);
  const eip = seen.eip!;
  const place = isServed(seen, around) ? placeOf(seen, eip) : undefined;
  const trouble = place ? undefined : obstacleAtPlace(seen, eip, around);
  if (trouble) return blocked(seen, trouble.because, trouble.todo);
  if (around.from === 'terway' && around.pool !== 'off')
    return waits(seen, [], 'Terway may still release the EIP', TURN_OFF);
  const adoption = adoptionOf(seen, podEip, place, around);
  if (adoption.do !== 'Adopt') return blocked(seen, adoption.message, 'correct that, and run this again');
  const isProved =
    podEip.spec.allocationType.type === 'Static' || provesOwnership(eip, podEip, around.settings.clusterUid);
  const tag: readonly MigrationStep[] = isProved ? [] : [{ do: 'Tag', podEip, allocationId: eip.allocationId }];
  const because = place
    ? `bound to ${place.privateIpAddress}, and stays so`
    : 'vouched for; kept or released as its strategy says';
  return planned(seen, 'takeOver', [...tag, adoption], because);
};

/** The last thing to be done by hand before PodEIPs of Terway's are taken over. */
export const TURN_OFF =
  'once enable_eip_pool has been "false" for half a minute, restart Terway: kubectl -n kube-system rollout restart daemonset -l app=terway-eniip (or app=terway-eni), wait for its rollout, and run this again (its pods have the label app=terway, terway-eni or terway-eniip; if Terway is not in the cluster any more: kubectl -n kube-system delete configmap eni-config)';

/** What in the PodEIP itself stands against it. */
const obstacleIn = (podEip: PodEip, seen: SeenPod, { from, settings }: Surroundings): Obstacle | undefined => {
  const { metadata, spec } = podEip;
  const writer = predecessorOf(podEip);
  const expected = from === 'terway' ? [TERWAY_CONTROLLER, ACK_EXTEND_CONTROLLER] : [ACK_EXTEND_CONTROLLER];
  if (!expected.includes(writer))
    return { because: `${writer} looks after it`, todo: `leave it to ${writer}, or run --from ${writer}` };
  if (metadata.deletionTimestamp !== undefined)
    return { because: 'it is being deleted, and its EIP given back', todo: RESUME[from] };
  if (!hasFinalizer(podEip) || spec.allocationID === '') return { because: 'it holds no EIP', todo: RESUME[from] };
  if (seen.competitors.length > 0)
    return {
      because: `${spec.allocationID} is named by ${seen.competitors.join(', ')}, too`,
      todo: 'find out whose it is, take the other pod or PodEIP away, and run this again',
    };
  const { releaseStrategy, releaseAfter } = spec.allocationType;
  if (releaseStrategy === 'TTL' && readReleaseAfter(releaseAfter) === undefined)
    return {
      because: `releaseAfter ${JSON.stringify(releaseAfter ?? '')} is no duration`,
      todo: 'write one such as "10m" into spec.allocationType.releaseAfter',
    };
  const target = seen.pod && new PodRequest(seen.pod, seen.node, settings).target;
  return target?.on === 'eci' || target?.on === 'acs'
    ? {
        because: `its pod runs on ${target.on.toUpperCase()}, not on an ECS node`,
        todo: 'delete the pod before ack-extend-network-controller goes, or leave it: nothing of it is touched',
      }
    : undefined;
};

/** Whether the EIP may become this PodEIP's. */
const obstacleAtEip = (podEip: PodEip, { eip }: SeenPod, { from, settings }: Surroundings): Obstacle | undefined => {
  const { allocationID, allocationType } = podEip.spec;
  if (!eip)
    return {
      because: `${allocationID} is not listed in this region and account`,
      todo: `if it was released, ${RESUME[from]}; if it is in another account, delete the pod first`,
    };
  const namespace = podEip.metadata.namespace ?? '';
  if (allocationType.type === 'Static') {
    if (isAnothers(eip, podEip, settings.clusterUid))
      return {
        because: `the tags of ${allocationID} say that it was bought for another PodEIP`,
        todo: 'name another EIP',
      };
    // Without the right to name it, the controller would detach it.
    const refusal = mayName(eip, namespace, settings, true);
    return (
      refusal && {
        because: refusal.message,
        todo: `grant ${allocationID} to the namespace ${namespace} (docs/policies.md)`,
      }
    );
  }
  if (eip.serviceManaged)
    return {
      because: `${allocationID} belongs to another cloud service`,
      todo: `set spec.allocationType.type to Static`,
    };
  if (!isUntagged(eip) && !provesOwnership(eip, podEip, settings.clusterUid))
    return {
      because: `the tags of ${allocationID} say that another PodEIP or cluster of knative-eip bought it`,
      todo: 'find out whose it is; take the tags knative-eip/… off if it is this one’s',
    };
  const { bandwidthPackageID = '' } = podEip.spec;
  return bandwidthPackageID !== '' && eip.bandwidthPackageId !== bandwidthPackageID
    ? {
        because: `${allocationID} is ${eip.bandwidthPackageId === undefined ? 'in no bandwidth package' : `in ${eip.bandwidthPackageId}`}, and the PodEIP asks for ${bandwidthPackageID}`,
        todo: 'write the one that it is in into spec.bandwidthPackageID, or nothing',
      }
    : undefined;
};

/** Whether there is a pod that goes on using the EIP. */
const isServed = ({ pod, node }: SeenPod, { settings }: Surroundings): boolean =>
  pod !== null &&
  !isFinal(pod) &&
  pod.metadata.deletionTimestamp === undefined &&
  new PodRequest(pod, node, settings).isWanted;

/** Where the EIP is bound, if that is the address of the pod in the cluster's VPC; undefined if it is not. */
export const placeOf = ({ pod, interfaces }: SeenPod, eip: Eip): NicBinding | undefined => {
  const privateIpAddress = pod ? ipv4Of(pod) : undefined;
  if (!pod || privateIpAddress === undefined || eip.status !== 'InUse') return undefined;
  return interfaces
    .map(({ networkInterfaceId, primaryIpAddress }): NicBinding => {
      const isPrimary = primaryIpAddress === privateIpAddress;
      return { networkInterfaceId, isPrimary, privateIpAddress, podUid: pod.metadata.uid };
    })
    .find((binding) => isBoundTo(eip, binding));
};

/** The EIP is not bound to a pod that goes on: whether somebody vouches for it, and it is this cluster's to release. */
const obstacleAtPlace = (seen: SeenPod, eip: Eip, around: Surroundings): Obstacle | undefined => {
  const { from, vouchedFor } = around;
  const { allocationId, status, instanceId = 'something', privateIpAddress } = eip;
  if (status !== 'InUse' && status !== 'Available')
    return { because: `${allocationId} is ${status}`, todo: 'run this again in a moment' };
  if (isServed(seen, around))
    return status === 'Available'
      ? { because: `${allocationId} is bound to nothing, and its pod runs`, todo: RESUME[from] }
      : {
          because: `${allocationId} is bound to ${instanceId}${privateIpAddress ? ` (${privateIpAddress})` : ''}, not to its pod`,
          todo: 'detach it there and bind it to the pod, or delete the pod',
        };
  if (seen.pod?.metadata.deletionTimestamp !== undefined && !isFinal(seen.pod))
    return { because: 'its pod is ending', todo: RESUME[from] };
  if (status === 'InUse' && !seen.interfaces.some(({ networkInterfaceId }) => networkInterfaceId === eip.instanceId))
    return {
      because: `its pod is gone, and ${allocationId} is bound to ${instanceId}, which is no network interface of this VPC`,
      todo: 'find out whose it is, and delete the PodEIP if it is not this cluster’s',
    };
  if (vouchedFor.has(allocationId)) return undefined;
  return {
    because: `its pod is gone, and a PodEIP alone does not prove that ${allocationId} was bought for it`,
    todo: `${RESUME[from]}; or find out whose it is, and write --take-over ${allocationId} if it was bought for this PodEIP: knative-eip then keeps or releases it, as its strategy says`,
  };
};

/** The notes that the controller itself would write, of which the place was checked here. */
const adoptionOf = (seen: SeenPod, podEip: PodEip, place: NicBinding | undefined, around: Surroundings) => {
  const { pod, node, eip, interfaces } = seen;
  const observed: ObservedState = {
    pod,
    node,
    podEip,
    eip,
    interfaces,
    otherControllers: [],
    memory: { quietMs: 0, isCertain: false, driftMs: 0, missingMs: 0, retainedMs: 0 },
    now: around.now,
  };
  const step = adopt(situationOf(observed, { ...around.settings, adoptBefore: Infinity }), podEip);
  // Where an EIP is that no pod has is said by the interfaces alone; the status of the PodEIP may be anybody's.
  if (step.do === 'Adopt') return { ...step, bindings: place ? [place] : holdersOf(seen) } satisfies Adoption;
  const message = 'message' in step ? step.message : `${step.do} is missing`;
  return { do: 'Refused' as const, message };
};

const holdersOf = ({ eip, interfaces }: SeenPod): readonly NicBinding[] =>
  interfaces
    .filter(({ networkInterfaceId }) => eip?.status === 'InUse' && networkInterfaceId === eip.instanceId)
    .map(({ networkInterfaceId, primaryIpAddress }) => {
      const isPrimary = !eip?.privateIpAddress;
      const privateIpAddress = eip?.privateIpAddress || primaryIpAddress;
      return { networkInterfaceId, privateIpAddress, isPrimary, podUid: '' };
    });
