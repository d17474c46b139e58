import { KEYS, type Setting } from '../api/annotations.ts';
import type {
  EipLimits,
  EipPolicy,
  EipPolicySpec,
  LabelSelector,
  NameableEips,
  VirtualNodeAllowances,
} from '../api/eippolicy.ts';
import type { Finding } from '../api/finding.ts';
import type { CreationFacts } from '../request/provisioner.ts';
import type { EipDefaults, EipRequest, NewEip } from '../request/request.ts';

/** What all policies together say about one namespace. Undefined: none of them says anything. */
export interface EffectivePolicy {
  /** Names of the policies that apply to the namespace, sorted. */
  readonly names: readonly string[];
  /** One entry for each policy that has a list: an existing EIP must be in all of them. */
  readonly existingEips?: readonly NameableEips[] | undefined;
  readonly bandwidthPackages?: readonly string[] | undefined;
  readonly publicIpAddressPools?: readonly string[] | undefined;
  readonly resourceGroups?: readonly string[] | undefined;
  readonly limits: EipLimits;
  readonly defaults: Partial<EipDefaults>;
  /** One entry for each policy that says something about instances: a choice must be in all that speak of its kind. */
  readonly virtualNode?: readonly InstanceAllowances[] | undefined;
}

/** What one policy lets pods choose for their instances. */
interface InstanceAllowances {
  readonly policy: string;
  readonly allows: VirtualNodeAllowances;
}

/** The namespace in question. */
export interface PolicyNamespace {
  readonly name: string;
  /** `unread`: nobody knows them, and every policy that selects by labels is taken to apply. @default none */
  readonly labels?: Readonly<Record<string, string>> | 'unread' | undefined;
}

/** The policy of a namespace to which no EipPolicy applies. */
export const UNRESTRICTED: EffectivePolicy = { names: [], limits: {}, defaults: {} };

/**
 * Merges the policies that apply to the namespace. Pure; their order does not matter. The most restrictive one wins:
 * what every list allows, the lowest limit, the lowest default bandwidth. Other defaults are those of the first policy
 * by name that has one. A default bandwidth package that another policy's list does not allow is ignored.
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
  const virtualNode = meant.flatMap(({ metadata, spec }) =>
    spec.virtualNode ? [{ policy: metadata.name, allows: spec.virtualNode }] : [],
  );
  return {
    ...(virtualNode.length > 0 && { virtualNode }),
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

/** A policy's default package is allowed by that policy, even if its list does not have it. */
export const packagesOf = ({ bandwidthPackages, defaults }: EipPolicySpec): readonly string[] | undefined =>
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

/** The elements that all lists have, sorted for display; undefined if there is no list. */
const common = (lists: readonly (readonly string[] | undefined)[]): readonly string[] | undefined => {
  const [one, ...others] = said(lists);
  return one && [...new Set(one)].filter((id) => others.every((other) => other.includes(id))).toSorted();
};

/** Whether a policy means the namespace. */
export const means = (
  { namespaces, namespaceSelector }: EipPolicySpec,
  { name, labels = {} }: PolicyNamespace,
): boolean =>
  namespaces === undefined && namespaceSelector === undefined
    ? true
    : (namespaces?.includes(name) ?? false) ||
      (namespaceSelector !== undefined && (labels === 'unread' || selectorMatches(namespaceSelector, labels)));

/**
 * Evaluates a metav1.LabelSelector. `NotIn` also matches a namespace without the label (kubernetes/apimachinery
 * pkg/labels). An incomplete expression matches, because policies restrict: a mistake must not lift a restriction.
 */
export const selectorMatches = (
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

/** The defaults in a namespace: the policy's first, then the configuration's. */
export const defaultsUnder = ({ defaults }: EffectivePolicy, configured: EipDefaults): EipDefaults => ({
  ...configured,
  ...defaults,
});

/** The settings that hold in a namespace with this policy. */
export const underPolicy = <
  T extends { readonly defaults: EipDefaults; readonly policy?: EffectivePolicy | undefined },
>(
  settings: T,
  policy: EffectivePolicy | undefined,
): T => (policy ? { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) } : settings);

