import type { Cloud, Eip } from '../cloud/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { AddressLook } from './observation.ts';

/** One call asks for at most 50 (VPC API reference, DescribeEipAddresses, EipAddress). */
const MOST_ALONG = 49;

interface LookUp {
  readonly ipAddress: string;
  looks: number;
  at: number;
  /** The pending call that includes it. */
  underway?: Promise<ReadonlyMap<string, Eip>> | undefined;
  found?: Eip | undefined;
}

/**
 * Looks up the EIPs that came with instances, by the addresses that the instances show. A call for one includes those
 * of all other pods that wait for theirs, so that many pods need no more calls than one.
 */
export class AddressLookUps {
  readonly #cloud: Pick<Cloud, 'findEipsByAddress'>;
  readonly #clock: Clock;
  /** Called with the UID of a pod whose EIP was found in a call for another pod. */
  readonly #onFound: (uid: string) => void;
  /** By UID of the pod. */
  readonly #waiting = new Map<string, LookUp>();

  constructor(cloud: Pick<Cloud, 'findEipsByAddress'>, clock: Clock, onFound: (uid: string) => void) {
    this.#cloud = cloud;
    this.#clock = clock;
    this.#onFound = onFound;
  }

  /** The state of the look-up for the pod. */
  of(uid: string): AddressLook | undefined {
    const lookUp = this.#waiting.get(uid);
    if (!lookUp) return undefined;
    const { ipAddress, looks, at, found } = lookUp;
    return { ipAddress, looks, agoMs: this.#clock.mono() - at, isFound: found !== undefined };
  }

  /** The EIP that has the address; undefined where it is not listed. Rejects as the cloud port does. */
  async find(uid: string, ipAddress: string, signal: AbortSignal): Promise<Eip | undefined> {
    let mine = this.#waiting.get(uid);
    if (mine?.ipAddress !== ipAddress) this.#waiting.set(uid, (mine = { ipAddress, looks: 0, at: -Infinity }));
    const { found, underway } = mine;
    mine.found = undefined;
    if (found) return found;
    return (await (underway ?? this.#ask(uid, mine, signal))).get(ipAddress);
  }

  /** The pod needs no look-up any more. */
  forget(uid: string): void {
    this.#waiting.delete(uid);
  }

  async #ask(uid: string, mine: LookUp, signal: AbortSignal): Promise<ReadonlyMap<string, Eip>> {
    const along = [...this.#waiting]
      .filter(([other, { underway, found }]) => other !== uid && !underway && !found)
      .toSorted(([, a], [, b]) => a.at - b.at)
      .slice(0, MOST_ALONG);
    const all = [mine, ...along.map(([, lookUp]) => lookUp)];
    const call = this.#cloud.findEipsByAddress(
      all.map(({ ipAddress }) => ipAddress),
      signal,
    );
    for (const lookUp of all) {
      // A call that fails counts too.
      lookUp.looks += 1;
      lookUp.at = this.#clock.mono();
      lookUp.underway = call;
    }
    try {
      const eips = await call;
      for (const [other, lookUp] of along) {
        lookUp.found = eips.get(lookUp.ipAddress);
        if (lookUp.found && this.#waiting.get(other) === lookUp) this.#onFound(other);
      }
      return eips;
    } finally {
      for (const lookUp of all) lookUp.underway = undefined;
    }
  }
}
