import {
  ADOPTED,
  SUCCESSOR_UID,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  EXTERNAL_CONTROLLER,
  FORMER_POD_UID,
  GENERATION,
  GONE_SINCE,
  REUSABLE,
  POD_UID,
  REGION,
  REQUEST,
} from '../../api/annotations.ts';
import { FINALIZER, type PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { parseRequest, type EipRequest } from '../../request/request.ts';

/** A private address of a network interface, as it is kept in the PodEIP before an EIP is sent there. */
export interface NicBinding {
  readonly networkInterfaceId: string;
  readonly privateIpAddress: string;
  /** Whether it is the interface's primary address: the VPC API describes a binding to that one with "". */
  readonly isPrimary: boolean;
  /** UID of the pod that had the address. An address without its pod may be another pod's by now. */
  readonly podUid: string;
  /** The elastic container instance that has the interface, where ECS names one: `eci-…`. */
  readonly instanceId?: string | undefined;
  /** How the cloud describes a binding to this address, if it was seen to name something else than the interface. */
  readonly described?: DescribedPlace | undefined;
}

/** What an EIP is bound to, as DescribeEipAddresses returns it and UnassociateEipAddress accepts it. */
interface DescribedPlace {
  readonly instanceId: string;
  readonly instanceType: string;
  /** "" where it names none. */
  readonly privateIpAddress: string;
}

/**
 * The record that this controller keeps in the annotations of a PodEIP. Anybody who may write PodEIPs can forge it:
 * nothing is released on its word alone.
 */
export interface PodEipRecord {
  /** The pod that has the address; '' while it is kept for the next pod of the name. */
  readonly podUid: string;
  /** The pod that had it last, while it is kept; undefined where that is not known. */
  readonly formerPodUid: string | undefined;
  /** Since when the pod has been gone, wall time in milliseconds; undefined while there is one. */
  readonly goneSince: number | undefined;
  /** The EIP is detached, and may go to the next pod of the same Knative Service. */
  readonly isReusable: boolean;
  /** UID of the PodEIP that it goes to. */
  readonly successorUid: string | undefined;
  /** Another controller wrote the PodEIP, and this one took it over. */
  readonly isAdopted: boolean;
  /** Undefined where the pod's annotations were refused, or where somebody edited the note. */
  readonly request: EipRequest | undefined;
  readonly generation: number;
  /** The region in which its EIP is, where that was written down. */
  readonly region: string | undefined;
  /** Every binding that was requested for the EIP, the latest last. */
  readonly bindings: readonly NicBinding[];
}

/** Whether this controller wrote the PodEIP. Those of others are not touched. */
export const isOurs = (podEip: PodEip): boolean =>
  controllerOf(podEip) === CONTROLLER_NAME || (controllerOf(podEip) === EXTERNAL_CONTROLLER && hasFinalizer(podEip));

/**
 * Whether the PodEIP records the address that a virtual node makes, and holds nothing. One with our finalizer may hold
 * an EIP, whatever somebody has written into it.
 */
export const isExternal = (podEip: PodEip): boolean =>
  controllerOf(podEip) === EXTERNAL_CONTROLLER && !hasFinalizer(podEip);

const controllerOf = ({ metadata }: PodEip): string | undefined => metadata.annotations?.[CONTROLLER];

export const hasFinalizer = (podEip: PodEip): boolean => podEip.metadata.finalizers?.includes(FINALIZER) ?? false;

export const readRecord = (podEip: PodEip): PodEipRecord => {
  const record = podEip.metadata.annotations ?? {};
  const generation = Number(record[GENERATION]);
  return {
    podUid: record[POD_UID] ?? '',
    formerPodUid: record[FORMER_POD_UID],
    goneSince: parseTime(record[GONE_SINCE]),
    isReusable: record[REUSABLE] !== undefined,
    successorUid: record[SUCCESSOR_UID],
    isAdopted: record[ADOPTED] !== undefined,
    request: parseRequest(record[REQUEST]),
    generation: Number.isSafeInteger(generation) && generation >= 1 ? generation : 1,
    region: record[REGION],
    bindings: parseBindings(record[BINDINGS]),
  };
};

const parseTime = (text: string | undefined): number | undefined => {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
};

/** How many bindings are kept. One suffices, except for a pod whose address changes while requests are unanswered. */
const MAX_BINDINGS = 8;

/** The annotation with `binding` as its latest entry. */
export const writeBindings = (bindings: readonly NicBinding[], binding: NicBinding): string =>
  JSON.stringify([...bindings.filter((other) => !isSameBinding(other, binding)), binding].slice(-MAX_BINDINGS));

const parseBindings = (text: string | undefined): readonly NicBinding[] => {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(value) ? value.filter(isNicBinding) : [];
  } catch {
    return [];
  }
};

