import type { Account, Deed } from './account.ts';
import { plainEip } from './allocation.ts';
import { bindingTo, unbound } from './binding.ts';
import type { EipRecord } from './eips.ts';
import type { InterfaceRecord } from './interfaces.ts';
import type { BandwidthPackage } from './records.ts';

/** A network interface to put into the world. The primary address is among the private ones whether named there or not. */
export interface NewNetworkInterface {
  /** @default a new `eni-…` */
  readonly networkInterfaceId?: string;
  readonly vpcId: string;
  readonly vSwitchId?: string;
  readonly instanceId: string;
  readonly primaryIp: string;
  readonly privateIps?: readonly string[];
  /** @default 'InUse' */
  readonly status?: string;
  /** @default 'Secondary' */
  readonly type?: string;
}

/** An EIP that somebody else has bought. Everything may be given; the default is what AllocateEipAddress makes. */
export type NewEip = Partial<Omit<EipRecord, 'task' | 'tags'>> & { readonly tags?: Readonly<Record<string, string>> };

export interface NewContainerGroup {
  /** @default a new `eci-…` */
  readonly containerGroupId?: string;
  readonly containerGroupName: string;
  readonly eniInstanceId: string;
  /** @default 'Running' */
  readonly status?: string;
  readonly zoneId?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** What people do in the console: at once, whatever state the EIP is in, and seen in the ledger with caller `human`. */
export interface Human {
  /** Releases an EIP, also one that is bound. */
  release(allocationId: string): void;
  /** Binds an EIP to a private address of a network interface, whatever it was bound to. */
  associate(allocationId: string, networkInterfaceId: string, privateIp: string): void;
  /** Ends a binding. */
  unassociate(allocationId: string): void;
  tag(allocationId: string, tags: Readonly<Record<string, string>>): void;
  /** Takes the named tags off, or all of them. */
  untag(allocationId: string, keys?: readonly string[]): void;
  /** Changes any other property, for example `{ deletionProtection: true }` or `{ lockReasons: ['financial'] }`. */
  change(allocationId: string, properties: Partial<Omit<EipRecord, 'allocationId' | 'task'>>): void;
}

/** The task under way if it is about a bandwidth package: a change of the binding overtakes only tasks of the binding. */
const packageTask = ({ task, bandwidthPackage }: EipRecord): number | undefined =>
  bandwidthPackage && bandwidthPackage.status !== 'BINDED' ? task : undefined;

/** The world around the API: what exists without having been asked for, and what happens behind the caller's back. */
export class World {
  readonly #account: Account;
  readonly human: Human;

  constructor(account: Account) {
    this.#account = account;
    this.human = {
      release: (id) => this.#release(id),
      associate: (id, eni, privateIp) => this.#associate(id, eni, privateIp),
      unassociate: (id) => this.#unassociate(id, this.#deed('UnassociateEipAddress', 'human')),
      tag: (id, tags) => {
        this.#retag(id, 'TagResources', (old) => new Map([...old, ...Object.entries(tags)]));
      },
      untag: (id, keys) => {
        this.#retag(id, 'UnTagResources', (old) => new Map([...old].filter(([key]) => keys && !keys.includes(key))));
      },
      change: (id, properties) => {
        this.#write(this.#deed('ModifyEipAddressAttribute', 'human'), { ...this.#eip(id), ...properties });
      },
    };
  }

  addNetworkInterface(eni: NewNetworkInterface): InterfaceRecord {
    const record: InterfaceRecord = {
      networkInterfaceId: eni.networkInterfaceId ?? this.#account.newId('eni'),
      vpcId: eni.vpcId,
      vSwitchId: eni.vSwitchId ?? 'vsw-sandbox',
      instanceId: eni.instanceId,
      status: eni.status ?? 'InUse',
      type: eni.type ?? 'Secondary',
      primaryIp: eni.primaryIp,
      privateIps: [...new Set([eni.primaryIp, ...(eni.privateIps ?? [])])],
    };
    this.#account.catchUp();
    this.#account.interfaces.put(record);
    return record;
  }

  /** @throws RangeError for an interface that does not exist */
  setNetworkInterfaceStatus(networkInterfaceId: string, status: string): void {
    this.#account.catchUp();
    this.#account.interfaces.put({ ...this.#eni(networkInterfaceId), status });
  }

  addPrivateIp(networkInterfaceId: string, privateIp: string): void {
    this.#account.catchUp();
    const eni = this.#eni(networkInterfaceId);
    this.#account.interfaces.put({ ...eni, privateIps: [...new Set([...eni.privateIps, privateIp])] });
  }

