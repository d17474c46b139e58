import { isAllThatWasBought } from './known-purchases.ts';
import { ALLOW_EIP_ROB, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { FINALIZER, type PodEip } from '../../api/podeip.ts';
import { isAnnounced, isFinal } from '../../api/pod.ts';
import type { CloudFaultKind } from '../../cloud/fault.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { Eip } from '../../cloud/port.ts';
import { isTokenSpent } from '../../lib/token.ts';
import { readReleaseAfter } from '../../request/release-policy.ts';
import type { EipRequest } from '../../request/request.ts';
import { hasEipOfInstance } from './instance.ts';
import type { CompetingClaim } from './observation.ts';
import type { PodRequest } from './pod-request.ts';
import { isSameService, type RoutingOf } from './handover-order.ts';
import {
  hasFinalizer,
  isBoundTo,
  isExternal,
  isSameBinding,
  latestBinding,
  readRecord,
  type NicBinding,
  type PodEipRecord,
} from './record.ts';
import { readService, revisionOf } from './service-routing.ts';
import type { PodEipSituation, Situation } from './situation.ts';
import {
  POLL_MS,
  stepFirst,
  valueOf,
  wait,
  type Action,
  type ForeignBinding,
  type Outcome,
  type ReadStep,
  type Step,
} from './step.ts';

/**
 * Never leak, never double, never steal: the rules by name, each with the case that it exists for. Decisions and writes
 * call them here and nowhere else, so that each can be replaced by itself: test/simulation/mutants.ts does so, and the
 * simulation must fail then. That is why they are in a module of their own.
 */

/** Identity and version of an object, as the API server compares them with what it has. */
interface Seen {
  readonly uid: string;
  readonly resourceVersion: string;
}

// Before money is spent.

/**
 * The finalizers of a PodEIP with this request. Ours is there from the first write of a request on, before the cloud is
 * touched: if the process dies right after AllocateEipAddress, nothing can remove the PodEIP and forget the EIP.
 * Without a request nothing is ever held. Other controllers' stay.
 */
export const finalizersFor = (request: EipRequest | undefined, podEip: PodEip | null): readonly string[] => {
  const others = (podEip?.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  return request ? [...others, FINALIZER] : others;
};

/**
 * Whether somebody took the finalizer off a PodEIP that may hold something. While it is off, a deletion removes the
 * PodEIP at once, and its EIP stays bound to an address that the next pod gets.
 */
export const hasLostFinalizer = ({ podEip, record }: PodEipSituation): boolean =>
  !hasFinalizer(podEip) && (record.request !== undefined || record.bindings.length > 0);

/**
 * Whether this process knows that nothing can have been bought for the PodEIP: it made it, alone, and was answered no
 * each time that it asked.
 */
const isUnbought = ({ seen: { memory }, settings }: Situation): boolean =>
  memory.isUntouched === true ||
  (memory.isCertain && memory.hasSent === true && memory.bought === undefined && settings.isUnelected !== true);

/** Looks for what was bought for this PodEIP: by the marks too, unless nothing can have been bought. */
const readBought = (it: Situation): ReadStep => ({ do: isUnbought(it) ? 'ReadTaggedEips' : 'ReadMarkedEips' });

const bought = (it: PodEipSituation): Outcome<Eip | undefined> =>
  it.seen.tagged ? valueOf(it.seen.tagged[0]) : stepFirst({ do: 'ReadTaggedEips' });

/**
 * The look for what was bought and has lost its tags; undefined once it was made in this pass, or where nothing can
 * have been bought. Tags may have been dropped, and the process that was answered may be dead: whoever does not look
 * buys a second one, or forgets the first. It lists all free EIPs of the account, so that it is made right before that
 * would happen and at no other time.
 */
export const unseenMarks = (it: Situation): ReadStep | undefined =>
  it.seen.suspects || isUnbought(it) ? undefined : { do: 'ReadMarkedEips' };

/**
 * The same look before anything else that may keep the pod waiting, once, when nothing can take effect any more. An EIP
 * whose purchase was not answered, and whose tags were dropped, would be paid for until the limit is raised, the
 * interface is there or the other call is allowed. A twin may buy one at any time: beside it the look is made again.
 */
export const unseenWhileWaiting = (it: Situation): ReadStep | undefined => {
  const { memory } = it.seen;
  const { isUnelected, settleMs } = it.settings;
  const { foundNothingMs = Infinity } = memory;
  const isKnown = isUnelected === true ? foundNothingMs < settleMs : foundNothingMs < Infinity;
  return isKnown || !isSettled(it) ? undefined : unseenMarks(it);
};

/**
 * What an earlier attempt bought, by its tags; looked for before buying. The cloud forgets a token after some minutes:
 * where the answer was lost, or the process died before it wrote the ID down, the same call would buy a second one.
 * There was none where this process, the only one, has just made the PodEIP. A twin would send the same token.
 */
export const boughtBefore = (it: PodEipSituation): Outcome<Eip | undefined> =>
  it.seen.memory.isUntouched === true && it.settings.isUnelected !== true ? valueOf(undefined) : bought(it);

/**
 * What was bought for a PodEIP that has no ID written down, by its tags; looked for before it goes. The process may
 * have died between the purchase and the write.
 */
export const boughtUnrecorded = (it: PodEipSituation): Outcome<Eip | undefined> => bought(it);

// Every write names what it was decided on: it goes through only if that is still so. Otherwise 409, and a new look.

/** What a write of a PodEIP names. Somebody may have edited it in between, or a second leader be at work. */
export const writtenAsSeen = ({ metadata: { uid, resourceVersion } }: PodEip): Partial<Seen> => ({
  uid,
  resourceVersion,
});

/** What the deletion of a PodEIP names. The name may be the next pod's by now, and its EIP in use. */
export const deletedAsSeen = ({ metadata: { uid, resourceVersion } }: PodEip): Pick<Seen, 'uid'> & Partial<Seen> => ({
  uid,
  resourceVersion,
});

/**
 * What a write to a pod names. The name may be another pod's by now; and a request that comes late must not tell a pod
 * of an address that it has lost since.
 */
export const toldAsSeen = ({ metadata: { uid, resourceVersion } }: Pod): Partial<Seen> => ({ uid, resourceVersion });

// Until nothing can still take effect.

/**
 * Whether an attempt with this token is the last one, because it was refused too often: a token may remember that. The
 * next one has another token once nothing is left unanswered.
 */
export const isTokenGivenUp = ({ seen: { memory } }: Situation): boolean => isTokenSpent(memory.tokenRefusals);

/** Whether a call that ended like this may still take effect. Silence does not mean no: a request can arrive late. */
export const mayTakeEffect = (kind: CloudFaultKind): boolean => FAULT[kind].effect === 'possible';

/**
 * Until no change of ours can still take effect; milliseconds, 0 and less once none can. After a call without an answer
 * nothing is concluded before. What was answered has happened, but a reading may still show the time before it. Of what
 * a twin has sent, no answer is known here.
 */
export const settlesInMs = ({ seen: { memory }, settings }: Pick<Situation, 'seen' | 'settings'>): number => {
  const isKnown = memory.isCertain && settings.isUnelected !== true;
  return (isKnown ? settings.readLagMs : settings.settleMs) - memory.quietMs;
};

export const isSettled = (it: Pick<Situation, 'seen' | 'settings'>): boolean => settlesInMs(it) <= 0;

/** Whether what a twin was seen to begin may still take effect: to buy an EIP, or to transfer one of an earlier pod. */
export const isTwinAbout = ({ seen: { memory }, settings: { settleMs } }: Situation): boolean =>
  (memory.twinMs ?? Infinity) < settleMs;

/** Whether this change was accepted so recently that a read may not show it yet: it is not sent again. */
export const justAccepted = (action: Action['do'], { seen: { memory }, settings: { readLagMs } }: Situation): boolean =>
  memory.accepted === action && memory.quietMs < readLagMs;

/**
 * Whether an EIP that is not listed is not there. "Not listed" means "not yet" for something new, and may come from a
 * replica that lags for anything: it counts after a minute without a break.
 */
export const isMissing = ({ seen: { memory }, settings: { missingMs } }: Situation): boolean =>
  memory.missingMs >= missingMs;

/**
 * Whether the EIP that is written down is gone, so that another one may be bought in its place: neither its ID nor its
 * tags list it. Whoever believes one reading pays for two.
 */
export const isGone = (it: PodEipSituation): Outcome<boolean> => {
  if (!isMissing(it)) return valueOf(false);
  const { seen, podEip } = it;
  if (!seen.tagged) return stepFirst(readBought(it));
  return valueOf(!seen.tagged.some(({ allocationId }) => allocationId === podEip.spec.allocationID));
};

/**
 * What has to happen before an EIP that is not listed counts as released, on the way out; undefined once it does. One
 * look may be older than the EIP; and another EIP that carries the tags of the PodEIP goes back as well.
 */
export const notReleasedYet = (it: PodEipSituation): Step | undefined => {
  const { podEip, settings } = it;
  const { memory, tagged } = it.seen;
  const { ageMs = Infinity } = memory;
  const { allocationID } = podEip.spec;
  if (memory.released !== allocationID && memory.quietMs < settings.settleMs) return settling(it);
  if (ageMs < settings.readLagMs)
    return wait('Releasing', `${allocationID} is too new to be missed already`, settings.readLagMs - ageMs);
  if (isAllThatWasBought(it)) return undefined;
  // Where this process has seen that tags are kept, what was bought carries them.
  if (!tagged) return memory.allocateTags === 'kept' ? { do: 'ReadTaggedEips' } : readBought(it);
  const other = tagged.find(({ allocationId }) => allocationId !== allocationID);
  if (other) return { do: 'Record', podEip, allocationId: other.allocationId };
  return tagged.length > 0 ? wait('Releasing', `${allocationID} is still listed`, POLL_MS) : undefined;
};

export const settling = (it: Situation): Step =>
  wait(
    'Settling',
    'a request without an answer may still take effect; looking again after that',
    Math.max(POLL_MS, settlesInMs(it)),
  );

/** Whether the EIP is being bound or unbound: what it is about to be bound to is not known before that is over. */
export const isMoving = ({ status }: Eip): boolean => status !== 'Available' && status !== 'InUse';

// Whose it is.

/** Whether the PodEIP was made for this pod. A StatefulSet gives the same name again: only the UID tells pods apart. */
export const isItsPod = ({ record }: PodEipSituation, { metadata }: Pod): boolean => metadata.uid === record.podUid;

/**
 * Whether the EIP's own tags prove that it was bought for this PodEIP of this cluster: only then is it released.
 * Nothing else proves it: a PodEIP can be edited, or restored from a backup; a cluster ID can be the same twice.
 */
export const provesOwnership = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid && eip.tags.get(TAG_PODEIP_UID) === podEip.metadata.uid;

/**
 * Whether the EIP's own tags say that it was bought for another PodEIP of this cluster. Nobody can have named such a
 * one as an EIP of the user's: whoever's notes say so, where it is bound is the other one's business.
 */
export const isAnothers = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid &&
  (eip.tags.get(TAG_PODEIP_UID) ?? podEip.metadata.uid) !== podEip.metadata.uid;

/** Whether a user named the EIP: it is attached and detached, and never released, tagged or changed. */
export const isUsers = ({ podEip, record }: PodEipSituation): boolean =>
  record.request ? record.request.kind === 'existing' : podEip.spec.allocationType.type === 'Static';

/**
 * Whether somebody declared an EIP of ours theirs, by the type of its PodEIP: it is never released, and nothing of ours
 * is left on it that would have it released later.
 */
export const isGivenAway = ({ podEip, record }: PodEipSituation): boolean =>
  record.request?.kind === 'new' && podEip.spec.allocationType.type === 'Static';

/**
 * Where this PodEIP sent the EIP, if it is bound there: only that is undone, and named completely. Whatever else it is
 * bound to was bound by somebody else, and means something to them.
 */
export const ourBinding = ({ bindings }: PodEipRecord, eip: Eip): NicBinding | undefined =>
  bindings.findLast((binding) => isBoundTo(eip, binding));

/**
 * Whether a pod of another namespace is where the EIP that a user named is bound, by the notes of its own PodEIP:
 * whoever may write PodEIPs may copy those notes, and what they would undo is the other's. An EIP of ours is told by
 * its tags.
 */
export const isPlaceOfAnother = (it: PodEipSituation, eip: Eip): Outcome<boolean> => {
  if (!isUsers(it)) return valueOf(false);
  const { competitors } = it.seen;
  if (!competitors) return stepFirst({ do: 'ReadCompetingClaims', allocationId: eip.allocationId });
  const { namespace } = it.podEip.metadata;
  return valueOf(
    competitors.some(({ podEip, pod }) => {
      if (podEip.metadata.namespace === namespace || isExternal(podEip) || !pod) return false;
      const { bindings } = readRecord(podEip);
      return bindings.some((binding) => isBoundTo(eip, binding) && binding.podUid === pod.metadata.uid);
    }),
  );
};

/**
 * The resource from which the EIP may be taken, if configuration and namespace allow that (Terway's allow_eip_rob):
 * only a network interface or an instance, since a load balancer or NAT gateway would go on without its address.
 * Undefined if it may not be taken.
 */
export const mayTakeFrom = (it: PodEipSituation, eip: Eip): Outcome<ForeignBinding | undefined> => {
  const { seen, settings } = it;
  const from = foreignBinding(eip);
  // A pod of a virtual node keeps what it came with.
  const isOfExternal = seen.competitors?.some((competitor) => isExternal(competitor.podEip)) ?? false;
  if (!settings.allowEipRob || !from || isOfExternal) return valueOf(undefined);
  if (seen.namespace === undefined) return stepFirst({ do: 'ReadNamespace' });
  if (justAccepted('ForceDetach', it))
    return stepFirst(wait('InTransition', `${eip.allocationId} is being detached`, POLL_MS));
  return valueOf(seen.namespace?.metadata.labels?.[ALLOW_EIP_ROB] === 'true' ? from : undefined);
};

/**
 * The binding, if it can be named so exactly that a request which comes late undoes no other one. "" stands for the
 * primary address of an interface: without it the request would undo whatever is bound to the interface by then.
 */
const foreignBinding = ({ instanceId, instanceType, privateIpAddress = '' }: Eip): ForeignBinding | undefined => {
  if (instanceId === undefined) return undefined;
  if (instanceType === 'NetworkInterface' && privateIpAddress === '') return undefined;
  return instanceType === 'NetworkInterface' || instanceType === 'EcsInstance'
    ? { instanceId, instanceType, privateIpAddress }
    : undefined;
};

// Where it is bound, and what pods are told.

/** Whether the place is written down as where the pod is: after a crash, only what is written down can be undone. */
export const isRecorded = (record: PodEipRecord, binding: NicBinding): boolean => {
  const latest = latestBinding(record);
  if (latest === undefined || !isSameBinding(latest, binding)) return false;
  return latest.isPrimary === binding.isPrimary && latest.instanceId === binding.instanceId;
};

/**
 * Whether the EIP is in use where the pod is: only then is the pod told of it. While it is being bound, requests to the
 * address would lead nowhere.
 */
export const isServing = (record: PodEipRecord, eip: Eip, podIP: string): boolean => {
  const latest = latestBinding(record);
  return eip.status === 'InUse' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest);
};

/**
 * The pod that still says that it has the address; it is told that it lost it before the EIP is unbound. One that has
 * ended, too: its object may stay for long, and the address is somebody else's by then. What an instance came with
 * stays with it.
 */
export const toldPodOf = (it: PodEipSituation): Pod | undefined => {
  const { asked } = it;
  if (!asked || !isItsPod(it, asked.pod)) return undefined;
  return isAnnounced(asked.pod) && !hasEipOfInstance(asked) ? asked.pod : undefined;
};

// Several pods that name one EIP.

/**
 * Who else has the EIP that the user named: an EIP serves one pod. Where that is a pod of the same Service, how the
 * Service routes has to be known, too. What a virtual node does with it shows in its status. A record of that bars
 * nobody: it repeats what annotations of a pod say, and whoever may write a pod may write any ID there.
 */
export const competitorsOf = (it: PodEipSituation, allocationId: string): Outcome<readonly CompetingClaim[]> => {
  const { competitors } = it.seen;
  if (!competitors) return stepFirst({ do: 'ReadCompetingClaims', allocationId });
  const isOfService = competitors.some((competitor) => isSameService(it.podEip, competitor.podEip));
  const look = isOfService ? readService(it) : undefined;
  return look ? stepFirst(look) : valueOf(competitors.filter((competitor) => !isExternal(competitor.podEip)));
};

/**
 * Whether the requests go to the competitor's pod, which has the address. A pod without one becomes ready no sooner, or
 * Knative would take its Revision for the latest one that is ready, and send the requests there.
 */
export const isServed = ({ podEip, pod }: CompetingClaim, routing: RoutingOf): boolean =>
  routing(revisionOf(podEip)) === 'routed' && pod !== null && isAnnounced(pod);

/**
 * Whether no request gets to the pod of this PodEIP: it becomes ready without the address that it will never get.
 * Knative scales a Revision down once it has been ready, and waits for that for ten minutes otherwise.
 */
export const isIdle = (podEip: PodEip, routing: RoutingOf): boolean => routing(revisionOf(podEip)) === 'none';

// An EIP that outlives its pod.

/** Whether it has to be detached first: the private address of a pod that is gone may be another's at any moment. */
export const isStillBound = ({ status }: Eip): boolean => status === 'InUse';

/** How long it is kept; milliseconds, Infinity for `Never`, undefined where somebody has edited the note. */
export const retentionMs = ({ podEip, settings }: PodEipSituation): number | undefined => {
  const { releaseStrategy, releaseAfter } = podEip.spec.allocationType;
  if (releaseStrategy === 'Never') return Infinity;
  return releaseStrategy === 'Follow' ? settings.holdOffMs : readReleaseAfter(releaseAfter);
};

/**
 * For how much longer it is kept; milliseconds. Two clocks must agree: the wall clock, which survives a restart, and
 * this process's own sight of the missing pod, which a jump of the wall clock does not shorten.
 */
export const retainedForMs = (
  { seen: { now, memory }, settings: { recheckMs } }: PodEipSituation,
  { endsAt, ttlMs }: { readonly endsAt: number; readonly ttlMs: number },
): number => Math.max(endsAt - now, Math.min(ttlMs, recheckMs) - memory.retainedMs);

/**
 * Whether the next pod of the name gets the EIP. Not a pod that names another EIP; and an EIP that was transferred may
 * belong to another PodEIP.
 */
export const mayTakeOver = ({ record }: PodEipSituation, { parsed: { request } }: PodRequest): boolean =>
  request?.kind !== 'existing' && record.successorUid === undefined;

/**
 * Whether the pod is another one of the name, for which an EIP is not held off. The pod that had it is seen again after
 * it was retained from: kubelets write the final phase before the object goes.
 */
export const isAnotherOfTheName = (it: PodEipSituation, pod: Pod): boolean =>
  !isItsPod(it, pod) && pod.metadata.uid !== it.record.formerPodUid && !isFinal(pod);

/** Whether no next pod can exist for an EIP that is held off: its Knative Service is being deleted or gone. */
export const isServiceGone = ({ seen }: PodEipSituation): boolean => seen.service === null;
