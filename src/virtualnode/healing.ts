import { createHash } from 'node:crypto';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import type { TrackedPod } from './observation.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** Somebody else who writes the status whenever it is put right is answered once in this time; milliseconds. */
const HEAL_MS = 10_000;

/**
 * A digest of what the status of a pod follows: its group and its readiness gates. A status that is written again by
 * the same cause was changed by somebody else.
 */
export const causeOf = ({ spec, status }: WorkloadPod, group: ContainerGroup): string => {
  const gates = (spec.readinessGates ?? []).map(
    ({ conditionType }) => status?.conditions?.find(({ type }) => type === conditionType)?.status,
  );
  return createHash('sha256')
    .update(JSON.stringify([group, gates]))
    .digest('base64');
};

/** How long the status is left as somebody else has written it; 0: it may be put right. Milliseconds. */
export const healInMs = (pod: WorkloadPod, group: ContainerGroup, { healed }: TrackedPod): number =>
  healed?.cause === causeOf(pod, group) ? Math.max(0, HEAL_MS - healed.agoMs) : 0;
