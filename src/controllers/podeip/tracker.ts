import { topicOf, type CloudFault } from '../../cloud/fault.ts';
import { FaultHistory } from '../../cloud/fault-history.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { countRefusal, isTokenSpent, refusalsOfNext } from '../../lib/token.ts';
import { ClaimedOffers } from './claimed-offers.ts';
import { GivenBackPods } from './given-back.ts';
import type { TrackedState } from './observation.ts';
import type { PodEip } from '../../api/podeip.ts';
import { FORGOTTEN_MS, isAddressTaken, refusalMs, restorePauseMs, SPENT_MS } from './retry.ts';
import { mayTakeEffect } from './safeguards.ts';
import type { Action } from './step.ts';
import { newEntry, type Entry } from './tracker-entry.ts';
import { Twins } from './twin.ts';

/** After this long without an attempt, the bandwidth package is looked up again; milliseconds. */
const UNSEEN_MS = 60_000;
/** So long it is remembered that an EIP was detached: longer than any reading may lag; milliseconds. */
const DETACHED_MS = 60_000;

/** The state of a pod without a PodEIP. */
export const UNTRACKED: TrackedState = { quietMs: 0, isCertain: false, driftMs: 0, missingMs: 0, retainedMs: 0 };

/**
 * What this process remembers of the PodEIPs that it works on, by UID. May be lost at any time: see {@link
 * TrackedState}. An entry lives as long as its PodEIP.
 */
