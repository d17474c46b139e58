import type { Pod } from '../../src/api/core.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { isFinal } from '../../src/api/pod.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { readRecord } from '../../src/controllers/podeip/record.ts';
import { readReleaseAfter } from '../../src/request/release-policy.ts';
import type { ManualClock } from '../harness/clock.ts';
import { asks } from './asking.ts';
import { TELLING_MS, type Circumstances } from './circumstances.ts';
import type { Way } from './knative.ts';
import type { Oracle, Write } from './oracle.ts';
import { RECHECK_MS } from './product-process.ts';
import type { Routing } from './routing.ts';

/** How far the wall clocks of two processes differ at most. */
const SKEW_MS = 5_000;

/** What decides between two pods of one Service that want the same EIP. */
interface Claimant {
  readonly service: string;
  readonly revision: string;
  readonly generation: number;
  readonly wanted: string | undefined;
}

const claimantOf = (pod: Pod): Claimant => ({
  service: pod.metadata.labels?.[SERVICE_UID] ?? '',
  revision: pod.metadata.labels?.[REVISION_LABEL] ?? '',
  generation: Number(pod.metadata.labels?.[CONFIGURATION_GENERATION]),
  wanted: asks(pod),
});

/** A Revision that requests get to, or will, goes before one that they are leaving, and that before one without any. */
const ORDER: Readonly<Record<Way, number>> = { routed: 2, coming: 2, left: 1, none: 0 };

/** I16 and I18: the controller gives up no PodEIP that is wanted, or that is kept for a time that is not over. */
export class Retirements {
  readonly #time: ManualClock;
  readonly #oracle: Oracle;
  readonly #routing: Routing;
  readonly #circumstances: Circumstances;
  readonly #broken: (invariant: 'I16' | 'I18', said: string) => void;
  /** Since when each pod has wanted what it wants, by UID. */
  readonly #wants = new Map<string, { what: string; since: number }>();
  /** Since when no pod of this name has wanted an address, by name. */
  readonly #unwantedSince = new Map<string, number>();
  /** When the pod that had it ended or was lost, by UID of the PodEIP. */
  readonly #lostAt = new Map<string, number>();
  /**
   * Every pod that ever wanted an address, by UID: of which Service and Revision it is, and until when it wanted it.
   */
  readonly #claimants = new Map<string, Claimant & { until: number }>();

  constructor(
    {
      time,
      oracle,
      routing,
      circumstances,
    }: {
      readonly time: ManualClock;
      readonly oracle: Oracle;
      readonly routing: Routing;
      readonly circumstances: Circumstances;
    },
    broken: (invariant: 'I16' | 'I18', said: string) => void,
  ) {
    this.#time = time;
    this.#oracle = oracle;
    this.#routing = routing;
    this.#circumstances = circumstances;
    this.#broken = broken;
  }

  /** Since when, virtual time, the pod has wanted what it wants. */
  wantsSince({ metadata }: Pod): number {
    return this.#wants.get(metadata.uid)?.since ?? Infinity;
  }

  /** Since when, virtual time, no pod of this name has wanted an address. */
  unwantedSince(name: string): number {
    return this.#unwantedSince.get(name) ?? -Infinity;
  }

