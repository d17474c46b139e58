import { EIP_PENDING } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import { planCreation, type CreationPlan } from '../../request/provisioner.ts';
import { creationFacts } from '../../request/policy.ts';
import { readReleaseAfter } from '../../request/release.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { targetOf } from '../../request/target.ts';
import { allRefusals } from './claim.ts';
import { transferState, isHeldOff } from './transfer.ts';
import { hasEipOfInstance } from './instance.ts';
import { isMissing, notVisibleYet, proveOurs } from './ownership.ts';
import { isStateful, parsePod } from './pod-request.ts';
import { isAnnounced, isFinal, isGated } from '../../api/pod.ts';
import { isBoundTo, type PodEipRecord } from './record.ts';
import { isSettled, justAccepted, type ObservedState, type Settings } from './observation.ts';
import { readService } from './service-routing.ts';
import { done, fail, inTransition, justTampered, POLL_MS, wait, type Step } from './step.ts';
import { boundElsewhere } from './bind.ts';

/** Whether the EIP outlives its pod. Read from the PodEIP, where an operator may change it while the time runs. */
export const isRetained = (podEip: PodEip, record: PodEipRecord, settings: Settings): boolean =>
  record.request?.kind === 'new' &&
  (podEip.spec.allocationType.releaseStrategy !== 'Follow' || isHeldOff(podEip, record, settings));

/**
 * The one thing to do next for an EIP that waits for the next pod of its name: detach it, because the private address of
 * a pod that is gone may be another pod's at any moment, hand it to the next pod, or let its time run out.
 *
 * @param because why the pod that had it has it no longer
 */
export const retain = (
  seen: ObservedState,
  podEip: PodEip,
  record: PodEipRecord,
  because: string,
  settings: Settings,
): Step => {
  const { pod, eip, memory } = seen;
  const isItsPod = pod !== null && pod.metadata.uid === record.podUid;
  if (isItsPod && !isFinal(pod) && isAnnounced(pod) && !hasEipOfInstance(pod, seen.node))
    return { do: 'Unpublish', isGated: isGated(pod) };
  const heldOff = isHeldOff(podEip, record, settings);
  if (heldOff && record.successorUid === undefined) {
    // The pod that had it is seen again after it was retained from: kubelets write the final phase before the object goes.
    const isFormer = pod !== null && pod.metadata.uid === record.formerPodUid;
    if (pod && !isItsPod && !isFormer && !isFinal(pod)) return { do: 'Retire', because };
    const look = readService(seen, podEip);
    if (look) return look;
    if (seen.service === null) return { do: 'Retire', because: 'its Knative Service is gone' };
  }
  const next = pod && nextPodOf(pod, seen, settings);
  const wantsExisting = next?.parsed.request?.kind === 'existing';
  if (wantsExisting && podEip.spec.allocationType.releaseStrategy === 'TTL')
    return { do: 'Retire', because: 'the pod of the name uses an EIP of the user’s now' };
  // What was handed on may be another one's already.
  const takeOver = next &&
    !wantsExisting &&
    record.successorUid === undefined && {
      do: 'TakeOver' as const,
      podUid: next.pod.metadata.uid,
      release: next.parsed.release,
    };
  if (takeOver && hasPodIP(next) && (next.how === 'podeip' || next.how === 'vpc-first')) return takeOver;
  const allocationId = podEip.spec.allocationID;
  if (allocationId === '') return { do: 'Retire', because };
  if (record.podUid !== '' || record.goneSince === undefined) return { do: 'Retain', because };
  if (record.successorUid !== undefined) {
    const now = transferState(seen, podEip, record, settings);
    if (now === 'transferred') return { do: 'Retire', because: 'its EIP went to another pod of the Service' };
    return now === 'notTransferred' ? { do: 'Retire', because: 'its successor does not take the EIP' } : now;
  }

  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (!eip)
    return isMissing(seen, settings)
      ? { do: 'Retire', because: `${allocationId} no longer exists` }
      : notVisibleYet(allocationId);
  const unproven = proveOurs(seen, eip, podEip, record, settings);
  if (unproven) return unproven;
  if (eip.status === 'InUse') {
    const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
    // Whoever bound it elsewhere has to detach it; meanwhile the time runs.
    if (!binding) return expireOrWait(seen, podEip, record.goneSince, settings, boundElsewhere(eip));
    return justAccepted('Unassociate', seen, settings)
      ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
      : { do: 'Unassociate', allocationId, binding };
  }
  if (eip.status !== 'Available') return inTransition(eip);
  // A request to bind it that got no answer may still take effect: look again after that.
  if (!isSettled(seen, settings))
    return wait(
      'Settling',
      'a request without an answer may still take effect',
      Math.max(POLL_MS, (memory.isCertain ? settings.readLagMs : settings.settleMs) - memory.quietMs),
    );
  if (heldOff && !record.isReusable) return { do: 'MarkReusable' };
  if (next?.parsed.request?.kind === 'existing')
    return fail(
      'EipKept',
      `this PodEIP keeps ${allocationId} for pods of its name until it is deleted; delete it to use ${next.parsed.request.allocationId}`,
    );
  // It is passed to the instance at its creation, for which it must be free.
  if (takeOver && next.how === 'vpc-first' && next.pod.status?.reason === EIP_PENDING) return takeOver;
  if (next)
    return next.parsed.request
      ? wait('NoPodIP', `${allocationId} waits for its pod to have an address`, settings.recheckMs)
      : fail(next.parsed.findings[0]?.id ?? 'RecordTampered', allRefusals(next.parsed));
  return expireOrWait(seen, podEip, record.goneSince, settings);
};

