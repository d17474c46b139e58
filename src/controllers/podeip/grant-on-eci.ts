import { sentence } from '../../api/finding.ts';
import type { PodRequest } from './pod-request.ts';
import type { Situation } from './situation.ts';
import { fail, type Step } from './step.ts';

/**
 * Refuses a pod on the cluster's own virtual node that names an EIP, if the grant for it cannot be checked there, or
 * the EIP is another namespace's. The pod gets no record, which would claim that the namespace has the EIP. The webhook
 * has kept the virtual node from binding the EIP; without the webhook, this tells users.
 */
export const refusedOnEci = (
  { seen, settings }: Situation,
  { findings, plan, parsed: { request } }: PodRequest,
): Step | undefined => {
  const refusal = findings.find(({ id }) => id === 'GrantUnknownToEci');
  if (refusal) return fail(refusal.id, sentence(refusal));
  return settings.existingEips === 'firstUse' &&
    plan.how === 'add-on' &&
    request?.kind === 'existing' &&
    seen.holder === undefined
    ? { do: 'ReadHolder', allocationId: request.allocationId }
    : undefined;
};
