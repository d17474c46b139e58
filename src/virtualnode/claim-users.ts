import { ECI_INSTANCE_ID } from '../api/annotations.ts';
import { isFinal } from '../api/pod.ts';
import { precedes, turnOf } from './claim-turn.ts';
import type { ClaimUser, ReadClaim } from './translate/input.ts';
import type { WorkloadPod } from './workload-pod.ts';

/*
 * Who has a volume that one instance can have at a time. What counts is whether an instance was asked for: a pod that
 * is held for any reason may be held for ever, and whoever replaces it must not wait for it. Which of two pods of one
 * node is first is decided where the request is sent, without a pause between looking and sending
 * (`PodTracker.sends`); between nodes their objects say it (claim-turn.ts). What is found here says whom a pod waits
 * for, and what an earlier process has done.
 */

/** What this process knows of the instances of its pods. */
export interface ClaimUserPorts {
  /** See PodTracker. */
  readonly tracker: {
    readonly holderOf: (claims: readonly string[], uid: string, settleMs: number) => string | undefined;
    readonly hasAsked: (uid: string, settleMs: number) => 'yes' | 'no' | 'unsure' | 'look';
  };
  /** See NodeGroups. */
  readonly groups: { readonly ofPod: (uid: string, signal: AbortSignal) => Promise<readonly unknown[]> };
  /** See DecideSettings. */
  readonly settleMs: number;
}

/**
 * Another pod that has the volume of the claim, or may have it; undefined if none.
 *
 * @param users the pods that use the claim, also this one
 * @throws CloudFault where the account has to be read and cannot be
 */
export const claimUser = async (
  { tracker, groups, settleMs }: ClaimUserPorts,
  {
    pod,
    claim,
    users,
  }: Pick<ReadClaim, 'claim'> & { readonly pod: WorkloadPod; readonly users: readonly WorkloadPod[] },
  signal: AbortSignal,
): Promise<ClaimUser | undefined> => {
  const holder = tracker.holderOf([claim.metadata.uid], pod.metadata.uid, settleMs);
  if (holder !== undefined) return { name: holder.slice(holder.indexOf('/') + 1), isSure: true };
  const others = users.filter(
    (other) => other.metadata.uid !== pod.metadata.uid && other.spec.nodeName !== undefined && !isFinal(other),
  );
  const shown = others.find((other) => showsInstance(other, pod));
  if (shown) return { name: shown.metadata.name, isSure: true };
  // Read after this pod began to ask: who asks by now has seen it, or has sent its request before.
  const asking = others.filter((other) => isElsewhere(other, pod) && turnOf(other) === 'asks');
  const first = asking.find((other) => precedes(other, pod)) ?? asking[0];
  if (first)
    return { name: first.metadata.name, node: first.spec.nodeName, isSure: false, isAfter: precedes(pod, first) };
  let unsure: ClaimUser | undefined;
  for (const { metadata } of others) {
    const asked = tracker.hasAsked(metadata.uid, settleMs);
    if (asked === 'yes' || (asked === 'look' && (await groups.ofPod(metadata.uid, signal)).length > 0))
      return { name: metadata.name, isSure: true };
    if (asked === 'unsure') unsure ??= { name: metadata.name, isSure: false };
  }
  return unsure;
};

/** Whether the object says that an instance was asked for: what a process has written that is gone. */
const showsInstance = ({ metadata, spec, status }: WorkloadPod, pod: WorkloadPod): boolean => {
  // On another node it may have begun at any time, unless it says that it tells.
  if (isElsewhere({ spec }, pod) && turnOf({ metadata, spec }) === 'unknown') return true;
  if (status?.podIP !== undefined || status?.startTime !== undefined) return true;
  // What both have comes from their template.
  const told = metadata.annotations?.[ECI_INSTANCE_ID];
  return told !== undefined && told !== pod.metadata.annotations?.[ECI_INSTANCE_ID];
};

const isElsewhere = ({ spec }: Pick<WorkloadPod, 'spec'>, pod: WorkloadPod): boolean =>
  spec.nodeName !== pod.spec.nodeName;
