import { reasonPolicyOf } from '../api/reason-policy.ts';
import type { EipChange, ChangeData, ChangeKind } from './change.ts';
import type { Bound, Fact } from './fact.ts';

/** What has been told of an address so far. With the next fact it says what is news. */
export interface Told {
  /** Number of the last change. */
  readonly sequence: number;
  /** When that was, wall time in milliseconds. */
  readonly at: number;
  readonly allocationId?: string | undefined;
  readonly address?: string | undefined;
  /** Where it is bound. */
  readonly bound?: Bound | undefined;
  /** Where it was bound before: a late reading that shows it there again is no news. */
  readonly was?: Bound | undefined;
  /** The EIP whose drift was told. */
  readonly drifted?: string | undefined;
  /** The trouble that it is in. */
  readonly reason?: string | undefined;
  /** Nothing comes any more. */
  readonly isOver?: boolean | undefined;
}

/** Of an address of which nothing has been told. */
export const NOTHING_TOLD: Told = { sequence: 0, at: 0 };

/**
 * What is news in a fact. Pure; the same fact again is never news. Everything but trouble is told of states, not of steps:
 * whoever died before it was written down is followed by somebody who sees the same state and tells the same.
 *
 * @param now wall time, milliseconds
 */
export const fold = (before: Told, fact: Fact, now: number): { told: Told; changes: readonly EipChange[] } => {
  if (before.isOver) return { told: before, changes: [] };
  const changes: EipChange[] = [];
  let told = before;
  const tell = (kind: ChangeKind, data: object, news: Partial<Told> = {}) => {
    told = { ...told, ...news, sequence: told.sequence + 1, at: Math.max(now, told.at) };
    changes.push({
      kind,
      sequence: told.sequence,
      at: told.at,
      data: { ...fact.about, ...data } as unknown as ChangeData,
    });
  };
  const { about, allocationId, address, bound } = fact;
  const isAuto = about.allocationType === 'Auto';

  if (typeof address === 'string' && (told.allocationId !== allocationId || told.address === undefined)) {
    const news = { allocationId, address };
    if (isAuto && told.allocationId !== allocationId) tell('allocated', { allocationID: allocationId, address }, news);
    else told = { ...told, ...news };
  }
  // Bought, written down and given back by processes that did not live to tell.
  if (fact.isLast && isAuto && address === null && told.allocationId !== allocationId) {
    const known = fact.statusAddress === undefined ? {} : { address: fact.statusAddress };
    tell('allocated', { allocationID: allocationId, ...known }, { allocationId, ...known });
  }
  const here = told.address === undefined ? {} : { address: told.address };

  const unbind = () => {
    const { bound: old } = told;
    if (old) tell('disassociated', { ...dataOf(old), ...here }, { bound: undefined, was: old });
  };
  if (fact.drift && told.allocationId !== undefined && told.drifted !== told.allocationId)
    tell('drift', { allocationID: told.allocationId, ...here, ...fact.drift }, { drifted: told.allocationId });
  // Not while it is asked for another EIP than the one that was told of, and not by a reading that may lag.
  const isElsewhere = address !== undefined && !(bound && told.bound && isSame(bound, told.bound));
  if (told.bound && isElsewhere && (fact.isCertain || (bound && fact.isUsed))) unbind();
  const isNew =
    bound && !told.bound && told.address !== undefined && !isSame(bound, fact.isUsed ? undefined : told.was);
  if (isNew && (fact.isUsed || fact.isLeaving))
    tell('associated', { ...dataOf(bound), ...here }, { bound, was: undefined, drifted: undefined, reason: undefined });
  else if (fact.isUsed && told.reason !== undefined) told = { ...told, reason: undefined };

  if (fact.trouble && fact.trouble.reason !== told.reason) {
    const { reason } = fact.trouble;
    const of = told.allocationId === undefined ? {} : { allocationID: told.allocationId, ...here };
    tell(reasonPolicyOf(reason)?.change ?? 'failed', { ...of, ...fact.trouble }, { reason });
  }
  if (fact.isLast) {
    if (isAuto && address === null && told.allocationId !== undefined)
      tell('released', { allocationID: told.allocationId, ...here });
    told = { ...told, isOver: true };
  }
  return { told, changes };
};

const dataOf = ({ allocationId, networkInterfaceId, privateIpAddress, podUid }: Bound) => ({
  allocationID: allocationId,
  networkInterfaceID: networkInterfaceId,
  ...(privateIpAddress !== undefined && { privateIPAddress: privateIpAddress }),
  ...(podUid !== '' && { podUID: podUid }),
});

const isSame = (a: Bound, b: Bound | undefined): boolean =>
  a.allocationId === b?.allocationId &&
  a.networkInterfaceId === b.networkInterfaceId &&
  (a.privateIpAddress ?? b.privateIpAddress) === (b.privateIpAddress ?? a.privateIpAddress) &&
  a.podUid === b.podUid;
