import type { EipPolicy, EipPolicySpec } from '../api/eippolicy.ts';
import { effectivePolicy, packagesOf, type EffectivePolicy } from './policy.ts';

/** Something in a policy that has no effect in a namespace, or that cannot be met there. */
interface Contradiction {
  /** The policy that is told. */
  readonly policy: string;
  /** What it is about, the same for each namespace: field and the other policy. */
  readonly about: string;
  /** Without full stop. */
  readonly sentence: string;
}

/**
 * What the policies of one namespace make of each other. A lower limit is no contradiction: whoever keeps to it keeps
 * to the higher one, too. Pure.
 *
 * @param meant all policies that mean the namespace, by name
 */
export const contradictionsAmong = (meant: readonly EipPolicy[], namespace: string): readonly Contradiction[] => {
  const effective = effectivePolicy(meant, { name: namespace, labels: 'unread' });
  return [
    ...emptyLists(meant, namespace),
    ...meant.flatMap((policy) => overruledDefaults(policy, meant, effective, namespace)),
    ...meant.flatMap((policy) => unaffordableDefault(policy, meant, effective)),
  ];
};

type ListOf = (spec: EipPolicySpec) => readonly string[] | undefined;

const LISTS: Readonly<Record<string, ListOf>> = {
  bandwidthPackages: packagesOf,
  publicIpAddressPools: (spec) => spec.publicIpAddressPools,
  resourceGroups: (spec) => spec.resourceGroups,
  // Which EIPs carry the tags is known to the account only.
  'existingEips.ids': ({ existingEips }) => (existingEips?.tags?.length ? undefined : existingEips?.ids),
};

/** Two lists that each allow something, and together nothing. */
const emptyLists = (meant: readonly EipPolicy[], namespace: string): readonly Contradiction[] =>
  Object.entries(LISTS).flatMap(([field, listOf]) => {
    const lists = meant
      .map(({ metadata, spec }) => ({ policy: metadata.name, ids: listOf(spec) ?? [] }))
      .filter(({ ids }) => ids.length > 0);
    return lists.flatMap(({ policy, ids }) => {
      const other = lists.find((each) => each.policy !== policy && !each.ids.some((id) => ids.includes(id)));
      if (!other) return [];
      const sentence = `${field}: ${someOf(ids)} here and ${someOf(other.ids)} in EipPolicy ${other.policy}, which means ${namespace}, too, have nothing in common, so that nothing may be named there; write into both what both shall allow, or let only one of them mean ${namespace}`;
      return [{ policy, about: `${field} ${other.policy}`, sentence }];
    });
  });

const MOST_NAMED = 3;
const someOf = (ids: readonly string[]): string =>
  ids.length > MOST_NAMED
    ? `${ids.slice(0, MOST_NAMED).join(', ')} and ${ids.length - MOST_NAMED} more`
    : ids.join(', ');

type Default = keyof NonNullable<EipPolicySpec['defaults']>;

const inForce = ({ defaults }: EffectivePolicy): Readonly<Record<Default, string | number | undefined>> => ({
  bandwidth: defaults.bandwidthMbps,
  internetChargeType: defaults.internetChargeType,
  isp: defaults.isp,
  bandwidthPackage: defaults.bandwidthPackageId,
});

/** Defaults of a policy that are not those that hold. */
const overruledDefaults = (
  { metadata: { name }, spec }: EipPolicy,
  meant: readonly EipPolicy[],
  effective: EffectivePolicy,
  namespace: string,
): readonly Contradiction[] => {
  const holds = inForce(effective);
  return (Object.keys(holds) as Default[]).flatMap((field) => {
    const value = spec.defaults?.[field];
    if (value === undefined || value === holds[field]) return [];
    const forbidding =
      field === 'bandwidthPackage'
        ? meant.find((each) => packagesOf(each.spec)?.includes(String(value)) === false)
        : undefined;
    const winner = meant.find((each) => each.spec.defaults?.[field] === holds[field]);
    const other = (forbidding ?? winner)?.metadata.name ?? '';
    const why = forbidding
      ? `EipPolicy ${other} does not allow it there; write it into its bandwidthPackages`
      : `EipPolicy ${other} says ${holds[field]}, and ${field === 'bandwidth' ? 'the lowest holds' : 'its name comes first'}; write the same into both`;
    const sentence = `defaults.${field}: ${value} has no effect in ${namespace}, because ${why}, or let only one of them mean ${namespace}`;
    return [{ policy: name, about: `${field} ${other}`, sentence }];
  });
};

/**
 * A default that no pod can have under the limit. In a bandwidth package, bandwidth is not counted; with a limit of 0
 * nobody is meant to have any outside of one.
 */
const unaffordableDefault = (
  { metadata: { name }, spec }: EipPolicy,
  meant: readonly EipPolicy[],
  { defaults, limits: { bandwidthMbps: limit = Infinity } }: EffectivePolicy,
): readonly Contradiction[] => {
  const { bandwidthMbps = 0, bandwidthPackageId, internetChargeType } = defaults;
  if (spec.defaults?.bandwidth !== bandwidthMbps || bandwidthMbps <= limit || limit === 0) return [];
  if (bandwidthPackageId !== undefined && internetChargeType !== 'PayByBandwidth') return [];
  const other = meant.find((each) => each.spec.limits?.bandwidthMbps === limit)?.metadata.name ?? '';
  const whose = other === name ? 'limits.bandwidthMbps' : `limits.bandwidthMbps of EipPolicy ${other}`;
  const sentence = `defaults.bandwidth: a pod that says nothing asks for ${bandwidthMbps} Mbit/s and never gets an EIP, because ${whose} lets its namespace hold ${limit}; write a default of at most ${limit}, or a higher limit`;
  return [{ policy: name, about: `limit ${other}`, sentence }];
};
