import { KEYS, type Setting } from '../api/annotations.ts';
import type { EipLimits, EipPolicy, EipPolicySpec, LabelSelector, NameableEips } from '../api/eippolicy.ts';
import type { Finding } from '../api/finding.ts';
import type { CreationFacts } from './provisioner.ts';
import type { EipDefaults, EipRequest, NewEip } from './request.ts';

/** What all policies together say about one namespace. What none of them says is undefined. */
export interface EffectivePolicy {
  /** Names of the policies that mean the namespace, sorted. */
  readonly names: readonly string[];
  /** One of each policy that says something: an existing EIP must be among all of them. */
  readonly existingEips?: readonly NameableEips[] | undefined;
  readonly bandwidthPackages?: readonly string[] | undefined;
  readonly publicIpAddressPools?: readonly string[] | undefined;
  readonly resourceGroups?: readonly string[] | undefined;
  readonly limits: EipLimits;
  readonly defaults: Partial<EipDefaults>;
}

/** The namespace that is asked about. */
export interface PolicyNamespace {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Where no policy means the namespace. */
export const UNRESTRICTED: EffectivePolicy = { names: [], limits: {}, defaults: {} };

/**
 * What the policies say about the namespace. Pure, and the same whatever their order. Where several mean it, the most
 * restrictive wins: what every list allows, the lowest limit, the lowest default bandwidth; another default is that of
 * the first policy by name that has one. A default bandwidth package that another list does not allow is left out.
 */
export const effectivePolicy = (policies: readonly EipPolicy[], namespace: PolicyNamespace): EffectivePolicy => {
  const meant = policies
    .filter(({ spec }) => means(spec, namespace))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  if (meant.length === 0) return UNRESTRICTED;
  const specs = meant.map(({ spec }) => spec);
  const bandwidthPackages = common(specs.map(packagesOf));
  const existingEips = said(specs.map(({ existingEips: list }) => list));
  const internetChargeType = first(specs.map(({ defaults }) => defaults?.internetChargeType));
  const isp = first(specs.map(({ defaults }) => defaults?.isp));
  const bandwidthMbps = lowest(specs.map(({ defaults }) => defaults?.bandwidth));
  const bandwidthPackageId = first(
    specs
      .map(({ defaults }) => defaults?.bandwidthPackage)
      .filter((id) => id !== undefined && (bandwidthPackages?.includes(id) ?? true)),
  );
  return {
    names: meant.map(({ metadata }) => metadata.name),
    existingEips: existingEips.length > 0 ? existingEips : undefined,
    bandwidthPackages,
    publicIpAddressPools: common(specs.map((spec) => spec.publicIpAddressPools)),
    resourceGroups: common(specs.map((spec) => spec.resourceGroups)),
    limits: {
      eips: lowest(specs.map(({ limits }) => limits?.eips)),
      bandwidthMbps: lowest(specs.map(({ limits }) => limits?.bandwidthMbps)),
    },
    defaults: {
      ...(bandwidthMbps !== undefined && { bandwidthMbps }),
      ...(internetChargeType !== undefined && { internetChargeType }),
      ...(isp !== undefined && { isp }),
      ...(bandwidthPackageId !== undefined && { bandwidthPackageId }),
    },
  };
};

/** A policy whose default is a package means that it may be used. */
const packagesOf = ({ bandwidthPackages, defaults }: EipPolicySpec): readonly string[] | undefined =>
  bandwidthPackages && defaults?.bandwidthPackage !== undefined
    ? [...new Set([...bandwidthPackages, defaults.bandwidthPackage])]
    : bandwidthPackages;

const said = <T>(values: readonly (T | undefined)[]): readonly T[] =>
  values.filter((value): value is T & {} => value !== undefined);

const first = <T>(values: readonly (T | undefined)[]): T | undefined => said(values)[0];

const lowest = (values: readonly (number | undefined)[]): number | undefined => {
  const numbers = said(values);
  return numbers.length > 0 ? Math.min(...numbers) : undefined;
};

/** What every list has; undefined where there is none. Sorted, because it is shown. */
const common = (lists: readonly (readonly string[] | undefined)[]): readonly string[] | undefined => {
  const [one, ...others] = said(lists);
  return one && [...new Set(one)].filter((id) => others.every((other) => other.includes(id))).toSorted();
};

const means = ({ namespaces, namespaceSelector }: EipPolicySpec, { name, labels = {} }: PolicyNamespace): boolean =>
  namespaces === undefined && namespaceSelector === undefined
    ? true
    : (namespaces?.includes(name) ?? false) || (namespaceSelector !== undefined && matches(namespaceSelector, labels));

/**
 * metav1.LabelSelector. `NotIn` matches a namespace without the label too (kubernetes/apimachinery pkg/labels). What is
 * not complete matches, because a policy restricts: a mistake in it must not open what it closes.
 */
const matches = (
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean =>
  Object.entries(matchLabels).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    const label = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case 'In':
        return values.length === 0 || (label !== undefined && values.includes(label));
      case 'NotIn':
        return label === undefined || !values.includes(label);
      case 'Exists':
        return label !== undefined;
      case 'DoesNotExist':
        return label === undefined;
      default:
        return true;
    }
  });

