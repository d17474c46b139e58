import { ECI_KEYS, KEYS, type Setting } from '../api/annotations.ts';
import { sentence, type Finding } from '../api/finding.ts';
import type { EipCreationParameters } from '../cloud/container-groups.ts';
import type { ParsedRequest } from './parse.ts';
import type { ReleasePolicy } from './release-policy.ts';
import type { EipRequest, NewEip } from './request.ts';
import type { Target } from './target.ts';
import { MAX_BANDWIDTH_MBPS } from './values.ts';

/** Who makes the address of a pod, and with what. */
export type CreationPlan =
  /** Our virtual node: CreateContainerGroup makes or binds it with the instance. */
  | { readonly how: 'container-group'; readonly eip: EipCreationParameters }
  /**
   * Our virtual node: the EIP is bought through the VPC API and its ID goes into CreateContainerGroup. ECI does
   * not release such an EIP; the controller does.
   */
  | {
      readonly how: 'vpc-first';
      readonly allocate: NewEip;
      /** What CreateContainerGroup cannot say; empty where that is not why. */
      readonly settings: readonly Setting[];
      readonly because: string;
    }
  /** Our virtual node: the instance is made without an address, and the EIP bound to its network interface later. */
  | { readonly how: 'after-creation'; readonly allocationId: string; readonly because: string }
  /** The controller binds an EIP to the pod's network interface, with a PodEIP as its record. */
  | { readonly how: 'podeip'; readonly request: EipRequest; readonly because: string }
  /** The cluster's own virtual node reads these annotations when the pod is made, and never again. */
  | {
      readonly how: 'add-on';
      readonly annotations: Readonly<Record<string, string>>;
      readonly findings: readonly Finding[];
    }
  /** Nobody. */
  | { readonly how: 'none'; readonly because: string };

/** What the plan depends on beside pod and target. */
export interface CreationFacts {
  /**
   * Whether the existing EIP that is asked for may still be bound, for example to an older pod of the same Service that
   * will hand it over. CreateContainerGroup binds at once or not at all.
   */
  readonly eipIsHeld: boolean;
  /**
   * `enableVirtualNode` of the configuration: the controller serves the add-on's pods that carry no key of ECI's own.
   */
  readonly enableVirtualNode: boolean;
  /** A policy limits what the namespace may hold: each of its EIPs is counted before it is bought. @default false */
  readonly isLimited?: boolean | undefined;
}

type Annotations = Readonly<Record<string, string>>;

/** The spellings of a setting that the pod carries. */
const keysOf = (setting: Setting, given: Annotations): readonly string[] =>
  KEYS[setting].filter((key) => Object.hasOwn(given, key));

/** Line types that ECI knows (ECI API reference, CreateContainerGroup, EipISP). */
const ECI_ISPS: readonly string[] = ['BGP', 'BGP_PRO'];

/**
 * Says who makes the address that a pod asks for, and with which parameters. Pure and total.
 *
 * The annotations are those that `parsed` was made from: they tell what the pod says from what the configuration says.
 * `inferred` targets are planned like proved ones: the caller decides whether that is enough to spend money on.
 * Pods of our own virtual node are never left to a PodEIP, because an address at creation is there before
 * the first container is.
 */
export const planCreation = (
  parsed: ParsedRequest,
  annotations: Annotations | undefined,
  target: Target,
  facts: CreationFacts,
): CreationPlan => {
  const given = annotations ?? {};
  const { wanted, request } = parsed;
  if (!wanted) return { how: 'none', because: 'no address is asked for' };
  if (!request) {
    const refusals = parsed.findings.filter(({ severity }) => severity === 'refuse').map(sentence);
    return { how: 'none', because: refusals.join('. ') || 'the request cannot be read' };
  }
  switch (target.on) {
    case 'unknown':
      return { how: 'none', because: target.because };
    case 'acs':
      return {
        how: 'none',
        because: `the pod runs on Container Compute Service (${target.because}), which makes its addresses itself`,
      };
    case 'ecs':
      return { how: 'podeip', request, because: target.because };
    case 'eci':
      return target.by === 'ours'
        ? withInstance(request, parsed.release, given, facts)
        : byAddOn({ request, release: parsed.release, given }, target, facts);
  }
};

/** For the instances that we make ourselves. */
const withInstance = (
  request: EipRequest,
  release: ReleasePolicy,
  given: Annotations,
  { eipIsHeld, isLimited = false }: CreationFacts,
): CreationPlan => {
  if (request.kind === 'existing') {
    const { allocationId } = request;
    return eipIsHeld
      ? { how: 'after-creation', allocationId, because: `${allocationId} may still be bound to another pod` }
      : { how: 'container-group', eip: { eipInstanceId: allocationId } };
  }
  const settings = inexpressible(request, release, given);
  if (settings.length > 0)
    return {
      how: 'vpc-first',
      allocate: request,
      settings,
      because: `CreateContainerGroup cannot say ${settings.join(', ')}`,
    };
  // What CreateContainerGroup makes is not counted by anybody before it is there.
  if (isLimited)
    return {
      how: 'vpc-first',
      allocate: request,
      settings,
      because: 'the namespace is limited, and its EIPs are counted before they are bought',
    };
  // Bandwidth and line type are sent also where they are ECI's defaults: its defaults may change, the request does not.
  return {
    how: 'container-group',
    eip: {
      autoCreateEip: true,
      eipBandwidth: request.bandwidthMbps,
      eipISP: request.isp,
      ...(request.bandwidthPackageId === undefined ? {} : { eipCommonBandwidthPackage: request.bandwidthPackageId }),
    },
  };
};

