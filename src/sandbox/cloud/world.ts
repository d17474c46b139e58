import type { Account, Deed } from './cloud-account.ts';
import { plainEip, releaseAtOnce } from './allocation.ts';
import { takeCommand } from './container-commands.ts';
import { bindingTo, packageTask, removeInterface, unbindAtOnce } from './binding.ts';
import { FINAL_STATES, changeGroup, finishGroup, forgetGroup, writeLog } from './container-group-service.ts';
import { useInContainer } from './container-group-metrics.ts';
import type { EipRecord } from './eips.ts';
import { prefixAround } from './interfaces.ts';
import type { InterfaceRecord } from './interfaces.ts';
import type {
  BandwidthPackageRecord,
  ContainerGroupRecord,
  ContainerRecord,
  GroupEvent,
  PendingCommand,
} from './records.ts';
import { VSwitch } from './vswitch.ts';

/**
 * A network interface to put into the world. The primary address is among the private ones whether named there or not.
 */
interface NewNetworkInterface {
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
export type NewCloudEip = Partial<Omit<EipRecord, 'task' | 'tags'>> & {
  readonly tags?: Readonly<Record<string, string>>;
};

interface NewContainerGroup {
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
interface Human {
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

/** The world around the API: what exists without having been asked for, and what happens behind the caller's back. */
export class CloudWorld {
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
    const { own, prefixes } = this.#handedOut(eni.privateIps ?? []);
    const record: InterfaceRecord = {
      networkInterfaceId: eni.networkInterfaceId ?? this.#account.newId('eni'),
      vpcId: eni.vpcId,
      vSwitchId: eni.vSwitchId ?? 'vsw-sandbox',
      instanceId: eni.instanceId,
      status: eni.status ?? 'InUse',
      type: eni.type ?? 'Secondary',
      primaryIp: eni.primaryIp,
      privateIps: [...new Set([eni.primaryIp, ...own.filter((address) => address !== eni.primaryIp)])],
      prefixes,
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
    const { own, prefixes } = this.#handedOut([privateIp]);
    this.#account.interfaces.put({
      ...eni,
      privateIps: [...new Set([...eni.privateIps, ...own])],
      prefixes: [...new Set([...(eni.prefixes ?? []), ...prefixes])],
    });
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
    removeInterface(this.#account, networkInterfaceId, this.#deed('UnassociateEipAddress', 'cloud'));
  }

