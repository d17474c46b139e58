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
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
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
}

/** Our own notes in a PodEIP. Anybody who may write PodEIPs may forge them: nothing is released on their word alone. */
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
  /** Every place that the EIP was sent to, the latest last. */
  readonly bindings: readonly NicBinding[];
}

/** Whether this controller wrote the PodEIP. Others' are left alone. */
export const isOurs = (podEip: PodEip): boolean => podEip.metadata.annotations?.[CONTROLLER] === CONTROLLER_NAME;

/** Whether it records the address that a virtual node makes, and holds nothing. */
export const isExternal = (podEip: PodEip): boolean =>
  podEip.metadata.annotations?.[CONTROLLER] === EXTERNAL_CONTROLLER;

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

/** How many places are kept. One suffices but for a pod whose address changes while answers are missing. */
const MAX_BINDINGS = 8;

/** The note with `place` as its latest entry. */
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
    typeof it.podUid === 'string'
  );
};

export const isSameBinding = (a: NicBinding, b: NicBinding): boolean =>
  a.networkInterfaceId === b.networkInterfaceId && a.privateIpAddress === b.privateIpAddress;

/** Where the EIP was sent for the pod that has the address now. */
export const latestBinding = ({ bindings, podUid }: PodEipRecord): NicBinding | undefined => {
  const latest = bindings.at(-1);
  return latest?.podUid === podUid ? latest : undefined;
};

/** Whether the cloud says that the EIP is bound to this place. "" stands for the interface's primary address. */
export const isBoundTo = (eip: Eip, binding: NicBinding): boolean =>
  eip.instanceId === binding.networkInterfaceId &&
  eip.instanceType === 'NetworkInterface' &&
  (eip.privateIpAddress === binding.privateIpAddress || (!eip.privateIpAddress && binding.isPrimary));

/**
 * Whether the EIP's own tags prove that it was bought for this PodEIP of this cluster. Nothing else proves it: a PodEIP
 * can be edited, a cluster ID can be the same twice.
 */
export const provesOwnership = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid && eip.tags.get(TAG_PODEIP_UID) === podEip.metadata.uid;

/**
 * Whether the EIP's own tags say that it was bought for another PodEIP of this cluster. Nobody can have named such a
 * one as an EIP of the user's: whoever's notes say so, where it is bound is the other one's business.
 */
export const isAnothers = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid &&
  (eip.tags.get(TAG_PODEIP_UID) ?? podEip.metadata.uid) !== podEip.metadata.uid;
