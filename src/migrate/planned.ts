import type { SeenPod } from './inventory.ts';
import type { MigrationStep } from './migration-step.ts';

/**
 * What becomes of one pod's address.
 *
 * - `takeOver`, `handBack`: these steps, and it is done
 * - `discard`: the PodEIP goes; nothing is held by it
 * - `done`: nothing is left to do
 * - `waits`: these steps, and the rest once something else has happened
 * - `blocked`: nothing; `todo` says what a person has to do first
 */
export interface PlannedPod {
  readonly key: string;
  readonly is: 'takeOver' | 'handBack' | 'discard' | 'done' | 'waits' | 'blocked';
  readonly steps: readonly MigrationStep[];
  readonly allocationId: string;
  readonly ipAddress: string;
  /** For people. */
  readonly because: string;
  /** Of what is blocked, or waits. */
  readonly todo?: string | undefined;
}

const about = ({ key, eip, podEip }: SeenPod) => ({
  key,
  allocationId: podEip?.spec.allocationID ?? eip?.allocationId ?? '',
  ipAddress: eip?.ipAddress ?? podEip?.status?.eipAddress ?? '',
});

/** Nothing happens to it before a person has done something. */
export const blocked = (seen: SeenPod, because: string, todo: string): PlannedPod => ({
  ...about(seen),
  is: 'blocked',
  steps: [],
  because,
  todo,
});

export const nothingToDo = (seen: SeenPod, because: string): PlannedPod => ({
  ...about(seen),
  is: 'done',
  steps: [],
  because,
});

export const planned = (
  seen: SeenPod,
  is: 'takeOver' | 'handBack' | 'discard',
  steps: readonly MigrationStep[],
  because: string,
): PlannedPod => ({ ...about(seen), is, steps, because });

export const waits = (seen: SeenPod, steps: readonly MigrationStep[], because: string, todo: string): PlannedPod => ({
  ...about(seen),
  is: 'waits',
  steps,
  because,
  todo,
});
