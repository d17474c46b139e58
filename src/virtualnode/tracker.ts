import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import { backoffMs, type Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Caller } from '../lib/token.ts';
import type { TrackedPod } from './observation.ts';
import type { Failure } from './instance-status.ts';

interface Record {
  readonly key: string;
  /** When the last request was sent that may have made a group, or the pod was first seen; -Infinity for never. */
  sentAt: number;
  createdId?: string | undefined;
  unanswered?: ContainerGroupSpec | undefined;
  /** As both were before the request that was sent last. */
  before?: { readonly sentAt: number; readonly unanswered: ContainerGroupSpec | undefined } | undefined;
  wasListed: boolean;
  missingSince?: number | undefined;
  deletion?: { containerGroupId: string; at: number; attempts: number } | undefined;
  refusal?: (Failure & { dueAt: number }) | undefined;
  refusals: number;
  isFinished: boolean;
}

/** What this process remembers of each pod, by UID. */
export class PodTracker {
  readonly #records = new Map<string, Record>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: Backoff;
  /** Distinguishes the attempts of this process from those before it. */
  readonly #process: string;

  constructor(clock: Clock, random: Random, backoff: Backoff) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
    this.#process = random.uuid();
  }

  /**
   * The pod was seen. `isNew`: this process watched it come to the node, so that nobody else has made anything for it.
   * Counts the first time only.
   */
  meet(uid: string, key: string, isNew: boolean): void {
    if (this.#records.has(uid)) return;
    const sentAt = isNew ? -Infinity : this.#clock.mono();
    this.#records.set(uid, { key, sentAt, wasListed: false, refusals: 0, isFinished: false });
  }

  of(uid: string, key: string): TrackedPod {
    this.meet(uid, key, false);
    const { sentAt, createdId, unanswered, wasListed, missingSince, deletion, refusal, isFinished } = this.#get(uid);
    const now = this.#clock.mono();
    return {
      quietMs: now - sentAt,
      createdId,
      unanswered,
      wasListed,
      missingMs: missingSince === undefined ? 0 : now - missingSince,
      deletion: deletion && { containerGroupId: deletion.containerGroupId, agoMs: now - deletion.at },
      refusal: refusal && { reason: refusal.reason, message: refusal.message, dueInMs: refusal.dueAt - now },
      isFinished,
    };
  }

  /** The account was looked at. */
  looked(uid: string, isListed: boolean): void {
    const record = this.#get(uid);
    if (isListed) {
      record.wasListed = true;
      record.missingSince = undefined;
      record.unanswered = undefined;
    } else record.missingSince ??= this.#clock.mono();
  }

  /** A request to make a group goes out: until it is answered, it may have an effect. */
  sends(uid: string, spec: ContainerGroupSpec): void {
    const record = this.#get(uid);
    record.before = { sentAt: record.sentAt, unanswered: record.unanswered };
    record.sentAt = this.#clock.mono();
    record.unanswered = spec;
  }

  created(uid: string, containerGroupId: string): void {
    const record = this.#get(uid);
    record.createdId = containerGroupId;
    record.unanswered = undefined;
    record.refusal = undefined;
    record.refusals = 0;
    // It was missing until now; from now on it is only not listed yet.
    record.missingSince = undefined;
  }

  /** The request that was sent last made nothing, and may be sent again. An earlier one may still be unanswered. */
  notMade(uid: string): void {
    const record = this.#get(uid);
    if (record.before) Object.assign(record, record.before);
  }

  /** The request that was sent last made nothing, and is not sent again before some time has passed. */
  refused(uid: string, failure: Failure, atLeastMs = 0): void {
    this.notMade(uid);
    const record = this.#get(uid);
    record.unanswered = undefined;
    const waitMs = Math.max(atLeastMs, backoffMs(this.#backoff, record.refusals, this.#random));
    record.refusals += 1;
    record.refusal = { ...failure, dueAt: this.#clock.mono() + waitMs };
  }

  /** Who asks the pod's group to end: each time needs a token of its own. */
  caller(uid: string): Caller {
    return { subject: `${this.#process}/${uid}`, attempt: this.#attempts(uid) };
  }

  deleted(uid: string, containerGroupId: string): void {
    const record = this.#records.get(uid);
    if (!record) return;
    record.deletion = { containerGroupId, at: this.#clock.mono(), attempts: this.#attempts(uid) + 1 };
  }

  #attempts(uid: string): number {
    return this.#records.get(uid)?.deletion?.attempts ?? 0;
  }

  finished(uid: string): void {
    this.#get(uid).isFinished = true;
  }

  /** The pods of this name that this process knows of, but for the one that has the name now. */
  formerOf(key: string, uid: string | undefined): readonly string[] {
    return [...this.#records].filter(([other, record]) => record.key === key && other !== uid).map(([other]) => other);
  }

  forget(uid: string): void {
    this.#records.delete(uid);
  }

  #get(uid: string): Record {
    const record = this.#records.get(uid);
    if (!record) throw new Error(`Pod ${uid} has not been met.`);
    return record;
  }
}
