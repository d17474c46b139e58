import { KEYS, type Setting } from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import type { EipCreationParameters } from '../cloud/container-groups.ts';
import type { Reading } from './read.ts';
import type { EipRequest, NewEip } from './request.ts';
import type { Target } from './target.ts';

/** Who makes the address of a pod, and with what. */
export type Creation =
  /** The ECI API, together with the instance: CreateContainerGroup. */
  | { readonly by: 'container-group'; readonly parameters: EipCreationParameters; readonly because: string }
  /** This controller, before the instance: AllocateEipAddress, then EipInstanceId of CreateContainerGroup. */
  | { readonly by: 'vpc-first'; readonly request: NewEip; readonly because: string }
  /** This controller, once the instance runs: AssociateEipAddress to its network interface. */
  | { readonly by: 'after-creation'; readonly request: EipRequest; readonly because: string }
  /** This controller, for a pod on an ECS node: AllocateEipAddress where it is a new one, AssociateEipAddress. */
  | { readonly by: 'podeip'; readonly request: EipRequest; readonly because: string }
  /** The cluster's own virtual-node add-on, by these annotations. */
  | {
      readonly by: 'add-on';
      readonly annotations: Readonly<Record<string, string>>;
      readonly findings: readonly Finding[];
      readonly because: string;
    }
  | { readonly by: 'nobody'; readonly because: string };

type Annotations = Readonly<Record<string, string>> | undefined;

const isAsked = (setting: Setting, annotations: Annotations): boolean =>
  KEYS[setting].some((key) => annotations !== undefined && Object.hasOwn(annotations, key));

/** Line types that an ECI instance can have. Source: ECI documentation, "Enable Internet access for a pod", eip-isp. */
const ECI_ISPS = ['BGP', 'BGP_PRO'];

/**
 * What of a request CreateContainerGroup has no parameter for. Its default way of metering is not documented: inside a
 * bandwidth package it does not matter, and where an annotation asks for one it is not left to chance.
 * Source: ECI API reference 2018-08-08, CreateContainerGroup: AutoCreateEip, EipBandwidth, EipISP,
 * EipCommonBandwidthPackage and EipInstanceId are all that there is.
 */
const inexpressible = (request: NewEip, annotations: Annotations): readonly Setting[] => [
  ...(isAsked('internetChargeType', annotations) && request.bandwidthPackageId === undefined
    ? (['internetChargeType'] as const)
    : []),
  ...(ECI_ISPS.includes(request.isp) ? [] : (['isp'] as const)),
  ...(request.publicIpAddressPoolId === undefined ? [] : (['publicIpAddressPoolId'] as const)),
  ...(request.resourceGroupId === undefined ? [] : (['resourceGroupId'] as const)),
  ...(request.name === undefined ? [] : (['name'] as const)),
  ...(request.description === undefined ? [] : (['description'] as const)),
  ...(request.securityProtectionTypes.length === 0 ? [] : (['securityProtectionTypes'] as const)),
  ...(request.tags.length === 0 ? [] : (['tags'] as const)),
];

/** What the virtual-node add-on has no annotation for. Source: ECI documentation, "Enable Internet access for a pod". */
const UNKNOWN_TO_ADD_ON = [
  'resourceGroupId',
  'name',
  'description',
  'securityProtectionTypes',
  'tags',
  'releaseStrategy',
  'handover',
] as const satisfies readonly Setting[];

/**
 * The annotations by which the virtual-node add-on understands a request, whatever spelling it was made in. The add-on
 * knows the prefix k8s.aliyun.com/ only, and of the two keys that ask for an EIP only those that begin with `eci-`.
 * Everything that it may be told is: its own defaults are not all documented.
 */
