import type { ContainerGroupVolume } from './container-group-volume.ts';
import type { Tag } from './port.ts';

/**
 * Elastic container instances ("container groups"), as far as the product uses them. Shapes and limits: ECI API
 * reference 2018-08-08, CreateContainerGroup, DescribeContainerGroups, DescribeContainerGroupStatus,
 * DescribeContainerLog, DescribeMultiContainerGroupMetric, ExecContainerCommand.
 */

/** What CreateContainerGroup can say about a public address. Nothing else about it can be said there. */
export type EipCreationParameters =
  | Record<string, never>
  /** An EIP is made, bound, and released with the instance. */
  | {
      readonly autoCreateEip: true;
      /** Mbit/s. */
      readonly eipBandwidth?: number | undefined;
      /** BGP or BGP_PRO. */
      readonly eipISP?: string | undefined;
      readonly eipCommonBandwidthPackage?: string | undefined;
    }
  /** An EIP that exists is bound, and unbound with the instance. */
  | { readonly eipInstanceId: string };

/**
 * One environment variable; at most 240 of them. The only reference that ECI resolves is the instance's own address.
 */
export type ContainerEnv =
  /** Key 1–128 of `[0-9a-zA-Z_]`, no digit first; value at most 256 characters. */
  { readonly key: string; readonly value: string } | { readonly key: string; readonly fieldPath: 'status.podIP' };

/** Exactly one of the three actions. There are no gRPC probes, no startup probes, and no headers. */
export interface ContainerProbe {
  readonly httpGet?: { readonly path: string; readonly port: number; readonly scheme: 'HTTP' | 'HTTPS' } | undefined;
  readonly exec?: { readonly command: readonly string[] } | undefined;
  readonly tcpSocket?: { readonly port: number } | undefined;
  /** Seconds. */
  readonly initialDelaySeconds?: number | undefined;
  readonly periodSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly successThreshold?: number | undefined;
  readonly failureThreshold?: number | undefined;
}

/** What runs after the start or before the end of a container. Exactly one of the three. */
export interface ContainerHook {
  readonly exec?: readonly string[] | undefined;
  readonly httpGet?:
    | {
        readonly host?: string | undefined;
        readonly path: string;
        readonly port: number;
        readonly scheme: 'HTTP' | 'HTTPS';
        readonly headers: readonly { readonly name: string; readonly value: string }[];
      }
    | undefined;
  readonly tcpSocket?: { readonly host?: string | undefined; readonly port: number } | undefined;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean | undefined;
  readonly subPath?: string | undefined;
  readonly mountPropagation?: 'None' | 'HostToContainer' | 'Bidirectional' | undefined;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  /** vCPU. */
  readonly cpu?: number | undefined;
  /** GiB. */
  readonly memory?: number | undefined;
  readonly gpu?: number | undefined;
  readonly command?: readonly string[] | undefined;
  readonly arg?: readonly string[] | undefined;
  readonly imagePullPolicy?: string | undefined;
  readonly workingDir?: string | undefined;
  readonly environmentVar?: readonly ContainerEnv[] | undefined;
  readonly port?: readonly { readonly port: number; readonly protocol: 'TCP' | 'UDP' }[] | undefined;
  readonly volumeMount?: readonly VolumeMount[] | undefined;
  readonly readinessProbe?: ContainerProbe | undefined;
  readonly livenessProbe?: ContainerProbe | undefined;
  readonly postStart?: ContainerHook | undefined;
  readonly preStop?: ContainerHook | undefined;
  /** NET_ADMIN and NET_RAW are the only capabilities that can be added. */
  readonly addCapabilities?: readonly string[] | undefined;
  readonly readOnlyRootFilesystem?: boolean | undefined;
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly runAsNonRoot?: boolean | undefined;
  readonly stdin?: boolean | undefined;
  readonly stdinOnce?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly terminationMessagePath?: string | undefined;
  readonly terminationMessagePolicy?: string | undefined;
}

