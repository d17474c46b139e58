import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { obstacleToRelease } from '../podeip/releasable.ts';
import { provesOurs, readNotes } from '../podeip/record.ts';

/**
 * Why an EIP of this cluster seems to belong to nobody.
 *
 * - `orphan`: it was bought for a PodEIP that does not exist. UIDs do not come back, so it stays one.
 * - `surplus`: it was bought for a PodEIP that has another one, and that one is there too.
 * - `unidentified`: its tags name no PodEIP, or a cluster of another ID. Somebody edited them, or two clusters were made
 *   from one backup and have the same UID. It is only ever reported.
 */
export type StrayKind = 'orphan' | 'surplus' | 'unidentified';

/** An EIP that seems to belong to nobody. */
export interface Stray {
  readonly kind: StrayKind;
  readonly eip: Eip;
  /** The PodEIP that its tag names; '' where it names none. */
  readonly podEipUid: string;
  /** That PodEIP, of a surplus EIP. */
  readonly podEip?: PodEip | undefined;
  /** For people; follows the ID of the EIP in a sentence. */
  readonly because: string;
}

/** How often an EIP was seen as the same stray, in passes of this process that followed one another. */
export interface Sighting {
  readonly kind: StrayKind;
  readonly podEipUid: string;
  /** When this process first saw it so; monotonic milliseconds. */
  readonly firstMs: number;
  /** In how many passes. A period lies between two. */
  readonly passes: number;
  /** How often it was already worked on: who was tried least comes first. */
  readonly tries: number;
}

/** By allocation ID. Only in memory: whoever starts anew begins to count anew. */
export type Sightings = ReadonlyMap<string, Sighting>;

/** Whose EIPs are looked at. */
export interface SweptCluster {
  /** UID of the namespace kube-system. */
  readonly clusterUid: string;
  /** clusterID of the configuration. */
  readonly clusterId: string;
}

export interface SweepSettings extends SweptCluster {
  /** How long before the release an EIP must have been seen first; milliseconds. */
  readonly graceMs: number;
  /** How many EIPs may be due at once without the brake; undefined for {@link defaultBrake}. */
  readonly brakeAbove?: number | undefined;
}

/** What is to be said and done about a stray. */
export interface Verdict extends Stray {
  /** `young`: not seen long enough · `blocked`: somebody must act first · `reported`: never released · `due`: release it */
  readonly is: 'young' | 'blocked' | 'reported' | 'due';
  /** What is in the way, of one that is blocked. */
  readonly obstacle?: string | undefined;
}

export interface Sweep {
  readonly sightings: Sightings;
  /** Those that are due come in the order in which to work on them. */
  readonly verdicts: readonly Verdict[];
  /** Why nothing at all may be released in this pass, and what to do about it. */
  readonly brake?: string | undefined;
}

/** In so many passes an EIP must have been seen as the same stray. */
const SIGHTINGS = 2;

/** More EIPs than this to release at once are rather a mistake than leaks: five, or a fifth of all that the cluster has. */
export const defaultBrake = (owned: number): number => Math.max(5, Math.floor(owned / 5));

/**
 * One pass: what the sightings so far and one consistent look at cloud and cluster say together.
 *
 * `eips` are all that carry the tag of this cluster and must have been listed before `podEips` were, each completely: the
 * PodEIP is written before its EIP is bought, so that an EIP that is listed had its PodEIP when that list began.
 *
 * @param now of this pass; monotonic milliseconds
 */