/** A pod that may have the EIP, and who makes its address. */
interface NextPod {
  readonly pod: Pod;
  readonly parsed: ParsedRequest;
  readonly how: CreationPlan['how'];
}

/**
 * The pod that has the name now, if it may have the EIP: it wants one, its owner gives the same name again, and it does not
 * get another one from whoever runs it.
 */
const nextPodOf = (pod: Pod, { node }: ObservedState, settings: Settings): NextPod | undefined => {
  if (isFinal(pod) || pod.metadata.deletionTimestamp !== undefined || !isStateful(pod, settings)) return undefined;
  const parsed = parsePod(pod, settings);
  if (!parsed.wanted || hasEipOfInstance(pod, node)) return undefined;
  const target = targetOf(pod, node ?? undefined);
  const { how } = planCreation(parsed, pod.metadata.annotations, target, creationFacts(settings));
  const getsAnother = how === 'add-on' || how === 'container-group' || target.on === 'acs';
  return getsAnother && parsed.request?.kind !== 'existing' ? undefined : { pod, parsed, how };
};

const hasPodIP = ({ pod }: NextPod): boolean => pod.status?.podIP !== undefined && pod.status.podIP !== '';

/**
 * Kept until its time is over. Two clocks must agree: the wall clock, which survives a restart, and this process's own
 * sight of the missing pod, which a jump of the wall clock does not shorten.
 */
const expireOrWait = (
  seen: ObservedState,
  podEip: PodEip,
  goneSince: number,
  settings: Settings,
  otherwise?: Step,
): Step => {
  const { releaseStrategy, releaseAfter } = podEip.spec.allocationType;
  const { allocationID } = podEip.spec;
  if (releaseStrategy === 'Never')
    return otherwise ?? done('Kept', `${allocationID} is kept until this PodEIP is deleted`, settings.recheckMs);
  const isHold = releaseStrategy === 'Follow';
  const ttlMs = isHold ? settings.holdOffMs : readReleaseAfter(releaseAfter);
  if (ttlMs === undefined) return justTampered('releaseAfter');
  // A time that has not come yet was not written by a clock.
  const endsAt = Math.min(goneSince, seen.now) + ttlMs;
  const leftMs = Math.max(endsAt - seen.now, Math.min(ttlMs, settings.recheckMs) - seen.memory.retainedMs);
  if (leftMs <= 0)
    return {
      do: 'Retire',
      because: isHold
        ? 'no other pod of its Service came within the hold-off'
        : `it was kept for ${releaseAfter} and no pod of its name came`,
    };
  const until = new Date(endsAt).toISOString();
  if (otherwise && (otherwise.do === 'Fail' || otherwise.do === 'Wait'))
    return { ...otherwise, ms: Math.min(otherwise.ms, leftMs) };
  return wait(
    'Kept',
    `${allocationID} is kept for ${isHold ? 'the next pod of its Knative Service' : 'a pod of the same name'} until ${until}`,
    Math.min(leftMs, settings.recheckMs),
  );
};
