import { EIP_PENDING } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { readReleaseAfter } from '../../request/release.ts';
import { allRefusals } from './claim.ts';
import { transferState, isHeldOff } from './transfer.ts';
import { hasEipOfInstance } from './instance.ts';
import { isMissing, notVisibleYet, proveOurs } from './ownership.ts';
import { isStateful, type PodRequest } from './pod-request.ts';
import { isAnnounced, isFinal } from '../../api/pod.ts';
import { isBoundTo } from './record.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import { readService } from './service-routing.ts';
import {
  done,
  fail,
  inTransition,
  justTampered,
  POLL_MS,
  retire,
  unpublish,
  wait,
  type Action,
  type Step,
} from './step.ts';
import { boundElsewhere } from './bind.ts';

/** Whether the EIP outlives its pod. Read from the PodEIP, where an operator may change it while the time runs. */
export const isRetained = (it: PodEipSituation): boolean =>
  it.record.request?.kind === 'new' && (it.podEip.spec.allocationType.releaseStrategy !== 'Follow' || isHeldOff(it));

/**
 * The one thing to do next for an EIP that waits for the next pod of its name: detach it, because the private address
 * of a pod that is gone may be another pod's at any moment, hand it to the next pod, or let its time run out.
 *
 * @param because why the pod that had it has it no longer
 */
export const retain = (it: PodEipSituation, because: string): Step => {
  const { podEip, record, asked } = it;
  if (asked && isItsPod(it, asked) && !isFinal(asked.pod) && isAnnounced(asked.pod) && !hasEipOfInstance(asked))
    return unpublish(asked.pod);
  const ended = endOfHoldOff(it, because);
  if (ended) return ended;
  const next = nextPodOf(it);
  if (next && wantsExisting(next) && podEip.spec.allocationType.releaseStrategy === 'TTL')
    return retire(podEip, 'the pod of the name uses an EIP of the user’s now');
  if (next && mayTakeOver(it, next) && isRunning(next)) return takeOver(podEip, next);
  if (podEip.spec.allocationID === '') return retire(podEip, because);
  const { goneSince, successorUid } = record;
  if (record.podUid !== '' || goneSince === undefined) return { do: 'Retain', podEip, because };
  if (successorUid !== undefined) return afterTransfer(it, successorUid);
  return detach(it, goneSince) ?? (next ? serveNext(it, next) : expireOrWait(it, goneSince));
};

/** Whether the pod is the one that had the address last. */
const isItsPod = ({ record }: PodEipSituation, { pod }: PodRequest): boolean => pod.metadata.uid === record.podUid;

/**
 * Why an EIP is not held off for the next pod of its Service, or what has to be read to know; undefined where it is, or
 * is not to be.
 */
const endOfHoldOff = (it: PodEipSituation, because: string): Step | undefined => {
  const { seen, podEip, record, asked } = it;
  if (!isHeldOff(it) || record.successorUid !== undefined) return undefined;
  // The pod that had it is seen again after it was retained from: kubelets write the final phase before the object
  // goes.
  const isFormer = asked !== null && asked.pod.metadata.uid === record.formerPodUid;
  if (asked && !isItsPod(it, asked) && !isFormer && !isFinal(asked.pod)) return retire(podEip, because);
  return readService(it) ?? (seen.service === null ? retire(podEip, 'its Knative Service is gone') : undefined);
};

/** It has a successor: once that one has it, or will not take it any more, this PodEIP goes. */
const afterTransfer = (it: PodEipSituation, successorUid: string): Step => {
  const transfer = transferState(it, successorUid);
  if (transfer.kind === 'step') return transfer.step;
  return retire(
    it.podEip,
    transfer.value === 'transferred'
      ? 'its EIP went to another pod of the Service'
      : 'its successor does not take the EIP',
  );
};

