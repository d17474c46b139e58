import { TAG_ALLOW_NAMESPACES, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../api/annotations.ts';
import type { Eip } from '../cloud/port.ts';
import { mayNameUnder } from '../intent/policy.ts';
import type { Settings } from './seen.ts';
import type { Rest } from './step.ts';

const refuse = (reason: 'EipReserved' | 'EipNotGranted', message: string): Rest => ({
  do: 'Fail',
  reason,
  message,
  ms: 60_000,
});

/** Whether the EIP's own tag grants it to the namespace. */
const isGrantedByTag = (eip: Eip, namespace: string): boolean => {
  const granted = (eip.tags.get(TAG_ALLOW_NAMESPACES) ?? '').split(/[\s,]+/);
  return granted.includes(namespace) || granted.includes('*');
};

/**
 * Says why a namespace may not name this existing EIP; undefined where it may. Asked at every pass, so that a grant that
 * is withdrawn takes effect. The message names nothing of any other namespace.
 */
export const mayName = (
  eip: Eip,
  namespace: string,
  { existingEips, existingEipNamespaces, policy }: Pick<Settings, 'existingEips' | 'existingEipNamespaces' | 'policy'>,
): Rest | undefined => {
  const { allocationId } = eip;
  if (eip.tags.has(TAG_PODEIP_UID) || eip.tags.has(TAG_CLUSTER_UID))
    return refuse(
      'EipReserved',
      `${allocationId} was made by knative-eip for one pod and goes with it; name another one`,
    );
  if (eip.serviceManaged)
    return refuse('EipReserved', `${allocationId} belongs to another cloud service; name one of your own`);
  const byPolicy = policy ? mayNameUnder(policy, allocationId, eip.tags) : 'unsaid';
  if (byPolicy === 'yes') return undefined;
  if (byPolicy === 'no' && !isGrantedByTag(eip, namespace))
    return refuse(
      'EipNotGranted',
      `namespace ${namespace} is not granted ${allocationId}; an operator grants it with the tag ${TAG_ALLOW_NAMESPACES}=${namespace} on the EIP, or with an EipPolicy`,
    );
  if (existingEips === 'any' || existingEipNamespaces.includes(namespace) || isGrantedByTag(eip, namespace))
    return undefined;
  return refuse(
    'EipNotGranted',
    `namespace ${namespace} is not granted ${allocationId}; an operator grants it with the tag ${TAG_ALLOW_NAMESPACES}=${namespace} on the EIP, or with existingEipNamespaces in the configuration`,
  );
};
