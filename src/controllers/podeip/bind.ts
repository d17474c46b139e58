import { OUR_VIRTUAL_NODE } from '../../api/annotations.ts';
import type { Eip } from '../../cloud/port.ts';
import { isPublished } from './pod-request.ts';
import { isAnnounced, isGated } from '../../api/pod.ts';
import { isBoundTo, isSameBinding, latestBinding, type PodEipRecord, type NicBinding } from './record.ts';
import { isSettled, justAccepted, type ObservedState, type Settings } from './observation.ts';
import { done, fail, inTransition, POLL_MS, wait, type Step } from './step.ts';

/**
 * The EIP is ours to use: bind it to where the pod is now, see that it is, and tell the pod.
 *
 * @param takeAway what to do about an EIP that somebody else bound to something
 */
export const bind = (
  seen: ObservedState,
  eip: Eip,
  record: PodEipRecord,
  settings: Settings,
  takeAway: (eip: Eip) => Step,
): Step => {
  const { pod, memory } = seen;
  const { allocationId } = eip;
  if (!pod?.status?.podIP) return wait('NoPodIP', 'the pod has no address', settings.recheckMs);
  const { podIP } = pod.status;
  const latest = latestBinding(record);

  if (eip.status === 'InUse' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest)) {
    if (!isPublished(pod, eip)) return { do: 'Publish', ipAddress: eip.ipAddress, isGated: isGated(pod) };
    return eip.lockReasons.length > 0
      ? locked(eip, settings.recheckMs)
      : done('InUse', `${eip.ipAddress} (${allocationId}) is bound to ${podIP}`, settings.recheckMs);
  }
  // One reading that contradicts what was published may come from a replica that lags. Two are the truth.
  const isTold = isAnnounced(pod);
  if (isTold && memory.driftMs < settings.readLagMs)
    return wait('EipNotVisibleYet', `${allocationId} is described as ${eip.status}`, POLL_MS);
  if (isTold) return { do: 'Unpublish', isGated: isGated(pod) };

  if (eip.status === 'InUse') {
    const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
    if (!binding && isOnOurVirtualNode(seen)) {
      // It was given to the instance when that was made.
      const found = locateInterface(seen, podIP, record.podUid);
      if ('do' in found) return found;
      if (isBoundTo(eip, found)) return { do: 'RecordBinding', binding: found };
    }
    if (!binding) return takeAway(eip);
    // The pod before this one had the same address: what is bound there may be right already.
    if (binding.privateIpAddress === podIP && binding.podUid !== record.podUid) {
      const found = locateInterface(seen, podIP, record.podUid);
      if ('do' in found) return found;
      if (isSameBinding(found, binding)) {
        // A request to detach it from there that got no answer would take it from this pod.
        return isSettled(seen, settings)
          ? { do: 'RecordBinding', binding: found }
          : wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
      }
    }
    return justAccepted('Unassociate', seen, settings)
      ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
      : { do: 'Unassociate', allocationId, binding };
  }
  if (eip.status !== 'Available') return inTransition(eip);
  if (eip.lockReasons.length > 0) return locked(eip);
  if (justAccepted('Associate', seen, settings)) return wait('InTransition', `${allocationId} is being bound`, POLL_MS);
  const found = locateInterface(seen, podIP, record.podUid);
  if ('do' in found) return found;
  // The pod before this one had the same address: a request to detach the EIP from there that got no answer would take it
  // from this pod. Once the place is written down as this pod's, that was waited for.
  const wasAnothers = record.bindings.some(
    (binding) => isSameBinding(binding, found) && binding.podUid !== record.podUid,
  );
  if (wasAnothers && !isSettled(seen, settings))
    return wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
  return latest && isSameBinding(latest, found) && latest.isPrimary === found.isPrimary
    ? { do: 'Associate', allocationId, binding: found }
    : { do: 'RecordBinding', binding: found };
};

const isOnOurVirtualNode = ({ node }: ObservedState): boolean => node?.metadata.labels?.[OUR_VIRTUAL_NODE] === 'true';

const locked = ({ allocationId, lockReasons }: Eip, ms?: number): Step =>
  fail('EipLocked', `${allocationId} is locked (${lockReasons.join(', ')}); clear the lock in the console`, ms);

/** The EIP was bought for this pod and is bound to something else: not by us. */
export const boundElsewhere = (eip: Eip): Step =>
  fail(
    'EipBoundElsewhere',
    `${eip.allocationId} is bound to ${eip.instanceId ?? 'something else'}, where this controller did not put it; detach it there`,
  );

/** The one network interface that holds the pod's address. */
const locateInterface = (seen: ObservedState, privateIpAddress: string, podUid: string): NicBinding | Step => {
  if (!seen.interfaces) return { do: 'ReadInterfaces', privateIpAddress };
  const [one, ...others] = seen.interfaces;
  if (!one) return wait('NoInterfaceYet', `no network interface of the VPC holds ${privateIpAddress} yet`, 2 * POLL_MS);
  if (others.length > 0)
    return fail(
      'AmbiguousInterface',
      `${privateIpAddress} is held by ${seen.interfaces.length} network interfaces (${seen.interfaces.map((it) => it.networkInterfaceId).join(', ')}); check vpcID in the configuration`,
    );
  if (one.status !== 'InUse')
    return wait('NoInterfaceYet', `network interface ${one.networkInterfaceId} is ${one.status}`, 2 * POLL_MS);
  return {
    networkInterfaceId: one.networkInterfaceId,
    privateIpAddress,
    isPrimary: one.primaryIpAddress === privateIpAddress,
    podUid,
  };
};
