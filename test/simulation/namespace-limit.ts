import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { EipPolicy, EipUsage } from '../../src/api/eippolicy.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { ManualClock } from '../harness/clock.ts';
import type { Oracle } from './oracle.ts';
import type { Purchases } from './purchases.ts';

/** What is bought and what is reserved under the limit of the namespace. */
export class NamespaceLimit {
  readonly #time: ManualClock;
  readonly #cloud: EmbeddedCloud;
  readonly #oracle: Oracle;
  readonly #purchases: Purchases;
  readonly #broken: (said: string) => void;
  /** Every limit that there was, and since when; the latest last. */
  readonly #limits: { readonly eips: number; readonly since: number }[] = [];
  /** UIDs of the PodEIPs that have taken a place under it. */
  #reservations: readonly string[] = [];

  constructor(
    {
      time,
      cloud,
      oracle,
      purchases,
    }: {
      readonly time: ManualClock;
      readonly cloud: EmbeddedCloud;
      readonly oracle: Oracle;
      readonly purchases: Purchases;
    },
    broken: (said: string) => void,
  ) {
    this.#time = time;
    this.#cloud = cloud;
    this.#oracle = oracle;
    this.#purchases = purchases;
    this.#broken = broken;
  }

  onPolicy({ spec: { limits } }: EipPolicy): void {
    this.#limits.push({ eips: limits?.eips ?? Infinity, since: this.#time.mono() });
  }

  onUsage({ places = [] }: EipUsage): void {
    this.#reservations = places.map(({ podEipUID }) => podEipUID);
  }

  /** EIPs that were bought for pods and are there. */
  #ours(): readonly EipRecord[] {
    return this.#cloud
      .eips()
      .filter(({ allocationId, tags }) => tags.has(TAG_CLUSTER_UID) || this.#purchases.buyerOf(allocationId));
  }

  /** Whether the namespace may hold no more: it has EIPs, or PodEIPs that have places for them. */
  isFull(): boolean {
    const holders = new Set(
      this.#ours().map(
        ({ allocationId, tags }) => tags.get(TAG_PODEIP_UID) ?? this.#purchases.buyerOf(allocationId)?.podEipUid,
      ),
    );
    const there = new Set([...this.#oracle.podEips.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#reservations) if (there.has(uid)) holders.add(uid);
    return holders.size >= (this.#limits.at(-1)?.eips ?? Infinity);
  }

  /**
   * I19: never more EIPs than the limit. One that was lowered within so many milliseconds may not have been read yet.
   */
  onAllocate(withinMs: number): void {
    const from = this.#time.mono() - withinMs;
    const lately = this.#limits.filter((_, index) => (this.#limits[index + 1]?.since ?? Infinity) > from);
    const most = lately.length > 0 ? Math.max(...lately.map(({ eips }) => eips)) : Infinity;
    const ours = this.#ours();
    if (ours.length > most) this.#broken(`the namespace holds ${ours.length} EIPs and may hold ${most}`);
  }
}