  /** Takes an address off an interface; an EIP on it loses its binding. */
  removePrivateIp(networkInterfaceId: string, privateIp: string): void {
    const eni = this.#eni(networkInterfaceId);
    if (privateIp === eni.primaryIp)
      throw new RangeError(`${privateIp} is the primary address of ${networkInterfaceId}: remove the interface.`);
    const deed = this.#deed('UnassociateEipAddress', 'cloud');
    for (const eip of this.#account.eips.boundTo(networkInterfaceId, privateIp))
      this.#unassociate(eip.allocationId, deed);
    this.#account.interfaces.put({ ...eni, privateIps: eni.privateIps.filter((other) => other !== privateIp) });
  }

  /** Deletes an interface. The cloud ends the bindings of all EIPs on it (terway, pkg/aliyun/eip.go). */
  removeNetworkInterface(networkInterfaceId: string): void {
    this.#eni(networkInterfaceId);
    const deed = this.#deed('UnassociateEipAddress', 'cloud');
    for (const eip of this.#account.eips.boundTo(networkInterfaceId)) this.#unassociate(eip.allocationId, deed);
    this.#account.interfaces.remove(networkInterfaceId);
  }

  /** An EIP that is simply there. The quota does not refuse it, but counts it. */
  addEip(eip: NewEip = {}): EipRecord {
    const account = this.#account;
    const now = account.catchUp();
    const allocationId = eip.allocationId ?? account.newId('eip');
    const ipAddress = eip.ipAddress ?? account.addresses.take(allocationId);
    account.addresses.claim(ipAddress, allocationId);
    const record: EipRecord = {
      ...plainEip(allocationId, ipAddress, account.wallTime(now)),
      ...eip,
      allocationId,
      ipAddress,
      tags: new Map(Object.entries(eip.tags ?? {})),
    };
    account.eips.put(record, now);
    return record;
  }

  addBandwidthPackage(
    bandwidthPackageId: string,
    properties: Partial<Omit<BandwidthPackage, 'bandwidthPackageId' | 'createdAt'>> = {},
  ): void {
    const createdAt = this.#account.wallTime(this.#account.catchUp());
    this.#account.packages.set(bandwidthPackageId, {
      name: bandwidthPackageId,
      isp: 'BGP',
      bandwidthMbps: 1000,
      internetChargeType: 'PayByBandwidth',
      financialLocked: false,
      capacity: 100,
      ...properties,
      bandwidthPackageId,
      createdAt,
    });
  }

  /** A public address pool with so many addresses. */
  addAddressPool(poolId: string, addresses: number): void {
    this.#account.pools.set(poolId, addresses);
  }

  /** @throws RangeError when its network interface does not exist */
  addContainerGroup(group: NewContainerGroup): string {
    this.#eni(group.eniInstanceId);
    const containerGroupId = group.containerGroupId ?? this.#account.newId('eci');
    this.#account.containerGroups.set(containerGroupId, {
      containerGroupId,
      containerGroupName: group.containerGroupName,
      eniInstanceId: group.eniInstanceId,
      status: group.status ?? 'Running',
      zoneId: group.zoneId ?? `${this.#account.settings.regionId}-a`,
      tags: new Map(Object.entries(group.tags ?? {})),
      createdAt: this.#account.wallTime(this.#account.catchUp()),
    });
    return containerGroupId;
  }

  /** The group vanishes; its network interface is removed with it. */
  removeContainerGroup(containerGroupId: string): void {
    const group = this.#account.containerGroups.get(containerGroupId);
    if (!group) throw new RangeError(`There is no container group ${containerGroupId}.`);
    this.#account.containerGroups.delete(containerGroupId);
    if (this.#account.interfaces.get(group.eniInstanceId)) this.removeNetworkInterface(group.eniInstanceId);
  }

  #eni(networkInterfaceId: string): InterfaceRecord {
    const eni = this.#account.interfaces.get(networkInterfaceId);
    if (!eni) throw new RangeError(`There is no network interface ${networkInterfaceId}.`);
    return eni;
  }

  #eip(allocationId: string): EipRecord {
    const eip = this.#account.eips.get(allocationId);
    if (!eip) throw new RangeError(`There is no EIP ${allocationId}.`);
    return eip;
  }

  #deed(action: string, caller: 'human' | 'cloud'): Deed {
    return { action, caller, at: this.#account.catchUp() };
  }

  #write(deed: Deed, eip: EipRecord): void {
    this.#account.eips.put(eip, deed.at);
    this.#account.record(deed, eip);
  }

  #unassociate(allocationId: string, deed: Deed): void {
    const eip = this.#eip(allocationId);
    this.#account.record(deed, eip);
    this.#account.eips.put({ ...unbound(eip), task: packageTask(eip) }, deed.at);
  }

  #release(allocationId: string): void {
    const deed = this.#deed('ReleaseEipAddress', 'human');
    const eip = this.#eip(allocationId);
    this.#account.record(deed, eip);
    this.#account.eips.remove(allocationId, deed.at);
    this.#account.addresses.release(eip.ipAddress, allocationId, deed.at);
  }

  #associate(allocationId: string, networkInterfaceId: string, privateIp: string): void {
    const deed = this.#deed('AssociateEipAddress', 'human');
    const eni = this.#eni(networkInterfaceId);
    if (!eni.privateIps.includes(privateIp))
      throw new RangeError(`${networkInterfaceId} does not hold ${privateIp}, only ${eni.privateIps.join(', ')}.`);
    const binding = bindingTo(eni, privateIp);
    const eip = this.#eip(allocationId);
    this.#write(deed, { ...eip, status: 'InUse', binding, task: packageTask(eip) });
  }

  #retag(
    allocationId: string,
    action: string,
    change: (tags: ReadonlyMap<string, string>) => ReadonlyMap<string, string>,
  ): void {
    const deed = this.#deed(action, 'human');
    const eip = this.#eip(allocationId);
    this.#write(deed, { ...eip, tags: change(eip.tags) });
  }
}
