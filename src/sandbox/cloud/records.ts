/**
 * A container of a group, in the words of Kubernetes' ContainerStatus. Records never change: each change makes
 * a new one.
 */
export interface ContainerRecord {
  readonly name: string;
  readonly image: string;
  readonly state: 'Waiting' | 'Running' | 'Terminated';
  readonly reason: string;
  readonly message?: string | undefined;
  readonly ready: boolean;
  readonly restartCount: number;
  /** Wall-clock, milliseconds since the epoch. */
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  readonly exitCode?: number | undefined;
}

/** Something that the cloud tells about a container group or an image cache. */
export interface GroupEvent {
  /** @default 'Normal' */
  readonly type?: 'Normal' | 'Warning' | undefined;
  readonly reason: string;
  readonly message: string;
  /** Wall-clock, milliseconds since the epoch. */
  readonly at: number;
}

/** An image cache. */
export interface ImageCacheRecord {
  readonly imageCacheId: string;
  readonly name: string;
  readonly images: readonly string[];
  readonly sizeGiB: number;
  readonly vSwitchId: string;
  readonly securityGroupId: string;
  /** The registries that credentials were given for. */
  readonly registries: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
  /** Preparing, Creating, Ready or Failed. */
  readonly status: string;
  readonly progress: string;
  /** Wall-clock, milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly events: readonly GroupEvent[];
}

/** What ExecContainerCommand was asked for, until somebody opens the address that it has answered. */
export interface PendingCommand {
  readonly containerGroupId: string;
  readonly containerName: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Monotonic, milliseconds. */
  readonly until: number;
}

/** An elastic container instance ("container group"), as far as its network and its life go. */
export interface ContainerGroupRecord {
  readonly containerGroupId: string;
  readonly containerGroupName: string;
  /** Pending, Running, Succeeded, Failed, Scheduling, ScheduleFailed, Restarting, Updating, Terminating, Expired. */
  readonly status: string;
  /** Its network interface, one of the account's as long as the instance has not ended. */
  readonly eniInstanceId: string;
  readonly vpcId: string;
  readonly vSwitchId: string;
  readonly securityGroupId: string;
  readonly zoneId: string;
  /** Its private address, also after its end. */
  readonly intranetIp: string;
  readonly restartPolicy: string;
  /** vCPU and GiB. */
  readonly cpu: number;
  readonly memory: number;
  readonly containers: readonly ContainerRecord[];
  readonly initContainers: readonly ContainerRecord[];
  readonly volumes?: readonly VolumeRecord[] | undefined;
  /** Allocation ID of the EIP that was made with the instance and is released with it. */
  readonly ownEip?: string | undefined;
  readonly events: readonly GroupEvent[];
  /** When it begins to show its public address, monotonic milliseconds; undefined is from the beginning. */
  readonly addressShownAt?: number | undefined;
  readonly tags: ReadonlyMap<string, string>;
  /** Wall-clock, milliseconds since the epoch. */
  readonly createdAt: number;
  readonly changedAt: number;
}

/** A volume as it was asked for; options are those of its driver, as JSON. */
export interface VolumeRecord {
  readonly name: string;
  readonly type: string;
  readonly driver?: string | undefined;
  readonly options?: string | undefined;
  readonly server?: string | undefined;
  readonly path?: string | undefined;
}

/** What a container uses from a time on. */
export interface ContainerUse {
  /** vCPUs. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Wall-clock, milliseconds since the epoch. */
  readonly since: number;
  /** What it had used by then: nanoseconds of one vCPU. */
  readonly usedBefore: number;
}

/** A line of a container's output. */
export interface LogLine {
  /** Wall-clock, milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
}

/** An Internet Shared Bandwidth instance ("common bandwidth package"). Its members are in the EIPs. */
export interface BandwidthPackageRecord {
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

/** An Internet NAT gateway, which is only looked at. */
export interface NatGatewayRecord {
  readonly natGatewayId: string;
  readonly vpcId: string;
  readonly snatTableId: string;
  readonly snatEntries: number;
}
