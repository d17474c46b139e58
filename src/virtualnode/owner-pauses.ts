import { backoffMs, type Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { StatusFailure } from './instance-status.ts';
import type { WorkloadPod } from './workload-pod.ts';

interface Pause {
  readonly refusals: number;
  readonly failure: StatusFailure;
  /** Monotonic milliseconds. */
  readonly dueAt: number;
}

/** The controller that makes a pod anew when it has failed, by its UID. */
const ownerOf = ({ metadata: { ownerReferences } }: WorkloadPod): string | undefined =>
  ownerReferences?.find(({ controller }) => controller === true)?.uid;

/**
 * How long nothing is asked for, nor bought, for pods of one controller, one of which failed because the cloud refused
 * its instance: the pause after a refusal is forgotten with the pod that failed, and a ReplicaSet makes the next one at
 * once. All of it may be lost.
 */
export class OwnerPauses {
  readonly #pauses = new Map<string, Pause>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: Backoff;

  constructor(clock: Clock, random: Random, backoff: Backoff) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
  }

  /** A pod whose instance was refused is about to fail. Refusals of several pods at once are one. */
  refused(pod: WorkloadPod, failure: StatusFailure): void {
    const now = this.#clock.mono();
    // Whose pause ended that long ago is a stranger.
    for (const [owner, { dueAt }] of this.#pauses) if (now - dueAt > this.#backoff.capMs) this.#pauses.delete(owner);
    const owner = ownerOf(pod);
    if (owner === undefined) return;
    const { refusals = 0, dueAt = -Infinity } = this.#pauses.get(owner) ?? {};
    if (now < dueAt) return;
    const waitMs = backoffMs(this.#backoff, refusals, this.#random);
    this.#pauses.set(owner, { refusals: refusals + 1, failure, dueAt: now + waitMs });
  }

  /** The cloud has made the instance of a pod. */
  made(pod: WorkloadPod): void {
    this.#pauses.delete(ownerOf(pod) ?? '');
  }

  /** Why nothing is asked for at present for a pod of this controller; undefined if it may be. */
  of(pod: WorkloadPod): (StatusFailure & { readonly dueInMs: number }) | undefined {
    const pause = this.#pauses.get(ownerOf(pod) ?? '');
    const dueInMs = pause ? pause.dueAt - this.#clock.mono() : 0;
    return pause && dueInMs > 0 ? { ...pause.failure, dueInMs } : undefined;
  }
}
