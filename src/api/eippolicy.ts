import type { KubeObject, ObjectMeta, Resource } from '../kube/port.ts';
import type { InternetChargeType } from './eip.ts';
import type { Condition } from './podeip.ts';

/**
 * What namespaces may do with EIPs. Cluster-scoped, so that the right to write in a namespace does not include changing
 * its limits. The group is the product's own: `alibabacloud.com` holds the kinds of ack-extend-network-controller, and
 * a kind of ours could collide with one of a later release there.
 */
export interface EipPolicy extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly spec: EipPolicySpec;
  readonly status?: EipPolicyStatus | undefined;
}

/**
 * What a policy means at present, for people; no decision reads it. Numbers are of all namespaces that it means
 * together, while limits are of each.
 */
export interface EipPolicyStatus {
  readonly observedGeneration?: number | undefined;
  /** By what it selects, as a person would say it. */
  readonly selects?: string | undefined;
  /** Namespaces that it means and that exist. */
  readonly namespaces?: number | undefined;
  /** Pods of these that ask for an address. */
  readonly pods?: number | undefined;
  /** Of these, those that wait for a place under a limit of their namespace. */
  readonly waiting?: number | undefined;
  /** EIPs that count under limits.eips. */
  readonly eips?: number | undefined;
  /** What they count under limits.bandwidthMbps. */
  readonly bandwidthMbps?: number | undefined;
  /** The namespace that holds the most; null in a merge patch: none holds any. */
  readonly fullest?: FullestNamespace | null | undefined;
  readonly conditions?: readonly Condition[] | undefined;
}

export interface FullestNamespace {
  readonly namespace: string;
  readonly eips: number;
  readonly bandwidthMbps: number;
}

/**
 * Why the condition `Ready` of a policy is as it is. `NoNamespace` is True, too: what it means may be created later.
 * With `False` the policy holds all the same, as far as it is understood: nothing that it forbids becomes allowed.
 */
export type PolicyReason = 'InForce' | 'NoNamespace' | 'FieldNotUnderstood' | 'Contradicted';

export interface EipPolicySpec {
  /** Names. With `namespaceSelector`, a namespace is meant that either of the two means; with neither, every one is. */
  readonly namespaces?: readonly string[] | undefined;
  readonly namespaceSelector?: LabelSelector | undefined;
  /** The existing EIPs that may be named. Absent: no word about it. */
  readonly existingEips?: NameableEips | undefined;
  /** IDs that may be named. Empty: none may. Absent: no word about it. */
  readonly bandwidthPackages?: readonly string[] | undefined;
  readonly publicIpAddressPools?: readonly string[] | undefined;
  readonly resourceGroups?: readonly string[] | undefined;
  /** What each of the namespaces may hold at once. */
  readonly limits?: EipLimits | undefined;
  /** What holds where a pod says nothing. */
  readonly defaults?: EipPolicyDefaults | undefined;
  /** What pods may choose on this product's own virtual node. */
  readonly virtualNode?: VirtualNodeAllowances | undefined;
}

/**
 * What a pod may choose of the account for the instance that runs it, beside what the configuration gives every
 * instance. An entry that ends with `*` means all that begins so. Absent: no word about it; where no policy has one,
 * nothing of the kind may be chosen.
 */
export interface VirtualNodeAllowances {
  readonly ramRoles?: readonly string[] | undefined;
  readonly securityGroups?: readonly string[] | undefined;
  readonly vSwitches?: readonly string[] | undefined;
  readonly resourceGroups?: readonly string[] | undefined;
  /** With `*`, ECI may look for a cache of the pod's images by itself. */
  readonly imageCaches?: readonly string[] | undefined;
  /** Instance types, and sizes such as 2-4Gi, which no ResourceQuota counts. */
  readonly instanceTypes?: readonly string[] | undefined;
  /** Existing disks. */
  readonly disks?: readonly string[] | undefined;
  /** `server:/path` of NFS and NAS; without a path, every one of the server. */
  readonly fileServers?: readonly string[] | undefined;
  /** Buckets of OSS, as `bucket:/path` or whole. */
  readonly buckets?: readonly string[] | undefined;
  /** Options of mounts, word for word: some of them name servers and identities. */
  readonly mountOptions?: readonly string[] | undefined;
  readonly tagKeys?: readonly string[] | undefined;
  /** Instances of ACR whose images ECI pulls by its own identity, as `cri-…` or `region:cri-…`. */
  readonly acrInstances?: readonly string[] | undefined;
  /** Roles that pull images of ACR, of this account or another one, as `acs:ram::1609982529000000:role/puller`. */
  readonly acrRoles?: readonly string[] | undefined;
  /** Buckets of data caches, as `bucket:/path` or whole. With `*`, how fast their disks are may be chosen, too. */
  readonly dataCaches?: readonly string[] | undefined;
  /** Private addresses of instances. With `*`, ECI may also keep one for the next instance. */
  readonly privateAddresses?: readonly string[] | undefined;
  /** The most beside the free 30 GiB; GiB. */
  readonly ephemeralStorageGiB?: number | undefined;
  /** The largest disk that is made for a volume; GiB. */
  readonly newDiskGiB?: number | undefined;
  /** The most of a public IPv6 address, which no limit of EIPs counts; Mbit/s. */
  readonly ipv6BandwidthMbps?: number | undefined;
}

/** Existing EIPs by their IDs, and all that carry every tag of one of the elements. Empty: none. */
export interface NameableEips {
  readonly ids?: readonly string[] | undefined;
  readonly tags?: readonly Readonly<Record<string, string>>[] | undefined;
}

export interface EipLimits {
  /** EIPs that are bought for pods; those that users name are not counted. */
  readonly eips?: number | undefined;
  /**
   * The sum of their bandwidths, Mbit/s. An EIP in a bandwidth package counts nothing: the package is what is paid for.
   */
  readonly bandwidthMbps?: number | undefined;
}

interface EipPolicyDefaults {
  /** Mbit/s. */
  readonly bandwidth?: number | undefined;
  readonly internetChargeType?: InternetChargeType | undefined;
  readonly isp?: string | undefined;
  /** `cbwp-…` */
  readonly bandwidthPackage?: string | undefined;
}

/** metav1.LabelSelector: all of it must hold, and an empty one matches everything. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

const GROUP = 'podeip-controller.alibabacloud.com';

export const EIP_POLICY: Resource<EipPolicy> = {
  group: GROUP,
  version: 'v1alpha1',
  plural: 'eippolicies',
  kind: 'EipPolicy',
  namespaced: false,
};

/**
 * The places that the PodEIPs of one namespace have taken under a limit. Named like the namespace and cluster-scoped,
 * so that nobody in the namespace can give places away. Each write carries the resourceVersion of what it was decided
 * from: of two PodEIPs that want the last place only one can write itself down.
 */
export interface EipUsage extends KubeObject {
  readonly metadata: ObjectMeta;
  /** In the order in which they were taken. */
  readonly places?: readonly QuotaReservation[] | undefined;
}

export interface QuotaReservation {
  /** UID of the PodEIP. The place is its until it is gone: its finalizer goes only once nothing is held. */
  readonly podEipUID: string;
  /** Its name, for people. */
  readonly podEip: string;
  /** What it counts, Mbit/s. */
  readonly bandwidthMbps: number;
}

export const EIP_USAGE: Resource<EipUsage> = {
  group: GROUP,
  version: 'v1alpha1',
  plural: 'eipusages',
  kind: 'EipUsage',
  namespaced: false,
};
