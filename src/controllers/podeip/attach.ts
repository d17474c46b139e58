import { ALLOW_EIP_ROB } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { writeRequest, type ExistingEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { mayName } from './grant.ts';
import { isMissing, notVisibleYet } from './ownership.ts';
import { areContainersReady, isOfFormerService, isSameService, hasPriorityOver, routingIn } from './precedence.ts';
import { isAnnounced, isGated, isGateOpen } from '../../api/pod.ts';
import type { PodRequest } from './pod-request.ts';
import { isAnothers, isBoundTo, isExternal, latestBinding, readRecord } from './record.ts';
import type { CompetingClaim } from './observation.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import { readService, revisionOf, type Routing } from './service-routing.ts';
import {
  fail,
  inTransition,
  justTampered,
  POLL_MS,
  RETRY_MS,
  stepFirst,
  unpublish,
  valueOf,
  wait,
  type ForeignBinding,
  type Outcome,
  type ReadStep,
  type Result,
  type Step,
} from './step.ts';
import { boundElsewhere, bind } from './bind.ts';

/** An EIP of the user's: win the right to it, write it down, put it to use. It is never modified. */
export const attach = (it: PodEipSituation, asked: PodRequest, request: ExistingEip): Step => {
  const { seen, podEip, record, settings } = it;
  const { allocationID } = podEip.spec;
  const { allocationId } = request;
  const isWon = allocationID !== '';
  if (isWon && allocationID !== allocationId) return justTampered('allocationID');
  // Until it has been won, the user may still correct the annotation.
  if (!isWon && isOtherRequest(asked, request)) return claim(it, asked, record.generation);
  const { eip } = seen;
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  // One that was there is looked for again before it counts as gone: a replica may lag.
  if (!eip && isWon && !isMissing(it)) return notVisibleYet(allocationId);
  if (!eip)
    return fail(
      'EipNotFound',
      `${allocationId} does not exist in this region and account; write the ID of an EIP that does`,
    );
  // What it wins it wins by what holds now.
  if (!isWon && seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
  const refusal = mayName(eip, podEip.metadata.namespace ?? '', settings);
  if (refusal) return revoke(it, eip, refusal);
  if (!isWon) return win(it, asked, eip);
  const contested = latestBinding(record) ? undefined : yieldOrWait(it, asked, allocationId);
  return (
    contested ??
    bind(it, eip, (its) =>
      // Whoever moves it away after the pod had it means that, and is not fought.
      latestBinding(record) ? boundElsewhere(its) : forceDetach(it, its),
    )
  );
};

const isOtherRequest = ({ parsed }: PodRequest, request: ExistingEip): boolean =>
  !parsed.request || writeRequest(parsed.request) !== writeRequest(request);

/**
 * What comes of an EIP that the namespace may not name, or not any more: it is detached, and whoever may name it can
 * have it.
 */
const revoke = (it: PodEipSituation, eip: Eip, refusal: Result): Step => {
  const { seen, podEip, record, settings } = it;
  const { pod } = seen;
  const { allocationId } = eip;
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  if (binding && eip.status === 'InUse' && !isAnothers(eip, podEip, settings.clusterUid))
    return pod && isAnnounced(pod) ? unpublish(pod) : { do: 'Unassociate', podEip, allocationId, binding };
  const isToYield = podEip.spec.allocationID !== '' && refusal.reason === 'EipNotGranted' && isSettled(it);
  return isToYield ? { do: 'Unclaim', podEip, allocationId } : refusal;
};

/**
 * It is nobody's yet, as far as this PodEIP has written down: it is won where nobody else has it, or this pod goes
 * first.
 */
const win = (it: PodEipSituation, asked: PodRequest, eip: Eip): Step => {
  const { podEip } = it;
  const { allocationId } = eip;
  const others = competitorsOf(it, allocationId);
  if (others.kind === 'step') return others.step;
  const record: Step = { do: 'Record', podEip, allocationId };
  if (others.value.length > 0) return resolveConflict(it, asked, eip, others.value) ?? record;
  if (eip.status === 'InUse') {
    const from = takenFrom(it, eip);
    if (from.kind === 'step') return from.step;
    return from.value ? record : inUseElsewhere(eip);
  }
  return eip.status === 'Available' ? record : inTransition(eip);
};

/**
 * Two may have written it down at once. Nothing has been done with it yet: now that both can see it, one yields.
 * Undefined where nobody else has it.
 */
const yieldOrWait = (it: PodEipSituation, { pod, handover }: PodRequest, allocationId: string): Step | undefined => {
  const { seen, podEip } = it;
  const others = competitorsOf(it, allocationId);
  if (others.kind === 'step') return others.step;
  const competitors = others.value;
  const routing = routingIn(seen);
  const holding = new Set(competitors.filter(isHolding));
  const isBehind = (competitor: CompetingClaim): boolean => hasPriorityOver(podEip, pod, competitor, routing);
  const hasPrecedence = (competitor: CompetingClaim): boolean =>
    holding.has(competitor) ||
    hasPriorityOver(competitor.podEip, competitor.pod, { podEip, pod }, routing) ||
    competitor.podEip.metadata.uid < podEip.metadata.uid;
  const isLost = competitors.some((competitor) => !isBehind(competitor) && hasPrecedence(competitor));
  if (isLost) return { do: 'Unclaim', podEip, allocationId };
  const holder = competitors.find((competitor) => holding.has(competitor) && isBehind(competitor));
  if (holder) return (handover === 'wait' ? awaitRelease : preempt)(holder.podEip, allocationId);
  return competitors.length > 0
    ? wait('HandingOver', `another pod wants ${allocationId} at the same time and gives way`, POLL_MS)
    : undefined;
};

/**
 * Who else has the EIP; where that is a pod of the same Service, how the Service routes has to be known, too. What a
 * virtual node does with it shows in its status. A record of that bars nobody: it repeats what annotations of a pod
 * say, and whoever may write a pod may write any ID there.
 */
const competitorsOf = (it: PodEipSituation, allocationId: string): Outcome<readonly CompetingClaim[]> => {
  const { competitors } = it.seen;
  if (!competitors) return stepFirst({ do: 'ReadCompetingClaims', allocationId });
  const isOfService = competitors.some((competitor) => isSameService(it.podEip, competitor.podEip));
  const look: ReadStep | undefined = isOfService ? readService(it) : undefined;
  return look ? stepFirst(look) : valueOf(competitors.filter((competitor) => !isExternal(competitor.podEip)));
};

/** Why the EIP that others hold is not this pod's to take; undefined where it is. */
const resolveConflict = (
  it: PodEipSituation,
  { pod, handover }: PodRequest,
  eip: Eip,
  competitors: readonly CompetingClaim[],
): Step | undefined => {
  const { seen, podEip } = it;
  const { allocationId } = eip;
  const others = competitors.filter((competitor) => !isSameService(podEip, competitor.podEip));
  if (others.some((competitor) => !isOfFormerService(podEip, competitor.podEip)))
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
  // Who waits for the old pod to end writes the EIP down all the same, so that nobody else gets it in between.
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

/** What becomes of a pod whose EIP another pod of its Service has, and keeps. */
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
  // No request gets to it, and it never gets the EIP: Knative scales its Revision down once that has been ready. Not
  // before the requests go to the pod that has the EIP, or Knative would take this Revision for the latest one that is
  // ready.
  const isServed = routing(their) === 'routed' && ahead.pod !== null && isAnnounced(ahead.pod);
  const isIdle = routing(my) === 'none' && isServed;
  if (isIdle && isGated(pod) && !isGateOpen(pod)) return { do: 'StandAside', pod, isGated: true, successor };
  return wait(
    'HandedOver',
    `${allocationId} is with pod ${successor} of ${my === their ? 'the same Revision' : `Revision ${their}`}, which takes this pod’s place; this pod goes on without it`,
    RETRY_MS,
  );
};

const isHolding = ({ podEip }: CompetingClaim): boolean => readRecord(podEip).bindings.length > 0;

/** The pod that has the EIP gives it up; once its PodEIP is gone, nothing can still detach the EIP from here. */
const preempt = (competitor: PodEip, allocationId: string): Step =>
  competitor.metadata.deletionTimestamp === undefined
    ? { do: 'Preempt', competitor, allocationId }
    : wait('HandingOver', `pod ${competitor.metadata.name} is giving ${allocationId} up`, POLL_MS);

/** The pod that has the EIP keeps it until it ends. */
const awaitRelease = (competitor: PodEip, allocationId: string): Step => {
  const { name, deletionTimestamp } = competitor.metadata;
  return wait(
    'HandingOver',
    `${allocationId} is with pod ${name} of the same Knative Service until that one is gone, as asked for`,
    deletionTimestamp === undefined ? RETRY_MS : POLL_MS,
  );
};

const inUseElsewhere = (eip: Eip): Step =>
  fail(
    'EipInUse',
    `${eip.allocationId} is bound to something else and is not taken from it; detach it there, or name another one`,
  );

/** Takes the EIP, which this pod has won, from what it is bound to, where it may be taken from there. */
const forceDetach = (it: PodEipSituation, eip: Eip): Step => {
  const from = takenFrom(it, eip);
  if (from.kind === 'step') return from.step;
  const { allocationId } = eip;
  return from.value ? { do: 'ForceDetach', podEip: it.podEip, allocationId, from: from.value } : boundElsewhere(eip);
};

/**
 * From what it is bound to the EIP may be taken, where configuration and namespace allow that (Terway's allow_eip_rob),
 * and only from a network interface or an instance: a load balancer or NAT gateway would go on without its address.
 * Undefined where it is not to be taken.
 */
const takenFrom = (it: PodEipSituation, eip: Eip): Outcome<ForeignBinding | undefined> => {
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
