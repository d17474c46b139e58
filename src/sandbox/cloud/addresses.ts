import { refusal } from './refusal.ts';

/** VPC API reference, AllocateEipAddress: a released address can be had again by name for seven days. */
const FAMILIAR_MS = 7 * 24 * 3_600_000;

/**
 * The n-th public address that the cloud hands out: first the documentation ranges 203.0.113.0/24 and 198.51.100.0/24
 * (RFC 5737), then 47.0.0.0/8, where many of the provider's addresses lie. Network and broadcast addresses
 * are left out.
 */
const nthAddress = (n: number): string => {
  if (n < 254) return `203.0.113.${n + 1}`;
  if (n < 508) return `198.51.100.${n - 253}`;
  const rest = n - 508;
  return `47.${Math.floor(rest / 65_024) % 256}.${Math.floor(rest / 254) % 256}.${(rest % 254) + 1}`;
};

/** Hands out public addresses. A released address never comes back by chance, only when it is asked for by name. */
export class Addresses {
  #next = 0;
  readonly #inUse = new Map<string, string>();
  readonly #released = new Map<string, { readonly allocationId: string; readonly at: number }>();

  take(allocationId: string): string {
    let address = nthAddress(this.#next++);
    while (this.#inUse.has(address)) address = nthAddress(this.#next++);
    this.#inUse.set(address, allocationId);
    return address;
  }

  /** Takes an address that somebody brings along. */
  claim(address: string, allocationId: string): void {
    this.#inUse.set(address, allocationId);
    this.#released.delete(address);
  }

  /**
   * Takes an address again that was released in the last seven days, named by itself or by its old allocation ID.
   *
   * @throws Refusal Ip.Allocated or OperationFailed.AllocateUnfamiliarIp
   */
  retake(wanted: { ipAddress?: string | undefined; allocationId?: string | undefined }, now: number): Reclaimed {
    for (const [address, { allocationId, at }] of this.#released) {
      if (address !== wanted.ipAddress && allocationId !== wanted.allocationId) continue;
      if (at + FAMILIAR_MS < now) break;
      this.claim(address, allocationId);
      return { ipAddress: address, allocationId };
    }
    const taken = wanted.ipAddress !== undefined && this.#inUse.has(wanted.ipAddress);
    throw refusal(taken ? 'Ip.Allocated' : 'OperationFailed.AllocateUnfamiliarIp');
  }

  release(address: string, allocationId: string, now: number): void {
    this.#inUse.delete(address);
    this.#released.delete(address);
    this.#released.set(address, { allocationId, at: now });
    for (const [old, { at }] of this.#released) {
      if (at + FAMILIAR_MS >= now) break;
      this.#released.delete(old);
    }
  }
}

interface Reclaimed {
  readonly ipAddress: string;
  readonly allocationId: string;
}
