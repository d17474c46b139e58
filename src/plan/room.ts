import { sentence } from '../api/finding.ts';
import type { PodEip } from '../api/podeip.ts';
import { isLimited, notAllowed, overLimits, shareOf, type Usage } from '../intent/policy.ts';
import type { NewEip } from '../intent/request.ts';
import { readNotes } from './record.ts';
import type { Room, Seen } from './seen.ts';
import { fail, RETRY_MS, wait, type Step } from './step.ts';

/** Between looks at a place whose PodEIP is gone and whose EIP is still listed; milliseconds. */
const VACATING_MS = 5_000;

/**
 * What has to happen before an EIP may be bought for the PodEIP; undefined once it may. A place under the limits is written
 * into the namespace's usage first, by compare-and-swap against what was counted, so that two PodEIPs never both take the
 * last one, in one process or two; a process that dies after the write is followed by one that finds it. Nothing gives a
 * place back: it is its PodEIP's for as long as that exists, and may be taken by the next one when that is gone and no EIP
 * carries its tags.
 *
 * Where somebody deletes the usage, it is made anew from the PodEIPs that have an EIP; one that was being bought at that
 * moment is counted from when it is written down. The same holds for EIPs that are being bought when the first limit comes.
 */
export const mayBuy = (seen: Seen, podEip: PodEip, request: NewEip): Step | undefined => {
  const { policy, room, namespace, vacated } = seen;
  if (!policy) return undefined;
  const { effective } = policy;
  // What was written down before the policy was may not be bought any more.
  const [refusal] = notAllowed(effective, request);
  if (refusal) return fail(refusal.id, sentence(refusal));
  if (!isLimited(effective)) return undefined;
  if (!namespace) return wait('Pending', 'the namespace is gone, and takes its pods with it', RETRY_MS);
  if (!room) return { do: 'LookForRoom' };
  const { uid } = podEip.metadata;
  const bandwidthMbps = shareOf(request);
  const hasPlace = room.usage?.places?.find(({ podEipUID }) => podEipUID === uid)?.bandwidthMbps === bandwidthMbps;
  const overWithout = (podEipUids: readonly string[]) =>
    overLimits(effective, heldByOthers(room, uid, hasPlace, podEipUids), request);
  const over = overWithout([]);
  if (!over) return hasPlace ? undefined : { do: 'Reserve', bandwidthMbps, instead: [] };
  const abandoned = abandonedIn(room);
  // A place that was taken under a higher limit waits for room.
  if (hasPlace || overWithout(abandoned)) return fail(over.id, sentence(over));
  const free = abandoned.filter((it) => vacated?.get(it) === true);
  if (!overWithout(free)) return { do: 'Reserve', bandwidthMbps, instead: free };
  const next = abandoned.find((it) => vacated?.has(it) !== true);
  return next === undefined ? fail(over.id, sentence(over), VACATING_MS) : { do: 'LookForVacated', podEipUid: next };
};

/** UIDs of the PodEIPs that have a place and are gone. */
const abandonedIn = ({ usage, podEips }: Room): readonly string[] => {
  const there = new Set(podEips.map(({ metadata }) => metadata.uid));
  return (usage?.places ?? []).map(({ podEipUID }) => podEipUID).filter((uid) => !there.has(uid));
};

/**
 * What all others hold: who has an EIP that was bought, whether it has a place or had it before there was a limit, and who has
 * a place and no EIP yet. An EIP that is on its way from one PodEIP to another counts once.
 *
 * @param hasPlace the PodEIP itself has a place: then only places before its own count, so that of those that wait for room
 *   under a limit that was lowered the first goes first
 * @param except UIDs whose places do not count
 */
const heldByOthers = ({ usage, podEips }: Room, uid: string, hasPlace: boolean, except: readonly string[]): Usage => {
  const places = usage?.places ?? [];
  const shares = new Map(places.map((place) => [place.podEipUID, place.bandwidthMbps]));
  const others = podEips.filter(({ metadata }) => metadata.uid !== uid);
  /** By EIP; before there is one, by PodEIP. */
  const held = new Map<string, number>();
  const count = (key: string, share: number) => held.set(key, Math.max(held.get(key) ?? 0, share));
  for (const podEip of others) {
    const { allocationID, allocationType } = podEip.spec;
    if (allocationID === '' || allocationType.type !== 'Auto') continue;
    const { request } = readNotes(podEip);
    const share = request?.kind === 'new' ? shareOf(request) : 0;
    count(allocationID, shares.get(podEip.metadata.uid) ?? share);
  }
  const eips = new Map(others.map(({ metadata, spec }) => [metadata.uid, spec.allocationID || metadata.uid]));
  const before = hasPlace
    ? places.slice(
        0,
        places.findIndex(({ podEipUID }) => podEipUID === uid),
      )
    : places;
  for (const { podEipUID, bandwidthMbps } of before)
    if (podEipUID !== uid && !except.includes(podEipUID)) count(eips.get(podEipUID) ?? podEipUID, bandwidthMbps);
  return { eips: held.size, bandwidthMbps: [...held.values()].reduce((sum, share) => sum + share, 0) };
};
