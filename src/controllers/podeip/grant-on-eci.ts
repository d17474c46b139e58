import { sentence } from '../../api/finding.ts';
import type { PodRequest } from './pod-request.ts';
import { fail, type Result } from './step.ts';

/**
 * Says of a pod on the cluster's own virtual node that it names an EIP whose grant nobody there looks at. It gets no
 * record: that would be the namespace's word that it has the EIP. The webhook has kept the virtual node from binding
 * it; where there is none, this is how people hear of it.
 */
export const refusedOnEci = ({ findings }: PodRequest): Result | undefined => {
  const refusal = findings.find(({ id }) => id === 'GrantUnknownToEci');
  return refusal && fail(refusal.id, sentence(refusal));
};
