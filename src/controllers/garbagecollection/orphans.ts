import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { obstacleToRelease } from '../podeip/releasable.ts';
import { provesOwnership, readRecord } from '../podeip/record.ts';

/**
 * Why an EIP of this cluster seems to belong to nobody.
 *
 * - `orphan`: it was bought for a PodEIP that does not exist. UIDs do not come back, so it stays one.
 * - `surplus`: it was bought for a PodEIP that has another one, and that one is there too.
 * - `unidentified`: its tags name no PodEIP, or a cluster of another ID. Somebody edited them, or two clusters were
 *   made from one backup and have the same UID. It is only ever reported.
 */
export type CandidateKind = 'orphan' | 'surplus' | 'unidentified';

/** An EIP that seems to belong to nobody. */
export interface OrphanCandidate {
  readonly kind: CandidateKind;
  readonly eip: Eip;
  /** The PodEIP that its tag names; '' where it names none. */
  readonly podEipUid: string;
  /** That PodEIP, of a surplus EIP. */
  readonly podEip?: PodEip | undefined;
  /** For people; follows the ID of the EIP in a sentence. */
  readonly because: string;
}

/** How often an EIP was seen as the same candidate, in passes of this process that followed one another. */
interface CandidateObservation {
  readonly kind: CandidateKind;
  readonly podEipUid: string;
  /** When this process first saw it so; monotonic milliseconds. */
  readonly firstMs: number;
  /** In how many passes. A period lies between two. */
  readonly passes: number;
  /** How often it was already worked on: who was tried least comes first. */
  readonly tries: number;
}

/** By allocation ID. Only in memory: whoever starts anew begins to count anew. */
export type CandidateObservations = ReadonlyMap<string, CandidateObservation>;

/** Whose EIPs are looked at. */
interface OwningCluster {
  /** UID of the namespace kube-system. */
  readonly clusterUid: string;
  /** clusterID of the configuration. */
  readonly clusterId: string;
}

export interface CollectionSettings extends OwningCluster {
  /** How long before the release an EIP must have been seen first; milliseconds. */
  readonly graceMs: number;
  /** How many EIPs may be due at once without the circuit breaker; undefined for {@link defaultBreaker}. */
  readonly brakeAbove?: number | undefined;
}

/** What is to be said and done about a candidate. */
export interface CandidateVerdict extends OrphanCandidate {
  /**
   * `young`: not seen long enough · `blocked`: somebody must act first · `reported`: never released · `due`: release it
   */
  readonly is: 'young' | 'blocked' | 'reported' | 'due';
  /** What is in the way, of one that is blocked. */
  readonly obstacle?: string | undefined;
}

export interface OrphanReport {
  readonly observations: CandidateObservations;
  /** Those that are due come in the order in which to work on them. */
  readonly verdicts: readonly CandidateVerdict[];
  /** Why nothing at all may be released in this pass, and what to do about it. */
  readonly breaker?: string | undefined;
}

/** In so many passes an EIP must have been seen as the same candidate. */
const MIN_OBSERVATIONS = 2;

/**
 * More EIPs than this to release at once are rather a mistake than leaks: five, or a fifth of all that the cluster has.
 */
export const defaultBreaker = (owned: number): number => Math.max(5, Math.floor(owned / 5));

/**
 * One pass: what the observations so far and one consistent look at cloud and cluster say together.
 *
 * `eips` are all that carry the tag of this cluster and must have been listed before `podEips` were, each completely:
 * the PodEIP is written before its EIP is bought, so that an EIP that is listed had its PodEIP when that list began.
 *
 * @param now of this pass; monotonic milliseconds
 */
export const findOrphans = (
  before: CandidateObservations,
  { eips, podEips, now }: { eips: readonly Eip[]; podEips: readonly PodEip[]; now: number },
  settings: CollectionSettings,
): OrphanReport => {
  const owners = ownersOf(podEips);
  const listed = new Map(eips.map((eip) => [eip.allocationId, eip]));
  const candidates = eips.flatMap((eip) => orphanCandidateOf(eip, listed, owners, settings) ?? []);
  const observations = new Map(
    candidates.map((candidate) => [candidate.eip.allocationId, observationOf(candidate, before, now)]),
  );
  const observationOfCandidate = ({ eip }: OrphanCandidate): CandidateObservation =>
    observations.get(eip.allocationId)!;
  const verdicts = candidates
    .map((candidate) => verdictOn(candidate, observationOfCandidate(candidate), now, settings.graceMs))
    .toSorted((a, b) => {
      const [one, other] = [observationOfCandidate(a), observationOfCandidate(b)];
      return one.tries - other.tries || one.firstMs - other.firstMs;
    });
  const due = verdicts.filter(({ is }) => is === 'due').length;
  return { observations, verdicts, breaker: breakerOn({ due, owned: eips.length, podEips: podEips.length }, settings) };
};

/** The observations with one more try at this EIP; without it, if the try has released it. */
export const tried = (
  observations: CandidateObservations,
  allocationId: string,
  isReleased: boolean,
): CandidateObservations => {
  const next = new Map(observations);
  const observation = next.get(allocationId);
  if (isReleased) next.delete(allocationId);
  else if (observation) next.set(allocationId, { ...observation, tries: observation.tries + 1 });
  return next;
};

