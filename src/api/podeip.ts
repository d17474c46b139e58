import type { KubeObject, ObjectMeta, Resource } from '../kube/port.ts';

/** Who owns the EIP: `Auto` was bought by the controller and is released by it, `Static` is the user's and never is. */
type AllocationKind = 'Auto' | 'Static';

/** When the EIP of a pod that is gone is given back. Source: ack-extend-network-controller's CRD. */
type ReleaseStrategy = 'Follow' | 'TTL' | 'Never';

/** A condition as in metav1.Condition. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly observedGeneration?: number | undefined;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

/**
 * The condition, True or absent, that only a person can help.
 *
 * @see https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
export const STALLED = 'Stalled';

export interface PodEipSpec {
  /** `eip-…`; empty until the EIP exists. */
  readonly allocationID: string;
  readonly allocationType: {
    readonly type: AllocationKind;
    readonly releaseStrategy: ReleaseStrategy;
    /** A Go duration, with `TTL`. */
    readonly releaseAfter?: string | undefined;
  };
  readonly bandwidthPackageID?: string | undefined;
}

/**
 * What the cloud said last. Only ever a projection, and nothing is decided from it but how much bandwidth an EIP that a
 * virtual node has made counts under the limits of its namespace.
 */
export interface PodEipStatus {
  /** The public address of the pod; with the two below it while the EIP is in use, and not otherwise. */
  readonly eipAddress?: string | undefined;
  readonly privateIPAddress?: string | undefined;
  readonly networkInterfaceID?: string | undefined;
  /** The VPC API's EIP state: Associating, InUse, Unassociating, Available, Releasing. */
  readonly status?: string | undefined;
  readonly internetChargeType?: string | undefined;
  readonly isp?: string | undefined;
  readonly bandwidth?: string | undefined;
  readonly name?: string | undefined;
  readonly bandwidthPackageID?: string | undefined;
  readonly publicIpAddressPoolID?: string | undefined;
  readonly resourceGroupID?: string | undefined;
  readonly podLastSeen?: string | undefined;
  /** Who makes and releases the address: `Controller`, or `ECI` where the virtual node does. */
  readonly managedBy?: string | undefined;
  readonly conditions?: readonly Condition[] | undefined;
}

/**
 * The intent record of one pod's address. Same namespace and name as the pod; identity is the pod's UID, kept in it.
 */
export interface PodEip extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly spec: PodEipSpec;
  readonly status?: PodEipStatus | undefined;
}

export const PODEIP: Resource<PodEip> = {
  group: 'alibabacloud.com',
  version: 'v1beta1',
  plural: 'podeips',
  kind: 'PodEIP',
  namespaced: true,
  whole: (podEip) => {
    const { spec } = podEip as { spec?: Partial<PodEipSpec> | null };
    const { allocationID, allocationType } = spec ?? {};
    if (typeof allocationID === 'string' && allocationType) return podEip;
    // What is not said to have been bought is the user's, and never released.
    const nothing = { type: 'Static', releaseStrategy: 'Follow' } as const;
    return {
      ...podEip,
      spec: { ...spec, allocationID: allocationID ?? '', allocationType: allocationType ?? nothing },
    };
  },
};

/** What the condition Allocated says: which EIP it is, and its address, which nothing else says while no pod has it. */
export const heldMessage = (allocationId: string, ipAddress: string | undefined): string =>
  ipAddress === undefined ? allocationId : `${allocationId} (${ipAddress})`;

/** The address of the EIP that the PodEIP holds, in use or not; undefined where it holds none, or none may be shown. */
export const heldAddressOf = ({ spec: { allocationID }, status }: PodEip): string | undefined => {
  if (status?.eipAddress !== undefined) return status.eipAddress;
  const message = status?.conditions?.find(({ type }) => type === 'Allocated')?.message ?? '';
  const start = heldMessage(allocationID, '').slice(0, -1);
  return allocationID !== '' && message.startsWith(start) ? message.slice(start.length, -1) : undefined;
};

/** The finalizer of ack-extend-network-controller; kept, so that PodEIPs written by it are understood. */
export const FINALIZER = 'podeip-controller.alibabacloud.com/finalizer';
