/** An elastic network interface, as the world knows it. */
export interface InterfaceRecord {
  readonly networkInterfaceId: string;
  readonly name?: string | undefined;
  readonly tags?: ReadonlyMap<string, string> | undefined;
  readonly vpcId: string;
  readonly vSwitchId: string;
  /** The ECS instance or container group that it is attached to, or "". */
  readonly instanceId: string;
  /** InUse, Available, Attaching, Detaching, … */
  readonly status: string;
  /** Primary, Secondary, Trunk or Member; an EIP is bound to any of them (Terway binds without a look at it). */
  readonly type: string;
  readonly primaryIp: string;
  /** All private addresses, the primary one first. */
  readonly privateIps: readonly string[];
  /** Prefixes that were handed to it whole; addresses out of them are not among the private ones. */
  readonly prefixes?: readonly string[] | undefined;
}

/** ECS, "IP prefixes": an IPv4 prefix is a /28. The one that an address is in. */
export const prefixAround = (address: string): string => {
  const dot = address.lastIndexOf('.') + 1;
  const last = Number(address.slice(dot));
  return `${address.slice(0, dot)}${last - (last % 16)}/28`;
};

export const isInPrefix = ({ prefixes = [] }: InterfaceRecord, address: string): boolean =>
  prefixes.includes(prefixAround(address));

/** All network interfaces, also by private address, because that is how a pod's is looked up. */
export class InterfaceTable {
  readonly #byId = new Map<string, InterfaceRecord>();
  readonly #byAddress = new Map<string, Set<string>>();

  get(networkInterfaceId: string): InterfaceRecord | undefined {
    return this.#byId.get(networkInterfaceId);
  }

  all(): Iterable<InterfaceRecord> {
    return this.#byId.values();
  }

  holding(privateIp: string): readonly InterfaceRecord[] {
    return [...(this.#byAddress.get(privateIp) ?? [])].map((id) => this.#byId.get(id)!);
  }

  put(record: InterfaceRecord): void {
    this.remove(record.networkInterfaceId);
    this.#byId.set(record.networkInterfaceId, record);
    for (const address of record.privateIps) {
      const holders = this.#byAddress.get(address) ?? new Set();
      holders.add(record.networkInterfaceId);
      this.#byAddress.set(address, holders);
    }
  }

  remove(networkInterfaceId: string): void {
    const record = this.#byId.get(networkInterfaceId);
    if (!record) return;
    this.#byId.delete(networkInterfaceId);
    for (const address of record.privateIps) {
      const holders = this.#byAddress.get(address);
      holders?.delete(networkInterfaceId);
      if (holders?.size === 0) this.#byAddress.delete(address);
    }
  }
}