  /** An EIP that is simply there. The quota does not refuse it, but counts it. */
  addEip(eip: NewCloudEip = {}): EipRecord {
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
    properties: Partial<Omit<BandwidthPackageRecord, 'bandwidthPackageId' | 'createdAt'>> = {},
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

  /** An Internet NAT gateway with so many SNAT entries; returns what takes it away. */
  addNatGateway(vpcId: string, snatEntries: number): () => void {
    const natGatewayId = this.#account.newId('ngw');
    const gateway = { natGatewayId, vpcId, snatTableId: this.#account.newId('stb'), snatEntries };
    this.#account.natGateways.push(gateway);
    return () => void this.#account.natGateways.splice(this.#account.natGateways.indexOf(gateway), 1);
  }

  /** A public address pool with so many addresses. */
  addAddressPool(poolId: string, addresses: number): void {
    this.#account.pools.set(poolId, addresses);
  }

  /** A vSwitch, from which container groups take their addresses. @throws RangeError for a prefix that is none */
  addVSwitch(vSwitch: { vSwitchId: string; vpcId: string; cidrBlock: string; zoneId?: string }): void {
    const zoneId = vSwitch.zoneId ?? `${this.#account.settings.regionId}-a`;
    this.#account.vSwitches.set(vSwitch.vSwitchId, new VSwitch({ ...vSwitch, zoneId }));
  }

  /** An image cache vanishes, as one whose time is over. */
  removeImageCache(imageCacheId: string): void {
    this.#account.imageCaches.remove(imageCacheId, this.#account.catchUp());
  }

  /** A running container group that is simply there. @throws RangeError when its network interface does not exist */
  addContainerGroup(group: NewContainerGroup): string {
    const eni = this.#eni(group.eniInstanceId);
    const containerGroupId = group.containerGroupId ?? this.#account.newId('eci');
    const at = this.#account.catchUp();
    const now = this.#account.wallTime(at);
    const record: ContainerGroupRecord = {
      containerGroupId,
      containerGroupName: group.containerGroupName,
      eniInstanceId: group.eniInstanceId,
      status: group.status ?? 'Running',
      zoneId: group.zoneId ?? `${this.#account.settings.regionId}-a`,
      vpcId: eni.vpcId,
      vSwitchId: eni.vSwitchId,
      securityGroupId: 'sg-default',
      intranetIp: eni.primaryIp,
      restartPolicy: 'Always',
      cpu: 2,
      memory: 4,
      containers: [],
      initContainers: [],
      events: [],
      tags: new Map(Object.entries(group.tags ?? {})),
      createdAt: now,
      changedAt: now,
    };
    this.#account.containerGroups.put(record, at);
    return containerGroupId;
  }

  /** The group vanishes, with its network interface and the EIP that was made with it. */
  removeContainerGroup(containerGroupId: string): void {
    const at = this.#account.catchUp();
    forgetGroup(this.#account, this.#group(containerGroupId), at);
  }

  /**
   * The instance ends by itself: Succeeded, Failed, ScheduleFailed or Expired. Its interface and the EIP that was made
   * with it go at once, Describe shows it for an hour more.
   */
  endContainerGroup(
    containerGroupId: string,
    status: 'Succeeded' | 'Failed' | 'ScheduleFailed' | 'Expired',
    exitCode: number = status === 'Succeeded' ? 0 : 1,
  ): void {
    const at = this.#account.catchUp();
    const group = this.#group(containerGroupId);
    if (FINAL_STATES.has(group.status) || group.status === 'Terminating')
      throw new RangeError(`${containerGroupId} is ${group.status} already.`);
    finishGroup(this.#account, group, { status, exitCode }, at);
  }

  /** Changes what is shown of a container, for example `{ ready: false }` or `{ restartCount: 3 }`. */
  changeContainer(containerGroupId: string, name: string, change: Partial<Omit<ContainerRecord, 'name'>>): void {
    const at = this.#account.catchUp();
    const group = this.#group(containerGroupId);
    if (!group.containers.some((container) => container.name === name))
      throw new RangeError(`${containerGroupId} has no container ${name}.`);
    const containers = group.containers.map((one) => (one.name === name ? { ...one, ...change } : one));
    changeGroup(this.#account, group, { containers }, { at });
  }

  /** The cloud tells something about the group, in the list that only DescribeContainerGroups shows. */
  tellOfContainerGroup(containerGroupId: string, event: Omit<GroupEvent, 'at'>): void {
    const at = this.#account.catchUp();
    changeGroup(this.#account, this.#group(containerGroupId), {}, { at, event });
  }

  /** A container writes a line. */
  writeContainerLog(containerGroupId: string, container: string, line: string): void {
    const at = this.#account.catchUp();
    writeLog(this.#account, { group: this.#group(containerGroupId), container }, line, at);
  }

  /** What a container uses from now on: vCPUs, and bytes of memory. */
  useInContainer(containerGroupId: string, container: string, use: { cores: number; memoryBytes: number }): void {
    const now = this.#account.wallTime(this.#account.catchUp());
    useInContainer(this.#account, { group: this.#group(containerGroupId), container }, use, now);
  }

  /** ExecContainerCommand answers addresses at this URL from now on. */
  runCommandsAt(url: string): void {
    this.#account.commandsAt = url;
  }

  /** The command that the address with this secret stands for, once and for 30 s. */
  takeCommand(secret: string): PendingCommand | undefined {
    return takeCommand(this.#account, secret, this.#account.catchUp());
  }

  /** Addresses of pods as an interface gets them: each by itself, with its prefix, or not at all. */
  #handedOut(addresses: readonly string[]): { own: readonly string[]; prefixes: readonly string[] } {
    // Those of an overlay network are known inside of the cluster only.
    if (this.#account.is('noInterface')) return { own: [], prefixes: [] };
    return this.#account.is('prefixMode')
      ? { own: [], prefixes: [...new Set(addresses.map(prefixAround))] }
      : { own: addresses, prefixes: [] };
  }

  #group(containerGroupId: string): ContainerGroupRecord {
    const group = this.#account.containerGroups.get(containerGroupId);
    if (!group) throw new RangeError(`There is no container group ${containerGroupId}.`);
    return group;
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
    unbindAtOnce(this.#account, this.#eip(allocationId), deed);
  }

  #release(allocationId: string): void {
    const deed = this.#deed('ReleaseEipAddress', 'human');
    releaseAtOnce(this.#account, this.#eip(allocationId), deed);
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
