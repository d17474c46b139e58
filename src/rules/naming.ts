import { KEYS } from '../api/annotations.ts';
import { mayNameUnder, UNRESTRICTED } from '../policies/policy.ts';
import type { RuleSettings } from './rule.ts';
import type { Annotations } from './workload.ts';

/** Whether the configuration lets the pods of the namespace name any existing EIP. */
const isOpenTo = (
  namespace: string,
  { existingEips, existingEipNamespaces = [] }: Pick<RuleSettings, 'existingEips' | 'existingEipNamespaces'>,
): boolean => existingEips !== 'granted' || namespace === '' || existingEipNamespaces.includes(namespace);

/** Whether the existing EIP is known to belong to another namespace. */
export const isForeign = ({ foreignEips = [] }: Pick<RuleSettings, 'foreignEips'>, allocationId: string): boolean =>
  foreignEips.includes(allocationId);

/** Whether the namespace may name this existing EIP, whatever the EIP's own tags say: nobody here can look at them. */
export const isFreeToName = (settings: RuleSettings, namespace: string, allocationId: string): boolean => {
  const byPolicy = mayNameUnder(settings.policy ?? UNRESTRICTED, allocationId, undefined);
  return (
    byPolicy === 'yes' || (byPolicy === 'unsaid' && isOpenTo(namespace, settings) && !isForeign(settings, allocationId))
  );
};

/** The existing EIP that annotations name, as it is written; undefined where they name none. */
export const namesExisting = (annotations: Annotations | undefined): string | undefined => {
  const key = KEYS.instanceId.find((each) => annotations && Object.hasOwn(annotations, each));
  return key === undefined ? undefined : annotations?.[key];
};
