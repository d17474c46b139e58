import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { ObservedState } from './observation.ts';
import { isEipAction, type Action, type ActionOutcome } from './step.ts';

/*
 * A write of ours was a compare-and-swap, so that its answer is the newest state of what it wrote: the next turn of the
 * key goes on from there, instead of reading everything anew. May be lost at any time: then everything is read.
 */

/** What the watches show of a key. */
export interface Watched {
  readonly pod: Pod | undefined;
  readonly podEip: PodEip | undefined;
}

/** So long after pod and PodEIP were read they are read again, whatever was written since; milliseconds. */
const CARRIED_MS = 2_000;
/**
 * The same where the EIP has arrived where it was sent: that is told by writes which name the versions that they
 * replace.
 */
const ARRIVED_MS = 10_000;

/** The version of an object; '' where there is none. */
const versionOf = (object: Pod | PodEip | null | undefined): string => object?.metadata.resourceVersion ?? '';

/**
 * Whether the next turn may go on with what the last one has left: it was read a moment ago, and the watches show
 * nothing that was not read or written since. They may lag: what somebody else does is seen a moment later, as it would
 * be after a reading that was just made.
 */
export const isCurrent = (
  { pod, podEip, versions = [], readAt = 0, hasArrived = false }: ObservedState,
  watched: Watched,
  now: number,
): boolean =>
  now - readAt < (hasArrived ? ARRIVED_MS : CARRIED_MS) &&
  versionOf(watched.pod) === versionOf(pod) &&
  [...versions, versionOf(podEip)].includes(versionOf(watched.podEip));

/** What is known after an action; undefined where everything has to be read. */
export const stateAfter = (step: Action, seen: ObservedState, acted: ActionOutcome): ObservedState | undefined => {
  const { pod, podEip } = acted.written ?? {};
  if (!pod && !podEip) return undefined;
  const { node, policy, interfaces, memory, now, serverNow, readAt } = seen;
  return {
    ...withWritten(seen, { pod: pod ?? seen.pod, podEip: podEip ?? seen.podEip }),
    node,
    interfaces,
    memory,
    now,
    serverNow,
    readAt,
    policy: policy && { ...policy, isFresh: false },
    eip: acted.eip ?? eipAfter(step, seen),
    isSent: step.do === 'Associate',
    hasArrived: step.do === 'Publish' && seen.hasArrived === true,
    ...(acted.predecessor && { reusable: [acted.predecessor] }),
  };
};

/** The same reading with a newer PodEIP, or pod. */
export const withWritten = (
  { versions = [], podEip: before }: Pick<ObservedState, 'versions' | 'podEip'>,
  { pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>,
): Pick<ObservedState, 'pod' | 'podEip' | 'versions'> => ({ pod, podEip, versions: [...versions, versionOf(before)] });

/**
 * The reading of the EIP that goes on: a write to the cluster leaves it as it was, a change of the cloud does not.
 * After a claim, or its end, another EIP may be meant.
 */
const eipAfter = (step: Action, { eip, tagged }: ObservedState): ObservedState['eip'] => {
  if (step.do === 'Record') return tagged?.find(({ allocationId }) => allocationId === step.allocationId) ?? eip;
  return isEipAction(step) || step.do === 'Claim' || step.do === 'Unclaim' ? undefined : eip;
};
