import type { PodEip } from '../../api/podeip.ts';
import { underPolicy } from '../../policies/policy.ts';
import type { ObservedState, Settings } from './observation.ts';
import { PodRequest } from './pod-request.ts';
import { readRecord, type PodEipRecord } from './record.ts';

/** Everything that one decision is made from: what was observed, and what follows from it, read once. */
export interface Situation {
  readonly seen: ObservedState;
  /** The configuration under the policy of the namespace. */
  readonly settings: Settings;
  /** What the pod asks for; null where there is no pod. */
  readonly asked: PodRequest | null;
}

/** The same where there is a PodEIP that this controller wrote. */
export interface PodEipSituation extends Situation {
  readonly podEip: PodEip;
  /** The record that its annotations hold. */
  readonly record: PodEipRecord;
}

export const situationOf = (seen: ObservedState, configured: Settings): Situation => {
  const { holder } = seen;
  const namespace = (seen.pod ?? seen.podEip)?.metadata.namespace;
  const foreignEips = holder && holder.namespace !== namespace ? [holder.metadata.name] : undefined;
  const settings = { ...underPolicy(configured, seen.policy?.effective), ...(foreignEips && { foreignEips }) };
  return { seen, settings, asked: seen.pod && new PodRequest(seen.pod, seen.node, settings) };
};

/** The situation of a PodEIP that this controller wrote. */
export const withPodEip = (it: Situation, podEip: PodEip): PodEipSituation => ({
  ...it,
  podEip,
  record: readRecord(podEip),
});
