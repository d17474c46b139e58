import { CONTROLLER } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { InternetChargeType } from '../../api/eip.ts';
import type { EipRequest } from '../../request/request.ts';
import { MAX_BANDWIDTH_MBPS } from '../../request/values.ts';
import { remedyFor } from '../../rules/conflicting-controllers.ts';
import { isOfBefore, isUntagged } from './ownership.ts';
import type { Pod } from '../../api/core.ts';
import { hasNoIPv4, ipv4Of, isFinal } from '../../api/pod.ts';
import { hasFinalizer, type NicBinding } from './record.ts';
import { provesOwnership } from './safeguards.ts';
import type { Situation } from './situation.ts';
import { fail, RETRY_MS, type Step } from './step.ts';

/** The controller whose name a PodEIP without one stands for: Terway's own migration hands its PodEIPs to it. */
export const ACK_EXTEND_CONTROLLER = 'ack-extend-network-controller';
/** On a PodEIP that `knative-eip migrate` has made for the EIP of a pod of Terway's, until it is taken over. */
export const TERWAY_CONTROLLER = 'terway';

/** The controllers whose PodEIPs are adopted. */
const PREDECESSORS: readonly string[] = [ACK_EXTEND_CONTROLLER, TERWAY_CONTROLLER];

/** Who looks after a PodEIP that is not ours. */
export const predecessorOf = ({ metadata }: PodEip): string =>
  metadata.annotations?.[CONTROLLER] ?? ACK_EXTEND_CONTROLLER;

/**
 * The next step for a PodEIP that this controller did not write. Only PodEIPs from before the configured time are
 * adopted: otherwise anybody who may write PodEIPs could make this controller tag, and then release, any EIP of the
 * account. The API server sets the creation time, so that it cannot be forged.
 */
export const adopt = (it: Situation, podEip: PodEip): Step => {
  const { seen, settings } = it;
  const { metadata, spec } = podEip;
  const from = predecessorOf(podEip);
  const leftAlone = (why: string): Step =>
    fail(
      'NotManagedHere',
      `PodEIP ${metadata.name} was not written by knative-eip and is left alone: ${why}`,
      settings.recheckMs,
    );
  if (settings.adoptBefore === undefined)
    return leftAlone(
      'once the controller that wrote it is uninstalled, set adoptPodEIPsCreatedBefore in the configuration to have it taken over, or delete it',
    );
  if (!PREDECESSORS.includes(from)) return leftAlone(`it belongs to ${from}`);
  if (!isOfBefore(podEip, settings))
    return leftAlone(
      `it was created at ${metadata.creationTimestamp ?? 'an unknown time'}, not before adoptPodEIPsCreatedBefore`,
    );
  const { otherControllers = [] } = seen;
  if (otherControllers.length > 0)
    return leftAlone(
      `${otherControllers.join(' and ')} is still at work; first ${otherControllers.map(remedyFor).join('; ')}`,
    );
  if (!hasFinalizer(podEip) || spec.allocationID === '') return leftAlone('it holds no EIP');
  if (seen.eip === undefined) return { do: 'ReadEip', allocationId: spec.allocationID };
  const { eip } = seen;
  if (!eip) return fail('EipNotFound', `${spec.allocationID} is not listed in this region and account`, RETRY_MS);
  const mayBeOurs = !eip.serviceManaged && (isUntagged(eip) || provesOwnership(eip, podEip, settings.clusterUid));
  if (spec.allocationType.type !== 'Static' && !mayBeOurs)
    return leftAlone(`${spec.allocationID} belongs to somebody else`);
  if (isAmbiguous(podEip, eip) && seen.interfaces === undefined)
    return { do: 'ReadInterfaces', privateIpAddress: podEip.status?.privateIPAddress ?? '' };
  return {
    do: 'Adopt',
    podEip,
    from,
    ...servedPodOf(it, podEip, eip),
    request: requestOf(podEip, eip),
    bindings: bindingsOf(it, podEip, eip),
  };
};

/** Where the EIP is bound the pod had an address then: one that has none yet is another of the name. */
const isOfFormerPod = (pod: Pod, eip: Eip): boolean =>
  eip.status === 'InUse' && ipv4Of(pod) === undefined && !hasNoIPv4(pod);

/** The pod that the PodEIP serves; if there is none, since when it has been gone. */
const servedPodOf = ({ seen: { now }, asked }: Situation, podEip: PodEip, eip: Eip) => {
  const isServed = asked !== null && !isFinal(asked.pod) && asked.isWanted && !isOfFormerPod(asked.pod, eip);
  if (isServed) return { podUid: asked.pod.metadata.uid, goneSince: undefined };
  const lastSeen = Date.parse(podEip.status?.podLastSeen ?? '');
  return { podUid: '', goneSince: Number.isNaN(lastSeen) ? now : Math.min(now, lastSeen) };
};

const requestOf = ({ spec }: PodEip, eip: Eip): EipRequest => {
  const internetChargeType: InternetChargeType =
    eip.internetChargeType === 'PayByBandwidth' ? 'PayByBandwidth' : 'PayByTraffic';
  return spec.allocationType.type === 'Static'
    ? { kind: 'existing', allocationId: spec.allocationID }
    : {
        kind: 'new',
        // Should the cloud say what its package has: no EIP is bought with that.
        bandwidthMbps: Math.min(eip.bandwidthMbps, MAX_BANDWIDTH_MBPS[internetChargeType]),
        internetChargeType,
        isp: eip.isp,
        ...(eip.name !== undefined && { name: eip.name }),
        ...(eip.description !== undefined && { description: eip.description }),
        ...(eip.publicIpAddressPoolId !== undefined && { publicIpAddressPoolId: eip.publicIpAddressPoolId }),
        ...(eip.resourceGroupId !== undefined && { resourceGroupId: eip.resourceGroupId }),
        ...(spec.bandwidthPackageID !== undefined &&
          spec.bandwidthPackageID !== '' && { bandwidthPackageId: spec.bandwidthPackageID }),
        securityProtectionTypes: [],
        tags: [],
      };
};

/**
 * Whether the description of the EIP leaves open at which address of the interface it is: at the primary one it is
 * described without an address, and the other controller did not write down which one that is.
 */
const isAmbiguous = ({ status }: PodEip, eip: Eip): boolean => {
  const { networkInterfaceID = '', privateIPAddress = '' } = status ?? {};
  return (
    networkInterfaceID !== '' &&
    privateIPAddress !== '' &&
    eip.instanceId === networkInterfaceID &&
    eip.privateIpAddress === ''
  );
};

/**
 * Where the other controller bound the EIP. Only the interface itself says whether that is its primary address: the EIP
 * may have been moved there since by somebody else, and is then not at the address of the pod.
 */
const bindingsOf = ({ seen, asked }: Situation, podEip: PodEip, eip: Eip): readonly NicBinding[] => {
  const { networkInterfaceID = '', privateIPAddress = '' } = podEip.status ?? {};
  if (networkInterfaceID === '' || privateIPAddress === '') return [];
  const isPrimary =
    isAmbiguous(podEip, eip) &&
    (seen.interfaces ?? []).some(
      (each) => each.networkInterfaceId === networkInterfaceID && each.primaryIpAddress === privateIPAddress,
    );
  const podUid = asked?.isWanted === true && !isOfFormerPod(asked.pod, eip) ? asked.pod.metadata.uid : '';
  return [{ networkInterfaceId: networkInterfaceID, privateIpAddress: privateIPAddress, isPrimary, podUid }];
};
