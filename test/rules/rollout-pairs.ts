import { READINESS_GATE } from '../../src/api/annotations.ts';
import type { FindingId } from '../../src/api/finding.ts';
import type { Pair } from './catalogue-pairs.ts';
import { deployment, EXISTING, NEW, statefulSet } from './manifests.ts';

export const GATED = { readinessGates: [{ conditionType: READINESS_GATE }] };

/** The Deployment with this strategy. */
export const rolledOutBy = (strategy: object | undefined, shape: Parameters<typeof deployment>[0]): object => {
  const made = deployment(shape) as { readonly spec: object };
  return { ...made, spec: { ...made.spec, strategy } };
};

const gated = { annotations: EXISTING, spec: GATED };

/** Findings about what happens when pods are replaced. */
export const ROLLOUT_PAIRS = {
  ExistingEipBlocksRollout: [
    { with: deployment(gated), without: rolledOutBy({ type: 'Recreate' }, gated) },
    {
      say: 'another gate',
      with: deployment(gated),
      without: deployment({ annotations: EXISTING, spec: { readinessGates: [{ conditionType: 'x/y' }] } }),
    },
    { say: 'a new EIP for each pod', with: deployment(gated), without: deployment({ ...gated, annotations: NEW }) },
    { say: 'a StatefulSet stops a pod first', with: deployment(gated), without: statefulSet(gated) },
    { say: 'no pods', with: deployment({ ...gated, replicas: 1 }), without: deployment({ ...gated, replicas: 0 }) },
  ],
  ExistingEipLateInRollout: [
    { with: deployment({ annotations: EXISTING }), without: deployment(gated) },
    {
      say: 'stopped first',
      with: deployment({ annotations: EXISTING }),
      without: rolledOutBy({ type: 'Recreate' }, { annotations: EXISTING }),
    },
  ],
} satisfies Partial<Record<FindingId, readonly Pair[]>>;
