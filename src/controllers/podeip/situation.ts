import type { PodEip } from '../../api/podeip.ts';
import { underPolicy } from '../../request/policy.ts';
import type { ObservedState, Settings } from './observation.ts';
import { PodRequest } from './pod-request.ts';
import { readRecord, type PodEipRecord } from './record.ts';
import type { Action } from './step.ts';

/** Everything that one decision is made from: what was observed, and what follows from it, read once. */
export interface Situation {
  readonly seen: ObservedState;
  /** As they hold in the namespace: the configuration's under its policy. */
  readonly settings: Settings;
  /** What the pod asks for; null where there is no pod. */
  readonly asked: PodRequest | null;
}

/** The same where there is a PodEIP that this controller wrote. */
export interface PodEipSituation extends Situation {
  readonly podEip: PodEip;
  /** What is written down in it. */
  readonly record: PodEipRecord;
}

export const situationOf = (seen: ObservedState, configured: Settings): Situation => {
  const settings = underPolicy(configured, seen.policy?.effective);
  return { seen, settings, asked: seen.pod && new PodRequest(seen.pod, seen.node, settings) };
};

/** The situation of a PodEIP that this controller wrote. */
export const withPodEip = (it: Situation, podEip: PodEip): PodEipSituation => ({
  ...it,
  podEip,
  record: readRecord(podEip),
});

/** Whether no change of ours can still take effect. */
export const isSettled = ({ seen: { memory }, settings: { settleMs, readLagMs } }: Situation): boolean =>
  // What was answered has happened, but a reading may still show the time before it.
  memory.quietMs >= (memory.isCertain ? readLagMs : settleMs);

/** Whether this change was accepted so recently that a read may not show it yet. */
export const justAccepted = (action: Action['do'], { seen: { memory }, settings: { readLagMs } }: Situation): boolean =>
  memory.accepted === action && memory.quietMs < readLagMs;
