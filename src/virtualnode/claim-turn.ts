import { CLAIM_TURN } from '../api/annotations.ts';
import { claimNameOf } from './translate/bound-claims.ts';
import type { WorkloadPod } from './workload-pod.ts';

/*
 * Whose turn it is where pods on several virtual nodes want one volume that only one instance may have. Each node knows
 * of its own pods alone, so each pod says on its object how it stands:
 *
 * - `asks`: an instance may have been asked for, or is about to be;
 * - `waits`: none was asked for, and none will be before it asks;
 * - nothing: another kind of node, which may begin at any time and waits for nobody.
 *
 * Before a request is sent the pod asks, and only then the others are read, by a quorum read. So of two that ask at
 * once at least one sees the other, and who sees another one ask sends nothing. Of these two the one that comes after
 * steps back and waits; the first one goes on asking until it has. One that had read the others before sends its
 * request: its instance shows, and the other steps back whoever is first.
 *
 * A write may arrive long after it was sent, also from a process that is dead by now. So each names the version of the
 * pod that it was decided from (write-status.ts), and a process sends no request before a write of its own that it asks
 * was answered: since the pod has another version then, no `waits` from before it can arrive any more.
 */

/** How a pod stands; `unknown`: its node does not say. */
type ClaimTurn = 'asks' | 'waits' | 'unknown';

/** Before the UID, which tells it from a copy in a template, and before the version that it was written on. */
const SEPARATOR = ' ';

export const turnOf = ({ metadata: { uid, annotations } }: WorkloadPod): ClaimTurn => {
  const said = annotations?.[CLAIM_TURN];
  const isSaid = (turn: string) => said === turn || said?.startsWith(`${turn}${SEPARATOR}`);
  return (['asks', 'waits'] as const).find((turn) => isSaid(`${turn}${SEPARATOR}${uid}`)) ?? 'unknown';
};

/** What the pod says from now on; never what it says already, so that the write of it changes the version. */
export const turnAnnotation = (
  { metadata: { uid, resourceVersion } }: WorkloadPod,
  turn: Exclude<ClaimTurn, 'unknown'>,
): Readonly<Record<string, string>> => ({ [CLAIM_TURN]: [turn, uid, resourceVersion ?? ''].join(SEPARATOR) });

/** Whether the pod says that it asks, and this process has written that. */
export const asksByItself = (pod: WorkloadPod, claimTurn: string | undefined): boolean =>
  turnOf(pod) === 'asks' && claimTurn === pod.metadata.annotations?.[CLAIM_TURN];

/** Whether a pod has a volume for which it may have to wait for its turn. */
export const wantsClaims = (pod: WorkloadPod): boolean =>
  pod.spec.volumes?.some((volume) => claimNameOf(volume, pod) !== undefined) ?? false;

/**
 * Whether the first of two pods that ask at once is before the other: the older one, then the smaller UID. Total. API
 * servers write all times alike, in UTC, so that their texts are in the order of time.
 */
export const precedes = ({ metadata: one }: WorkloadPod, { metadata: other }: WorkloadPod): boolean => {
  const [made = '', madeOther = ''] = [one.creationTimestamp, other.creationTimestamp];
  return made === madeOther ? one.uid < other.uid : made < madeOther;
};
