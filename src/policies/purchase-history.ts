import type { PodEip } from '../api/podeip.ts';
import type { Reflector } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { PURCHASES_MS, type Purchases } from './purchases.ts';

/** Whether the PodEIP holds an EIP that was bought, as its object says. */
const holdsBought = ({ spec }: PodEip): boolean => spec.allocationID !== '' && spec.allocationType.type === 'Auto';

/** Whenever so many more names have bought, those are forgotten that have bought nothing for long. */
const FORGET_EVERY = 64;

/**
 * What each namespace has bought and holds, as this process has seen it. Lost with the process: then the purchases of
 * the last ten minutes count no more, and what is held is counted again from the cache. Memory is bounded by the
 * PodEIPs in the cluster and the purchases of ten minutes.
 */
export class PurchaseHistory {
  readonly #clock: Clock;
  /** UIDs of PodEIPs by namespace. */
  readonly #held = new Map<string, Set<string>>();
  /** Namespaces by UID of PodEIPs for which an EIP is being bought: pods served at one moment count each other. */
  readonly #underWay = new Map<string, string>();
  /** When something was bought, by namespace and by key of the PodEIP; monotonic milliseconds, ascending. */
  readonly #times = new Map<string, number[]>();
  /**
   * The latest count of the account's EIPs, and what was bought since; what was given back since is in the next one.
   */
  #inAccount: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Follows what is held. */
  follow(podEips: Pick<Reflector<PodEip>, 'subscribe'>): void {
    podEips.subscribe(({ type, object, old }) => {
      const { namespace = '', uid } = object.metadata;
      if (type === 'deleted') this.#underWay.delete(uid);
      if (type !== 'deleted' && holdsBought(object)) this.#hold(namespace, uid);
      // One that was just bought is held before its object says so.
      else if (type === 'deleted' || (old !== undefined && holdsBought(old))) this.#letGo(namespace, uid);
    });
  }

  /** The account had so many EIPs just now. */
  counted(eips: number): void {
    this.#inAccount = eips;
  }

  /** Whether the next step for this PodEIP buys an EIP. */
  decided({ metadata: { namespace = '', uid } }: PodEip, isPurchase: boolean): void {
    if (isPurchase) this.#underWay.set(uid, namespace);
    else this.#underWay.delete(uid);
  }

  /** An EIP was bought for this PodEIP. */
  bought({ metadata }: PodEip): void {
    const { namespace = '', uid } = metadata;
    this.#underWay.delete(uid);
    this.#hold(namespace, uid);
    if (this.#inAccount !== undefined) this.#inAccount += 1;
    const now = this.#clock.mono();
    for (const key of [`${namespace}/`, keyOf(metadata)]) this.#times.set(key, [...this.#recent(key), now]);
    if (this.#times.size % FORGET_EVERY === 0) this.#forget();
  }

  /** What is known of the purchases in the namespace of this PodEIP, without its own. */
  of({ metadata }: PodEip): Purchases {
    const { namespace = '', uid } = metadata;
    const now = this.#clock.mono();
    const ages = (key: string): number[] => this.#recent(key).map((at) => now - at);
    const own = this.#held.get(namespace);
    const others = [...this.#underWay].filter(([it]) => it !== uid);
    const ofNamespace = others.filter(([it, where]) => where === namespace && own?.has(it) !== true);
    const held = (own?.size ?? 0) - (own?.has(uid) === true ? 1 : 0) + ofNamespace.length;
    return {
      held,
      agesMs: ages(`${namespace}/`),
      agesOfNameMs: ages(keyOf(metadata)),
      inAccount: this.#inAccount === undefined ? undefined : this.#inAccount + others.length,
      namespaces: this.#held.size + (own ? 0 : 1),
    };
  }

  #forget(): void {
    for (const key of this.#times.keys()) if (this.#recent(key).length === 0) this.#times.delete(key);
  }

  #recent(key: string): readonly number[] {
    const since = this.#clock.mono() - PURCHASES_MS;
    return (this.#times.get(key) ?? []).filter((at) => at > since);
  }

  #hold(namespace: string, uid: string): void {
    const uids = this.#held.get(namespace);
    if (uids) uids.add(uid);
    else this.#held.set(namespace, new Set([uid]));
  }

  #letGo(namespace: string, uid: string): void {
    const uids = this.#held.get(namespace);
    uids?.delete(uid);
    if (uids?.size === 0) this.#held.delete(namespace);
  }
}