/**
 * The settings of a new EIP that CreateContainerGroup has no parameter for (ECI API reference 2018-08-08).
 *
 * Its EIP is metered as ECI likes, and no documentation says how. So a charge type that the pod asks for, and one of
 * the configuration that is not the annotation's documented default (PayByTraffic), is never left to it; only where
 * nobody asked is it. Its bandwidth is taken to have the range of that default. Its EIP goes with the instance, so that
 * no other release strategy is possible.
 */
const inexpressible = (request: NewEip, release: ReleasePolicy, given: Annotations): Setting[] => {
  const { bandwidthMbps } = request;
  const hasRange =
    Number.isInteger(bandwidthMbps) && bandwidthMbps >= 1 && bandwidthMbps <= MAX_BANDWIDTH_MBPS.PayByTraffic;
  const is: readonly (readonly [Setting, boolean])[] = [
    [
      'internetChargeType',
      keysOf('internetChargeType', given).length > 0 || request.internetChargeType !== 'PayByTraffic',
    ],
    ['publicIpAddressPoolId', request.publicIpAddressPoolId !== undefined],
    ['bandwidth', !hasRange],
    ...unknownToEci(request, release, given),
  ];
  return is.filter(([, isSo]) => isSo).map(([setting]) => setting);
};

/** What neither CreateContainerGroup nor the add-on's annotations can say. */
const unknownToEci = (
  request: NewEip,
  release: ReleasePolicy,
  given: Annotations,
): readonly (readonly [Setting, boolean])[] => [
  ['instanceChargeType', keysOf('instanceChargeType', given).length > 0],
  ['isp', !ECI_ISPS.includes(request.isp)],
  ['resourceGroupId', request.resourceGroupId !== undefined],
  ['name', request.name !== undefined],
  ['description', request.description !== undefined],
  ['securityProtectionTypes', request.securityProtectionTypes.length > 0],
  ['tags', request.tags.length > 0],
  ['releaseStrategy', release.strategy !== 'Follow'],
];

/** For the instances that the cluster's own virtual node makes. */
const byAddOn = (
  { request, release, given }: { request: EipRequest; release: ReleasePolicy; given: Annotations },
  target: Target,
  { enableVirtualNode }: CreationFacts,
): CreationPlan => {
  // ECI acts on its own two keys in any case; a second EIP beside its own would be bought for nothing.
  const isEciNative = Object.hasOwn(given, ECI_KEYS.withEip) || Object.hasOwn(given, ECI_KEYS.instanceId);
  if (enableVirtualNode && !isEciNative) return { how: 'podeip', request, because: target.because };
  const annotations = canonicalAnnotations(request, given);
  if (request.kind === 'existing') return { how: 'add-on', annotations, findings: [] };
  const ignored = unknownToEci(request, release, given)
    .filter(([, isSo]) => isSo)
    .map(([setting]) => ({ setting, keys: keysOf(setting, given) }));
  if (ignored.length === 0) return { how: 'add-on', annotations, findings: [] };
  const names = ignored.flatMap((each) => (each.keys.length > 0 ? each.keys : [`${each.setting} (configuration)`]));
  const finding: Finding = {
    id: 'NotHonouredByEci',
    severity: 'warn',
    keys: ignored.flatMap((each) => each.keys),
    problem: `the EIP of a pod on ECI is made by the virtual node, for which ${names.join(', ')} ${names.length > 1 ? 'mean' : 'means'} nothing`,
    remedy: `remove ${names.length > 1 ? 'them' : 'it'}, or make an EIP with ${names.length > 1 ? 'these settings' : 'this setting'} and name it in ${ECI_KEYS.instanceId}`,
  };
  return { how: 'add-on', annotations, findings: [finding] };
};

/**
 * The request in the spelling that the ECI virtual node reads, to be written over the pod's annotations. Also what the
 * configuration says is written, because ECI has defaults of its own. What ECI does not know is left out
 * and left alone.
 *
 * @param given annotations of the pod: another spelling among them whose text differs ("5M") is corrected with the
 *   rest, so that the two agree. Without them only the canonical keys are returned.
 */
export const canonicalAnnotations = (request: EipRequest, given: Annotations = {}): Record<string, string> => {
  const texts: readonly (readonly [keyof typeof ECI_KEYS, string | undefined])[] =
    request.kind === 'existing'
      ? [['instanceId', request.allocationId]]
      : [
          ['withEip', 'true'],
          ['bandwidth', String(request.bandwidthMbps)],
          ['internetChargeType', request.internetChargeType],
          ['bandwidthPackageId', request.bandwidthPackageId],
          ['isp', ECI_ISPS.includes(request.isp) ? request.isp : undefined],
          ['publicIpAddressPoolId', request.publicIpAddressPoolId],
        ];
  const written: Record<string, string> = {};
  for (const [setting, text] of texts) {
    if (text === undefined) continue;
    written[ECI_KEYS[setting]] = text;
    for (const key of KEYS[setting]) if (Object.hasOwn(given, key) && given[key] !== text) written[key] = text;
  }
  return written;
};
