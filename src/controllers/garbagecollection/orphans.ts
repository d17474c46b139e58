import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_PODEIP_UID, UID_TO_KEEP } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { MarkIssuer } from '../../lib/mark.ts';
import { obstacleToRelease } from '../podeip/releasable.ts';
import { isUntagged } from '../podeip/ownership.ts';
import { CONTAINER_INSTANCE, readRecord } from '../podeip/record.ts';
import { provesOwnership } from '../podeip/safeguards.ts';
import { untaggedSuspects } from './suspects.ts';

/**
 * Why an EIP of this cluster seems to belong to no PodEIP.
 *
 * - `orphan`: it was bought for a PodEIP that does not exist. UIDs are never reused, so it stays an orphan.
 * - `surplus`: it was bought for a PodEIP that has recorded another EIP, which exists, too.
 * - `unidentified`: its tags name no PodEIP, or a cluster of another ID, because somebody edited them or because two
 * clusters were restored from one backup and have the same UID; or it has no tags, and the mark of this cluster. It is
 * only reported, never released.
 */
export type CandidateKind = 'orphan' | 'surplus' | 'unidentified';

/** An EIP that seems to belong to no PodEIP. */
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

/** How often an EIP was observed as the same candidate, in consecutive passes of this process. */
interface CandidateObservation {
  readonly kind: CandidateKind;
  readonly podEipUid: string;
  /** When this process first observed it; monotonic milliseconds. */
  readonly firstMs: number;
  /** In how many passes. A period lies between two. */
  readonly passes: number;
  /** How often its release was attempted: those with the fewest attempts come first. */
  readonly tries: number;
}

/** By allocation ID. Kept in memory only: a new process starts to count anew. */
export type CandidateObservations = ReadonlyMap<string, CandidateObservation>;

/** The cluster whose EIPs are checked. */
export interface OwningCluster extends MarkIssuer {
  /** clusterID of the configuration. */
  readonly clusterId: string;
}

/** The cluster, and the limits of a pass. */
export interface CollectionSettings extends OwningCluster {
  /** How long before the release an EIP must have been seen first; milliseconds. */
  readonly graceMs: number;
  /** How many EIPs may be due at once without the circuit breaker; undefined for {@link defaultBreaker}. */
  readonly brakeAbove?: number | undefined;
}

/** The verdict on a candidate. */
export interface CandidateVerdict extends OrphanCandidate {
  /**
   * `young`: not observed long enough · `blocked`: a person must act first · `reported`: never released · `due`: to be
   * released
   */
  readonly is: 'young' | 'blocked' | 'reported' | 'due';
  /** Why a blocked one cannot be released. */
  readonly obstacle?: string | undefined;
}

export interface OrphanReport {
  readonly observations: CandidateObservations;
  /** Those that are due are in the order of their release. */
  readonly verdicts: readonly CandidateVerdict[];
  /** Why nothing may be released in this pass, and what to do about it. */
  readonly breaker?: string | undefined;
}

/** The number of passes in which an EIP must have been observed as the same candidate. */
const MIN_OBSERVATIONS = 2;

/**
 * More EIPs than this to release at once indicate a mistake rather than leaks: five, or a fifth of all EIPs of the
 * cluster.
 */
export const defaultBreaker = (owned: number): number => Math.max(5, Math.floor(owned / 5));

/**
 * One pass: evaluates the observations so far together with one consistent read of cloud and cluster.
 *
 * `eips` are all that carry the tag of this cluster. They must have been listed before `podEips` were, each list
 * completely: a PodEIP is written before its EIP is bought, so the PodEIP of a listed EIP existed when the second list
 * began.
 *
 * @param untagged free EIPs of the account, listed before `podEips`, too; only those without tags are considered
 * @param now of this pass; monotonic milliseconds
 */
