import { createHash } from 'node:crypto';
import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { AllocateEip, Binding, Tag } from '../../cloud/port.ts';
import { writeRequest, type NewEip } from '../../request/request.ts';
import { clientToken, withToken, type Caller } from '../../lib/token.ts';
import type { NicBinding } from './record.ts';

/** Who this cluster is, in tags and tokens. */
export interface Cluster {
  /** UID of the namespace kube-system. */
  readonly uid: string;
  /** clusterID of the configuration; for people who read the console. */
  readonly id: string;
  /** Where its EIPs are; undefined where nobody says. */
  readonly region?: string | undefined;
}

/** Longest value of a tag (VPC API reference, AllocateEipAddress, Tag.N.Value). */
const MAX_TAG_VALUE = 128;

/** A value that fits: an over-long one keeps its beginning and ends in a hash of the whole. */
const fit = (value: string): string =>
  value.length <= MAX_TAG_VALUE
    ? value
    : `${value.slice(0, MAX_TAG_VALUE - 17)}~${createHash('sha256').update(value).digest('hex').slice(0, 16)}`;

/** The two tags that prove whose an EIP is, and by which it is found again. */
export const ownershipTags = (cluster: Cluster, podEipUid: string): readonly Tag[] => [
  { key: TAG_CLUSTER_UID, value: cluster.uid },
  { key: TAG_PODEIP_UID, value: podEipUid },
];

/** The tags of an EIP of ours: whose it is, and what people read in the console. */
export const allTags = (cluster: Cluster, podEip: PodEip): readonly Tag[] => {
  const { namespace = '', name } = podEip.metadata;
  return [
    ...ownershipTags(cluster, podEip.metadata.uid),
    { key: TAG_CLUSTER_ID, value: fit(cluster.id) },
    { key: TAG_POD, value: fit(`${namespace}/${name}`) },
  ];
};

/** The call that buys the EIP: the same PodEIP, generation and request always give the same call. */
export const allocateCall = (cluster: Cluster, podEip: PodEip, request: NewEip, generation: number): AllocateEip => {
  const { uid } = podEip.metadata;
  const { kind: _, tags, bandwidthPackageId: __, ...settings } = request;
  return {
    ...settings,
    clientToken: clientToken('allocate', cluster.uid, uid, generation, writeRequest(request)),
    tags: [...tags.map(([key, value]) => ({ key, value })), ...allTags(cluster, podEip)],
  };
};

/** The call that binds or unbinds. */
export const bindingCall = (
  action: 'AssociateEipAddress' | 'UnassociateEipAddress',
  caller: Caller,
  allocationId: string,
  { networkInterfaceId, privateIpAddress }: NicBinding,
): Binding => withToken(action, caller, { allocationId, networkInterfaceId, privateIpAddress });