/** What CreateContainerGroup is asked for. At most 20 containers and 20 volumes in one instance. */
export interface ContainerGroupSpec {
  /** ASCII, at most 64: with a token that was used before, the instance of that time is returned. */
  readonly clientToken: string;
  /** 2–128 of lower-case letters, digits and hyphens, no hyphen first or last. */
  readonly containerGroupName: string;
  readonly securityGroupId: string;
  /** At most 10; the first that has room is used, or any with `VSwitchRandom`. */
  readonly vSwitchIds: readonly string[];
  readonly zoneId?: string | undefined;
  readonly scheduleStrategy?: 'VSwitchOrdered' | 'VSwitchRandom' | undefined;
  readonly restartPolicy: 'Always' | 'Never' | 'OnFailure';
  /** vCPU of the whole instance; the sum of the containers' where it is left out. */
  readonly cpu?: number | undefined;
  /** GiB. */
  readonly memory?: number | undefined;
  readonly instanceTypes?: readonly string[] | undefined;
  readonly resourceGroupId?: string | undefined;
  readonly ramRoleName?: string | undefined;
  readonly hostName?: string | undefined;
  readonly dnsPolicy?: 'None' | 'Default' | undefined;
  readonly dnsConfig?:
    | {
        readonly nameServers: readonly string[];
        readonly searches: readonly string[];
        readonly options: readonly { readonly name: string; readonly value?: string | undefined }[];
      }
    | undefined;
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames: readonly string[] }[] | undefined;
  readonly sysctls?: readonly { readonly name: string; readonly value: string }[] | undefined;
  readonly shareProcessNamespace?: boolean | undefined;
  readonly terminationGracePeriodSeconds?: number | undefined;
  readonly activeDeadlineSeconds?: number | undefined;
  /** GiB beside the free 30. */
  readonly ephemeralStorage?: number | undefined;
  readonly spotStrategy?: 'NoSpot' | 'SpotWithPriceLimit' | 'SpotAsPriceGo' | undefined;
  readonly spotPriceLimit?: number | undefined;
  /** Hours without eviction. */
  readonly spotDuration?: number | undefined;
  readonly imageSnapshotId?: string | undefined;
  readonly autoMatchImageCache?: boolean | undefined;
  readonly ipv6AddressCount?: number | undefined;
  /** Its IPv6 address is public. Mbit/s; undefined: the most that the IPv6 gateway of the VPC gives. */
  readonly ipv6Bandwidth?: { readonly mbps?: number | undefined } | undefined;
  /** An address of the vSwitch that is used. */
  readonly privateIpAddress?: string | undefined;
  /** Its address is kept for the next instance, for some hours. */
  readonly fixedIp?: { readonly retainHours?: number | undefined } | undefined;
  readonly ntpServers?: readonly string[] | undefined;
  /** The path of core dumps in the containers. */
  readonly corePattern?: string | undefined;
  readonly cpuOptions?:
    { readonly cores?: number | undefined; readonly threadsPerCore?: number | undefined } | undefined;
  /** Registries that are asked by HTTP, and such whose certificates are not checked. */
  readonly plainHttpRegistries?: readonly string[] | undefined;
  readonly insecureRegistries?: readonly string[] | undefined;
  /**
   * Instances of ACR whose images are pulled without a password: by ECI's own identity, by a role of this account
   * (`arnService`), or by one of another account (`arnUser`) that the former assumes.
   */
  readonly acrInstances?:
    | readonly {
        readonly instanceId?: string | undefined;
        readonly regionId?: string | undefined;
        readonly arnService?: string | undefined;
        readonly arnUser?: string | undefined;
      }[]
    | undefined;
  /** Economy or general machines, the first that there are. */
  readonly computeCategories?: readonly ('economy' | 'general')[] | undefined;
  /** For example `tesla=525.85.12`. */
  readonly gpuDriverVersion?: string | undefined;
  /** After this long without having started the instance fails; minutes, 10–1440. */
  readonly maxPendingMinutes?: number | undefined;
  /** A disk is made from it, whose paths volumes of the kind `hostPath` name. */
  readonly dataCache?:
    | {
        readonly bucket: string;
        readonly performanceLevel?: string | undefined;
        readonly provisionedIops?: number | undefined;
        readonly isBursting?: boolean | undefined;
      }
    | undefined;
  /** Bytes per second. */
  readonly ingressBandwidth?: number | undefined;
  readonly egressBandwidth?: number | undefined;
  readonly registryCredentials?:
    readonly { readonly server: string; readonly userName: string; readonly password: string }[] | undefined;
  readonly containers: readonly ContainerSpec[];
  readonly initContainers?: readonly ContainerSpec[] | undefined;
  readonly volumes?: readonly ContainerGroupVolume[] | undefined;
  readonly tags: readonly Tag[];
  readonly eip: EipCreationParameters;
}

