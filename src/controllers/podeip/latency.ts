import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import type { Clock } from '../../lib/clock.ts';
import { keyOf } from '../../kube/store.ts';
import { isDrifting } from './pod-request.ts';
import { isFinal } from '../../api/pod.ts';
import { readRecord } from './record.ts';
import type { ObservedState } from './observation.ts';
import type { Action } from './step.ts';
import { labelOf } from './step-label.ts';
import type { EipKind, LifeMetrics } from './metrics.ts';
import type { Caches } from '../caches.ts';

/** The times of one pod on the way to its address; monotonic milliseconds. */
interface Way {
  /** When the pod was first seen with a private address. */
  readonly from: number;
  /** When work on its EIP began. */
  begun?: number | undefined;
  /** When its EIP was allocated. */
  allocated?: number | undefined;
}

/**
 * Measures how long pods wait for their addresses, and how long it takes until addresses are given back. A pod is
 * measured only if this process saw it from the beginning, and not if it had its private address before the first list.
 * Memory is bounded by the objects in the cluster: an entry is removed with its pod or PodEIP.
 */
export class LatencyTracker {
  readonly #clock: Clock;
  readonly #metrics: LifeMetrics;
  /** By UID of the pod. */
  readonly #ways = new Map<string, Way>();
  /** When the pod that has the address ended, by UID of the pod. */
  readonly #ends = new Map<string, number>();

  constructor(clock: Clock, metrics: LifeMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Subscribes to the caches, which show when pods get their private address and when they end. */
  follow({ pods, podEips }: Pick<Caches, 'pods' | 'podEips'>): void {
    pods.subscribe(({ type, object, old, from }) => {
      const { uid } = object.metadata;
      const hadAddress = old?.status?.podIP !== undefined;
      if (type === 'deleted' || isFinal(object)) {
        this.#ways.delete(uid);
        const podEip = podEips.store.get(keyOf(object.metadata));
        if (podEip && readRecord(podEip).podUid === uid && !this.#ends.has(uid))
          this.#ends.set(uid, this.#clock.mono());
      } else if (from === 'watch' && object.status?.podIP !== undefined && !hadAddress && !this.#ways.has(uid))
        this.#ways.set(uid, { from: this.#clock.mono() });
    });
    podEips.subscribe(({ type, object }) => {
      if (type === 'deleted') this.#ends.delete(readRecord(object).podUid);
    });
  }

  /** To be called before an action. */
  begins(step: Action, seen: ObservedState): void {
    const way = this.#wayOf(seen.pod);
    if (way && (step.do === 'Claim' || step.do === 'Allocate' || step.do === 'Associate'))
      way.begun ??= this.#clock.mono();
    if (step.do === 'Associate' && way) way.allocated ??= this.#clock.mono();
  }

  /** To be called when a request was read and recorded: counts its findings. */
  read(parsed: Pick<ParsedRequest, 'findings'> | undefined): void {
    for (const finding of parsed?.findings ?? []) this.#metrics.found(finding);
  }

  /** To be called after an action; `began` is the time before it, monotonic milliseconds. */
  done(step: Action, seen: ObservedState, began: number): void {
    const { pod, podEip } = seen;
    this.#metrics.did(labelOf(step.do));
    const way = this.#wayOf(pod);
    if (step.do === 'Allocate' && way) way.allocated = this.#clock.mono();
    else if (step.do === 'Publish' && way) this.#served(way, seen, began);
    else if (step.do === 'Unpublish' && hasLost(seen)) this.#metrics.lost(seen.eip ? 'moved' : 'gone');
    else if (podEip) this.#gaveBack(step, podEip);
  }

  #served(way: Way, { pod, podEip }: ObservedState, began: number): void {
    this.#ways.delete(pod?.metadata.uid ?? '');
    if (!podEip) return;
    const begun = way.begun ?? way.from;
    const allocated = Math.max(begun, way.allocated ?? begun);
    const told = this.#clock.mono();
    this.#metrics.served(kindOf(podEip), {
      queue: seconds(way.from, begun),
      allocate: seconds(begun, allocated),
      associate: seconds(allocated, began),
      publish: seconds(began, told),
    });
  }

  #gaveBack(step: Action, podEip: PodEip): void {
    const { podUid } = readRecord(podEip);
    const kind = kindOf(podEip);
    // An address that is kept for the next pod is not measured: the time would mean nothing.
    if (step.do === 'Retain' || step.do === 'MarkReusable' || step.do === 'AssignSuccessor') this.#ends.delete(podUid);
    if (step.do !== (kind === 'new' ? 'Release' : 'Unassociate')) return;
    const end = this.#ends.get(podUid);
    this.#ends.delete(podUid);
    if (end !== undefined) this.#metrics.gaveBack(kind, seconds(end, this.#clock.mono()));
  }

  #wayOf(pod: Pod | null): Way | undefined {
    return pod ? this.#ways.get(pod.metadata.uid) : undefined;
  }
}

const seconds = (from: number, to: number): number => Math.max(0, to - from) / 1_000;

const kindOf = (podEip: PodEip): EipKind => (podEip.spec.allocationType.type === 'Static' ? 'existing' : 'new');

/** Whether the pod is still entitled to its address, but the cloud shows another state than the pod was told. */
const hasLost = ({ pod, podEip, eip }: ObservedState): boolean =>
  pod !== null &&
  podEip !== null &&
  eip !== undefined &&
  !isFinal(pod) &&
  pod.metadata.deletionTimestamp === undefined &&
  podEip.metadata.deletionTimestamp === undefined &&
  isDrifting(pod, eip, readRecord(podEip));