/**
 * Findings about a request for a new EIP that the policy does not allow; for existing EIPs see {@link mayNameUnder}.
 * The same at admission and in the controller.
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

/** The names of policies, for a message. */
export const policiesOf = (names: readonly string[]): string =>
  `${names.length > 1 ? 'EipPolicies' : 'EipPolicy'} ${names.join(', ')}`;

/**
 * Whether the policy lets the namespace name this existing EIP. `unsaid`: the policy has no list; `unknown`: a list
 * selects by tags and the EIP's tags are not known, as at admission. The EIP's own grant tag is not considered here; it
 * grants the EIP in any case.
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
 * How much of `limits.bandwidthMbps` a new EIP uses, Mbit/s. Nothing in a bandwidth package, because what is paid for
 * is the package's bandwidth.
 */
export const countedMbps = ({ bandwidthMbps, bandwidthPackageId }: NewEip): number =>
  bandwidthPackageId === undefined ? bandwidthMbps : 0;

/** What a namespace holds. */
export interface Usage {
  readonly eips: number;
  readonly bandwidthMbps: number;
}

/** Whether the policy has any limit. */
export const isLimited = ({ limits }: EffectivePolicy): boolean =>
  limits.eips !== undefined || limits.bandwidthMbps !== undefined;

/**
 * The finding about EIPs that would exceed the limits; undefined if they would not. At admission it is a forecast,
 * because other pods may come first; the controller asks again before it buys, with what it has just read.
 *
 * @param held what the other pods of the namespace hold; undefined if that is not known: then only a request that
 * exceeds the limit by itself does
 * @param pods the number of pods that ask for an EIP each
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
    // A single pod asks for a single EIP, which need not be said.
    ...(isTooMany && pods === 1 ? [] : [`${more} ${holds === undefined ? '' : 'more '}are asked for`]),
  ].join(', and ');
  return {
    id: 'QuotaOfNamespaceExceeded',
    severity: 'refuse',
    keys: isTooMany ? KEYS.withEip : KEYS.bandwidth,
    problem: `this namespace ${over} (${names.length > 0 ? policiesOf(names) : 'namespaceLimits.eips of the configuration'})`,
    remedy: (pods > 1 ? REMEDY_FOR_MANY : REMEDY)[more <= limit ? 'later' : isTooMany ? 'neverSoMany' : 'neverSoWide'],
  };
};

interface Excess {
  readonly limit: number;
  readonly holds: number | undefined;
  readonly more: number;
}

/** Undefined if there is no limit, or if `more` does not exceed it. */
const excess = (limit: number | undefined, holds: number | undefined, more: number): Excess | undefined =>
  limit !== undefined && (holds ?? 0) + more > limit ? { limit, holds, more } : undefined;

/** How messages about a limit begin to say that it passes once somebody else gives an EIP back. */
export const GOES_ON = 'it goes on when';

/** What is said where there is room for so many EIPs, and others have it. */
export const LATER = `${GOES_ON} another pod of the namespace gives its EIP back; ask an operator for a higher limit`;

const REMEDY = {
  neverSoMany: 'ask an operator for a higher limit',
  neverSoWide: 'ask for less bandwidth, or an operator for a higher limit',
  later: LATER,
} as const;

const REMEDY_FOR_MANY = {
  neverSoMany: 'run fewer pods, or ask an operator for a higher limit',
  neverSoWide: 'run fewer pods, ask for less bandwidth, or ask an operator for a higher limit',
  later:
    'run fewer pods, wait until other pods of the namespace give their EIPs back, or ask an operator for a higher limit',
} as const;

/**
 * The facts for planCreation, where the controller serves the pod. `eipIsHeld` is always true: an existing EIP is bound
 * after the instance runs and never with its creation, because the controller decides whether this pod may have it, and
 * whether another pod of its Service still has it.
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