/** All PodEIPs of the cluster, as it matters here. */
interface Owners {
  readonly byUid: ReadonlyMap<string, PodEip>;
  /** The allocation IDs that a PodEIP has, or asks for, whoever's they are. */
  readonly named: ReadonlySet<string>;
}

export const ownersOf = (podEips: readonly PodEip[]): Owners => ({
  byUid: new Map(podEips.map((podEip) => [podEip.metadata.uid, podEip])),
  named: new Set(podEips.flatMap((podEip) => [podEip.spec.allocationID, ...asksFor(podEip)])),
});

const asksFor = (podEip: PodEip): readonly string[] => {
  const { request } = readRecord(podEip);
  return request?.kind === 'existing' ? [request.allocationId] : [];
};

/**
 * Whether the EIP is a candidate, by its own tags and by what the PodEIPs say; undefined where it is not, or where that
 * is not certain.
 *
 * @param listed EIPs by allocation ID: the one that its PodEIP has recorded must be among them, if that exists
 */
export const orphanCandidateOf = (
  eip: Eip,
  listed: ReadonlyMap<string, Eip>,
  { byUid, named }: Owners,
  { clusterUid, clusterId }: OwningCluster,
): OrphanCandidate | undefined => {
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
  if (!recorded || recorded.status === 'Releasing' || !provesOwnership(recorded, podEip, clusterUid)) return undefined;
  const { namespace = '', name } = podEip.metadata;
  const because = `was bought for the PodEIP ${namespace}/${name}, which has ${recorded.allocationId} instead`;
  return { kind: 'surplus', eip, podEipUid, podEip, because };
};

const observationOf = (
  { kind, eip, podEipUid }: OrphanCandidate,
  before: CandidateObservations,
  now: number,
): CandidateObservation => {
  const old = before.get(eip.allocationId);
  return old?.kind === kind && old.podEipUid === podEipUid
    ? { ...old, passes: old.passes + 1 }
    : { kind, podEipUid, firstMs: now, passes: 1, tries: 0 };
};

const verdictOn = (
  candidate: OrphanCandidate,
  { passes, firstMs }: CandidateObservation,
  now: number,
  graceMs: number,
): CandidateVerdict => {
  if (candidate.kind === 'unidentified') return { ...candidate, is: 'reported' };
  if (passes < MIN_OBSERVATIONS || now - firstMs < graceMs) return { ...candidate, is: 'young' };
  const obstacle = obstacleToCollect(candidate.eip);
  return obstacle === undefined ? { ...candidate, is: 'due' } : { ...candidate, is: 'blocked', obstacle };
};

const breakerOn = (
  { due, owned, podEips }: { due: number; owned: number; podEips: number },
  { brakeAbove }: CollectionSettings,
): string | undefined => {
  if (due === 0) return undefined;
  const most = brakeAbove ?? defaultBreaker(owned);
  const found =
    podEips === 0 && brakeAbove === undefined
      ? `${due} of ${owned} EIPs of this cluster are due for release, and the cluster has no PodEIP at all: was it restored or re-installed?`
      : `${due} of ${owned} EIPs of this cluster are due for release at once; more than ${most} is rather a mistake.`;
  if (due <= most && (podEips > 0 || brakeAbove !== undefined)) return undefined;
  return `${found} Nothing is released. To have them released, set sweeper.brakeAbove to ${due}; to keep one, remove its tag ${TAG_CLUSTER_UID}; to silence this, set sweeper.mode to off.`;
};

/** What to do next to an EIP that is released. `Blocked` needs somebody, `Wait` passes by itself. */
export type CollectStep =
  /** Undo exactly this binding. `privateIpAddress` is "" where it is the interface's primary one. */
  | { readonly do: 'Unassociate'; readonly networkInterfaceId: string; readonly privateIpAddress: string }
  | { readonly do: 'LeaveBandwidthPackage'; readonly bandwidthPackageId: string }
  | { readonly do: 'Release' }
  | { readonly do: 'Wait'; readonly because: string }
  | { readonly do: 'Blocked'; readonly because: string };

/** The one next change that leads to the release of an EIP that is {@link orphanCandidateOf | a candidate} for sure. */
export const stepToRelease = (eip: Eip): CollectStep => {
  const obstacle = obstacleToCollect(eip);
  if (obstacle !== undefined) return { do: 'Blocked', because: obstacle };
  const { status, instanceId, privateIpAddress, bandwidthPackageId } = eip;
  if (status === 'InUse') {
    // obstacleToCollect has made sure that it is a network interface.
    return privateIpAddress === undefined || instanceId === undefined
      ? { do: 'Blocked', because: 'what it is bound to is not shown completely; detach it in the console' }
      : { do: 'Unassociate', networkInterfaceId: instanceId, privateIpAddress };
  }
  if (status !== 'Available') return { do: 'Wait', because: `it is ${status}` };
  if (bandwidthPackageId !== undefined) return { do: 'LeaveBandwidthPackage', bandwidthPackageId };
  return { do: 'Release' };
};

/** What the API would refuse a release for, or that it is bound where this controller never puts an EIP. */
const obstacleToCollect = (eip: Eip): string | undefined =>
  obstacleToRelease(eip) ??
  (eip.status === 'InUse' && eip.instanceType !== 'NetworkInterface'
    ? `it is bound to ${eip.instanceId ?? 'something'} (${eip.instanceType ?? 'of an unknown type'}), where this controller does not put EIPs; detach it in the console to have it released, or remove its tag ${TAG_CLUSTER_UID} to keep it`
    : undefined);
