import { ECI_INSTANCE_ID, OUR_VIRTUAL_NODE } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { Eip } from '../../cloud/port.ts';
import { locateInterface } from './locate.ts';
import { unpublishLost } from './beside-others.ts';
import { awaitDetached } from './detached.ts';
import { isPublished } from './pod-announcement.ts';
import { hasNoIPv4, ipv4Of, isAnnounced } from '../../api/pod.ts';
import {
  asDescribed,
  CONTAINER_INSTANCE,
  isBoundTo,
  isSameBinding,
  latestBinding,
  mayMean,
  type NicBinding,
} from './record.ts';
import { isRecorded, isServing, isSettled, justAccepted, ourBinding, provesOwnership } from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { done, fail, inTransition, POLL_MS, publishOn, wait, type Result, type Step } from './step.ts';

/**
 * Binds an EIP that this PodEIP may use to the current address of the pod, verifies the binding, and publishes it on
 * the pod.
 *
 * @param takeAway the step for an EIP that somebody else has bound to something
 */
export const bind = (it: PodEipSituation, eip: Eip, takeAway: (eip: Eip) => Step): Step => {
  const { seen, record, settings, asked } = it;
  const { memory } = seen;
  const { allocationId } = eip;
  const pod = asked?.pod ?? null;
  const podIP = pod ? ipv4Of(pod) : undefined;
  if (!asked || !pod || podIP === undefined) return withoutIPv4(pod, settings.recheckMs);
  const learnt = eip.status === 'InUse' && learnSpelling(it, eip, podIP);
  if (learnt) return { do: 'RecordBinding', podEip: it.podEip, binding: learnt };
  if (isServing(record, eip, podIP)) return publish(it, eip, pod, podIP);
  // A single read that contradicts what was published may come from a lagging replica; two do not.
  const isTold = isAnnounced(pod);
  if (isTold && memory.driftMs < settings.readLagMs)
    return wait('EipNotVisibleYet', `${allocationId} is described as ${eip.status}`, POLL_MS);
  if (isTold) return unpublishLost(it, asked);
  if (eip.status === 'InUse') return unbindStale(it, eip, podIP, takeAway);
  if (eip.status !== 'Available') return inTransition(eip);
  return associate(it, eip, podIP);
};

/** The pod has no address to which the EIP could be bound. */
export const withoutIPv4 = (pod: Pod | null, recheckMs: number): Result =>
  pod && hasNoIPv4(pod)
    ? fail('NoIPv4', `the pod has no IPv4 address (${pod.status?.podIP}), and an EIP is bound to no other; give it one`)
    : wait('NoPodIP', 'the pod has no address', recheckMs);

/**
 * For this long after a binding, an ambiguous description of what the EIP is bound to is taken for that binding;
 * milliseconds.
 */
const LEARN_MS = 60_000;

/**
 * The binding, with the description that the cloud uses for it, if that is not the usual one and is not recorded yet.
 * It is learnt before the address is published on the pod: from what ECS says of the interface, or because it is the
 * first description after an accepted request of ours. An EIP that is being bound cannot be bound to anything else
 * meanwhile.
 */
const learnSpelling = (
  { seen: { memory, pod }, record, settings }: PodEipSituation,
  eip: Eip,
  podIP: string,
): NicBinding | undefined => {
  const latest = latestBinding(record);
  if (latest?.privateIpAddress !== podIP) return undefined;
  // A read from before the request may still show the previous binding.
  const isFirst = memory.quietMs >= settings.readLagMs && memory.quietMs < LEARN_MS;
  const wasJustBound = memory.accepted === 'Associate' && isFirst && !(pod && isAnnounced(pod));
  const isMeant = isBoundTo(eip, latest) || (wasJustBound && mayMean(eip, latest));
  const described = isMeant ? asDescribed(latest, eip) : latest;
  return described === latest ? undefined : described;
};

/** The EIP is bound to the address of the pod: publishes it. */
const publish = ({ settings }: PodEipSituation, eip: Eip, pod: Pod, podIP: string): Step => {
  const { allocationId, ipAddress } = eip;
  const message = `${ipAddress} (${allocationId}) is bound to ${podIP}`;
  if (!isPublished(pod, ipAddress, settings.networkKey)) return publishOn(pod, ipAddress, message);
  return eip.lockReasons.length > 0 ? locked(eip, settings.recheckMs) : done('InUse', message, settings.recheckMs);
};

