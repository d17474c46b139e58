import { sentence } from '../../api/finding.ts';
import type { QuotaReservation } from '../../api/eippolicy.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isLimited, notAllowed, overLimits, countedMbps, type Usage } from '../../request/policy.ts';
import type { NewEip } from '../../request/request.ts';
import { isExternal, readRecord } from './record.ts';
import type { QuotaUsage } from './observation.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, RETRY_MS, wait, type Step } from './step.ts';

/** Between looks at a place whose PodEIP is gone and whose EIP is still listed; milliseconds. */
const VACATING_MS = 5_000;

/**
 * What has to happen before an EIP may be bought for the PodEIP; undefined once it may. A place under the limits is
 * written into the namespace's usage first, by compare-and-swap against what was counted, so that two PodEIPs never
 * both take the last one, in one process or two; a process that dies after the write is followed by one that finds it.
 * Nothing gives a place back: it is its PodEIP's for as long as that exists, and may be taken by the next one when that
 * is gone and no EIP carries its tags.
 *
 * Where somebody deletes the usage, it is made anew from the PodEIPs that have an EIP; one that was being bought at
 * that moment is counted from when it is written down. The same holds for EIPs that are being bought when the first
 * limit comes.
 */
export const checkQuota = ({ seen, podEip }: PodEipSituation, request: NewEip): Step | undefined => {
  const { policy, quota, namespace, reclaimable } = seen;
  if (!policy) return undefined;
  const { effective } = policy;
  // What was written down before the policy was may not be bought any more.
  const [refusal] = notAllowed(effective, request);
  if (refusal) return fail(refusal.id, sentence(refusal));
  if (!isLimited(effective)) return undefined;
  if (!namespace) return wait('Pending', 'the namespace is gone, and takes its pods with it', RETRY_MS);
  if (!quota) return { do: 'ReadQuota' };
  const { uid } = podEip.metadata;
  const bandwidthMbps = countedMbps(request);
  const hasReservation =
    quota.usage?.places?.find(({ podEipUID }) => podEipUID === uid)?.bandwidthMbps === bandwidthMbps;
  const heldWithoutPlacesOf = heldByOthers(quota, uid, hasReservation);
  const overWithout = (podEipUids: readonly string[]) =>
    overLimits(effective, heldWithoutPlacesOf(podEipUids), request);
  const reserve = (reclaimed: readonly string[]): Step => {
    return { do: 'Reserve', podEip, namespace, usage: quota.usage, bandwidthMbps, reclaimed };
  };
  const over = overWithout([]);
  if (!over) return hasReservation ? undefined : reserve([]);
  const abandoned = staleReservations(quota);
  // A place that was taken under a higher limit waits for room.
  if (hasReservation || overWithout(abandoned)) return fail(over.id, sentence(over));
  const free = abandoned.filter((it) => reclaimable?.get(it) === true);
  if (!overWithout(free)) return reserve(free);
  const next = abandoned.find((it) => reclaimable?.has(it) !== true);
  return next === undefined ? fail(over.id, sentence(over), VACATING_MS) : { do: 'ReadReclaimable', podEipUid: next };
};

/** UIDs of the PodEIPs that have a place and are gone. */
const staleReservations = ({ usage, podEips }: QuotaUsage): readonly string[] => {
  const there = new Set(podEips.map(({ metadata }) => metadata.uid));
  return (usage?.places ?? []).map(({ podEipUID }) => podEipUID).filter((uid) => !there.has(uid));
};

/**
 * What all others hold: who has an EIP that was bought, whether it has a place or had it before there was a limit, and
 * who has a place and no EIP yet. An EIP that is on its way from one PodEIP to another counts once.
 *
 * @param hasPlace the PodEIP itself has a place: then only places before its own count, so that of those that wait for
 * room under a limit that was lowered the first goes first
 * @returns the same without the places of some PodEIPs, by their UIDs
 */
const heldByOthers = (
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
 * What a namespace holds without some of its PodEIPs, for a forecast. Places of PodEIPs that are gone do not count
 * either: whether their EIPs are still there only the account can say, and who wants the place looks there.
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
 * What the EIPs of these PodEIPs count, Mbit/s, by allocation ID.
 *
 * @param places all of the namespace: they say what each PodEIP counts
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

/** @param counted places that count although their PodEIP may have no EIP yet */
const sumOf = (
  podEips: readonly PodEip[],
  eips: ReadonlyMap<string, number>,
  counted: readonly QuotaReservation[],
): Usage => {
  /** By EIP; before there is one, by PodEIP. */
  const held = new Map(eips);
  const keys = new Map(podEips.map(({ metadata, spec }) => [metadata.uid, spec.allocationID || metadata.uid]));
  for (const { podEipUID, bandwidthMbps } of counted) countIn(held, keys.get(podEipUID) ?? podEipUID, bandwidthMbps);
  return { eips: held.size, bandwidthMbps: [...held.values()].reduce((sum, share) => sum + share, 0) };
};

/** An EIP that is on its way from one PodEIP to another counts once. */
const countIn = (held: Map<string, number>, key: string, share: number): void => {
  held.set(key, Math.max(held.get(key) ?? 0, share));
};

/**
 * What an EIP without a place counts, Mbit/s. What a virtual node has made nobody asked for here: its status shows it.
 */
const ownShareOf = (podEip: PodEip): number => {
  if (isExternal(podEip)) {
    const { bandwidth = '', bandwidthPackageID } = podEip.status ?? {};
    return bandwidthPackageID === undefined && /^\d{1,9}$/.test(bandwidth) ? Number(bandwidth) : 0;
  }
  const { request } = readRecord(podEip);
  return request?.kind === 'new' ? countedMbps(request) : 0;
};
