import type { EipChange } from './change.ts';
import type { EipObservation } from './eip-observation.ts';
import { fold, NOTHING_TOLD, type ProjectedState } from './fold.ts';
import type { Journal, Stored } from './journal.ts';

/**
 * The changes of one PodEIP on their way: derived → stored → delivered → removed. In memory; what is stored is in the
 * journal.
 */
export class Partition {
  readonly podEipUid: string;
  readonly podEip: Journal['podEip'];
  /** The journal as it was last written or read; undefined while there is none. */
  stored: Stored | undefined;
  told: ProjectedState = NOTHING_TOLD;
  /** Not delivered yet, the oldest first. */
  waiting: EipChange[] = [];
  /**
   * Observations that have led to changes since the journal was written, each with its time. They are applied again if
   * another leader has written the journal in between.
   */
  observations: { readonly observation: EipObservation; readonly at: number }[] = [];
  /** The number of the last change that was delivered or dropped. */
  delivered = 0;
  /** Whether the journals of former processes have been read. */
  isLoaded: boolean;
  /** The PodEIP no longer exists. */
  isGone = false;
  /** Whether delivered changes are to be removed from the journal now. */
  isTrimDue = false;
  isTrimming = false;
  /** The IDs of EIPs under which the outbox has indexed it. */
  filed: ReadonlySet<string> = new Set();
  /** Whether the last write was refused for a reason that retrying does not cure. */
  isHopeless = false;
  writing: Promise<boolean> | undefined;
  writeFailures = 0;
  /** Since when a step has been waiting for a write, monotonic milliseconds. */
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

  /** Continues from a stored journal. */
  restore(stored: Stored | undefined, latest: (allocationId: string) => number): void {
    this.isLoaded = true;
    this.stored = stored;
    if (stored) {
      this.told = stored.journal.told;
      this.waiting = stored.journal.changes.filter(({ sequence }) => sequence > this.delivered);
    }
    for (const { observation, at } of this.observations) this.#fold(observation, at, latest);
    if (!this.isUnwritten) this.observations = [];
  }

  /** Applies an observation; true if it leads to changes. */
  take(observation: EipObservation, now: number, latest: (allocationId: string) => number): boolean {
    if (!this.isLoaded) {
      // Applied once the journals are read; a repeated observation would change nothing.
      if (JSON.stringify(this.observations.at(-1)?.observation) !== JSON.stringify(observation))
        this.observations.push({ observation, at: now });
      return false;
    }
    const { told } = this;
    this.#fold(observation, now, latest);
    if (this.told === told) return false;
    this.observations.push({ observation, at: now });
    return this.isUnwritten;
  }

  #fold(observation: EipObservation, at: number, latest: (allocationId: string) => number): void {
    // After all changes about the same EIP that other PodEIPs have to deliver, even if another process' clock was
    // ahead.
    const now = observation.allocationId === '' ? at : Math.max(at, latest(observation.allocationId) + 1);
    const { told, changes } = fold(this.told, observation, now);
    this.told = told;
    this.waiting.push(...changes);
  }

  /** Whether something must be stored that is not. */
  get isUnwritten(): boolean {
    const written = this.stored?.journal.told ?? NOTHING_TOLD;
    return this.told.sequence !== written.sequence || this.told.reason !== written.reason;
  }

  get isDirty(): boolean {
    const { stored } = this;
    if (!this.isLoaded) return false;
    // The journal is deleted once there is nothing left to deliver.
    if (this.isGone && this.waiting.length === 0) return stored !== undefined;
    if (this.isUnwritten) return true;
    return this.isTrimDue && (stored?.journal.changes.some(({ sequence }) => sequence <= this.delivered) ?? false);
  }

  /** The journal as it should be stored. */
  get journal(): Journal {
    return { podEip: this.podEip, told: this.told, changes: [...this.waiting] };
  }

  /** The next change to deliver, if it is stored. */
  get head(): EipChange | undefined {
    const [head] = this.waiting;
    return head && head.sequence <= (this.stored?.journal.told.sequence ?? 0) ? head : undefined;
  }

  /** To be called when everything up to this number has been delivered or dropped. */
  settle(sequence: number): void {
    this.delivered = Math.max(this.delivered, sequence);
    this.waiting = this.waiting.filter((change) => change.sequence > this.delivered);
    this.failures = 0;
    this.dueAt = 0;
  }
}
