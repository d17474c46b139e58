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

/** Reasons that say that others want or have the EIP, or that what was asked for contradicts itself. */
const CONFLICTS: ReadonlySet<string> = new Set([
  'EipClaimed',
  'EipInUse',
  'EipBoundElsewhere',
  'EipReserved',
  'EipNotGranted',
  'EipInOtherPackage',
  'AddressTaken',
  'AnnotationsDisagree',
  'ExistingAndNew',
]);

/**
 * What is news in a fact. Pure; the same fact again is never news. Everything but trouble is told of states, not of
 * steps: whoever died before it was written down is followed by somebody who sees the same state and tells the same.
 *
 * @param now wall time, milliseconds
 */
export const fold = (before: Told, fact: Fact, now: number): { told: Told; changes: readonly EipChange[] } => {
  if (before.isOver) return { told: before, changes: [] };
  const story = new Story(before, fact, now);
  tellAllocation(story, fact);
  tellDrift(story, fact);
  tellDisassociation(story, fact);
  tellAssociation(story, fact);
  tellTrouble(story, fact);
  tellEnd(story, fact);
  const { told, changes } = story;
  return { told, changes };
};

/** What has been told, and what is told now. */
class Story {
  told: Told;
  readonly changes: EipChange[] = [];
  readonly #about: Fact['about'];
  readonly #now: number;

  constructor(before: Told, { about }: Fact, now: number) {
    this.told = before;
    this.#about = about;
    this.#now = now;
  }

  /** Tells a change, and remembers what is new by it. */
  tell(kind: ChangeKind, data: object, news: Partial<Told> = {}): void {
    const { sequence, at } = this.told;
    this.told = { ...this.told, ...news, sequence: sequence + 1, at: Math.max(this.#now, at) };
    this.changes.push({
      kind,
      sequence: this.told.sequence,
      at: this.told.at,
      data: { ...this.#about, ...data } as unknown as ChangeData,
    });
  }

  /** Remembers without a word. */
  note(news: Partial<Told>): void {
    this.told = { ...this.told, ...news };
  }

  /** The address, where it is known. */
  get here(): { readonly address?: string } {
    return this.told.address === undefined ? {} : { address: this.told.address };
  }
}

const isAuto = ({ about }: Fact): boolean => about.allocationType === 'Auto';

const tellAllocation = (story: Story, fact: Fact): void => {
  const { allocationId, address } = fact;
  const isOther = story.told.allocationId !== allocationId;
  if (typeof address === 'string' && (isOther || story.told.address === undefined)) {
    const news = { allocationId, address };
    if (isAuto(fact) && isOther) story.tell('allocated', { allocationID: allocationId, address }, news);
    else story.note(news);
  }
  // Bought, written down and given back by processes that did not live to tell.
  if (fact.isLast && isAuto(fact) && address === null && isOther) {
    const known = fact.statusAddress === undefined ? {} : { address: fact.statusAddress };
    story.tell('allocated', { allocationID: allocationId, ...known }, { allocationId, ...known });
  }
};

const tellDrift = (story: Story, { drift }: Fact): void => {
  const { allocationId, drifted } = story.told;
  if (drift && allocationId !== undefined && drifted !== allocationId)
    story.tell('drift', { allocationID: allocationId, ...story.here, ...drift }, { drifted: allocationId });
};

const tellDisassociation = (story: Story, { address, bound, isCertain, isUsed }: Fact): void => {
  const { bound: old } = story.told;
  if (!old) return;
  // Not while it is asked for another EIP than the one that was told of, and not by a reading that may lag.
  const isElsewhere = address !== undefined && !(bound && isSame(bound, old));
  if (isElsewhere && (isCertain || (bound && isUsed)))
    story.tell('disassociated', { ...dataOf(old), ...story.here }, { bound: undefined, was: old });
};

const tellAssociation = (story: Story, { bound, isUsed, isLeaving }: Fact): void => {
  const { told } = story;
  const isNew = bound && !told.bound && told.address !== undefined && !isSame(bound, isUsed ? undefined : told.was);
  if (isNew && (isUsed || isLeaving)) {
    const news = { bound, was: undefined, drifted: undefined, reason: undefined };
    story.tell('associated', { ...dataOf(bound), ...story.here }, news);
  } else if (isUsed && told.reason !== undefined) story.note({ reason: undefined });
};

const tellTrouble = (story: Story, { trouble }: Fact): void => {
  const { allocationId, reason: before } = story.told;
  if (!trouble || trouble.reason === before) return;
  const { reason } = trouble;
  const of = allocationId === undefined ? {} : { allocationID: allocationId, ...story.here };
  story.tell(CONFLICTS.has(reason) ? 'conflict' : 'failed', { ...of, ...trouble }, { reason });
};

const tellEnd = (story: Story, fact: Fact): void => {
  if (!fact.isLast) return;
  const { allocationId } = story.told;
  if (isAuto(fact) && fact.address === null && allocationId !== undefined)
    story.tell('released', { allocationID: allocationId, ...story.here });
  story.note({ isOver: true });
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