const isNicBinding = (value: unknown): value is NicBinding => {
  const it = value as Partial<Record<keyof NicBinding, unknown>> | null;
  return (
    typeof it?.networkInterfaceId === 'string' &&
    typeof it.privateIpAddress === 'string' &&
    typeof it.isPrimary === 'boolean' &&
    typeof it.podUid === 'string' &&
    (it.instanceId === undefined || typeof it.instanceId === 'string') &&
    (it.described === undefined || isDescribedPlace(it.described))
  );
};

const isDescribedPlace = (value: unknown): value is DescribedPlace => {
  const it = value as Partial<Record<keyof DescribedPlace, unknown>> | null;
  return (
    typeof it?.instanceId === 'string' && typeof it.instanceType === 'string' && typeof it.privateIpAddress === 'string'
  );
};

export const isSameBinding = (a: NicBinding, b: NicBinding): boolean =>
  a.networkInterfaceId === b.networkInterfaceId && a.privateIpAddress === b.privateIpAddress;

/** The binding that was requested last for the pod that has the address now. */
export const latestBinding = ({ bindings, podUid }: PodEipRecord): NicBinding | undefined => {
  const latest = bindings.at(-1);
  return latest?.podUid === podUid ? latest : undefined;
};

/** Whether the cloud shows the EIP bound to this interface and address, in any of the forms that it uses. */
export const isBoundTo = (eip: Eip, binding: NicBinding): boolean => {
  const { instanceId, described } = binding;
  // A container instance has one interface, and no two pods have the same instance.
  const isAtInstance = instanceId !== undefined && eip.instanceId === instanceId && namesAddressOf(eip, binding);
  return isAtInterface(eip, binding) || isAtInstance || (described !== undefined && isSamePlace(eip, described));
};

const isAtInterface = (eip: Eip, binding: NicBinding): boolean =>
  eip.instanceId === binding.networkInterfaceId &&
  eip.instanceType === 'NetworkInterface' &&
  namesAddressOf(eip, binding);

/** "" stands for the interface's primary address. */
const namesAddressOf = ({ privateIpAddress = '' }: Eip, binding: NicBinding): boolean =>
  privateIpAddress === binding.privateIpAddress || (privateIpAddress === '' && binding.isPrimary);

const isSamePlace = ({ instanceId, instanceType, privateIpAddress = '' }: Eip, place: DescribedPlace): boolean =>
  instanceId === place.instanceId && instanceType === place.instanceType && privateIpAddress === place.privateIpAddress;

const inUsualWords = (binding: NicBinding): NicBinding => {
  if (!binding.described) return binding;
  const { described: _, ...usual } = binding;
  return usual;
};

/**
 * The binding as the cloud describes it at present, which is how it has to be detached; unchanged if the description is
 * the usual one.
 */
export const asDescribed = (binding: NicBinding, eip: Eip): NicBinding => {
  const { instanceId, instanceType, privateIpAddress = '' } = eip;
  if (instanceId === undefined || instanceType === undefined || isAtInterface(eip, binding))
    return inUsualWords(binding);
  if (binding.described && isSamePlace(eip, binding.described)) return binding;
  return { ...binding, described: { instanceId, instanceType, privateIpAddress } };
};

/**
 * Whether this may be a description of the binding, as far as it says where the EIP is: the interface, or an elastic
 * container instance without the address. It does not prove that the EIP is really bound there. An interface without
 * the address means its primary one, and is another place than a secondary address: a binding to that one is described
 * with it (terraform-provider-alicloud, acceptance test of alicloud_eip_association).
 */
export const mayMean = (eip: Eip, binding: NicBinding): boolean => {
  const { instanceId = '', privateIpAddress = '' } = eip;
  if (instanceId === binding.networkInterfaceId) return namesAddressOf(eip, binding);
  const isItsInstance =
    binding.instanceId === undefined ? instanceId.startsWith(CONTAINER_INSTANCE) : instanceId === binding.instanceId;
  return isItsInstance && (privateIpAddress === '' || privateIpAddress === binding.privateIpAddress);
};

/** How the IDs of elastic container instances begin. */
export const CONTAINER_INSTANCE = 'eci-';
