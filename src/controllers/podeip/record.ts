import {
  ADOPTED,
  BEQUEATHED,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  ECI_NAME,
  FORMER_POD_UID,
  GENERATION,
  GONE_SINCE,
  OFFERED,
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
export interface Place {
  readonly networkInterfaceId: string;
  readonly privateIpAddress: string;
  /** Whether it is the interface's primary address: the VPC API describes a binding to that one with "". */
  readonly isPrimary: boolean;
  /** UID of the pod that had the address. An address without its pod may be another pod's by now. */
  readonly podUid: string;
}

/** Our own notes in a PodEIP. Anybody who may write PodEIPs may forge them: nothing is released on their word alone. */
export interface Notes {
  /** The pod that has the address; '' while it is kept for the next pod of the name. */
  readonly podUid: string;
  /** The pod that had it last, while it is kept; undefined where that is not known. */
  readonly formerPodUid: string | undefined;
  /** Since when the pod has been gone, wall time in milliseconds; undefined while there is one. */
  readonly goneSince: number | undefined;
  /** The EIP is detached, and may go to the next pod of the same Knative Service. */
  readonly isOffered: boolean;
  /** UID of the PodEIP that it goes to. */
  readonly bequeathedTo: string | undefined;
  /** Another controller wrote the PodEIP, and this one took it over. */
  readonly isAdopted: boolean;
  /** Undefined where the pod's annotations were refused, or where somebody edited the note. */
  readonly request: EipRequest | undefined;
  readonly generation: number;
  /** The region in which its EIP is, where that was written down. */
  readonly region: string | undefined;
  /** Every place that the EIP was sent to, the latest last. */
  readonly places: readonly Place[];
}

/** Whether this controller wrote the PodEIP. Others' are left alone. */
export const isOurs = (podEip: PodEip): boolean => podEip.metadata.annotations?.[CONTROLLER] === CONTROLLER_NAME;

/** Whether it records the address that a virtual node makes, and holds nothing. */
export const isWitness = (podEip: PodEip): boolean => podEip.metadata.annotations?.[CONTROLLER] === ECI_NAME;

export const hasFinalizer = (podEip: PodEip): boolean => podEip.metadata.finalizers?.includes(FINALIZER) ?? false;

export const readNotes = (podEip: PodEip): Notes => {
  const notes = podEip.metadata.annotations ?? {};
  const generation = Number(notes[GENERATION]);
  return {
    podUid: notes[POD_UID] ?? '',
    formerPodUid: notes[FORMER_POD_UID],
    goneSince: parseTime(notes[GONE_SINCE]),
    isOffered: notes[OFFERED] !== undefined,
    bequeathedTo: notes[BEQUEATHED],
    isAdopted: notes[ADOPTED] !== undefined,
    request: parseRequest(notes[REQUEST]),
    generation: Number.isSafeInteger(generation) && generation >= 1 ? generation : 1,
    region: notes[REGION],
    places: parsePlaces(notes[BINDINGS]),
  };
};

const parseTime = (text: string | undefined): number | undefined => {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
};

/** How many places are kept. One suffices but for a pod whose address changes while answers are missing. */
const MAX_PLACES = 8;

/** The note with `place` as its latest entry. */
export const writePlaces = (places: readonly Place[], place: Place): string =>
  JSON.stringify([...places.filter((other) => !isSamePlace(other, place)), place].slice(-MAX_PLACES));

const parsePlaces = (text: string | undefined): readonly Place[] => {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(value) ? value.filter(isPlace) : [];
  } catch {
    return [];
  }
};

const isPlace = (value: unknown): value is Place => {
  const it = value as Partial<Record<keyof Place, unknown>> | null;
  return (
    typeof it?.networkInterfaceId === 'string' &&
    typeof it.privateIpAddress === 'string' &&
    typeof it.isPrimary === 'boolean' &&
    typeof it.podUid === 'string'
  );
};

export const isSamePlace = (a: Place, b: Place): boolean =>
  a.networkInterfaceId === b.networkInterfaceId && a.privateIpAddress === b.privateIpAddress;

/** Where the EIP was sent for the pod that has the address now. */
export const latestPlace = ({ places, podUid }: Notes): Place | undefined => {
  const latest = places.at(-1);
  return latest?.podUid === podUid ? latest : undefined;
};

/** Whether the cloud says that the EIP is bound to this place. "" stands for the interface's primary address. */
export const isBoundTo = (eip: Eip, place: Place): boolean =>
  eip.instanceId === place.networkInterfaceId &&
  eip.instanceType === 'NetworkInterface' &&
  (eip.privateIpAddress === place.privateIpAddress || (!eip.privateIpAddress && place.isPrimary));

/**
 * Whether the EIP's own tags prove that it was bought for this PodEIP of this cluster. Nothing else proves it: a PodEIP
 * can be edited, a cluster ID can be the same twice.
 */
export const provesOurs = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid && eip.tags.get(TAG_PODEIP_UID) === podEip.metadata.uid;

/**
 * Whether the EIP's own tags say that it was bought for another PodEIP of this cluster. Nobody can have named such a one as
 * an EIP of the user's: whoever's notes say so, where it is bound is the other one's business.
 */
export const isAnothers = (eip: Eip, podEip: PodEip, clusterUid: string): boolean =>
  eip.tags.get(TAG_CLUSTER_UID) === clusterUid &&
  (eip.tags.get(TAG_PODEIP_UID) ?? podEip.metadata.uid) !== podEip.metadata.uid;
