import { TAG_ALLOW_NAMESPACES, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Eip } from '../../cloud/port.ts';
import { mayNameUnder } from '../../request/policy.ts';
import type { Settings } from './observation.ts';
import type { Result } from './step.ts';

const refuse = (reason: 'EipReserved' | 'EipNotGranted', message: string): Result => ({
  do: 'Fail',
  reason,
  message,
  ms: 60_000,
});

/** Characters of a tag's value. Source: VPC API reference, TagResources. */
const LONGEST_TAG = 128;

/** Whether the EIP's own tag grants it to the namespace. */
const isGrantedByTag = (eip: Eip, namespace: string): boolean => {
  const text = eip.tags.get(TAG_ALLOW_NAMESPACES) ?? '';
  if (text.length > LONGEST_TAG) return false;
  const granted = text.split(/[\s,]+/);
  return granted.includes(namespace) || granted.includes('*');
};

/**
 * Says why a namespace may not name this existing EIP; undefined where it may. Asked at every pass, so that a grant
 * that is withdrawn takes effect. The message names nothing of any other namespace, and who may not name the EIP is not
 * told what it is.
 */
export const mayName = (
  eip: Eip,
  namespace: string,
  { existingEips, existingEipNamespaces, policy }: Pick<Settings, 'existingEips' | 'existingEipNamespaces' | 'policy'>,
): Result | undefined => {
  const { allocationId } = eip;
  const byPolicy = policy ? mayNameUnder(policy, allocationId, eip.tags) : 'unsaid';
  const isOpen = byPolicy !== 'no' && (existingEips === 'any' || existingEipNamespaces.includes(namespace));
  if (byPolicy !== 'yes' && !isOpen && !isGrantedByTag(eip, namespace))
    return refuse(
      'EipNotGranted',
      `namespace ${namespace} is not granted ${allocationId}; an operator grants it with the tag ${TAG_ALLOW_NAMESPACES}=${namespace} on the EIP, or with ${byPolicy === 'no' ? 'an EipPolicy' : 'existingEipNamespaces in the configuration'}`,
    );
  if (eip.tags.has(TAG_PODEIP_UID) || eip.tags.has(TAG_CLUSTER_UID))
    return refuse(
      'EipReserved',
      `${allocationId} was made by knative-eip for one pod and goes with it; name another one`,
    );
  return eip.serviceManaged
    ? refuse('EipReserved', `${allocationId} belongs to another cloud service; name one of your own`)
    : undefined;
};