export class Tracker {
  /** What the cloud keeps answering. */
  readonly givenBack: GivenBackPods;
  readonly twins: Twins;
  readonly offers: ClaimedOffers;
  readonly faults: FaultHistory;
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  /** Distinguishes this process from those before it in idempotency tokens of calls that may be repeated on purpose. */
  readonly #process: string;
  #nonces = 0;
  /** When EIPs were last seen to be free after they were detached, by allocation ID. */
  readonly #detached = new Map<string, number>();
  /** Whether AllocateEipAddress was observed to keep its tags or to drop them. */
  #allocateTags: TrackedState['allocateTags'];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.faults = new FaultHistory(clock);
    this.givenBack = new GivenBackPods(clock);
    this.offers = new ClaimedOffers(clock);
    this.#process = random.uuid();
    this.twins = new Twins(clock, this.#process);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The tracked state; an unknown PodEIP is tracked from now on, as one of which nothing is certain. */
  recall(uid: string): TrackedState {
    const entry = this.#entry(uid);
    const now = this.#clock.mono();
    const { refusal, restores, packageUnseen } = entry;
    return {
      quietMs: now - entry.quietSince,
      isCertain: entry.isCertain,
      isUntouched: entry.isUntouched,
      hasSent: entry.hasSent,
      foundNothingMs: entry.foundNothingAt === undefined ? undefined : now - entry.foundNothingAt,
      driftMs: entry.drift === undefined ? 0 : now - entry.drift.since,
      accepted: entry.accepted,
      released: entry.released,
      bought: entry.bought,
      purchases: entry.purchases,
      ageMs: now - entry.existsSince,
      tokenRefusals: entry.tokenRefusals,
      noInterfaceMs: entry.noInterfaceSince === undefined ? 0 : now - entry.noInterfaceSince,
      packageUnseenMs: packageUnseen && now - packageUnseen.at < UNSEEN_MS ? packageUnseen.at - packageUnseen.since : 0,
      unusedMs: entry.unused === undefined ? 0 : now - entry.unused.since,
      inUseMs: entry.inUse === undefined ? 0 : now - entry.inUse.since,
      allocateTags: this.#allocateTags,
      missingMs: entry.missing === undefined ? 0 : now - entry.missing.since,
      retainedMs: entry.retained === undefined ? 0 : now - entry.retained.since,
      restoreInMs: restores === undefined ? 0 : Math.max(0, restores.at + restorePauseMs(restores.times) - now),
      refusal: refusal && {
        action: refusal.act,
        reason: refusal.reason,
        message: refusal.message,
        topic: refusal.topic,
        isPassing: refusal.isPassing,
        dueInMs: Math.max(0, refusal.dueAt - now),
      },
    };
  }

  /** This process has just created the PodEIP: no other process can have sent anything for it. */
  created(uid: string): void {
    const entry = this.#entry(uid);
    entry.isCertain = true;
    entry.isUntouched = true;
    entry.hasWritten = true;
  }

  /**
   * Whether this process has had the EIP detached, and not bound since: whatever was sent after that. Asking begins no
   * tracking: one that does not lead yet knows of no quiet.
   */
  isDetached(uid: string): boolean {
    return this.#entries.get(uid)?.isDetached ?? false;
  }

  /** A change is about to be sent. Until its answer is here, anything may happen. */
  sending(uid: string, action: Action['do']): void {
    const entry = this.#entry(uid);
    if (action !== 'Unassociate') entry.inUse = undefined;
    entry.quietSince = this.#clock.mono();
    entry.accepted = undefined;
    entry.refusal = undefined;
    entry.isUntouched = false;
    entry.hasSent = true;
    entry.foundNothingAt = undefined;
  }

  /** A look by marks, asked for when nothing could take effect any more, found nothing that was bought. */
  foundNothing(uid: string): void {
    this.#entry(uid).foundNothingAt = this.#clock.mono();
  }

  /** Whether this process has changed the PodEIP, so that no write of a process before it goes through any more. */
  hasWritten(uid: string): boolean {
    return this.#entry(uid).hasWritten;
  }

  /** This process has changed the PodEIP; or it may have, or still may, by a write that got no answer. */
  wrote(uid: string, isAnswered: boolean): void {
    this.#entry(uid).hasWritten = isAnswered;
  }

  /** This process wrote a note into the PodEIP that it had read, and nothing else. */
  noted({ metadata: { uid, resourceVersion } }: PodEip, written: PodEip): void {
    this.#entry(uid).noted = { read: resourceVersion, written: written.metadata.resourceVersion };
  }

  /** The version of the PodEIP: where it is what this process read before its own note, the one after that note. */
  versionOf({ metadata: { uid, resourceVersion } }: PodEip): string {
    const noted = this.#entries.get(uid)?.noted;
    return noted?.read === resourceVersion ? noted.written : resourceVersion;
  }

  /** Whether this process has not said this of the PodEIP in the log yet, or something else since. Then it says it. */
  isNewInLog(uid: string, said: object): boolean {
    const entry = this.#entry(uid);
    const before = entry.logged;
    entry.logged = JSON.stringify(said);
    return before !== entry.logged;
  }

  /** The cloud accepted the change. */
  accepted(uid: string, step: Action): void {
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    entry.accepted = step.do;
    if (step.do === 'Unassociate' || step.do === 'Associate') entry.isDetached = step.do === 'Unassociate';
    entry.epoch += 1;
    entry.refusals = 0;
    entry.tokenRefusals = 0;
    if (step.do === 'Release') entry.released = step.allocationId;
  }

  /** The cloud has answered the purchase with this EIP. */
  bought(uid: string, allocationId: string): void {
    const entry = this.#entry(uid);
    if (entry.bought !== allocationId) entry.purchases += 1;
    entry.bought = allocationId;
    entry.existsSince = this.#clock.mono();
  }

  /**
   * An EIP that this process bought was seen with its tags, or had to be given them. Returns whether that is news.
   * Once tags were dropped, those of the next one may come from anywhere.
   */
  sawTags(uid: string, allocationId: string, are: 'kept' | 'dropped'): boolean {
    const before = this.#allocateTags;
    if (before === 'dropped' || this.#entry(uid).bought !== allocationId) return false;
    this.#allocateTags = are;
    return before !== are;
  }

  /** The cloud, or the network, did not accept the change. */
  failed(uid: string, step: Action, fault: CloudFault): void {
    const { kind, message, retryAfterMs } = fault;
    const entry = this.#entry(uid);
    entry.quietSince = this.#clock.mono();
    const { effect, token, retry, reason } = FAULT[kind];
    if (mayTakeEffect(kind)) entry.isCertain = false;
    // A request that was never sent was not refused.
    if (effect === 'none' && step.do === 'Allocate' && fault.status !== undefined)
      entry.tokenRefusals = countRefusal(entry.tokenRefusals, fault.code);
    if (effect === 'absent' && step.do === 'Release') entry.released = step.allocationId;
    const isSpent = step.do === 'Allocate' && isTokenSpent(entry.tokenRefusals);
    const refusalPauses = refusalMs(kind, step.do);
    const refusedMs = refusalPauses ?? (isSpent ? SPENT_MS : undefined);
    if (refusedMs !== undefined) {
      const [baseMs, capMs] = refusedMs;
      const waitMs = Math.min(capMs, baseMs * 2 ** Math.min(entry.refusals, 10));
      const dueAt = this.#clock.mono() + Math.max(waitMs, retryAfterMs ?? 0);
      entry.refusals += 1;
      entry.refusal = {
        act: step.do,
        reason: isAddressTaken(kind, step.do) ? 'AddressTaken' : reason,
        message,
        topic: topicOf(fault),
        isPassing: refusalPauses === undefined,
        dueAt,
        isQuota: retry === 'onceFreed',
      };
    }
    if (token === 'new') entry.epoch += 1;
  }

  /** A new request with a new generation was written: its attempt has not been made yet. */
  renewed(uid: string): void {
    const entry = this.#entry(uid);
    entry.refusal = undefined;
    entry.tokenRefusals = refusalsOfNext(entry.tokenRefusals);
  }

  /** The finalizer that somebody took off was put back. */
  restored(uid: string): void {
    const entry = this.#entry(uid);
    const at = this.#clock.mono();
    const isAgain = entry.restores !== undefined && at - entry.restores.at < FORGOTTEN_MS;
    entry.restores = { times: isAgain ? (entry.restores?.times ?? 0) + 1 : 1, at };
  }

  /** Something went wrong between sending and writing down what came of it. */
  lostTrack(uid: string): void {
    const entry = this.#entry(uid);
    entry.isCertain = false;
    entry.quietSince = this.#clock.mono();
  }

  /** An EIP was released: PodEIPs that were refused for want of quota may ask again at once. Returns their UIDs. */
  quotaFreed(): readonly string[] {
    const waiting = [...this.#entries].filter(([, { refusal }]) => refusal?.isQuota === true);
    for (const [, entry] of waiting) if (entry.refusal) entry.refusal.dueAt = this.#clock.mono();
    return waiting.map(([uid]) => uid);
  }

  /** Whether the PodEIP has no pod, and since when by what is written down: another may have come and gone unseen. */
  retained(uid: string, isRetained: boolean, goneSince?: number): void {
    const entry = this.#entry(uid);
    const before = entry.retained?.goneSince === goneSince ? entry.retained : undefined;
    entry.retained = isRetained ? (before ?? { since: this.#clock.mono(), goneSince }) : undefined;
  }

  /** Whether a network interface holds the pod's address. */
  sawInterface(uid: string, isThere: boolean): void {
    const entry = this.#entry(uid);
    entry.noInterfaceSince = isThere ? undefined : (entry.noInterfaceSince ?? this.#clock.mono());
  }

  /** Whether a look-up of the bandwidth package that is asked for got an answer. */
  lookedUpPackage(uid: string, isAnswered: boolean): void {
    const entry = this.#entry(uid);
    const at = this.#clock.mono();
    const before = entry.packageUnseen;
    const isAgain = before !== undefined && at - before.at < 2 * UNSEEN_MS;
    entry.packageUnseen = isAnswered ? undefined : { since: isAgain ? before.since : at, at };
  }

  /** Whether an EIP that was bought for a pod is bound to nothing although the pod is there. */
  sawUnused(uid: string, allocationId: string, isUnused: boolean): void {
    const entry = this.#entry(uid);
    const before = entry.unused?.allocationId === allocationId ? entry.unused : undefined;
    entry.unused = isUnused ? (before ?? { allocationId, since: this.#clock.mono() }) : undefined;
  }

  /** A reading shows that the EIP is free, after this process had it detached. */
  sawDetached(uid: string, allocationId: string): void {
    const { accepted } = this.#entry(uid);
    if (accepted !== 'Unassociate' && accepted !== 'ForceDetach') return;
    const now = this.#clock.mono();
    for (const [id, at] of this.#detached) if (now - at > DETACHED_MS) this.#detached.delete(id);
    this.#detached.set(allocationId, now);
  }

  /** How long ago that was, milliseconds; undefined where it was not lately. Whatever PodEIP had the EIP then. */
  detachedMs(allocationId: string): number | undefined {
    const at = this.#detached.get(allocationId);
    return at === undefined ? undefined : this.#clock.mono() - at;
  }

  /** A reading shows that the EIP is in use. */
  sawInUse(uid: string, allocationId: string): void {
    const entry = this.#entry(uid);
    if (entry.inUse?.allocationId !== allocationId) entry.inUse = { allocationId, since: this.#clock.mono() };
  }

  /** What a reading of the EIP says about what the pod was told, and when that was, by the PodEIP. */
  observed(
    uid: string,
    allocationId: string,
    { isDrifting, isMissing, toldAt = '' }: { isDrifting: boolean; isMissing: boolean; toldAt?: string | undefined },
  ): void {
    const entry = this.#entry(uid);
    // Of this EIP: one that was just bought is new, however long the one before it has been gone.
    const before = entry.missing?.allocationId === allocationId ? entry.missing : undefined;
    entry.missing = isMissing ? (before ?? { allocationId, since: this.#clock.mono() }) : undefined;
    // Since the pod was told last: a process beside this one may have found out, and put it right meanwhile.
    const drift = entry.drift?.toldAt === toldAt ? entry.drift : undefined;
    entry.drift = isDrifting ? (drift ?? { since: this.#clock.mono(), toldAt }) : undefined;
  }

  /** Part of the tokens of calls that may have to be made again although an earlier one was answered. */
  epoch(uid: string): string {
    return `${this.#process}/${this.#entry(uid).epoch}`;
  }

  /** What nobody has written before. */
  nonce(): string {
    this.#nonces += 1;
    return `${this.#process}/${this.#nonces}`;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
    this.faults.forget(uid);
    this.twins.forget(uid);
  }

  #entry(uid: string): Entry {
    let entry = this.#entries.get(uid);
    if (!entry) {
      entry = newEntry(this.#clock.mono());
      this.#entries.set(uid, entry);
    }
    return entry;
  }
}
