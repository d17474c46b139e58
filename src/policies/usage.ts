import type { Namespace } from '../api/core.ts';
import type { EipUsage, QuotaReservation } from '../api/eippolicy.ts';
import type { PodEip } from '../api/podeip.ts';
import { isExternal, readRecord } from '../controllers/podeip/record.ts';
import { countedMbps, type Usage } from './policy.ts';

/**
 * What a namespace holds. The usage was read first and the PodEIPs after it: a reservation whose PodEIP is not among
 * them belongs to one that is gone, not to a new one.
 */
export interface QuotaUsage {
  /** null if there are no reservations yet. */
  readonly usage: EipUsage | null;
  /** All PodEIPs of the namespace, from a quorum read. */
  readonly podEips: readonly PodEip[];
}

/** A reservation to be written for a PodEIP. */
export interface PlannedReservation {
  readonly namespace: Namespace;
  /** The usage that was counted; null if there was none. */
  readonly usage: EipUsage | null;
  readonly podEip: PodEip;
  /** What it counts, Mbit/s. */
  readonly bandwidthMbps: number;
  /** UIDs of PodEIPs that are gone, whose reservations are given up. */
  readonly reclaimed: readonly string[];
}

/** UIDs of the PodEIPs that have a place and are gone. */
export const staleReservations = ({ usage, podEips }: QuotaUsage): readonly string[] => {
  const there = new Set(podEips.map(({ metadata }) => metadata.uid));
  return (usage?.places ?? []).map(({ podEipUID }) => podEipUID).filter((uid) => !there.has(uid));
};

/**
 * What the other PodEIPs hold: EIPs that were bought, with a reservation or from before there was a limit, and
 * reservations without an EIP yet. An EIP that is being transferred between PodEIPs counts once.
 *
 * @param hasPlace whether the PodEIP has a reservation: then only reservations before its own count, so that under a
 * lowered limit the first one that waits goes first
 * @returns the sum, without the reservations of the PodEIPs with the given UIDs
 */
export const heldByOthers = (
  { usage, podEips }: QuotaUsage,
  uid: string,
  hasPlace: boolean,
): ((except: readonly string[]) => Usage) => {
  const places = usage?.places ?? [];
  const before = hasPlace
    ? places.slice(
        0,
        places.findIndex(({ podEipUID }) => podEipUID === uid),
      )
    : places;
  const others = podEips.filter(({ metadata }) => metadata.uid !== uid);
  const eips = eipsOf(others, places);
  return (except) =>
    sumOf(
      others,
      eips,
      before.filter(({ podEipUID }) => podEipUID !== uid && !except.includes(podEipUID)),
    );
};

/**
 * What a namespace holds without some of its PodEIPs, for a forecast. Reservations of PodEIPs that are gone do not
 * count: only the account can tell whether their EIPs still exist, and the controller asks it when it needs the place.
 */
export const heldWithout = ({ usage, podEips }: QuotaUsage, isLeftOut: (podEip: PodEip) => boolean): Usage => {
  const others = podEips.filter((podEip) => !isLeftOut(podEip));
  const uids = new Set(others.map(({ metadata }) => metadata.uid));
  const places = usage?.places ?? [];
  return sumOf(
    others,
    eipsOf(others, places),
    places.filter(({ podEipUID }) => uids.has(podEipUID)),
  );
};

/**
 * How much the EIPs of these PodEIPs count, Mbit/s, by allocation ID.
 *
 * @param places all reservations of the namespace, which say how much each PodEIP counts
 */
const eipsOf = (podEips: readonly PodEip[], places: readonly QuotaReservation[]): ReadonlyMap<string, number> => {
  const shares = new Map(places.map((place) => [place.podEipUID, place.bandwidthMbps]));
  const eips = new Map<string, number>();
  for (const podEip of podEips) {
    const { allocationID, allocationType } = podEip.spec;
    if (allocationID === '' || allocationType.type !== 'Auto') continue;
    countIn(eips, allocationID, shares.get(podEip.metadata.uid) ?? ownShareOf(podEip));
  }
  return eips;
};

/** @param counted reservations that count even if their PodEIP has no EIP yet */
const sumOf = (
  podEips: readonly PodEip[],
  eips: ReadonlyMap<string, number>,
  counted: readonly QuotaReservation[],
): Usage => {
  /** By allocation ID or, for a PodEIP without one, by its UID. */
  const held = new Map(eips);
  const keys = new Map(podEips.map(({ metadata, spec }) => [metadata.uid, spec.allocationID || metadata.uid]));
  for (const { podEipUID, bandwidthMbps } of counted) countIn(held, keys.get(podEipUID) ?? podEipUID, bandwidthMbps);
  return { eips: held.size, bandwidthMbps: [...held.values()].reduce((sum, share) => sum + share, 0) };
};

/** Of several PodEIPs with one EIP, which is being transferred, the larger value counts. */
const countIn = (held: Map<string, number>, key: string, share: number): void => {
  held.set(key, Math.max(held.get(key) ?? 0, share));
};

/**
 * How much an EIP without a reservation counts, Mbit/s. For an EIP that a virtual node made, by its status: there is no
 * request.
 */
const ownShareOf = (podEip: PodEip): number => {
  if (isExternal(podEip)) {
    const { bandwidth = '', bandwidthPackageID } = podEip.status ?? {};
    return bandwidthPackageID === undefined && /^\d{1,9}$/.test(bandwidth) ? Number(bandwidth) : 0;
  }
  const { request } = readRecord(podEip);
  return request?.kind === 'new' ? countedMbps(request) : 0;
};