/** What holds in the namespace where a pod says nothing: the policy's word first, then the configuration's. */
export const defaultsUnder = ({ defaults }: EffectivePolicy, configured: EipDefaults): EipDefaults => ({
  ...configured,
  ...defaults,
});

/** The settings as they hold in a namespace with this policy. */
export const underPolicy = <
  T extends { readonly defaults: EipDefaults; readonly policy?: EffectivePolicy | undefined },
>(
  settings: T,
  policy: EffectivePolicy | undefined,
): T => (policy ? { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) } : settings);

/**
 * What the policy has against a request for a new EIP; what an existing one is about is {@link mayNameUnder}. At
 * admission and in the controller the same.
 */
export const notAllowed = (policy: EffectivePolicy, request: EipRequest): readonly Finding[] =>
  request.kind === 'existing'
    ? []
    : [
        ...unlisted(policy, 'bandwidthPackageId', request.bandwidthPackageId, policy.bandwidthPackages),
        ...unlisted(policy, 'publicIpAddressPoolId', request.publicIpAddressPoolId, policy.publicIpAddressPools),
        ...unlisted(policy, 'resourceGroupId', request.resourceGroupId, policy.resourceGroups),
      ];

const unlisted = (
  { names }: EffectivePolicy,
  setting: Setting,
  id: string | undefined,
  allowed: readonly string[] | undefined,
): readonly Finding[] => {
  if (id === undefined || allowed === undefined || allowed.includes(id)) return [];
  const [key] = KEYS[setting];
  return [
    {
      id: 'NotAllowedByPolicy',
      severity: 'refuse',
      keys: KEYS[setting],
      problem: `pods of this namespace may not name ${id} in ${key} (${policiesOf(names)})`,
      remedy: allowed.length > 0 ? `write one of ${allowed.join(', ')}, or remove the annotation` : 'remove it',
    },
  ];
};

/** As people read them. */
export const policiesOf = (names: readonly string[]): string =>
  `${names.length > 1 ? 'EipPolicies' : 'EipPolicy'} ${names.join(', ')}`;

/**
 * Whether the policy lets the namespace name this existing EIP: `unsaid` where it has no list, `unknown` where a list
 * goes by tags and the EIP's are not known, as at admission. The EIP's own grant tag is no matter of the policy, and
 * grants it whatever this says.
 */
export const mayNameUnder = (
  { existingEips }: EffectivePolicy,
  allocationId: string,
  tags: ReadonlyMap<string, string> | undefined,
): 'yes' | 'no' | 'unknown' | 'unsaid' => {
  if (!existingEips) return 'unsaid';
  const answers = existingEips.map(({ ids = [], tags: selections = [] }) => {
    if (ids.includes(allocationId)) return 'yes';
    if (selections.length === 0) return 'no';
    if (!tags) return 'unknown';
    const isSelected = selections.some((selection) =>
      Object.entries(selection).every(([key, value]) => tags.get(key) === value),
    );
    return isSelected ? 'yes' : 'no';
  });
  if (answers.includes('no')) return 'no';
  return answers.includes('unknown') ? 'unknown' : 'yes';
};

