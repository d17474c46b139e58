import type { PodEip } from '../../api/podeip.ts';
import type { CompetingClaim } from './observation.ts';
import type { PodRequest } from './pod-request.ts';
import { hasPriorityOver, routingIn } from './handover-order.ts';
import { readRecord } from './record.ts';
import { competitorsOf } from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { POLL_MS, RETRY_MS, wait, type Step } from './step.ts';

/**
 * Two PodEIPs may have recorded the same EIP at once. Nothing has been done with it yet: now that each can see the
 * other, one of them gives up its claim. Undefined if no other PodEIP has recorded it.
 */
export const yieldOrWait = (
  it: PodEipSituation,
  { pod, handover }: PodRequest,
  allocationId: string,
): Step | undefined => {
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

const isHolding = ({ podEip }: CompetingClaim): boolean => readRecord(podEip).bindings.length > 0;

/**
 * The pod that has the EIP gives it up. Once its PodEIP is gone, no pending request can detach the EIP from this pod.
 */
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