/** The EIP is bound, but not to the binding recorded last for this pod. */
const unbindStale = (it: PodEipSituation, eip: Eip, podIP: string, takeAway: (eip: Eip) => Step): Step => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  const binding = ourBinding(record, eip);
  const stale = binding ? undefined : awaitDetached(it, eip);
  if (stale) return stale;
  if (!binding)
    return isOnOurVirtualNode(it) || isSentToInstance(it, eip) || isBought(it)
      ? acceptFromInstance(it, eip, podIP, takeAway)
      : takeAway(eip);
  // The previous pod had the same address: its binding may be the right one already.
  if (binding.privateIpAddress === podIP && binding.podUid !== record.podUid) {
    const found = locateInterface(it, podIP);
    if (found.kind === 'step') return found.step;
    if (isSameBinding(found.value, binding)) {
      // An unanswered request to detach the previous pod would take the EIP from this one.
      return isSettled(it)
        ? { do: 'RecordBinding', podEip, binding: found.value }
        : wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
    }
  }
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding: asDescribed(binding, eip) };
};

/**
 * Whether the EIP was bound for this pod and is described by an elastic container instance: possibly the one that has
 * the recorded interface, whose ID was not known when the binding was recorded.
 */
const isSentToInstance = ({ record }: PodEipSituation, { instanceId = '' }: Eip): boolean =>
  instanceId.startsWith(CONTAINER_INSTANCE) && latestBinding(record) !== undefined;

/**
 * Whether the EIP was bought for this PodEIP. If it is bound to the pod without a recorded binding, the record was
 * removed by hand.
 */
const isBought = ({ record }: PodEipSituation): boolean => record.request?.kind === 'new';

/** The virtual node binds the EIP when it creates the instance: such a binding is accepted and recorded. */
const acceptFromInstance = (it: PodEipSituation, eip: Eip, podIP: string, takeAway: (eip: Eip) => Step): Step => {
  const found = locateInterface(it, podIP);
  if (found.kind === 'step') return found.step;
  const binding = found.value;
  return isBoundTo(eip, binding) || isAtItsInstance(it, eip, binding)
    ? { do: 'RecordBinding', podEip: it.podEip, binding: asDescribed(binding, eip) }
    : takeAway(eip);
};

/**
 * Whether the EIP is bound to the instance that the pod names. Anybody may write that annotation, so it counts only for
 * an EIP that was bought for this PodEIP and therefore cannot be taken from anyone else.
 */
const isAtItsInstance = ({ seen, podEip, settings }: PodEipSituation, eip: Eip, binding: NicBinding): boolean =>
  seen.pod?.metadata.annotations?.[ECI_INSTANCE_ID] === eip.instanceId &&
  mayMean(eip, binding) &&
  provesOwnership(eip, podEip, settings.clusterUid);

/** The EIP is free: the binding is recorded first, and made afterwards. */
const associate = (it: PodEipSituation, eip: Eip, podIP: string): Step => {
  const { podEip, record } = it;
  const { allocationId } = eip;
  if (eip.lockReasons.length > 0) return locked(eip);
  if (justAccepted('Associate', it)) return wait('InTransition', `${allocationId} is being bound`, POLL_MS);
  const found = locateInterface(it, podIP);
  if (found.kind === 'step') return found.step;
  const binding = found.value;
  // The previous pod had the same address: an unanswered request to detach the EIP from it would take the EIP from this
  // pod. A binding that is recorded for this pod was recorded after that wait.
  const wasAnothers = record.bindings.some((other) => isSameBinding(other, binding) && other.podUid !== record.podUid);
  if (wasAnothers && !isSettled(it))
    return wait('Settling', `a request to detach ${allocationId} may still take effect`, POLL_MS);
  return isRecorded(record, binding)
    ? { do: 'Associate', podEip, allocationId, binding }
    : { do: 'RecordBinding', podEip, binding };
};

const isOnOurVirtualNode = ({ seen: { node } }: PodEipSituation): boolean =>
  node?.metadata.labels?.[OUR_VIRTUAL_NODE] === 'true';

const locked = ({ allocationId, lockReasons }: Eip, ms?: number): Step =>
  fail('EipLocked', `${allocationId} is locked (${lockReasons.join(', ')}); clear the lock in the console`, ms);

/** The EIP is bound to something that this controller did not bind it to. */
export const boundElsewhere = (eip: Eip): Step =>
  fail(
    'EipBoundElsewhere',
    `${eip.allocationId} is bound to ${eip.instanceId ?? 'something else'}, where this controller did not put it; detach it there`,
  );