export const canonicalAnnotations = (request: EipRequest): Readonly<Record<string, string>> => {
  if (request.kind === 'existing') return { [last('instanceId')]: request.allocationId };
  const { bandwidthMbps, internetChargeType, isp, bandwidthPackageId, publicIpAddressPoolId } = request;
  return {
    [last('withEip')]: 'true',
    [last('bandwidth')]: String(bandwidthMbps),
    [KEYS.internetChargeType[1]]: internetChargeType,
    [last('isp')]: isp,
    ...(bandwidthPackageId !== undefined && { [last('bandwidthPackageId')]: bandwidthPackageId }),
    ...(publicIpAddressPoolId !== undefined && { [last('publicIpAddressPoolId')]: publicIpAddressPoolId }),
  };
};

const last = (setting: Setting): string => KEYS[setting].at(-1) ?? '';

/** What the add-on will not do of what was asked for. */
const addOnFindings = (request: EipRequest, annotations: Annotations): readonly Finding[] => {
  const settings = UNKNOWN_TO_ADD_ON.filter((setting) => isAsked(setting, annotations));
  const ofNew = request.kind === 'new' ? settings : settings.filter((setting) => setting === 'handover');
  const keys = ofNew.flatMap((setting) =>
    KEYS[setting].filter((key) => annotations !== undefined && Object.hasOwn(annotations, key)),
  );
  const notHonoured: Finding = {
    id: 'NotHonouredByEci',
    severity: 'warn',
    keys,
    problem: `${keys.join(', ')} mean${keys.length > 1 ? '' : 's'} nothing on a virtual node, whose add-on makes the address`,
    remedy: `remove ${keys.length > 1 ? 'them' : 'it'}, or run the pods on ECS nodes`,
  };
  const isp: Finding = {
    id: 'NotHonouredByEci',
    severity: 'warn',
    keys: KEYS.isp.filter((key) => annotations !== undefined && Object.hasOwn(annotations, key)),
    problem: `the line type ${request.kind === 'new' ? request.isp : ''} is not to be had on a virtual node`,
    remedy: `write one of ${ECI_ISPS.join(', ')}, or run the pods on ECS nodes`,
  };
  return [
    ...(keys.length === 0 ? [] : [notHonoured]),
    ...(request.kind === 'new' && !ECI_ISPS.includes(request.isp) ? [isp] : []),
  ];
};

/**
 * Says who makes the address that was asked for, and with what. Pure and total.
 *
 * @param annotations of the pod: what was asked for, beside what was filled in
 */
export const creationOf = (reading: Reading, annotations: Annotations, target: Target): Creation => {
  const { request, release } = reading;
  const { because } = target;
  if (!reading.wanted) return { by: 'nobody', because: 'no address is asked for' };
  if (!request) return { by: 'nobody', because: 'what is asked for is refused' };
  switch (target.on) {
    case 'unknown':
    case 'acs':
      return { by: 'nobody', because };
    case 'ecs':
      return { by: 'podeip', request, because };
    case 'eci':
      break;
  }
  if (target.by === 'add-on') {
    const findings = addOnFindings(request, annotations);
    return { by: 'add-on', annotations: canonicalAnnotations(request), findings, because };
  }
  if (request.kind === 'existing')
    return {
      by: 'after-creation',
      request,
      because: 'an existing EIP may be with another pod until this one is ready',
    };
  const missing = inexpressible(request, annotations);
  if (missing.length > 0 || release.strategy !== 'Follow')
    return {
      by: 'vpc-first',
      request,
      because:
        missing.length > 0
          ? `CreateContainerGroup has no parameter for ${missing.join(', ')}`
          : `an EIP with the release strategy ${release.strategy} must outlive its instance`,
    };
  const { bandwidthMbps, isp, bandwidthPackageId } = request;
  return {
    by: 'container-group',
    parameters: {
      autoCreateEip: true,
      eipBandwidth: bandwidthMbps,
      eipISP: isp,
      ...(bandwidthPackageId !== undefined && { eipCommonBandwidthPackage: bandwidthPackageId }),
    },
    because: 'CreateContainerGroup can say all of it',
  };
};
