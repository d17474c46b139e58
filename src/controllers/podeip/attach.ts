import { ALLOW_EIP_ROB } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { writeRequest, type ExistingEip } from '../../request/request.ts';
import { claim } from './claim.ts';
import { mayName } from './grant.ts';
import { isMissing, notVisibleYet } from './ownership.ts';
import { areContainersReady, isOfFormerService, isSameService, hasPriorityOver, routingIn } from './precedence.ts';
import { isAnnounced, isGated, isGateOpen } from '../../api/pod.ts';
import { isAnothers, isBoundTo, isExternal, latestBinding, readRecord, type PodEipRecord } from './record.ts';
import { isSettled, justAccepted, type CompetingClaim, type ObservedState, type Settings } from './observation.ts';
import { readService, revisionOf, type Routing } from './service-routing.ts';
import {
  fail,
  inTransition,
  justTampered,
  POLL_MS,
  RETRY_MS,
  wait,
  type ForeignBinding,
  type ReadStep,
  type Result,
  type Step,
} from './step.ts';
import { boundElsewhere, bind } from './bind.ts';

/** An EIP of the user's: win the right to it, write it down, put it to use. It is never modified. */
export const attach = (
  seen: ObservedState,
  podEip: PodEip,
  record: PodEipRecord,
  request: ExistingEip,
  parsed: ParsedRequest,
  settings: Settings,
): Step => {
  const { allocationID } = podEip.spec;
  const { allocationId } = request;
  const namespace = podEip.metadata.namespace ?? '';
  if (allocationID !== '' && allocationID !== allocationId) return justTampered('allocationID');
  // Until it has been won, the user may still correct the annotation.
  if (allocationID === '' && (!parsed.request || writeRequest(parsed.request) !== writeRequest(request)))
    return claim(parsed, seen, record.generation, settings);
  if (seen.eip === undefined) return { do: 'ReadEip', allocationId };
  const { eip } = seen;
  // One that was there is looked for again before it counts as gone: a replica may lag.
  if (!eip && allocationID !== '' && !isMissing(seen, settings)) return notVisibleYet(allocationId);
  if (!eip)
    return fail(
      'EipNotFound',
      `${allocationId} does not exist in this region and account; write the ID of an EIP that does`,
    );
  // What it wins it wins by what holds now.
  if (allocationID === '' && seen.policy?.isFresh === false) return { do: 'ReadPolicy' };
  const refusal = mayName(eip, namespace, settings);
  if (refusal) return revoke(seen, podEip, record, eip, refusal, settings);
  // What a virtual node does with it shows in its status. A record of that bars nobody: it repeats what annotations of a pod
  // say, and whoever may write a pod may write any ID there.
  const competitors = seen.competitors?.filter((competitor) => !isExternal(competitor.podEip));
  if (allocationID === '') {
    const look = readCompetitors(seen, podEip, allocationId);
    if (look) return look;
    if (competitors && competitors.length > 0)
      return resolveConflict(seen, podEip, eip, parsed, competitors) ?? { do: 'Record', allocationId };
    if (eip.status === 'InUse') {
      const robbing = forceDetach(seen, eip, settings, inUseElsewhere);
      return robbing.do === 'ForceDetach' ? { do: 'Record', allocationId } : robbing;
    }
    if (eip.status !== 'Available') return inTransition(eip);
    return { do: 'Record', allocationId };
  }
  if (!latestBinding(record)) {
    // Two may have written it down at once. Nothing has been done with it yet: now that both can see it, one yields.
    const look = readCompetitors(seen, podEip, allocationId);
    if (look || !competitors) return look ?? { do: 'ReadCompetingClaims', allocationId };
    const { pod } = seen;
    const routing = routingIn(seen);
    const isBehind = (competitor: CompetingClaim): boolean => hasPriorityOver(podEip, pod, competitor, routing);
    const hasPrecedence = (competitor: CompetingClaim): boolean =>
      isHolding(competitor) ||
      hasPriorityOver(competitor.podEip, competitor.pod, { podEip, pod }, routing) ||
      competitor.podEip.metadata.uid < podEip.metadata.uid;
    const isLost = competitors.some((competitor) => !isBehind(competitor) && hasPrecedence(competitor));
    if (isLost) return { do: 'Unclaim', allocationId };
    const holder = competitors.find((competitor) => isHolding(competitor) && isBehind(competitor));
    if (holder) return (parsed.handover === 'wait' ? awaitRelease : preempt)(holder.podEip, allocationId);
    if (competitors.length > 0)
      return wait('HandingOver', `another pod wants ${allocationId} at the same time and gives way`, POLL_MS);
  }
  return bind(seen, eip, record, settings, (it) =>
    // Whoever moves it away after the pod had it means that, and is not fought.
    latestBinding(record) ? boundElsewhere(it) : forceDetach(seen, it, settings, boundElsewhere),
  );
};