export const sweep = (
  before: Sightings,
  { eips, podEips, now }: { eips: readonly Eip[]; podEips: readonly PodEip[]; now: number },
  settings: SweepSettings,
): Sweep => {
  const owners = ownersOf(podEips);
  const listed = new Map(eips.map((eip) => [eip.allocationId, eip]));
  const strays = eips.flatMap((eip) => strayOf(eip, listed, owners, settings) ?? []);
  const sightings = new Map(strays.map((stray) => [stray.eip.allocationId, sightingOf(stray, before, now)]));
  const sightingOfStray = ({ eip }: Stray): Sighting => sightings.get(eip.allocationId)!;
  const verdicts = strays
    .map((stray) => verdictOn(stray, sightingOfStray(stray), now, settings.graceMs))
    .toSorted((a, b) => {
      const [one, other] = [sightingOfStray(a), sightingOfStray(b)];
      return one.tries - other.tries || one.firstMs - other.firstMs;
    });
  const due = verdicts.filter(({ is }) => is === 'due').length;
  return { sightings, verdicts, brake: brakeOn({ due, owned: eips.length, podEips: podEips.length }, settings) };
};

/** The sightings with one more try at this EIP; without it, if the try has released it. */
export const tried = (sightings: Sightings, allocationId: string, isReleased: boolean): Sightings => {
  const next = new Map(sightings);
  const sighting = next.get(allocationId);
  if (isReleased) next.delete(allocationId);
  else if (sighting) next.set(allocationId, { ...sighting, tries: sighting.tries + 1 });
  return next;
};

/** All PodEIPs of the cluster, as it matters here. */
export interface Owners {
  readonly byUid: ReadonlyMap<string, PodEip>;
  /** The allocation IDs that a PodEIP has, or asks for, whoever's they are. */
  readonly named: ReadonlySet<string>;
}

export const ownersOf = (podEips: readonly PodEip[]): Owners => ({
  byUid: new Map(podEips.map((podEip) => [podEip.metadata.uid, podEip])),
  named: new Set(podEips.flatMap((podEip) => [podEip.spec.allocationID, ...asksFor(podEip)])),
});

const asksFor = (podEip: PodEip): readonly string[] => {
  const { request } = readNotes(podEip);
  return request?.kind === 'existing' ? [request.allocationId] : [];
};

/**
 * Whether the EIP is a stray, by its own tags and by what the PodEIPs say; undefined where it is not, or where that is not
 * certain.
 *
 * @param listed EIPs by allocation ID: the one that its PodEIP has recorded must be among them, if that exists
 */
export const strayOf = (
  eip: Eip,
  listed: ReadonlyMap<string, Eip>,
  { byUid, named }: Owners,
  { clusterUid, clusterId }: SweptCluster,
): Stray | undefined => {
  if (eip.tags.get(TAG_CLUSTER_UID) !== clusterUid) return undefined;
  if (named.has(eip.allocationId)) return undefined;
  const podEipUid = eip.tags.get(TAG_PODEIP_UID) ?? '';
  if (podEipUid === '') {
    const because = `carries the tag ${TAG_CLUSTER_UID} of this cluster, but its tag ${TAG_PODEIP_UID} names no PodEIP`;
    return { kind: 'unidentified', eip, podEipUid, because };
  }
  const taggedId = eip.tags.get(TAG_CLUSTER_ID) ?? clusterId;
  if (taggedId !== clusterId) {
    const because = `carries the tag ${TAG_CLUSTER_UID} of this cluster, but its tag ${TAG_CLUSTER_ID} is ${taggedId} and not ${clusterId}`;
    return { kind: 'unidentified', eip, podEipUid, because };
  }
  const podEip = byUid.get(podEipUid);
  if (!podEip) {
    return { kind: 'orphan', eip, podEipUid, because: `was bought for the PodEIP ${podEipUid}, which does not exist` };
  }
  // A PodEIP that is being deleted gives back, one after the other, whatever carries its UID.
  if (podEip.metadata.deletionTimestamp !== undefined) return undefined;
  // Where the recorded EIP is gone, or nothing is recorded yet, this one may be the next to be recorded.
  const recorded = listed.get(podEip.spec.allocationID);
  if (!recorded || recorded.status === 'Releasing' || !provesOurs(recorded, podEip, clusterUid)) return undefined;
  const { namespace = '', name } = podEip.metadata;
  const because = `was bought for the PodEIP ${namespace}/${name}, which has ${recorded.allocationId} instead`;
  return { kind: 'surplus', eip, podEipUid, podEip, because };
};

