import type { EipChange } from './change.ts';
import type { Fact } from './fact.ts';
import { fold, NOTHING_TOLD, type Told } from './fold.ts';
import type { Journal, Stored } from './journal.ts';

/**
 * The changes of one PodEIP on their way: noticed → written down → delivered → struck out. In memory; what is written
 * down is in its journal.
 */
export class Partition {
  readonly podEipUid: string;
  readonly podEip: Journal['podEip'];
  /** As it was last written or read; undefined while there is no journal. */
  stored: Stored | undefined;
  told: Told = NOTHING_TOLD;
  /** Not delivered yet, the oldest first. */
  waiting: EipChange[] = [];
  /**
   * Facts that were news since the journal was written, each with its time: another leader's write may come between.
   */
  facts: { readonly fact: Fact; readonly at: number }[] = [];
  /** Number of the last change that needs no delivery any more. */
  delivered = 0;
  /** Whether it is known what was written before this process began. */
  isLoaded: boolean;
  /** The PodEIP no longer exists. */
  isGone = false;
  /** The delivered changes in the journal are worth a write. */
  isTrimDue = false;
  isTrimming = false;
  /** The EIPs under which it is filed. */
  filed: ReadonlySet<string> = new Set();
  /** The last write was refused for a reason that does not pass by itself. */
  isHopeless = false;
  writing: Promise<boolean> | undefined;
  writeFailures = 0;
  /** Since when something waits for a write in vain, monotonic milliseconds. */
  heldSince: number | undefined;
  isSending = false;
  /** Failed deliveries in a row, and when the next one is due, monotonic milliseconds. */
  failures = 0;
  dueAt = 0;

  constructor(podEipUid: string, podEip: Journal['podEip'], isLoaded: boolean) {
    this.podEipUid = podEipUid;
    this.podEip = podEip;
    this.isLoaded = isLoaded;
  }

  /** Goes on from what is written. */
  restore(stored: Stored | undefined, latest: (allocationId: string) => number): void {
    this.isLoaded = true;
    this.stored = stored;
    if (stored) {
      this.told = stored.journal.told;
      this.waiting = stored.journal.changes.filter(({ sequence }) => sequence > this.delivered);
    }
    for (const { fact, at } of this.facts) this.#fold(fact, at, latest);
    if (!this.isUnwritten) this.facts = [];
  }

  /** Takes in what was seen; true if it is news. */
  take(fact: Fact, now: number, latest: (allocationId: string) => number): boolean {
    if (!this.isLoaded) {
      // Waits for the journal; the same reading again says nothing more.
      if (JSON.stringify(this.facts.at(-1)?.fact) !== JSON.stringify(fact)) this.facts.push({ fact, at: now });
      return false;
    }
    const { told } = this;
    this.#fold(fact, now, latest);
    if (this.told === told) return false;
    this.facts.push({ fact, at: now });
    return this.isUnwritten;
  }

  #fold(fact: Fact, at: number, latest: (allocationId: string) => number): void {
    // Later than what other PodEIPs tell of the same EIP, also where the clock of another process was ahead.
    const now = fact.allocationId === '' ? at : Math.max(at, latest(fact.allocationId) + 1);
    const { told, changes } = fold(this.told, fact, now);
    this.told = told;
    this.waiting.push(...changes);
  }

  /** Something is not in the journal that must be. */
  get isUnwritten(): boolean {
    const written = this.stored?.journal.told ?? NOTHING_TOLD;
    return this.told.sequence !== written.sequence || this.told.reason !== written.reason;
  }

  get isDirty(): boolean {
    const { stored } = this;
    if (!this.isLoaded) return false;
    // The journal goes once there is nothing left to deliver.
    if (this.isGone && this.waiting.length === 0) return stored !== undefined;
    if (this.isUnwritten) return true;
    return this.isTrimDue && (stored?.journal.changes.some(({ sequence }) => sequence <= this.delivered) ?? false);
  }

  /** The journal as it should be. */
  get journal(): Journal {
    return { podEip: this.podEip, told: this.told, changes: [...this.waiting] };
  }

  /** The next change to deliver, once it is written down. */
  get head(): EipChange | undefined {
    const [head] = this.waiting;
    return head && head.sequence <= (this.stored?.journal.told.sequence ?? 0) ? head : undefined;
  }

  /** Everything up to this number has been delivered, or given up. */
  settle(sequence: number): void {
    this.delivered = Math.max(this.delivered, sequence);
    this.waiting = this.waiting.filter((change) => change.sequence > this.delivered);
    this.failures = 0;
    this.dueAt = 0;
  }
}
