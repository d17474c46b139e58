import { sentence } from '../../api/finding.ts';
import type { Pod } from '../../api/core.ts';
import { evaluatePod } from './pod-request.ts';
import type { ObservedState, Settings } from './observation.ts';
import { fail, type Result } from './step.ts';

/**
 * Says of a pod on the cluster's own virtual node that it names an EIP whose grant nobody there looks at. It gets no record:
 * that would be the namespace's word that it has the EIP. The webhook has kept the virtual node from binding it; where there
 * is none, this is how people hear of it.
 */
export const refusedOnEci = (pod: Pod, { node }: ObservedState, settings: Settings): Result | undefined => {
  const refusal = evaluatePod(pod, node, settings).find(({ id }) => id === 'GrantUnknownToEci');
  return refusal && fail(refusal.id, sentence(refusal));
};
