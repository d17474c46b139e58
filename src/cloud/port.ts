import type { InternetChargeType } from '../api/eip.ts';

/** What AllocateEipAddress is asked for. Every field is sent as it is; nothing is left to the API's own defaults. */
export interface AllocateEip {
  /** Idempotency token, at most 64 ASCII characters. */
  readonly clientToken: string;
  /** Peak bandwidth, Mbit/s: 1–200 by traffic, 1–500 by bandwidth. */
  readonly bandwidthMbps: number;
  /** Always sent: the API's default is PayByBandwidth, the annotation's is PayByTraffic. */
  readonly internetChargeType: InternetChargeType;
  readonly isp: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly publicIpAddressPoolId?: string | undefined;
  readonly resourceGroupId?: string | undefined;
  /** At most one, `AntiDDoS_Enhanced`. */
  readonly securityProtectionTypes?: readonly string[] | undefined;
  /** At most 20; keys and values at most 128 characters. */
  readonly tags: readonly Tag[];
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/**
 * An EIP as DescribeEipAddresses shows it. Empty strings of the API are `undefined` here, but for `privateIpAddress`.
 */
export interface Eip {
  readonly allocationId: string;
  readonly ipAddress: string;
  /** Associating, Unassociating, InUse, Available or Releasing; other words may come and mean "in transition". */
  readonly status: string;
  /** What it is bound to, for example an `eni-…`. */
  readonly instanceId?: string | undefined;
  /** NetworkInterface, EcsInstance, SlbInstance, Nat, HaVip, IpAddress. */
  readonly instanceType?: string | undefined;
  /** The private address that it is bound to. The API says "" for the primary address of a network interface. */
  readonly privateIpAddress?: string | undefined;
  /** Of the EIP itself, which counts while it is in no bandwidth package; Mbit/s. */
  readonly bandwidthMbps: number;
  /** Of the bandwidth package that it is in, for all EIPs of that together; Mbit/s. */
  readonly packageBandwidthMbps?: number | undefined;
  readonly internetChargeType: string;
  /** PostPaid or PrePaid. */
  readonly chargeType: string;
  readonly isp: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly bandwidthPackageId?: string | undefined;
  readonly resourceGroupId?: string | undefined;
  readonly publicIpAddressPoolId?: string | undefined;
  readonly segmentInstanceId?: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  /** Owned by another cloud service: never to be touched. */
  readonly serviceManaged: boolean;
  readonly deletionProtection: boolean;
  /** `financial`, `security`: a locked EIP cannot be associated, disassociated or released. */
  readonly lockReasons: readonly string[];
  /** ISO 8601, as the API gives it. */
  readonly allocationTime?: string | undefined;
}

/** An elastic network interface as ECS DescribeNetworkInterfaces shows it. */
export interface NetworkInterface {
  readonly networkInterfaceId: string;
  /** InUse, Available, Attaching, … */
  readonly status: string;
  readonly vpcId: string;
  readonly instanceId?: string | undefined;
  /** The interface's primary private address. An EIP bound to it is described with `privateIpAddress` "". */
  readonly primaryIpAddress: string;
  readonly privateIpAddresses: readonly string[];
  /** IPv4 prefixes, such as `10.0.0.16/28`: addresses out of them are not among the others. @default none */
  readonly prefixes?: readonly string[] | undefined;
}

/** One EIP on one private address of one network interface: the compare-and-swap triple of Unassociate. */
export interface Binding {
  readonly allocationId: string;
  /** Of an EIP that is described as bound to an instance, of ECS or ECI: that instance. */
  readonly networkInterfaceId: string;
  /** As it is described. @default NetworkInterface */
  readonly instanceType?: string | undefined;
  readonly privateIpAddress: string;
  readonly clientToken: string;
}

/** An Internet Shared Bandwidth instance as DescribeCommonBandwidthPackages shows it. */
export interface BandwidthPackage {
  readonly bandwidthPackageId: string;
  /** The line type of the EIPs in it; "" where the answer does not say. */
  readonly isp: string;
  /** Normal, or why nothing can join: FinancialLocked, Unactivated. "" where the answer does not say. */
  readonly businessStatus: string;
}

/** An EIP's place in an Internet Shared Bandwidth instance. */
export interface PackageMembership {
  readonly allocationId: string;
  readonly bandwidthPackageId: string;
  readonly clientToken: string;
}

/** The private addresses of one look-up (ECS API reference, DescribeNetworkInterfaces: PrivateIpAddress.N, 1–100). */
export const MOST_ADDRESSES = 100;

/**
 * The cloud, as far as the product uses it: the only door to it.
 *
 * Every function rejects with a {@link CloudFault} and with nothing else, except that it rejects with the signal's
 * reason when `signal` aborts while the call still waits for its turn. A call that has been sent is never abandoned:
 * it ends with its answer or with its timeout, so that a shutdown knows what is still under way.
 */
export interface Cloud {
  /** Buys an EIP. With a token that was used before, returns the EIP of that time. */
  allocateEip(request: AllocateEip, signal?: AbortSignal): Promise<{ allocationId: string; ipAddress: string }>;
  /** The EIP with this ID, or undefined where the answer does not list it. Many at once are folded into one call. */
  describeEip(allocationId: string, signal?: AbortSignal): Promise<Eip | undefined>;
  /** Every EIP that carries all of `tags` with these values; all pages. */
  findEips(tags: readonly Tag[], signal?: AbortSignal): Promise<readonly Eip[]>;
  /** Every EIP of the account that is Available, of any origin; all pages. */
  listFreeEips(signal?: AbortSignal): Promise<readonly Eip[]>;
  /** By public address, the EIPs of any origin that have these; without those that the answer does not list. */
  findEipsByAddress(ipAddresses: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Eip>>;
  /**
   * Starts to bind an Available EIP to a private address of a network interface. Asynchronous: describe until InUse.
   */
  associateEip(binding: Binding, signal?: AbortSignal): Promise<void>;
  /** Starts to undo exactly this binding. Asynchronous: describe until Available. */
  unassociateEip(binding: Binding, signal?: AbortSignal): Promise<void>;
  /** Gives an Available EIP back. `gone` means that it was given back before. */
  releaseEip(allocationId: string, signal?: AbortSignal): Promise<void>;
  /** Asynchronous: describe until `bandwidthPackageId` shows it. */
  joinBandwidthPackage(membership: PackageMembership, signal?: AbortSignal): Promise<void>;
  /** Adds tags, or changes the value of those that are there. Idempotent. */
  tagEip(allocationId: string, tags: readonly Tag[], signal?: AbortSignal): Promise<void>;
  /** Takes tags off; those that are not there are no error. Idempotent. */
  untagEip(allocationId: string, keys: readonly string[], signal?: AbortSignal): Promise<void>;
  leaveBandwidthPackage(membership: PackageMembership, signal?: AbortSignal): Promise<void>;
  /** The bandwidth package with this ID, or undefined where the answer does not list it. */
  findBandwidthPackage(bandwidthPackageId: string, signal?: AbortSignal): Promise<BandwidthPackage | undefined>;
  /** The network interfaces of the VPC that hold this private address: one, unless something is wrong. */
  findNetworkInterfaces(
    where: { vpcId: string; privateIpAddress: string },
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]>;
  /**
   * The same of up to {@link MOST_ADDRESSES} private addresses in one call, with one more for each that it does not
   * find. Every address that was asked for is in the map.
   */
  findNetworkInterfacesOfMany(
    where: { vpcId: string; privateIpAddresses: readonly string[] },
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly NetworkInterface[]>>;
  /** The network interfaces of an ECS instance, whatever their VPC; none where the account has no such instance. */
  networkInterfacesOf(instanceId: string, signal?: AbortSignal): Promise<readonly NetworkInterface[]>;
}
