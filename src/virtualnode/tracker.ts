import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import { FaultHistory } from '../cloud/fault-history.ts';
import { backoffMs, type Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { countRefusal, isTokenSpent, refusalsOfNext, SPENT, type Caller } from '../lib/token.ts';
import type { TrackedPod } from './observation.ts';
import { OwnerPauses } from './owner-pauses.ts';
import { isWithoutSpot } from './spot-fallback.ts';
import type { StatusFailure } from './instance-status.ts';

interface Record {
  readonly key: string;
  /**
   * When the last request was sent that may have created a group, or when the pod was first seen; -Infinity if neither.
   */
  sentAt: number;
  createdId?: string | undefined;
  /** By ID, when each group of the pod came to be known. */
  readonly knownAt: Map<string, number>;
  unanswered?: ContainerGroupSpec | undefined;
  /** The UIDs of claims whose volume no other instance may have, as the last request was sent with them. */
  claims: readonly string[];
  /** The values of both before the last request was sent. */
  before?: { readonly sentAt: number; readonly unanswered: ContainerGroupSpec | undefined } | undefined;
  tokenRefusals?: { clientToken: string; times: number } | undefined;
  /** Since when what the pod refers to has been kept from it. */
  keptSince?: number | undefined;
  /** What the pod says of its turn at a claim, as this process has written it. */
  claimTurn?: string | undefined;
  wasListed: boolean;
  missingSince?: number | undefined;
  deletion?: { containerGroupId: string; at: number; attempts: number } | undefined;
  refusal?: (StatusFailure & { dueAt: number; isEipBought: boolean; withoutSpot: string | undefined }) | undefined;
  refusals: number;
  pausedUntil?: number | undefined;
  isFinished: boolean;
  statedAt?: number | undefined;
  /** Why the status was written last, and when, if that was the reason the time before, too. */
  written?: { readonly cause: string; readonly healedAt: number | undefined } | undefined;
}

/** So long the status says what it was told last of a cloud that says one thing and then another; milliseconds. */
const STATED_MS = 60_000;

/** What this process remembers of each pod, by UID. All of it may be lost. */
export class PodTracker {
  /** What the cloud keeps answering, by UID of the pod. */
  readonly faults: FaultHistory;
  readonly owners: OwnerPauses;
  readonly #records = new Map<string, Record>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: Backoff;
  /** Distinguishes the attempts of this process from those of others. */
  readonly #process: string;

  constructor(clock: Clock, random: Random, backoff: Backoff) {
    this.#clock = clock;
    this.faults = new FaultHistory(clock);
    this.owners = new OwnerPauses(clock, random, backoff);
    this.#random = random;
    this.#backoff = backoff;
    this.#process = random.uuid();
  }

  /**
   * To be called when a pod is seen; only the first call counts. `isNew`: this process saw the pod come to the node, so
   * that no other can have created anything for it.
   */
  meet(uid: string, key: string, isNew: boolean): void {
    if (this.#records.has(uid)) return;
    const sentAt = isNew ? -Infinity : this.#clock.mono();
    this.#records.set(uid, {
      key,
      sentAt,
      knownAt: new Map(),
      claims: [],
      wasListed: false,
      refusals: 0,
      isFinished: false,
    });
  }

  of(uid: string, key: string): TrackedPod {
    this.meet(uid, key, false);
    const record = this.#get(uid);
    const { sentAt, createdId, unanswered, tokenRefusals, wasListed, missingSince, deletion } = record;
    const { refusal, pausedUntil = -Infinity, isFinished, written } = record;
    const now = this.#clock.mono();
    return {
      quietMs: now - sentAt,
      isNew: sentAt === -Infinity && record.before === undefined,
      createdId,
      unanswered,
      tokenRefusals,
      claimTurn: record.claimTurn,
      keptMs: record.keptSince === undefined ? 0 : now - record.keptSince,
      wasListed,
      missingMs: missingSince === undefined ? 0 : now - missingSince,
      sole: soleOf(record, now),
      deletion: deletion && { containerGroupId: deletion.containerGroupId, agoMs: now - deletion.at },
      refusal: refusal && {
        reason: refusal.reason,
        message: refusal.message,
        topic: refusal.topic,
        dueInMs: refusal.dueAt - now,
        isEipBought: refusal.isEipBought,
        withoutSpot: refusal.withoutSpot,
      },
      pauseMs: Math.max(0, pausedUntil - now),
      healed: written?.healedAt === undefined ? undefined : { cause: written.cause, agoMs: now - written.healedAt },
      isFinished,
    };
  }

  /** The status was written as this demands. The second time in a row, somebody else had changed it. */
  wrote(uid: string, cause: string): void {
    const record = this.#get(uid);
    record.written = { cause, healedAt: record.written?.cause === cause ? this.#clock.mono() : undefined };
  }

  /** Whether something that the pod refers to was kept from it when it was read. */
  keeps(uid: string, isKept: boolean): void {
    const record = this.#get(uid);
    record.keptSince = isKept ? (record.keptSince ?? this.#clock.mono()) : undefined;
  }

  /** What the pod says of its turn at a claim; undefined while that is about to change. */
  saysTurn(uid: string, claimTurn: string | undefined): void {
    this.#get(uid).claimTurn = claimTurn;
  }

  /** The status of the pod says what the cloud answers. */
  stated(uid: string): void {
    this.#get(uid).statedAt = this.#clock.mono();
  }

  /** Whether the status may say what was told before, in place of what was told after that. */
  mayRestate(uid: string): boolean {
    return this.#clock.mono() - (this.#get(uid).statedAt ?? -Infinity) >= STATED_MS;
  }

  /** To be called after the account was read. */
  looked(uid: string, listed: readonly string[]): void {
    const record = this.#get(uid);
    const now = this.#clock.mono();
    for (const id of listed) if (!record.knownAt.has(id)) record.knownAt.set(id, now);
    if (listed.length > 0) {
      record.wasListed = true;
      record.missingSince = undefined;
      record.unanswered = undefined;
    } else record.missingSince ??= now;
  }

  /**
   * To be called before a request to create a group is sent: until it is answered, it may take effect.
   *
   * @param claims of the pod, by UID, whose volume one instance may have at a time; undefined: as before
   */
  sends(uid: string, spec: ContainerGroupSpec, claims?: readonly string[]): void {
    const record = this.#get(uid);
    record.claims = claims ?? record.claims;
    record.before = { sentAt: record.sentAt, unanswered: record.unanswered };
    record.sentAt = this.#clock.mono();
    record.unanswered = spec;
  }

  created(uid: string, containerGroupId: string): void {
    const record = this.#get(uid);
    record.createdId = containerGroupId;
    if (!record.knownAt.has(containerGroupId)) record.knownAt.set(containerGroupId, this.#clock.mono());
    record.unanswered = undefined;
    record.refusal = undefined;
    record.refusals = 0;
    record.tokenRefusals = undefined;
    // Now it exists, and is merely not listed yet.
    record.missingSince = undefined;
  }

  /**
   * The cloud has answered no to a request with this token.
   *
   * @param isFinal it will not be another answer with the same token
   * @returns whether the token is used no more
   */
  answeredNo(uid: string, clientToken: string, { code, isFinal }: { code: string; isFinal: boolean }): boolean {
    const record = this.#get(uid);
    const { clientToken: last, times: refusals = 0 } = record.tokenRefusals ?? {};
    const before = last === clientToken ? refusals : refusalsOfNext(refusals);
    const times = isFinal ? SPENT : countRefusal(before, code);
    record.tokenRefusals = { clientToken, times };
    return isTokenSpent(times);
  }

  /** The last request certainly created nothing, and may be sent again. An earlier one may still be unanswered. */
  notMade(uid: string): void {
    const record = this.#get(uid);
    if (record.before) Object.assign(record, record.before);
  }

  /** What passes by itself has lasted: no request is sent for some time, and for longer each time. */
  pause(uid: string, atMostMs: number): void {
    const record = this.#get(uid);
    const waitMs = Math.min(atMostMs, backoffMs(this.#backoff, record.refusals, this.#random));
    record.refusals += 1;
    record.pausedUntil = this.#clock.mono() + waitMs;
  }

  /**
   * The last request certainly created nothing, and is not sent again before some time has passed.
   *
   * @param code of the cloud
   * @returns whether a spot instance was asked for, and there is none
   */
  refused(
    uid: string,
    failure: StatusFailure,
    { code, atLeastMs = 0 }: { code: string; atLeastMs?: number | undefined },
  ): boolean {
    const { unanswered } = this.#get(uid);
    this.notMade(uid);
    const record = this.#get(uid);
    record.unanswered = undefined;
    const waitMs = Math.max(atLeastMs, backoffMs(this.#backoff, record.refusals, this.#random));
    record.refusals += 1;
    const isEipBought = unanswered !== undefined && 'eipInstanceId' in unanswered.eip;
    const withoutSpot = isWithoutSpot(unanswered, code) ? code : undefined;
    record.refusal = { ...failure, dueAt: this.#clock.mono() + waitMs, isEipBought, withoutSpot };
    return withoutSpot !== undefined;
  }

  /** Identifies the next deletion of the pod's group: each attempt needs a token of its own. */
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

  /** Whether a group of the pod is known. */
  hasGroup(uid: string): boolean {
    return (this.#records.get(uid)?.knownAt.size ?? 0) > 0;
  }

  /** Whether a group of the pod is known, or may be about to be made. */
  hasBegun(uid: string): boolean {
    return this.hasGroup(uid) || this.#records.get(uid)?.unanswered !== undefined;
  }

  /**
   * Whether an instance was asked for. `unsure`: by an earlier process, of which nothing shows yet; `look`: only if the
   * account shows it by now.
   */
  hasAsked(uid: string, settleMs: number): 'yes' | 'no' | 'unsure' | 'look' {
    const record = this.#records.get(uid);
    // It has not been met: it came to the node a moment ago.
    if (!record) return 'no';
    if (this.hasBegun(uid) || record.createdId !== undefined) return 'yes';
    if (record.sentAt === -Infinity) return 'no';
    return this.#clock.mono() - record.sentAt < settleMs ? 'unsure' : 'look';
  }

  /** The key of another pod for which an instance was asked with one of these claims, unless that was refused. */
  holderOf(claims: readonly string[], uid: string, settleMs: number): string | undefined {
    if (claims.length === 0) return undefined;
    for (const [other, { key, claims: held }] of this.#records)
      if (other !== uid && held.some((claim) => claims.includes(claim)))
        if (['yes', 'unsure'].includes(this.hasAsked(other, settleMs))) return key;
    return undefined;
  }

  /** The pod has ended: its instance has given back what only one can have. */
  ended(uid: string): void {
    const record = this.#records.get(uid);
    if (record) record.claims = [];
  }

  finished(uid: string): void {
    this.#get(uid).isFinished = true;
  }

  /** The UIDs of the pods of this name that this process knows, except the one that has the name now. */
  formerOf(key: string, uid: string | undefined): readonly string[] {
    return [...this.#records].filter(([other, record]) => record.key === key && other !== uid).map(([other]) => other);
  }

  forget(uid: string): void {
    this.#records.delete(uid);
    this.faults.forget(uid);
  }

  #get(uid: string): Record {
    const record = this.#records.get(uid);
    if (!record) throw new Error(`Pod ${uid} has not been met.`);
    return record;
  }
}

const soleOf = ({ knownAt }: Record, now: number): TrackedPod['sole'] => {
  const [first, ...others] = knownAt;
  return first && others.length === 0 ? { containerGroupId: first[0], agoMs: now - first[1] } : undefined;
};
