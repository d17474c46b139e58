import { Versions } from './versions.ts';

/** What an EIP is bound to. */
export interface EipBinding {
  readonly instanceId: string;
  /** NetworkInterface, EcsInstance, SlbInstance, Nat, HaVip, IpAddress. */
  readonly instanceType: string;
  /** The real private address, also where it is the primary one, which the API describes as "". */
  readonly privateIpAddress: string;
  /** Whether that is the interface's primary address. */
  readonly primary: boolean;
  /** NAT, MULTI_BINDED or BINDED. */
  readonly mode: string;
}

/** An EIP. Records never change: each change makes a new one. */
export interface EipRecord {
  readonly allocationId: string;
  readonly ipAddress: string;
  readonly status: 'Available' | 'Associating' | 'InUse' | 'Unassociating' | 'Releasing';
  /** Present from Associating to the end of Unassociating. */
  readonly binding?: EipBinding | undefined;
  readonly bandwidthPackage?: { readonly id: string; readonly status: 'BINDING' | 'BINDED' | 'UNBINDING' } | undefined;
  /** Names the asynchronous operation under way, if there is one; until it ends, only queries are allowed. */
  readonly task?: number | undefined;
  readonly bandwidthMbps: number;
  readonly internetChargeType: string;
  readonly chargeType: 'PostPaid' | 'PrePaid';
  readonly isp: string;
  readonly name: string;
  readonly description: string;
  readonly resourceGroupId: string;
  readonly publicIpAddressPoolId: string;
  readonly segmentInstanceId: string;
  readonly securityProtectionTypes: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
  /** Owned by another cloud service. */
  readonly serviceManaged: boolean;
  readonly deletionProtection: boolean;
  /** `financial`, `security`. */
  readonly lockReasons: readonly string[];
  /** Wall-clock, milliseconds since the epoch. */
  readonly allocatedAt: number;
}

/** All EIPs: as they are now, and as they were a while ago, for reads that lag. */
export class EipTable {
  readonly #now = new Map<string, EipRecord>();
  readonly #byAddress = new Map<string, Set<string>>();
  readonly #byPackage = new Map<string, Set<string>>();
  readonly #past: Versions<EipRecord>;
  #counted = 0;

  /** `keepMs`: how far back `asOf` can look. */
  constructor(keepMs: number) {
    this.#past = new Versions(keepMs);
  }

  get(allocationId: string): EipRecord | undefined {
    return this.#now.get(allocationId);
  }

  /** Oldest first. */
  all(): Iterable<EipRecord> {
    return this.#now.values();
  }

  /** How many count against the account's quota: pay-as-you-go ones that no cloud service owns. */
  get counted(): number {
    return this.#counted;
  }

  /** The EIPs bound to an instance, at one of its private addresses if one is given. */
  boundTo(instanceId: string, privateIpAddress?: string): readonly EipRecord[] {
    return this.#named(this.#byAddress.get(instanceId)).filter(
      ({ binding }) => privateIpAddress === undefined || binding?.privateIpAddress === privateIpAddress,
    );
  }

  inPackage(bandwidthPackageId: string): readonly EipRecord[] {
    return this.#named(this.#byPackage.get(bandwidthPackageId));
  }

  put(eip: EipRecord, at: number): void {
    this.#unindex(this.#now.get(eip.allocationId));
    this.#now.set(eip.allocationId, eip);
    if (eip.binding) add(this.#byAddress, eip.binding.instanceId, eip.allocationId);
    if (eip.bandwidthPackage) add(this.#byPackage, eip.bandwidthPackage.id, eip.allocationId);
    if (counts(eip)) this.#counted++;
    this.#past.remember(eip.allocationId, eip, at);
  }

  remove(allocationId: string, at: number): void {
    this.#unindex(this.#now.get(allocationId));
    this.#now.delete(allocationId);
    this.#past.remember(allocationId, undefined, at);
  }

  /** Every EIP as it was at `at` (monotonic), oldest first. */
  asOf(at: number): readonly EipRecord[] {
    return this.#past.asOf(at);
  }

  #unindex(eip: EipRecord | undefined): void {
    if (!eip) return;
    if (eip.binding) drop(this.#byAddress, eip.binding.instanceId, eip.allocationId);
    if (eip.bandwidthPackage) drop(this.#byPackage, eip.bandwidthPackage.id, eip.allocationId);
    if (counts(eip)) this.#counted--;
  }

  #named(allocationIds: ReadonlySet<string> | undefined): readonly EipRecord[] {
    return [...(allocationIds ?? [])].map((allocationId) => this.#now.get(allocationId)!);
  }
}

const counts = (eip: EipRecord): boolean => eip.chargeType === 'PostPaid' && !eip.serviceManaged;

const add = (index: Map<string, Set<string>>, key: string, value: string): void => {
  const values = index.get(key);
  if (values) values.add(value);
  else index.set(key, new Set([value]));
};

const drop = (index: Map<string, Set<string>>, key: string, value: string): void => {
  const values = index.get(key);
  values?.delete(value);
  if (values?.size === 0) index.delete(key);
};