/** What comes of an EIP that the namespace may not name, or not any more: it is detached, and whoever may name it can have it. */
const revoke = (
  seen: ObservedState,
  podEip: PodEip,
  record: PodEipRecord,
  eip: Eip,
  refusal: Result,
  settings: Settings,
): Step => {
  const { pod } = seen;
  const { allocationId } = eip;
  const binding = record.bindings.findLast((candidate) => isBoundTo(eip, candidate));
  if (binding && eip.status === 'InUse' && !isAnothers(eip, podEip, settings.clusterUid))
    return pod && isAnnounced(pod)
      ? { do: 'Unpublish', isGated: isGated(pod) }
      : { do: 'Unassociate', allocationId, binding };
  const isToYield = podEip.spec.allocationID !== '' && refusal.reason === 'EipNotGranted' && isSettled(seen, settings);
  return isToYield ? { do: 'Unclaim', allocationId } : refusal;
};

/** Who else has the EIP, and, where that is a pod of the same Service, how the Service routes; undefined once it is known. */
const readCompetitors = (seen: ObservedState, podEip: PodEip, allocationId: string): ReadStep | undefined => {
  if (!seen.competitors) return { do: 'ReadCompetingClaims', allocationId };
  return seen.competitors.some((competitor) => isSameService(podEip, competitor.podEip))
    ? readService(seen, podEip)
    : undefined;
};

/** Why the EIP that others hold is not this pod's to take; undefined where it is. */
const resolveConflict = (
  seen: ObservedState,
  podEip: PodEip,
  eip: Eip,
  { handover }: ParsedRequest,
  competitors: readonly CompetingClaim[],
): Step | undefined => {
  const { pod } = seen;
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
  if (ahead) return deferTo(seen, podEip, allocationId, ahead);
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
const deferTo = (seen: ObservedState, podEip: PodEip, allocationId: string, ahead: CompetingClaim): Step => {
  const { pod } = seen;
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
  // No request gets to it, and it never gets the EIP: Knative scales its Revision down once that has been ready. Not before
  // the requests go to the pod that has the EIP, or Knative would take this Revision for the latest one that is ready.
  const isServed = routing(their) === 'routed' && ahead.pod !== null && isAnnounced(ahead.pod);
  const isIdle = routing(my) === 'none' && isServed;
  if (isIdle && pod && isGated(pod) && !isGateOpen(pod)) return { do: 'StandAside', isGated: true, successor };
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

/**
 * Takes the EIP from what it is bound to, where configuration and namespace allow that (Terway's allow_eip_rob), and only
 * from a network interface or an instance: a load balancer or NAT gateway would go on without its address.
 */
const forceDetach = (seen: ObservedState, eip: Eip, settings: Settings, otherwise: (eip: Eip) => Step): Step => {
  const from = foreignBinding(eip);
  if (!settings.allowEipRob || !from) return otherwise(eip);
  // A pod of a virtual node keeps what it came with.
  if (seen.competitors?.some((competitor) => isExternal(competitor.podEip))) return otherwise(eip);
  if (seen.namespace === undefined) return { do: 'ReadNamespace' };
  if (justAccepted('ForceDetach', seen, settings))
    return wait('InTransition', `${eip.allocationId} is being detached`, POLL_MS);
  return seen.namespace?.metadata.labels?.[ALLOW_EIP_ROB] === 'true'
    ? { do: 'ForceDetach', allocationId: eip.allocationId, from }
    : otherwise(eip);
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