/** The state of one container, in the words of Kubernetes' ContainerStatus. */
export interface ContainerState {
  readonly state: 'Waiting' | 'Running' | 'Terminated';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** ISO 8601. */
  readonly startTime?: string | undefined;
  readonly finishTime?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: number | undefined;
}

export interface ContainerOfGroup {
  readonly name: string;
  readonly image: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly currentState?: ContainerState | undefined;
  readonly previousState?: ContainerState | undefined;
}

/** A container group as DescribeContainerGroups shows it. Empty strings of the API are `undefined` here. */
export interface ContainerGroup {
  readonly containerGroupId: string;
  readonly containerGroupName: string;
  /** Pending, Running, Succeeded, Failed, Scheduling, ScheduleFailed, Restarting, Updating, Terminating or Expired. */
  readonly status: string;
  readonly zoneId?: string | undefined;
  readonly vSwitchId?: string | undefined;
  readonly vpcId?: string | undefined;
  readonly eniInstanceId?: string | undefined;
  /** Its private address. */
  readonly intranetIp?: string | undefined;
  readonly ipv6Address?: string | undefined;
  /** Its public address. The answer has no allocation ID: ask the VPC API for it. */
  readonly internetIp?: string | undefined;
  /** ISO 8601. */
  readonly creationTime?: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly events: readonly {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
    readonly count: number;
    readonly lastTimestamp?: string | undefined;
  }[];
  readonly containers: readonly ContainerOfGroup[];
  readonly initContainers: readonly ContainerOfGroup[];
}

/** A container group as DescribeContainerGroupStatus shows it: the cheap answer that is polled. */
export interface ContainerGroupStatus {
  readonly containerGroupId: string;
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  /** UID of the pod, where the group was made with one. */
  readonly uuid?: string | undefined;
  readonly status: string;
  /** Kubernetes' PodStatus, as far as the cloud fills it; plain JSON, not trusted. */
  readonly podStatus: {
    readonly phase?: string | undefined;
    readonly podIp?: string | undefined;
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
    readonly containers: readonly ContainerOfGroup[];
  };
}

/**
 * What a container, or a whole instance, has used of its CPUs. Sources: API reference,
 * DescribeMultiContainerGroupMetric ("UsageCoreNanoSeconds: the cumulative usage of vCPUs"); ECI documentation, "View
 * the monitoring metrics" (that divided by the time between two records is the use). The names, and so the units, are
 * those of a kubelet's /stats/summary.
 */
export interface CpuUsage {
  /** Cumulative, from its start: nanoseconds of one vCPU. */
  readonly usageCoreNanoSeconds?: number | undefined;
  /** In the last sample, 15 s: 1 vCPU is 1e9. */
  readonly usageNanoCores?: number | undefined;
}

