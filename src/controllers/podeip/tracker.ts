import type { CloudFault } from '../../cloud/fault.ts';
import { FAULT, type FaultPolicy } from '../../cloud/fault-policy.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { TrackedState } from './observation.ts';
import type { Reason } from '../../api/reason.ts';
import type { Action } from './step.ts';

/** What is remembered of one PodEIP. */
interface Entry {
  quietSince: number;
  isCertain: boolean;
  isUntouched: boolean;
  driftSince: number | undefined;
  accepted: Action['do'] | undefined;
  released: string | undefined;
  /** The EIP that was not listed, and since when. */
  missing: { readonly allocationId: string; readonly since: number } | undefined;
  retainedSince: number | undefined;
  refusal: { act: Action['do']; reason: Reason; message: string; dueAt: number; isQuota: boolean } | undefined;
  /** Refusals in a row. */
  refusals: number;
  epoch: number;
}

/** Where there is no PodEIP there is nothing to remember. */
export const UNTRACKED: TrackedState = { quietMs: 0, isCertain: false, driftMs: 0, missingMs: 0, retainedMs: 0 };

/**
 * First and longest wait after a refusal, milliseconds: nothing but a person, or a released EIP, changes the answer.
 */
const REFUSAL_MS = 60_000;
const REFUSALS_MS = [REFUSAL_MS, 600_000] as const;
const REFUSED_MS = {
  backoff: undefined,
  throttle: undefined,
  slow: REFUSALS_MS,
  onceFreed: REFUSALS_MS,
  steady: [REFUSAL_MS, REFUSAL_MS],
} as const satisfies Record<FaultPolicy['retry'], readonly [base: number, cap: number] | undefined>;
/** The same for an address that has an EIP already: most often that of a pod which has just gone. */
const TAKEN_MS = [2_000, REFUSAL_MS] as const;

/**
 * What this process remembers of the PodEIPs that it works on, by UID. May be lost at any time: see {@link
 * TrackedState}. An entry lives as long as its PodEIP.
 */
export class Tracker {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  /** Distinguishes this process from those before it in idempotency tokens of calls that may be repeated on purpose. */
  readonly #process: string;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#process = random.uuid();
  }

  /** How many PodEIPs are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** What is remembered; an unknown PodEIP is remembered from now on, as one of which nothing is certain. */
  recall(uid: string): TrackedState {
    const entry = this.#entry(uid);
    const now = this.#clock.mono();
    const { refusal } = entry;
    return {
      quietMs: now - entry.quietSince,
      isCertain: entry.isCertain,
      isUntouched: entry.isUntouched,
      driftMs: entry.driftSince === undefined ? 0 : now - entry.driftSince,
      accepted: entry.accepted,
      released: entry.released,
      missingMs: entry.missing === undefined ? 0 : now - entry.missing.since,
      retainedMs: entry.retainedSince === undefined ? 0 : now - entry.retainedSince,
      refusal: refusal && {
        action: refusal.act,
        reason: refusal.reason,
        message: refusal.message,
        dueInMs: Math.max(0, refusal.dueAt - now),
      },
    };
  }

  /** This process has just created the PodEIP: nobody else can have sent anything for it. */
  created(uid: string): void {
    const entry = this.#entry(uid);
    entry.isCertain = true;
    entry.isUntouched = true;
  }

  /** A change is about to be sent. Until its answer is here, anything may happen. */
  sending(uid: string): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    entry.accepted = undefined;
    entry.refusal = undefined;
    entry.isUntouched = false;
  }

  /** The cloud accepted the change. */
  accepted(uid: string, step: Action): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    entry.accepted = step.do;
    entry.epoch += 1;
    entry.refusals = 0;
    if (step.do === 'Release') entry.released = step.allocationId;
  }

  /** The cloud, or the network, did not accept the change. */
  failed(uid: string, step: Action, { kind, message, retryAfterMs }: CloudFault): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    const { effect, token, retry, reason } = FAULT[kind];
    if (effect === 'possible') entry.isCertain = false;
    if (effect === 'absent' && step.do === 'Release') entry.released = step.allocationId;
    // The private address has an EIP already, which is not ours to end.
    const isTaken = effect === 'already' && step.do === 'Associate';
    const refusedMs = isTaken ? TAKEN_MS : REFUSED_MS[retry];
    if (refusedMs !== undefined) {
      const [baseMs, capMs] = refusedMs;
      const waitMs = Math.min(capMs, baseMs * 2 ** Math.min(entry.refusals, 10));
      const dueAt = this.#clock.mono() + Math.max(waitMs, retryAfterMs ?? 0);
      entry.refusals += 1;
      entry.refusal = {
        act: step.do,
        reason: isTaken ? 'AddressTaken' : reason,
        message,
        dueAt,
        isQuota: retry === 'onceFreed',
      };
    }
    if (token === 'new') entry.epoch += 1;
  }

  /** A new request with a new generation was written: its attempt has not been made yet. */
  renewed(uid: string): void {
    this.#entry(uid).refusal = undefined;
  }

  /** Something went wrong between sending and writing down what came of it. */
  lostTrack(uid: string): void {
    const entry = this.#entry(uid);
    entry.isCertain = false;
    entry.quietSince = this.#clock.mono();
  }

  /** An EIP was given back: whoever was refused for want of room may ask again now. Returns their UIDs. */
  quotaFreed(): readonly string[] {
    const waiting = [...this.#entries].filter(([, { refusal }]) => refusal?.isQuota === true);
    for (const [, entry] of waiting) if (entry.refusal) entry.refusal.dueAt = this.#clock.mono();
    return waiting.map(([uid]) => uid);
  }

  /** Whether the PodEIP has no pod at present. */
  retained(uid: string, isRetained: boolean): void {
    const entry = this.#entry(uid);
    entry.retainedSince = isRetained ? (entry.retainedSince ?? this.#clock.mono()) : undefined;
  }

  /** What a reading of the EIP says about what the pod was told. */
  observed(
    uid: string,
    allocationId: string,
    { isDrifting, isMissing }: { isDrifting: boolean; isMissing: boolean },
  ): void {
    const entry = this.#entry(uid);
    // Of this EIP: one that was just bought is new, however long the one before it has been gone.
    const before = entry.missing?.allocationId === allocationId ? entry.missing : undefined;
    entry.missing = isMissing ? (before ?? { allocationId, since: this.#clock.mono() }) : undefined;
    entry.driftSince = isDrifting ? (entry.driftSince ?? this.#clock.mono()) : undefined;
  }

  /** Part of the tokens of calls that may have to be made again although an earlier one was answered. */
  epoch(uid: string): string {
    return `${this.#process}/${this.#entry(uid).epoch}`;
  }

  /** The PodEIP is gone. */
  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  #entry(uid: string): Entry {
    let entry = this.#entries.get(uid);
    if (!entry) {
      entry = {
        quietSince: this.#clock.mono(),
        isCertain: false,
        isUntouched: false,
        driftSince: undefined,
        accepted: undefined,
        released: undefined,
        missing: undefined,
        retainedSince: undefined,
        refusal: undefined,
        refusals: 0,
        epoch: 0,
      };
      this.#entries.set(uid, entry);
    }
    return entry;
  }
}
