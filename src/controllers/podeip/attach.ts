import type { Pod } from '../../api/core.ts';
import type { Eip } from '../../cloud/port.ts';
import { writeRequest, type ExistingEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { yieldOrWait } from './competing-claims.ts';
import { mayName, notThere } from './grant.ts';
import { awaitDetached } from './detached.ts';
import { holdFirst, holding } from './holding.ts';
import { notVisibleYet } from './ownership.ts';
import { areContainersReady, isOfFormerService, isSameService, hasPriorityOver, routingIn } from './handover-order.ts';
import { isOfSameDeployment, keptByDeployment } from './deployment-rollout.ts';
import { isAnnounced, isGated, isGateOpen } from '../../api/pod.ts';
import type { PodRequest } from './pod-request.ts';
import { asDescribed, isBoundTo, latestBinding, readRecord, type PodEipRecord } from './record.ts';
import type { CompetingClaim } from './observation.ts';
import {
  competitorsOf,
  isAnothers,
  isIdle,
  isMissing,
  isPlaceOfAnother,
  isServed,
  isSettled,
  mayTakeFrom,
  ourBinding,
} from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { revisionOf, type Routing } from './service-routing.ts';
import { fail, inTransition, justTampered, RETRY_MS, unpublish, wait, type Result, type Step } from './step.ts';
import { boundElsewhere, bind } from './bind.ts';

/** An existing EIP of the user: claim it, record it, bind it. The EIP itself is never modified. */
export const attach = (it: PodEipSituation, asked: PodRequest, request: ExistingEip): Step => {
  const { seen, podEip, record, settings } = it;
  const { allocationID } = podEip.spec;
  const { allocationId } = request;
  const isWon = allocationID !== '';
  if (isWon && allocationID !== allocationId) return justTampered('allocationID');
  // Until the EIP is claimed, the user may still correct the annotation.
  if (!isWon && isOtherRequest(asked, request)) return claim(it, asked, record.generation);
  const eip = readingOf(allocationId, seen.eip);
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  // An EIP that was there before is read again before it counts as gone: a replica may lag.
  if (!eip && isWon && !isMissing(it)) return notVisibleYet(allocationId);
  const namespace = podEip.metadata.namespace ?? '';
  if (!eip) return notThere(allocationId, namespace, settings);
  // An EIP is claimed by a quorum read of the policy only, never by the cache.
  if (!isWon && seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
  const refusal = mayName(eip, namespace, settings, hasIt(record, eip));
  if (refusal) return revoke(it, eip, refusal);
  const held = holding(it, eip);
  if (held) return held.do === 'Fail' ? revoke(it, eip, held) : held;
  if (!isWon) return win(it, asked, eip);
  const contested = latestBinding(record) ? undefined : yieldOrWait(it, asked, allocationId);
  return (
    contested ??
    bind(it, eip, (its) =>
      // An EIP that was moved after the pod had it was moved on purpose, and is not taken back.
      latestBinding(record) ? boundElsewhere(its) : forceDetach(it, its),
    )
  );
};

/** The reading, unless it is of another EIP, which was named before. */
const readingOf = (allocationId: string, eip: Eip | null | undefined): Eip | null | undefined =>
  eip && eip.allocationId !== allocationId ? undefined : eip;

/** Whether the EIP is bound where it was bound for this pod. */
const hasIt = (record: PodEipRecord, eip: Eip): boolean => {
  const latest = latestBinding(record);
  return latest !== undefined && isBoundTo(eip, latest);
};

const isOtherRequest = ({ parsed }: PodRequest, request: ExistingEip): boolean =>
  !parsed.request || writeRequest(parsed.request) !== writeRequest(request);

/**
 * The step for an EIP that the namespace may not name, or may no longer name: it is detached, and its claim is given
 * up.
 */
const revoke = (it: PodEipSituation, eip: Eip, refusal: Result): Step => {
  const { seen, podEip, record, settings } = it;
  const { pod } = seen;
  const { allocationId } = eip;
  const binding = ourBinding(record, eip);
  const isHere = binding && eip.status === 'InUse' && !isAnothers(eip, podEip, settings.clusterUid);
  const others = isHere ? isPlaceOfAnother(it, eip) : undefined;
  if (others?.kind === 'step') return others.step;
  if (binding && others?.value === false)
    return pod && isAnnounced(pod)
      ? unpublish(pod)
      : { do: 'Unassociate', podEip, allocationId, binding: asDescribed(binding, eip) };
  const isToYield = podEip.spec.allocationID !== '' && refusal.reason !== 'EipReserved' && isSettled(it);
  return isToYield ? { do: 'Unclaim', podEip, allocationId } : refusal;
};

/** This PodEIP has not recorded the EIP yet: it is claimed if no other PodEIP holds it, or if this pod has priority. */
const win = (it: PodEipSituation, asked: PodRequest, eip: Eip): Step => {
  const { podEip } = it;
  const { allocationId } = eip;
  const stale = awaitDetached(it, eip);
  if (stale) return stale;
  const others = competitorsOf(it, allocationId);
  if (others.kind === 'step') return others.step;
  const record: Step = holdFirst(it, eip) ?? { do: 'Record', podEip, allocationId };
  if (others.value.length > 0) return resolveConflict(it, asked, eip, others.value) ?? record;
  if (eip.status === 'InUse') {
    const from = mayTakeFrom(it, eip);
    if (from.kind === 'step') return from.step;
    return from.value ? record : inUseElsewhere(eip);
  }
  return eip.status === 'Available' ? record : inTransition(eip);
};

/** Why this pod may not take the EIP from the PodEIPs that hold it; undefined if it may. */
const resolveConflict = (
  it: PodEipSituation,
  { pod, handover }: PodRequest,
  eip: Eip,
  competitors: readonly CompetingClaim[],
): Step | undefined => {
  const { seen, podEip } = it;
  const { allocationId } = eip;
  const others = competitors.filter((competitor) => !isSameService(podEip, competitor.podEip));
  // Knative's pods are of Deployments, too: which of them goes first is said below.
  const strangers = others.filter((competitor) => !isOfFormerService(podEip, competitor.podEip));
  const before = strangers.find((competitor) => isOfSameDeployment(pod, competitor.podEip));
  if (before) return fail('EipClaimed', keptByDeployment(pod, before.podEip, allocationId));
  if (strangers.length > 0)
    return fail('EipClaimed', `${allocationId} is wanted by another pod already; an EIP can serve one pod only`);
  const [former] = others;
  if (former)
    return wait(
      'HandingOver',
      `${allocationId} is with pod ${former.podEip.metadata.name} of the Knative Service that had this name before, and comes here once that pod has ended`,
      RETRY_MS,
    );
  const names = competitors.map((competitor) => competitor.podEip.metadata.name).join(', ');
  const ahead = competitors.find((competitor) => !hasPriorityOver(podEip, pod, competitor, routingIn(seen)));
  if (ahead) return deferTo(it, pod, allocationId, ahead);
  // With `wait`, the EIP is recorded even before the old pod ends, so that no other pod claims it in between.
  if (handover !== 'wait' && !areContainersReady(pod))
    return wait(
      'HandingOver',
      `${allocationId} is with pod ${names} of the same Knative Service and comes here once the containers are ready`,
      RETRY_MS,
    );
  const isTheirs = competitors.some((competitor) =>
    readRecord(competitor.podEip).bindings.some((it) => isBoundTo(eip, it)),
  );
  return eip.status === 'InUse' && !isTheirs ? inUseElsewhere(eip) : undefined;
};

const isWanted = (routing: Routing | undefined): boolean => routing === 'routed' || routing === 'coming';

/** The step for a pod whose EIP is held, and kept, by another pod of its Service. */
const deferTo = (it: PodEipSituation, pod: Pod, allocationId: string, ahead: CompetingClaim): Step => {
  const { seen, podEip } = it;
  const routing = routingIn(seen);
  const successor = ahead.podEip.metadata.name;
  const [my, their] = [revisionOf(podEip), revisionOf(ahead.podEip)];
  const isSuperseded = hasPriorityOver(ahead.podEip, ahead.pod, { podEip, pod }, routing);
  if (isSuperseded && my !== their && isWanted(routing(my)))
    return fail(
      'EipClaimed',
      `${allocationId} is with pod ${successor}, which serves Revision ${their}; requests are routed to that one and to this pod’s Revision ${my}, and an EIP serves one pod: name another EIP in one of the two, or route to one only`,
    );
  if (!isSuperseded)
    return fail(
      'EipClaimed',
      `${allocationId} is with pod ${successor} of the same Knative Service; this pod gets it when that one is gone; an EIP serves one pod: write autoscaling.knative.dev/max-scale: "1"`,
    );
  // The pod will never get the EIP, and its Revision receives no requests that would need it.
  const isLeftAlone = isIdle(podEip, routing) && isServed(ahead, routing);
  if (isLeftAlone && isGated(pod) && !isGateOpen(pod)) return { do: 'StandAside', pod, isGated: true, successor };
  return wait(
    'HandedOver',
    `${allocationId} is with pod ${successor} of ${my === their ? 'the same Revision' : `Revision ${their}`}, which takes this pod’s place; this pod goes on without it`,
    RETRY_MS,
  );
};

const inUseElsewhere = (eip: Eip): Step =>
  fail(
    'EipInUse',
    `${eip.allocationId} is bound to something else and is not taken from it; detach it there, or name another one`,
  );

/** Detaches the claimed EIP from what it is bound to, if it may be taken from there. */
const forceDetach = (it: PodEipSituation, eip: Eip): Step => {
  const from = mayTakeFrom(it, eip);
  if (from.kind === 'step') return from.step;
  const { allocationId } = eip;
  return from.value ? { do: 'ForceDetach', podEip: it.podEip, allocationId, from: from.value } : boundElsewhere(eip);
};
