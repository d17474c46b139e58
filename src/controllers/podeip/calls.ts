import { createHash } from 'node:crypto';
import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { AllocateEip, Binding, Tag } from '../../cloud/port.ts';
import { writeRequest, type EipRequest, type NewEip } from '../../request/request.ts';
import { markOf, withMark } from '../../lib/mark.ts';
import { clientToken, withToken, type Caller } from '../../lib/token.ts';
import type { NicBinding } from './record.ts';

/** The identity of this cluster in tags and tokens. */
export interface Cluster {
  /** UID of the namespace kube-system. */
  readonly uid: string;
  /** clusterID of the configuration; for people who read the console. */
  readonly id: string;
  /** The region of its EIPs; undefined if it is not configured. */
  readonly region?: string | undefined;
  /** The key of the marks; undefined where there is none. */
  readonly markKey?: string | undefined;
}

/** Longest value of a tag (VPC API reference, AllocateEipAddress, Tag.N.Value). */
const MAX_TAG_VALUE = 128;

/** A value that fits: an over-long one keeps its beginning and ends in a hash of the whole. */
const fit = (value: string): string =>
  value.length <= MAX_TAG_VALUE
    ? value
    : `${value.slice(0, MAX_TAG_VALUE - 17)}~${createHash('sha256').update(value).digest('hex').slice(0, 16)}`;

/** The two tags that prove which PodEIP an EIP belongs to, and by which it is found again. */
export const ownershipTags = (cluster: Cluster, podEipUid: string): readonly Tag[] => [
  { key: TAG_CLUSTER_UID, value: cluster.uid },
  { key: TAG_PODEIP_UID, value: podEipUid },
];

/** All tags of an EIP that this controller bought: the proof of ownership, and what people read in the console. */
export const allTags = (cluster: Cluster, podEip: PodEip): readonly Tag[] => {
  const { namespace = '', name } = podEip.metadata;
  return [
    ...ownershipTags(cluster, podEip.metadata.uid),
    { key: TAG_CLUSTER_ID, value: fit(cluster.id) },
    { key: TAG_POD, value: fit(`${namespace}/${name}`) },
  ];
};

/** The tags of an EIP of this PodEIP: those that the user asked for, and the proof of ownership. */
export const tagsOfEip = (cluster: Cluster, podEip: PodEip, request: EipRequest | undefined): readonly Tag[] => [
  ...(request?.kind === 'new' ? request.tags.map(([key, value]) => ({ key, value })) : []),
  ...allTags(cluster, podEip),
];

/** The call that buys the EIP: the same PodEIP, generation and request always give the same call. */
export const allocateCall = (cluster: Cluster, podEip: PodEip, request: NewEip, generation: number): AllocateEip => {
  const { uid } = podEip.metadata;
  const { kind: _, tags: __, bandwidthPackageId: ___, ...settings } = request;
  const mark = markOf({ clusterUid: cluster.uid, markKey: cluster.markKey }, uid);
  return {
    ...settings,
    clientToken: clientToken('allocate', cluster.uid, uid, generation, writeRequest(request)),
    description: withMark(request.description, mark),
    tags: tagsOfEip(cluster, podEip, request),
  };
};

/** The call that binds. */
export const associateCall = (
  caller: Caller,
  allocationId: string,
  { networkInterfaceId, privateIpAddress }: NicBinding,
): Binding => withToken('AssociateEipAddress', caller, { allocationId, networkInterfaceId, privateIpAddress });

/**
 * The call that undoes a binding: with exactly the resource that DescribeEipAddresses showed, but always with the
 * private address of an interface, since the interface may have another EIP at another address.
 */
export const unassociateCall = (
  caller: Caller,
  allocationId: string,
  { networkInterfaceId, privateIpAddress, described }: NicBinding,
): Binding => {
  const { instanceId = networkInterfaceId, instanceType } = described ?? {};
  const isInterface = described === undefined || instanceId === networkInterfaceId;
  return withToken('UnassociateEipAddress', caller, {
    allocationId,
    networkInterfaceId: instanceId,
    ...(instanceType !== undefined && { instanceType }),
    privateIpAddress: isInterface ? privateIpAddress : described.privateIpAddress,
  });
};
