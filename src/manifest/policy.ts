import { EIP_POLICY, type EipPolicy } from '../api/eippolicy.ts';
import { policySchema } from './template.ts';
import { kindOf, unreadable, type Unreadable } from './workload.ts';

/** `other`: it is no EipPolicy. */
export type ReadPolicy =
  | { readonly as: 'policy'; readonly policy: EipPolicy }
  | { readonly as: 'other' }
  | { readonly as: 'unreadable'; readonly problems: readonly Unreadable[] };

/** Reads one object of any kind. What a policy says beyond its types, the schema of the CRD looks after. Never throws. */
export const readPolicy = (object: unknown): ReadPolicy => {
  if (kindOf(object) !== `${EIP_POLICY.group}/${EIP_POLICY.kind}`) return { as: 'other' };
  const read = policySchema.safeParse(object);
  if (!read.success) return { as: 'unreadable', problems: unreadable(read.error, object) };
  const { metadata, spec } = read.data;
  return { as: 'policy', policy: { metadata: { name: metadata.name, uid: '', resourceVersion: '' }, spec } };
};
