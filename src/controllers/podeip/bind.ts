import { OUR_VIRTUAL_NODE } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { Eip } from '../../cloud/port.ts';
import { isPublished } from './pod-request.ts';
import { isAnnounced, isGated } from '../../api/pod.ts';
import { isBoundTo, isSameBinding, latestBinding, type NicBinding } from './record.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import {
  done,
  fail,
  inTransition,
  POLL_MS,
  stepFirst,
  unpublish,
  valueOf,
  wait,
  type Outcome,
  type Step,
} from './step.ts';

/**
 * The EIP is ours to use: bind it to where the pod is now, see that it is, and tell the pod.
 *
 * @param takeAway what to do about an EIP that somebody else bound to something
 */
export const bind = (it: PodEipSituation, eip: Eip, takeAway: (eip: Eip) => Step): Step => {
  const { seen, record, settings } = it;
  const { pod, memory } = seen;
  const { allocationId } = eip;
  if (!pod?.status?.podIP) return wait('NoPodIP', 'the pod has no address', settings.recheckMs);
  const { podIP } = pod.status;
  const latest = latestBinding(record);
  if (eip.status === 'InUse' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest))
    return publish(it, eip, pod, podIP);
  // One reading that contradicts what was published may come from a replica that lags. Two are the truth.
  const isTold = isAnnounced(pod);
  if (isTold && memory.driftMs < settings.readLagMs)
    return wait('EipNotVisibleYet', `${allocationId} is described as ${eip.status}`, POLL_MS);
  if (isTold) return unpublish(pod);
  if (eip.status === 'InUse') return unbindStale(it, eip, podIP, takeAway);
  if (eip.status !== 'Available') return inTransition(eip);
  return associate(it, eip, podIP);
};

/** It is bound to where the pod is: the pod is told. */
const publish = ({ settings }: PodEipSituation, eip: Eip, pod: Pod, podIP: string): Step => {
  const { allocationId, ipAddress } = eip;
  if (!isPublished(pod, eip)) return { do: 'Publish', pod, ipAddress, isGated: isGated(pod) };
  return eip.lockReasons.length > 0
    ? locked(eip, settings.recheckMs)
    : done('InUse', `${ipAddress} (${allocationId}) is bound to ${podIP}`, settings.recheckMs);
};

/** It is bound, and not to what was written down last for this pod. */
const unbindStale = (it: PodEipSituation, eip: Eip, podIP: string, takeAway: (eip: Eip) => Step): Step => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  if (!binding) return isOnOurVirtualNode(it) ? acceptFromInstance(it, eip, podIP, takeAway) : takeAway(eip);
  // The pod before this one had the same address: what is bound there may be right already.
  if (binding.privateIpAddress === podIP && binding.podUid !== record.podUid) {
    const found = locateInterface(it, podIP);
    if (found.kind === 'step') return found.step;
    if (isSameBinding(found.value, binding)) {
      // A request to detach it from there that got no answer would take it from this pod.
      return isSettled(it)
        ? { do: 'RecordBinding', podEip, binding: found.value }
        : wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
    }
  }
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding };
};

/** Our virtual node gives the EIP to the instance when that is made: bound there, it is right. */
const acceptFromInstance = (it: PodEipSituation, eip: Eip, podIP: string, takeAway: (eip: Eip) => Step): Step => {
  const found = locateInterface(it, podIP);
  if (found.kind === 'step') return found.step;
  const binding = found.value;
  return isBoundTo(eip, binding) ? { do: 'RecordBinding', podEip: it.podEip, binding } : takeAway(eip);
};

/** It is free: where the pod is is written down first, and then it is bound there. */
const associate = (it: PodEipSituation, eip: Eip, podIP: string): Step => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  if (eip.lockReasons.length > 0) return locked(eip);
  if (justAccepted('Associate', it)) return wait('InTransition', `${allocationId} is being bound`, POLL_MS);
  const found = locateInterface(it, podIP);
  if (found.kind === 'step') return found.step;
  const binding = found.value;
  // The pod before this one had the same address: a request to detach the EIP from there that got no answer would take
  // it from this pod. Once the place is written down as this pod's, that was waited for.
  const wasAnothers = record.bindings.some((other) => isSameBinding(other, binding) && other.podUid !== record.podUid);
  if (wasAnothers && !isSettled(it))
    return wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
  const latest = latestBinding(record);
  return latest && isSameBinding(latest, binding) && latest.isPrimary === binding.isPrimary
    ? { do: 'Associate', podEip, allocationId, binding }
    : { do: 'RecordBinding', podEip, binding };
};

const isOnOurVirtualNode = ({ seen: { node } }: PodEipSituation): boolean =>
  node?.metadata.labels?.[OUR_VIRTUAL_NODE] === 'true';

const locked = ({ allocationId, lockReasons }: Eip, ms?: number): Step =>
  fail('EipLocked', `${allocationId} is locked (${lockReasons.join(', ')}); clear the lock in the console`, ms);

/** The EIP was bought for this pod and is bound to something else: not by us. */
export const boundElsewhere = (eip: Eip): Step =>
  fail(
    'EipBoundElsewhere',
    `${eip.allocationId} is bound to ${eip.instanceId ?? 'something else'}, where this controller did not put it; detach it there`,
  );

/** The one network interface that holds the pod's address. */
const locateInterface = ({ seen, record }: PodEipSituation, privateIpAddress: string): Outcome<NicBinding> => {
  if (!seen.interfaces) return stepFirst({ do: 'ReadInterfaces', privateIpAddress });
  const [one, ...others] = seen.interfaces;
  if (!one)
    return stepFirst(
      wait('NoInterfaceYet', `no network interface of the VPC holds ${privateIpAddress} yet`, 2 * POLL_MS),
    );
  const { networkInterfaceId, status, primaryIpAddress } = one;
  if (others.length > 0)
    return stepFirst(
      fail(
        'AmbiguousInterface',
        `${privateIpAddress} is held by ${seen.interfaces.length} network interfaces (${seen.interfaces.map((each) => each.networkInterfaceId).join(', ')}); check vpcID in the configuration`,
      ),
    );
  if (status !== 'InUse')
    return stepFirst(wait('NoInterfaceYet', `network interface ${networkInterfaceId} is ${status}`, 2 * POLL_MS));
  const isPrimary = primaryIpAddress === privateIpAddress;
  return valueOf({ networkInterfaceId, privateIpAddress, isPrimary, podUid: record.podUid });
};
