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
 * What is news in a fact. Pure; the same fact again is never news. Everything but trouble is told of states, not of
 * steps: whoever died before it was written down is followed by somebody who sees the same state and tells the same.
 *
 * @param now wall time, milliseconds
 */
export const fold = (before: Told, fact: Fact, now: number): { told: Told; changes: readonly EipChange[] } => {
  if (before.isOver) return { told: before, changes: [] };
  const news = new News(before, fact, now);
  foldAddress(news, fact);
  foldDrift(news, fact);
  foldBinding(news, fact);
  foldTrouble(news, fact);
  if (fact.isLast) foldEnd(news, fact);
  return { told: news.told, changes: news.changes };
};

/** What has been told so far, and the changes that the fact has added to it. */
class News {
  told: Told;
  readonly changes: EipChange[] = [];
  readonly #fact: Fact;
  readonly #now: number;

  constructor(before: Told, fact: Fact, now: number) {
    this.told = before;
    this.#fact = fact;
    this.#now = now;
  }

  /** The address that was told of, as a change shows it. */
  get address(): { readonly address?: string } {
    const { address } = this.told;
    return address === undefined ? {} : { address };
  }

  tell(kind: ChangeKind, data: object, known: Partial<Told> = {}): void {
    const { told } = this;
    this.told = { ...told, ...known, sequence: told.sequence + 1, at: Math.max(this.#now, told.at) };
    const { sequence, at } = this.told;
    this.changes.push({ kind, sequence, at, data: { ...this.#fact.about, ...data } as unknown as ChangeData });
  }

  /** Is known from now on, and no news. */
  know(known: Partial<Told>): void {
    this.told = { ...this.told, ...known };
  }
}

const isAuto = ({ about }: Fact): boolean => about.allocationType === 'Auto';

const foldAddress = (news: News, fact: Fact): void => {
  const { allocationId, address, statusAddress, isLast } = fact;
  const { told } = news;
  if (typeof address === 'string' && (told.allocationId !== allocationId || told.address === undefined)) {
    const known = { allocationId, address };
    if (isAuto(fact) && told.allocationId !== allocationId)
      news.tell('allocated', { allocationID: allocationId, address }, known);
    else news.know(known);
  }
  // Bought, written down and given back by processes that did not live to tell.
  if (isLast && isAuto(fact) && address === null && told.allocationId !== allocationId) {
    const known = statusAddress === undefined ? {} : { address: statusAddress };
    news.tell('allocated', { allocationID: allocationId, ...known }, { allocationId, ...known });
  }
};

const foldDrift = (news: News, { drift }: Fact): void => {
  const { allocationId, drifted } = news.told;
  if (drift && allocationId !== undefined && drifted !== allocationId)
    news.tell('drift', { allocationID: allocationId, ...news.address, ...drift }, { drifted: allocationId });
};

const foldBinding = (news: News, fact: Fact): void => {
  const { bound, isUsed, isLeaving } = fact;
  const { bound: old } = news.told;
  if (old && isElsewhere(old, fact) && (fact.isCertain || (bound && isUsed)))
    news.tell('disassociated', { ...dataOf(old), ...news.address }, { bound: undefined, was: old });
  const { told } = news;
  const isNew = bound && !told.bound && told.address !== undefined && !isSame(bound, isUsed ? undefined : told.was);
  if (isNew && (isUsed || isLeaving)) {
    const known = { bound, was: undefined, drifted: undefined, reason: undefined };
    news.tell('associated', { ...dataOf(bound), ...news.address }, known);
  } else if (isUsed && told.reason !== undefined) news.know({ reason: undefined });
};

/** Not while it is asked for another EIP than the one that was told of, and not by a reading that may lag. */
const isElsewhere = (old: Bound, { address, bound }: Fact): boolean =>
  address !== undefined && !(bound && isSame(bound, old));

const foldTrouble = (news: News, { trouble }: Fact): void => {
  const { told } = news;
  if (!trouble || trouble.reason === told.reason) return;
  const { reason } = trouble;
  const of = told.allocationId === undefined ? {} : { allocationID: told.allocationId, ...news.address };
  news.tell(reasonPolicyOf(reason)?.change ?? 'failed', { ...of, ...trouble }, { reason });
};

const foldEnd = (news: News, fact: Fact): void => {
  const { allocationId } = news.told;
  if (isAuto(fact) && fact.address === null && allocationId !== undefined)
    news.tell('released', { allocationID: allocationId, ...news.address });
  news.know({ isOver: true });
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