/** Bytes. */
export interface MemoryUsage {
  readonly availableBytes?: number | undefined;
  readonly usageBytes?: number | undefined;
  readonly workingSetBytes?: number | undefined;
  readonly rssBytes?: number | undefined;
  readonly cacheBytes?: number | undefined;
}

/** A network interface of an instance; cumulative. */
export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes?: number | undefined;
  readonly rxErrors?: number | undefined;
  readonly rxPackets?: number | undefined;
  readonly rxDrops?: number | undefined;
  readonly txBytes?: number | undefined;
  readonly txErrors?: number | undefined;
  readonly txPackets?: number | undefined;
  readonly txDrops?: number | undefined;
}

/** The latest record of an instance; the cloud makes one every 15 s. */
export interface ContainerGroupMetrics {
  readonly containerGroupId: string;
  /** When it was made: milliseconds since the epoch. */
  readonly at: number;
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
  readonly interfaces: readonly InterfaceUsage[];
  /** Bytes. */
  readonly filesystems: readonly {
    readonly name: string;
    readonly capacityBytes?: number | undefined;
    readonly usedBytes?: number | undefined;
  }[];
  readonly containers: readonly { readonly name: string; readonly cpu: CpuUsage; readonly memory: MemoryUsage }[];
}

/** Which container groups are meant: all that carry every one of `tags`, or those of `containerGroupIds`. */
export interface ContainerGroupFilter {
  readonly containerGroupIds?: readonly string[] | undefined;
  readonly tags?: readonly Tag[] | undefined;
}

/**
 * The ECI API: the second door to the cloud, used by the virtual-node provider and by nobody else.
 *
 * Rejects with a {@link CloudFault} and with nothing else, and holds the same promises as the cloud port.
 */
export interface ContainerGroups {
  /** Starts an instance; asynchronous. Costs money from here on. */
  createContainerGroup(spec: ContainerGroupSpec, signal?: AbortSignal): Promise<{ containerGroupId: string }>;
  /** Starts to end an instance; asynchronous. `gone` means that it ended before. */
  deleteContainerGroup(group: { containerGroupId: string; clientToken: string }, signal?: AbortSignal): Promise<void>;
  /** All pages; any number of IDs. One that does not exist is not in the answer. */
  describeContainerGroups(filter: ContainerGroupFilter, signal?: AbortSignal): Promise<readonly ContainerGroup[]>;
  /** All pages; `sinceSeconds` limits the answer to what changed in the last so many seconds. */
  describeContainerGroupStatus(
    filter: ContainerGroupFilter & { readonly sinceSeconds?: number | undefined },
    signal?: AbortSignal,
  ): Promise<readonly ContainerGroupStatus[]>;
  /** At most 1 MB and 2,000 lines of a container's output. */
  describeContainerLog(
    query: {
      readonly containerGroupId: string;
      readonly containerName: string;
      readonly tail?: number | undefined;
      readonly sinceSeconds?: number | undefined;
      readonly startTime?: string | undefined;
      readonly timestamps?: boolean | undefined;
      readonly limitBytes?: number | undefined;
      /** The output of the run before the last restart. */
      readonly previous?: boolean | undefined;
    },
    signal?: AbortSignal,
  ): Promise<string>;
  /** The latest record of each; at most 20 IDs. One that does not exist, or has no record yet, is not in the answer. */
  describeContainerGroupMetrics(
    containerGroupIds: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly ContainerGroupMetrics[]>;
  /**
   * Runs a command in a container that runs: in truth once somebody opens the WebSocket whose address this answers, in
   * the next 30 s. Whoever has the address may do that, so that it belongs in no log.
   */
  execContainerCommand(
    call: {
      readonly containerGroupId: string;
      readonly containerName: string;
      /** At most 20 parts of at most 256 characters. */
      readonly command: readonly string[];
      readonly tty: boolean;
      readonly stdin: boolean;
    },
    signal?: AbortSignal,
  ): Promise<{ webSocketUri: string }>;
}