const sightingOf = ({ kind, eip, podEipUid }: Stray, before: Sightings, now: number): Sighting => {
  const old = before.get(eip.allocationId);
  return old?.kind === kind && old.podEipUid === podEipUid
    ? { ...old, passes: old.passes + 1 }
    : { kind, podEipUid, firstMs: now, passes: 1, tries: 0 };
};

const verdictOn = (stray: Stray, { passes, firstMs }: Sighting, now: number, graceMs: number): Verdict => {
  if (stray.kind === 'unidentified') return { ...stray, is: 'reported' };
  if (passes < SIGHTINGS || now - firstMs < graceMs) return { ...stray, is: 'young' };
  const obstacle = obstacleToSweep(stray.eip);
  return obstacle === undefined ? { ...stray, is: 'due' } : { ...stray, is: 'blocked', obstacle };
};

const brakeOn = (
  { due, owned, podEips }: { due: number; owned: number; podEips: number },
  { brakeAbove }: SweepSettings,
): string | undefined => {
  if (due === 0) return undefined;
  const most = brakeAbove ?? defaultBrake(owned);
  const found =
    podEips === 0 && brakeAbove === undefined
      ? `${due} of ${owned} EIPs of this cluster are due for release, and the cluster has no PodEIP at all: was it restored or re-installed?`
      : `${due} of ${owned} EIPs of this cluster are due for release at once; more than ${most} is rather a mistake.`;
  if (due <= most && (podEips > 0 || brakeAbove !== undefined)) return undefined;
  return `${found} Nothing is released. To have them released, set sweeper.brakeAbove to ${due}; to keep one, remove its tag ${TAG_CLUSTER_UID}; to silence this, set sweeper.mode to off.`;
};

/** What to do next to an EIP that is released. `Blocked` needs somebody, `Wait` passes by itself. */
export type SweepStep =
  /** Undo exactly this binding. `privateIpAddress` is "" where it is the interface's primary one. */
  | { readonly do: 'Unassociate'; readonly networkInterfaceId: string; readonly privateIpAddress: string }
  | { readonly do: 'LeaveBandwidthPackage'; readonly bandwidthPackageId: string }
  | { readonly do: 'Release' }
  | { readonly do: 'Wait'; readonly because: string }
  | { readonly do: 'Blocked'; readonly because: string };

/** The one next change that leads to the release of an EIP that is {@link strayOf | a stray} for sure. */
export const stepToRelease = (eip: Eip): SweepStep => {
  const obstacle = obstacleToSweep(eip);
  if (obstacle !== undefined) return { do: 'Blocked', because: obstacle };
  const { status, instanceId, privateIpAddress, bandwidthPackageId } = eip;
  if (status === 'InUse') {
    // obstacleToSweep has made sure that it is a network interface.
    return privateIpAddress === undefined || instanceId === undefined
      ? { do: 'Blocked', because: 'what it is bound to is not shown completely; detach it in the console' }
      : { do: 'Unassociate', networkInterfaceId: instanceId, privateIpAddress };
  }
  if (status !== 'Available') return { do: 'Wait', because: `it is ${status}` };
  if (bandwidthPackageId !== undefined) return { do: 'LeaveBandwidthPackage', bandwidthPackageId };
  return { do: 'Release' };
};

/** What the API would refuse a release for, or that it is bound where this controller never puts an EIP. */
const obstacleToSweep = (eip: Eip): string | undefined =>
  obstacleToRelease(eip) ??
  (eip.status === 'InUse' && eip.instanceType !== 'NetworkInterface'
    ? `it is bound to ${eip.instanceId ?? 'something'} (${eip.instanceType ?? 'of an unknown type'}), where this controller does not put EIPs; detach it in the console to have it released, or remove its tag ${TAG_CLUSTER_UID} to keep it`
    : undefined);
