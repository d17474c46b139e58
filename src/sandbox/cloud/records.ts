/** An elastic container instance ("container group"), as far as its network goes. */
export interface ContainerGroupRecord {
  readonly containerGroupId: string;
  readonly containerGroupName: string;
  /** Pending, Running, Succeeded, Failed, Scheduling, ScheduleFailed, Restarting, Updating, Terminating, Expired. */
  readonly status: string;
  /** Its network interface, which must be one of the account's. */
  readonly eniInstanceId: string;
  readonly zoneId: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Wall-clock, milliseconds since the epoch. */
  readonly createdAt: number;
}

/** An Internet Shared Bandwidth instance ("common bandwidth package"). Its members are in the EIPs. */
export interface BandwidthPackage {
  readonly bandwidthPackageId: string;
  readonly name: string;
  readonly isp: string;
  readonly bandwidthMbps: number;
  readonly internetChargeType: string;
  /** Overdue: nothing may join. */
  readonly financialLocked: boolean;
  /** How many EIPs fit (EIP, "Limits and quotas": 100). */
  readonly capacity: number;
  /** Wall-clock, milliseconds since the epoch. */
  readonly createdAt: number;
}