/** What has to happen before the EIP is free for the next pod; undefined once it is, for sure. */
const detach = (it: PodEipSituation, goneSince: number): Step | undefined => {
  const { seen, podEip, record, settings } = it;
  const { eip, memory } = seen;
  const allocationId = podEip.spec.allocationID;
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (!eip) return isMissing(it) ? retire(podEip, `${allocationId} no longer exists`) : notVisibleYet(allocationId);
  const unproven = proveOurs(it, eip);
  if (unproven) return unproven;
  if (eip.status === 'InUse') return unbind(it, eip, goneSince);
  if (eip.status !== 'Available') return inTransition(eip);
  // A request to bind it that got no answer may still take effect: look again after that.
  if (!isSettled(it))
    return wait(
      'Settling',
      'a request without an answer may still take effect',
      Math.max(POLL_MS, (memory.isCertain ? settings.readLagMs : settings.settleMs) - memory.quietMs),
    );
  return isHeldOff(it) && !record.isReusable ? { do: 'MarkReusable', podEip } : undefined;
};

const unbind = (it: PodEipSituation, eip: Eip, goneSince: number): Step => {
  const { podEip, record } = it;
  const allocationId = podEip.spec.allocationID;
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  // Whoever bound it elsewhere has to detach it; meanwhile the time runs.
  if (!binding) return expireOrWait(it, goneSince, boundElsewhere(eip));
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding };
};

/**
 * The pod that has the name now, if it may have the EIP: it wants one, its owner gives the same name again, and it does
 * not get another one from whoever runs it.
 */
const nextPodOf = ({ asked, settings }: PodEipSituation): PodRequest | undefined => {
  if (!asked || isFinal(asked.pod) || asked.pod.metadata.deletionTimestamp !== undefined) return undefined;
  if (!isStateful(asked.pod, settings) || !asked.isWanted || hasEipOfInstance(asked)) return undefined;
  const { how } = asked.plan;
  const getsAnother = how === 'add-on' || how === 'container-group' || asked.target.on === 'acs';
  return getsAnother && !wantsExisting(asked) ? undefined : asked;
};

const wantsExisting = ({ parsed: { request } }: PodRequest): boolean => request?.kind === 'existing';

/** Whether the next pod wants an EIP of this kind. What was handed on may be another one's already. */
const mayTakeOver = ({ record }: PodEipSituation, next: PodRequest): boolean =>
  !wantsExisting(next) && record.successorUid === undefined;

/** Whether there is an address to bind it to. */
const isRunning = ({ pod: { status }, plan: { how } }: PodRequest): boolean =>
  status?.podIP !== undefined && status.podIP !== '' && (how === 'podeip' || how === 'vpc-first');

const takeOver = (podEip: PodEip, { pod, parsed }: PodRequest): Action => ({
  do: 'TakeOver',
  podEip,
  podUid: pod.metadata.uid,
  release: parsed.release,
});

/** The EIP is free, and the next pod has no address to bind it to, or wants something else. */
const serveNext = (it: PodEipSituation, next: PodRequest): Step => {
  const { podEip, settings } = it;
  const allocationId = podEip.spec.allocationID;
  const { pod, parsed, plan } = next;
  const { request } = parsed;
  if (request?.kind === 'existing')
    return fail(
      'EipKept',
      `this PodEIP keeps ${allocationId} for pods of its name until it is deleted; delete it to use ${request.allocationId}`,
    );
  // It is passed to the instance at its creation, for which it must be free.
  if (mayTakeOver(it, next) && plan.how === 'vpc-first' && pod.status?.reason === EIP_PENDING)
    return takeOver(podEip, next);
  return request
    ? wait('NoPodIP', `${allocationId} waits for its pod to have an address`, settings.recheckMs)
    : fail(parsed.findings[0]?.id ?? 'RecordTampered', allRefusals(parsed));
};

/**
 * Kept until its time is over. Two clocks must agree: the wall clock, which survives a restart, and this process's own
 * sight of the missing pod, which a jump of the wall clock does not shorten.
 */
const expireOrWait = (it: PodEipSituation, goneSince: number, otherwise?: Step): Step => {
  const { seen, podEip, settings } = it;
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
    return retire(
      podEip,
      isHold
        ? 'no other pod of its Service came within the hold-off'
        : `it was kept for ${releaseAfter} and no pod of its name came`,
    );
  const until = new Date(endsAt).toISOString();
  if (otherwise && (otherwise.do === 'Fail' || otherwise.do === 'Wait'))
    return { ...otherwise, ms: Math.min(otherwise.ms, leftMs) };
  return wait(
    'Kept',
    `${allocationID} is kept for ${isHold ? 'the next pod of its Knative Service' : 'a pod of the same name'} until ${until}`,
    Math.min(leftMs, settings.recheckMs),
  );
};
