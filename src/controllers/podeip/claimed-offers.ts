import type { Clock } from '../../lib/clock.ts';

/** So long an EIP that is offered is left to the pod that is about to be named as its successor; milliseconds. */
const CLAIM_MS = 5_000;

/**
 * Which PodEIPs have their EIP gone to pods that this process works on at the moment: pods that come at once choose
 * different ones. Two that chose the same would be told apart by its version, and the later one would begin again. May
 * be lost at any time.
 */
export class ClaimedOffers {
  readonly #clock: Clock;
  /** By UID of the PodEIP that offers its EIP: that of the one that chose it, and until when. */
  readonly #claims = new Map<string, { readonly by: string; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The UIDs of the PodEIPs whose EIPs others than `uid` are about to have. */
  ofOthers(uid: string): ReadonlySet<string> {
    this.#forget();
    return new Set([...this.#claims].flatMap(([offering, { by }]) => (by === uid ? [] : [offering])));
  }

  /** The PodEIP `uid` is about to be named as successor in `offering`. */
  claim(offering: string, uid: string): void {
    this.#claims.set(offering, { by: uid, until: this.#clock.mono() + CLAIM_MS });
  }

  #forget(): void {
    const now = this.#clock.mono();
    for (const [offering, { until }] of this.#claims) if (now >= until) this.#claims.delete(offering);
  }
}