  onPod({ type, object }: Write): void {
    const pod = object as Pod;
    const { uid, name, deletionTimestamp } = pod.metadata;
    const wants = asks(pod);
    const isWanted = type !== 'DELETED' && !isFinal(pod) && deletionTimestamp === undefined && wants !== undefined;
    const claimant = this.#claimants.get(uid);
    if (isWanted) this.#claimants.set(uid, { ...claimantOf(pod), until: Infinity });
    else if (claimant?.until === Infinity) this.#claimants.set(uid, { ...claimant, until: this.#time.mono() });
    const podEip = this.#oracle.podEips.get(name);
    if (isWanted) this.#unwantedSince.delete(name);
    else if (!this.#unwantedSince.has(name)) {
      this.#unwantedSince.set(name, this.#time.mono());
      if (podEip && readRecord(podEip).podUid === uid) this.#lostAt.set(podEip.metadata.uid, this.#time.mono());
    }
    // The next pod of the name uses an EIP of the user's, or has a PodEIP of its own after one that is only held off:
    // what was kept may go, also by a write that comes late.
    const mayGo = wants !== 'new' || podEip?.spec.allocationType.releaseStrategy === 'Follow';
    if (isWanted && mayGo && podEip && readRecord(podEip).podUid !== uid) this.#lostAt.delete(podEip.metadata.uid);
    const what = JSON.stringify([isFinal(pod), deletionTimestamp, wants]);
    if (this.#wants.get(uid)?.what !== what) this.#wants.set(uid, { what, since: this.#time.mono() });
  }

  /** I16: the controller gives up no PodEIP whose pod has wanted it all the time. */
  onPodEip({ object, previous }: Write): void {
    const podEip = object as PodEip;
    const { deletionTimestamp, name } = podEip.metadata;
    const { isByController, pausedMs } = this.#circumstances;
    if (!isByController || deletionTimestamp === undefined || previous?.metadata.deletionTimestamp !== undefined)
      return;
    this.#onExpiry(podEip);
    const pod = this.#oracle.podOf(podEip);
    if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined || asks(pod) === undefined) return;
    if (this.#isBehindAnother(pod, podEip)) return;
    if (this.#time.mono() - this.wantsSince(pod) > TELLING_MS + pausedMs)
      this.#broken('I16', `PodEIP ${name} is given up, although its pod runs and wants it`);
  }

  /**
   * Whether a pod of a Revision that goes first in the Service wants the same EIP, or did so a moment ago: the one that
   * this pod asks for, or the one that it has because it asked for it before its annotations changed.
   */
  #isBehindAnother(pod: Pod, { spec }: PodEip): boolean {
    const mine = claimantOf(pod);
    const withinMs = TELLING_MS + this.#circumstances.pausedMs;
    return [...this.#claimants.values()].some(
      ({ service, revision, generation, wanted, until }) =>
        service !== '' &&
        service === mine.service &&
        (wanted === mine.wanted || wanted === spec.allocationID) &&
        until > this.#time.mono() - withinMs &&
        this.#routing
          .waysOf(service, [mine.revision, revision], withinMs)
          .some(([my, their]) =>
            ORDER[my] === ORDER[their] ? generation > mine.generation : ORDER[their] > ORDER[my],
          ),
    );
  }

  /** I18: what is kept is kept, for as long as it was promised. */
  #onExpiry({ metadata, spec }: PodEip): void {
    const { releaseStrategy, releaseAfter } = spec.allocationType;
    const { touched, hasJumps, holdOffMs } = this.#circumstances;
    const isHeldOff = releaseStrategy === 'Follow' && this.#isHeldOff(metadata.uid);
    if (releaseStrategy === 'Follow' && !isHeldOff) return;
    if (spec.allocationID === '' || touched.has(spec.allocationID)) return;
    const pod = this.#oracle.pods.get(metadata.name);
    // The pod that had it shows its final phase for a while.
    if (pod && !(isHeldOff && isFinal(pod))) return;
    const lostAt = this.#lostAt.get(metadata.uid);
    if (lostAt === undefined) return;
    const forMs = this.#time.mono() - lostAt;
    const promisedMs = isHeldOff ? holdOffMs : (readReleaseAfter(releaseAfter) ?? Infinity);
    const ttlMs = releaseStrategy === 'Never' ? Infinity : promisedMs;
    // A wall clock that jumps may shorten it, but for the time that the process itself has seen pass.
    const leastMs = hasJumps && ttlMs < Infinity ? Math.min(ttlMs, RECHECK_MS) : ttlMs;
    if (forMs < leastMs - SKEW_MS)
      this.#broken(
        'I18',
        `PodEIP ${metadata.name} (${releaseStrategy} ${releaseAfter}) is given up after ${Math.round(forMs)} ms`,
      );
  }

  /**
   * Whether its EIP is to be held for the next pod of its Service: one of its own, that nobody took over, and a Service
   * that is there.
   */
  #isHeldOff(uid: string): boolean {
    const podEip = this.#oracle.everPodEips.get(uid);
    const service = podEip?.metadata.labels?.[SERVICE_UID];
    if (!podEip || service === undefined || this.#circumstances.holdOffMs === 0 || this.#routing.isGone(service))
      return false;
    const { request, successorUid } = readRecord(podEip);
    return request?.kind === 'new' && successorUid === undefined;
  }
}
