import { TAG_ALLOW_NAMESPACES, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Eip } from '../../cloud/port.ts';
import { mayNameUnder } from '../../policies/policy.ts';
import type { Settings } from './observation.ts';
import { fail, type Result } from './step.ts';

/** The longest value of a tag, characters. Source: VPC API reference, TagResources. */
const LONGEST_TAG = 128;

/** Whether a tag of the EIP itself grants it to the namespace. */
const isGrantedByTag = (eip: Eip, namespace: string): boolean => {
  const text = eip.tags.get(TAG_ALLOW_NAMESPACES) ?? '';
  if (text.length > LONGEST_TAG) return false;
  const granted = text.split(/[\s,]+/);
  return granted.includes(namespace) || granted.includes('*');
};

/** The settings that say what a namespace may name. */
type Naming = Pick<Settings, 'existingEips' | 'existingEipNamespaces' | 'policy'>;

/** Whether an operator has granted the EIP to the namespace: by policy, by configuration, or by a tag of the EIP. */
export const isGranted = (
  eip: Eip,
  namespace: string,
  { existingEips, existingEipNamespaces, policy }: Naming,
): boolean => {
  const byPolicy = policy ? mayNameUnder(policy, eip.allocationId, eip.tags) : 'unsaid';
  const isListed = byPolicy !== 'no' && existingEips !== 'any' && existingEipNamespaces.includes(namespace);
  return byPolicy === 'yes' || isListed || isGrantedByTag(eip, namespace);
};

/**
 * Whether the namespace may name the EIP without a grant. With `firstUse` a tag that names namespaces means these and
 * no others, but for a pod that has the EIP already: the tag may be from a time in which it closed nothing.
 */
const isOpen = (eip: Eip, { existingEips, policy }: Naming, hasIt: boolean): boolean => {
  if (policy && mayNameUnder(policy, eip.allocationId, eip.tags) === 'no') return false;
  return existingEips === 'any' || (existingEips === 'firstUse' && (hasIt || !eip.tags.has(TAG_ALLOW_NAMESPACES)));
};

/** Whether the namespace may name EIPs by themselves, whatever their tags say: it may know whether there is one. */
const mayKnow = (allocationId: string, namespace: string, { existingEips, existingEipNamespaces, policy }: Naming) => {
  const byPolicy = policy ? mayNameUnder(policy, allocationId, undefined) : 'unsaid';
  if (byPolicy !== 'unsaid') return byPolicy === 'yes';
  return existingEips === 'any' || existingEipNamespaces.includes(namespace);
};

/**
 * What is said of an EIP that is not there for the namespace. One answer for an EIP that does not exist and for one
 * that is not the namespace's, so that nobody learns by naming IDs which of them there are.
 */
export const notThere = (allocationId: string, namespace: string, settings: Naming): Result => {
  const { existingEips, policy } = settings;
  if (mayKnow(allocationId, namespace, settings))
    return fail(
      'EipNotFound',
      `${allocationId} does not exist in this region and account; write the ID of an EIP that does`,
    );
  const isListed = policy !== undefined && mayNameUnder(policy, allocationId, undefined) !== 'unsaid';
  return existingEips === 'firstUse' && !isListed
    ? fail(
        'EipNotFound',
        `there is no ${allocationId} for namespace ${namespace}: this region and account have no such EIP, or another namespace has it; correct the ID, or ask an operator whose it is (kubectl get eipholder ${allocationId})`,
      )
    : fail(
        'EipNotGranted',
        `namespace ${namespace} is not granted ${allocationId}, or there is no such EIP; an operator grants it with the tag ${TAG_ALLOW_NAMESPACES}=${namespace} on the EIP, or with ${isListed ? 'an EipPolicy' : 'existingEipNamespaces in the configuration'}`,
      );
};

/**
 * Why a namespace may not name this existing EIP; undefined if it may. Decided anew in every reconcile, so that a
 * withdrawn grant takes effect. The message reveals nothing about other namespaces and, without a grant, nothing about
 * the EIP.
 *
 * @param hasIt whether the EIP is bound where the pod has been noted to have it
 */
export const mayName = (eip: Eip, namespace: string, settings: Naming, hasIt = false): Result | undefined => {
  const { allocationId } = eip;
  if (!isOpen(eip, settings, hasIt) && !isGranted(eip, namespace, settings))
    return notThere(allocationId, namespace, settings);
  if (eip.tags.has(TAG_PODEIP_UID) || eip.tags.has(TAG_CLUSTER_UID)) {
    const isForeign = eip.tags.get(TAG_POD)?.startsWith(`${namespace}/`) !== true;
    return isForeign && settings.existingEips === 'firstUse' && !isGranted(eip, namespace, settings)
      ? notThere(allocationId, namespace, settings)
      : fail('EipReserved', `${allocationId} was made by knative-eip for one pod and goes with it; name another one`);
  }
  return eip.serviceManaged
    ? fail('EipReserved', `${allocationId} belongs to another cloud service; name one of your own`)
    : undefined;
};
