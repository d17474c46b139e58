import type { EipBinding } from './eips.ts';

/** One change that took effect. */
export interface CloudChange {
  /** Counts up from 0 over the whole life of the cloud. */
  readonly sequence: number;
  /** The API action, also where it was not the API that did it. */
  readonly action: string;
  readonly allocationId: string;
  readonly ipAddress: string;
  /** For Associate the new one, for Unassociate the one that ended, otherwise the one in force. */
  readonly binding: EipBinding | undefined;
  readonly bandwidthPackageId: string | undefined;
  /** After the change; for ReleaseEipAddress before it. */
  readonly tags: ReadonlyMap<string, string>;
  /** Wall-clock, milliseconds since the epoch. */
  readonly at: number;
  /** Access key ID; `human` or `cloud` where the change did not come through the API. */
  readonly caller: string;
  readonly clientToken: string | undefined;
}

/** A long-running sandbox must not grow for ever: beyond so many changes the oldest are forgotten. */
const KEEP = 100_000;

/** The changes in the order in which they took effect, and how often each action was called with which outcome. */
export class CallLedger {
  #changes: CloudChange[] = [];
  #sequence = 0;
  readonly #calls = new Map<string, Map<string, number>>();

  record(change: Omit<CloudChange, 'sequence'>): void {
    this.#changes.push({ sequence: this.#sequence++, ...change });
    if (this.#changes.length > 2 * KEEP) this.#changes = this.#changes.slice(-KEEP);
  }

  changes(): readonly CloudChange[] {
    return [...this.#changes];
  }

  /** `outcome`: `OK`, the error code, `Dropped` or `Garbage`: what the caller saw, not what happened. */
  count(action: string, outcome: string): void {
    const outcomes = this.#calls.get(action) ?? new Map<string, number>();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.#calls.set(action, outcomes);
  }

  calls(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return Object.fromEntries([...this.#calls].map(([action, outcomes]) => [action, Object.fromEntries(outcomes)]));
  }
}
