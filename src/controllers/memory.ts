import type { CloudFaultKind } from '../cloud/fault.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Memory } from '../plan/seen.ts';
import type { Act } from '../plan/step.ts';

/** What is remembered of one PodEIP. */
interface Entry {
  quietSince: number;
  isCertain: boolean;
  driftSince: number | undefined;
  accepted: Act['do'] | undefined;
  released: string | undefined;
  isAllocateRefused: boolean;
  epoch: number;
}

/** Kinds of fault that say for sure that nothing happened. */
const NOTHING_HAPPENED: ReadonlySet<CloudFaultKind> = new Set([
  'again',
  'later',
  'throttled',
  'refused',
  'quota',
  'misconfigured',
]);

/** Where there is no PodEIP there is nothing to remember. */
export const NOTHING_KNOWN: Memory = { quietMs: 0, isCertain: false, driftMs: 0, isAllocateRefused: false };

/**
 * What this process remembers of the PodEIPs that it works on, by UID. May be lost at any time: see {@link Memory}.
 * An entry lives as long as its PodEIP.
 */
export class Memories {
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
  recall(uid: string): Memory {
    const entry = this.#entry(uid);
    const now = this.#clock.mono();
    return {
      quietMs: now - entry.quietSince,
      isCertain: entry.isCertain,
      driftMs: entry.driftSince === undefined ? 0 : now - entry.driftSince,
      accepted: entry.accepted,
      released: entry.released,
      isAllocateRefused: entry.isAllocateRefused,
    };
  }

  /** This process has just created the PodEIP: nobody else can have sent anything for it. */
  created(uid: string): void {
    this.#entry(uid).isCertain = true;
  }

  /** A change is about to be sent. Until its answer is here, anything may happen. */
  sending(uid: string): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    entry.accepted = undefined;
    entry.isAllocateRefused = false;
  }

  /** The cloud accepted the change. */
  accepted(uid: string, step: Act): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    entry.accepted = step.do;
    entry.epoch += 1;
    if (step.do === 'Release') entry.released = step.allocationId;
  }

  /** The cloud, or the network, did not accept the change. */
  failed(uid: string, step: Act, kind: CloudFaultKind): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    if (kind === 'unknown') entry.isCertain = false;
    if (kind === 'gone' && step.do === 'Release') entry.released = step.allocationId;
    if (step.do === 'Allocate' && (kind === 'refused' || kind === 'quota')) entry.isAllocateRefused = true;
    if (kind === 'already' || NOTHING_HAPPENED.has(kind)) entry.epoch += 1;
  }

  /** A new request with a new generation was written: its attempt has not been made yet. */
  renewed(uid: string): void {
    this.#entry(uid).isAllocateRefused = false;
  }

  /** Something went wrong between sending and writing down what came of it. */
  lostTrack(uid: string): void {
    const entry = this.#entry(uid);
    entry.isCertain = false;
    entry.quietSince = this.#clock.mono();
  }

  /** What a reading of the EIP says about what the pod was told. */
  saw(uid: string, isDrifting: boolean): void {
    const entry = this.#entry(uid);
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
        driftSince: undefined,
        accepted: undefined,
        released: undefined,
        isAllocateRefused: false,
        epoch: 0,
      };
      this.#entries.set(uid, entry);
    }
    return entry;
  }
}
