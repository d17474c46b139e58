import { EIP_PENDING } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { allRefusals } from './claim.ts';
import { isSeenDetached } from './detached.ts';
import { transferState, isHeldOff } from './transfer.ts';
import { hasEipOfInstance } from './instance.ts';
import { notVisibleYet, proveOurs } from './ownership.ts';
import { isStateful, type PodRequest } from './pod-request.ts';
import { ipv4Of, isFinal } from '../../api/pod.ts';
import { asDescribed } from './record.ts';
import {
  isAnotherOfTheName,
  isMissing,
  isServiceGone,
  isSettled,
  isPlaceOfAnother,
  isStillBound,
  justAccepted,
  mayTakeOver,
  ourBinding,
  retainedForMs,
  retentionMs,
  settlesInMs,
  toldPodOf,
} from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
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

/** Whether the EIP outlives its pod. Read from the PodEIP, whose strategy an operator may change at any time. */
export const isRetained = (it: PodEipSituation): boolean =>
  it.record.request?.kind === 'new' && (it.podEip.spec.allocationType.releaseStrategy !== 'Follow' || isHeldOff(it));

/**
 * The next step for an EIP that is kept for the next pod of its name: detach it, since the private address of a pod
 * that is gone may be given to another pod at any moment; give it to the next pod; or let its time run out.
 *
 * @param because why the pod that had it no longer has it
 */
export const retain = (it: PodEipSituation, because: string): Step => {
  const { podEip, record } = it;
  const told = toldPodOf(it);
  if (told) return unpublish(told);
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

/**
 * Why an EIP is not held off for the next pod of its Service, or the read that is needed to know; undefined if it is
 * held off, or need not be.
 */
const endOfHoldOff = (it: PodEipSituation, because: string): Step | undefined => {
  const { podEip, record, asked } = it;
  if (!isHeldOff(it) || record.successorUid !== undefined) return undefined;
  if (asked && isAnotherOfTheName(it, asked.pod)) return retire(podEip, because);
  return readService(it) ?? (isServiceGone(it) ? retire(podEip, 'its Knative Service is gone') : undefined);
};

/** The EIP has a successor: once that one has taken it, or will not take it any more, this PodEIP is deleted. */
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

/** The step that has to come before the EIP is certainly free for the next pod; undefined if it is. */
const detach = (it: PodEipSituation, goneSince: number): Step | undefined => {
  const { seen, podEip, record } = it;
  const { eip } = seen;
  const allocationId = podEip.spec.allocationID;
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (!eip) return isMissing(it) ? retire(podEip, `${allocationId} no longer exists`) : notVisibleYet(allocationId);
  const unproven = proveOurs(it, eip);
  if (unproven) return unproven;
  if (isStillBound(eip)) return unbind(it, eip, goneSince);
  if (eip.status !== 'Available') return inTransition(eip);
  // An unanswered request to bind the EIP may still take effect: it is read again after that.
  if (!isSettled(it) && !isSeenDetached(it))
    return wait('Settling', 'a request without an answer may still take effect', Math.max(POLL_MS, settlesInMs(it)));
  return isHeldOff(it) && !record.isReusable ? { do: 'MarkReusable', podEip } : undefined;
};

const unbind = (it: PodEipSituation, eip: Eip, goneSince: number): Step => {
  const { podEip, record } = it;
  const allocationId = podEip.spec.allocationID;
  const binding = ourBinding(record, eip);
  // A binding made by somebody else has to be removed by them; meanwhile the time runs.
  if (!binding) return expireOrWait(it, goneSince, boundElsewhere(eip));
  const others = isPlaceOfAnother(it, eip);
  if (others.kind === 'step') return others.step;
  if (others.value) return expireOrWait(it, goneSince, boundElsewhere(eip));
  return justAccepted('Unassociate', it)
    ? wait('InTransition', `${allocationId} is being detached`, POLL_MS)
    : { do: 'Unassociate', podEip, allocationId, binding: asDescribed(binding, eip) };
};

/**
 * The pod that now has the name, if it may have the EIP: it asks for one, its owner reuses names, and nothing else
 * makes an address for it.
 */
const nextPodOf = ({ asked, settings }: PodEipSituation): PodRequest | undefined => {
  if (!asked || isFinal(asked.pod) || asked.pod.metadata.deletionTimestamp !== undefined) return undefined;
  if (!isStateful(asked.pod, settings) || !asked.isWanted || hasEipOfInstance(asked)) return undefined;
  const { how } = asked.plan;
  const getsAnother = how === 'add-on' || how === 'container-group' || asked.target.on === 'acs';
  return getsAnother && !wantsExisting(asked) ? undefined : asked;
};

const wantsExisting = ({ parsed: { request } }: PodRequest): boolean => request?.kind === 'existing';

/** Whether the pod has an address to which the EIP can be bound. */
const isRunning = ({ pod, plan: { how } }: PodRequest): boolean =>
  ipv4Of(pod) !== undefined && (how === 'podeip' || how === 'vpc-first');

const takeOver = (podEip: PodEip, { pod, parsed }: PodRequest): Action => ({
  do: 'TakeOver',
  podEip,
  podUid: pod.metadata.uid,
  release: parsed.release,
});

/** The EIP is free, but the next pod has no address to bind it to, or asks for something else. */
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
  // The EIP is passed to the instance at its creation, and must be free for that.
  if (mayTakeOver(it, next) && plan.how === 'vpc-first' && pod.status?.reason === EIP_PENDING)
    return takeOver(podEip, next);
  return request
    ? wait('NoPodIP', `${allocationId} waits for its pod to have an address`, settings.recheckMs)
    : fail(parsed.findings[0]?.id ?? 'RecordTampered', allRefusals(parsed));
};

/** Kept until its time is over. */
const expireOrWait = (it: PodEipSituation, goneSince: number, otherwise?: Step): Step => {
  const { seen, podEip, settings } = it;
  const { releaseStrategy, releaseAfter } = podEip.spec.allocationType;
  const { allocationID } = podEip.spec;
  const isHold = releaseStrategy === 'Follow';
  const ttlMs = retentionMs(it);
  if (ttlMs === undefined) return justTampered('releaseAfter');
  if (ttlMs === Infinity)
    return otherwise ?? done('Kept', `${allocationID} is kept until this PodEIP is deleted`, settings.recheckMs);
  // Of a time in the future nobody knows how long ago it was; this process counts by itself then.
  const isAhead = goneSince > seen.now;
  const endsAt = (isAhead ? seen.now - seen.memory.retainedMs : goneSince) + ttlMs;
  const leftMs = retainedForMs(it, { endsAt, ttlMs });
  if (leftMs <= 0)
    return retire(
      podEip,
      isHold
        ? 'no other pod of its Service came within the hold-off'
        : `it was kept for ${releaseAfter} and no pod of its name came`,
    );
  // Without a time that would be another one at each look.
  const until = isAhead
    ? `; its pod was gone at ${new Date(goneSince).toISOString()}, which is still to come by this machine’s clock: set that right`
    : ` until ${new Date(endsAt).toISOString()}`;
  if (otherwise && (otherwise.do === 'Fail' || otherwise.do === 'Wait'))
    return { ...otherwise, ms: Math.min(otherwise.ms, leftMs) };
  return wait(
    'Kept',
    `${allocationID} is kept for ${isHold ? 'the next pod of its Knative Service' : 'a pod of the same name'}${until}`,
    Math.min(leftMs, settings.recheckMs),
  );
};