export const findOrphans = (
  before: CandidateObservations,
  {
    eips,
    untagged = [],
    podEips,
    now,
  }: { eips: readonly Eip[]; untagged?: readonly Eip[]; podEips: readonly PodEip[]; now: number },
  settings: CollectionSettings,
): OrphanReport => {
  const candidates = orphanCandidates({ eips, untagged, podEips }, settings);
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

/** What seems to belong to no PodEIP now; see {@link findOrphans} for what the lists must be. */
export const orphanCandidates = (
  { eips, untagged, podEips }: { eips: readonly Eip[]; untagged: readonly Eip[]; podEips: readonly PodEip[] },
  cluster: OwningCluster,
): readonly OrphanCandidate[] => {
  const owners = ownersOf(podEips);
  const listed = new Map(eips.map((eip) => [eip.allocationId, eip]));
  return [
    ...eips.flatMap((eip) => orphanCandidateOf(eip, listed, owners, cluster) ?? []),
    ...untaggedSuspects(untagged, { podEips, named: owners.named }, cluster).map(suspectOf),
  ];
};

const suspectOf = (eip: Eip): OrphanCandidate => ({
  kind: 'unidentified',
  eip,
  podEipUid: '',
  because: `${eip.name === undefined ? '' : `(named ${eip.name}) `}carries no tag, and the mark of an EIP that was bought in this cluster for a PodEIP that does not exist`,
});

/** The observations after one more attempt at this EIP; without it, if the attempt has released it. */
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

/** What the PodEIPs of the cluster say about EIPs. */
interface Owners {
  readonly byUid: ReadonlyMap<string, PodEip>;
  /** The allocation IDs that any PodEIP has recorded or asks for. */
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
 * The EIP as a candidate, by its tags and by what the PodEIPs say; undefined if it is none, or if that is not certain.
 *
 * @param listed EIPs by allocation ID: must include the one that its PodEIP has recorded, if that exists
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
  if (podEipUid === UID_TO_KEEP) return undefined;
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
  // A PodEIP that is being deleted releases every EIP that carries its UID, one after the other.
  if (podEip.metadata.deletionTimestamp !== undefined) return undefined;
  // If the recorded EIP is gone, or none is recorded yet, this one may be recorded next.
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
  // An EIP without tags may be about to be released or tagged.
  const isUnsure = isUntagged(candidate.eip) && passes < MIN_OBSERVATIONS;
  if (candidate.kind === 'unidentified') return { ...candidate, is: isUnsure ? 'young' : 'reported' };
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

/** The next step of a release. `Blocked` needs a person, `Wait` passes by itself. */
export type CollectStep =
  /** Undo exactly this binding. `privateIpAddress` is "" where it is the interface's primary one. */
  | {
      readonly do: 'Unassociate';
      /** Or the elastic container instance, if the EIP is described as bound to that. */
      readonly networkInterfaceId: string;
      /** Undefined for NetworkInterface. */
      readonly instanceType?: string | undefined;
      readonly privateIpAddress: string;
    }
  | { readonly do: 'LeaveBandwidthPackage'; readonly bandwidthPackageId: string }
  | { readonly do: 'Release' }
  | { readonly do: 'Wait'; readonly because: string }
  | { readonly do: 'Blocked'; readonly because: string };

/** The next step towards the release of an EIP that is certainly {@link orphanCandidateOf | a candidate}. */
export const stepToRelease = (eip: Eip): CollectStep => {
  const obstacle = obstacleToCollect(eip);
  if (obstacle !== undefined) return { do: 'Blocked', because: obstacle };
  const { status, instanceId, instanceType, bandwidthPackageId } = eip;
  if (status === 'InUse') {
    // obstacleToCollect has ruled out anything but a network interface, or a container instance, which has one address.
    if (instanceId !== undefined && isAtContainerInstance(eip))
      return {
        do: 'Unassociate',
        networkInterfaceId: instanceId,
        instanceType,
        privateIpAddress: eip.privateIpAddress ?? '',
      };
    const { privateIpAddress } = eip;
    return privateIpAddress === undefined || instanceId === undefined
      ? { do: 'Blocked', because: 'what it is bound to is not shown completely; detach it in the console' }
      : { do: 'Unassociate', networkInterfaceId: instanceId, privateIpAddress };
  }
  if (status !== 'Available') return { do: 'Wait', because: `it is ${status}` };
  if (bandwidthPackageId !== undefined) return { do: 'LeaveBandwidthPackage', bandwidthPackageId };
  return { do: 'Release' };
};

/**
 * Whether the EIP is described as bound to the elastic container instance instead of the interface that it was bound
 * to.
 */
const isAtContainerInstance = ({ instanceId, instanceType }: Eip): boolean =>
  instanceType !== undefined &&
  instanceType !== 'NetworkInterface' &&
  instanceId?.startsWith(CONTAINER_INSTANCE) === true;

/**
 * Why the API would refuse the release, or that the EIP is bound to something that this controller never binds EIPs to;
 * undefined if nothing prevents it.
 */
const obstacleToCollect = (eip: Eip): string | undefined =>
  obstacleToRelease(eip) ??
  (eip.status === 'InUse' && eip.instanceType !== 'NetworkInterface' && !isAtContainerInstance(eip)
    ? `it is bound to ${eip.instanceId ?? 'something'} (${eip.instanceType ?? 'of an unknown type'}), where this controller does not put EIPs; detach it in the console to have it released, or remove its tag ${TAG_CLUSTER_UID} to keep it`
    : undefined);