/**
 * What a new EIP counts under `limits.bandwidthMbps`, Mbit/s. In a package, the package's bandwidth is what is shared.
 */
export const countedMbps = ({ bandwidthMbps, bandwidthPackageId }: NewEip): number =>
  bandwidthPackageId === undefined ? bandwidthMbps : 0;

/** What a namespace holds. */
export interface Usage {
  readonly eips: number;
  readonly bandwidthMbps: number;
}

/** Whether anything is limited at all. */
export const isLimited = ({ limits }: EffectivePolicy): boolean =>
  limits.eips !== undefined || limits.bandwidthMbps !== undefined;

/**
 * What the limits have against more EIPs. At admission it is a forecast, because others may come first; the controller
 * asks with what it has just read, before it buys.
 *
 * @param held by the other pods of the namespace; undefined where nobody knows: then over a limit is only what is more
 *   than the limit by itself
 * @param pods how many ask for it, each for an EIP of its own; none ask for nothing
 */
export const overLimits = (
  { limits, names }: EffectivePolicy,
  held: Usage | undefined,
  request: NewEip,
  pods = 1,
): Finding | undefined => {
  if (pods <= 0) return undefined;
  const tooMany = excess(limits.eips, held?.eips, pods);
  const found = tooMany ?? excess(limits.bandwidthMbps, held?.bandwidthMbps, countedMbps(request) * pods);
  if (!found) return undefined;
  const { limit, holds, more } = found;
  const isTooMany = tooMany !== undefined;
  const unit = isTooMany ? 'EIPs' : 'Mbit/s';
  const over = [
    `may hold ${limit} ${unit} at once${holds === undefined ? '' : ` and holds ${holds}`}`,
    // One pod asks for one EIP.
    ...(isTooMany && pods === 1 ? [] : [`${more} ${holds === undefined ? '' : 'more '}are asked for`]),
  ].join(', and ');
  return {
    id: 'QuotaOfNamespaceExceeded',
    severity: 'refuse',
    keys: isTooMany ? KEYS.withEip : KEYS.bandwidth,
    problem: `this namespace ${over} (${policiesOf(names)})`,
    remedy: (pods > 1 ? REMEDY_FOR_MANY : REMEDY)[more <= limit ? 'later' : isTooMany ? 'neverSoMany' : 'neverSoWide'],
  };
};

interface Excess {
  readonly limit: number;
  readonly holds: number | undefined;
  readonly more: number;
}

/** Undefined where there is no limit, or `more` are within it. */
const excess = (limit: number | undefined, holds: number | undefined, more: number): Excess | undefined =>
  limit !== undefined && (holds ?? 0) + more > limit ? { limit, holds, more } : undefined;

const REMEDY = {
  neverSoMany: 'ask an operator for a higher limit',
  neverSoWide: 'ask for less bandwidth, or an operator for a higher limit',
  later: 'it goes on when another pod of the namespace gives its EIP back; ask an operator for a higher limit',
} as const;

const REMEDY_FOR_MANY = {
  neverSoMany: 'run fewer pods, or ask an operator for a higher limit',
  neverSoWide: 'run fewer pods, ask for less bandwidth, or ask an operator for a higher limit',
  later:
    'run fewer pods, wait until other pods of the namespace give their EIPs back, or ask an operator for a higher limit',
} as const;

/**
 * What the plan of a creation depends on, where the controller serves the pod. An existing EIP is bound here once the
 * instance runs, never with its creation: whether this pod may have it, and whether another pod of its Service still
 * does, is decided and looked at here.
 */
export const creationFacts = ({
  enableVirtualNode,
  policy = UNRESTRICTED,
}: {
  readonly enableVirtualNode: boolean;
  readonly policy?: EffectivePolicy | undefined;
}): CreationFacts => ({
  eipIsHeld: true,
  enableVirtualNode,
  isLimited: isLimited(policy),
});
