import { CONTROLLER, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { Node, Pod } from '../../src/api/core.ts';
import { FINALIZER, type PodEip } from '../../src/api/podeip.ts';
import type { Eip } from '../../src/cloud/port.ts';
import type { Inventory, SeenPod, Surroundings } from '../../src/migrate/inventory.ts';
import { CLUSTER_UID, podEipSettings } from '../harness/settings.ts';

/** Plain records for plans: each test says what is special. */

export const NOW = Date.parse('2026-11-30T12:00:00Z');
export const ADDRESS = '192.168.0.7';
const ENI = 'eni-1';

export const node: Node = {
  metadata: { name: 'node-1', uid: 'node-uid', resourceVersion: '1' },
  spec: { providerID: 'cn-hangzhou.i-1' },
};

export const podOf = (
  annotations: Readonly<Record<string, string>> = { 'k8s.aliyun.com/pod-with-eip': 'true' },
  metadata: Partial<Pod['metadata']> = {},
): Pod => ({
  metadata: { namespace: 'shop', name: 'a', uid: 'pod-uid', resourceVersion: '1', annotations, ...metadata },
  spec: { nodeName: 'node-1' },
  status: { phase: 'Running', podIP: ADDRESS },
});

/** As in ACK, "Attach an independent EIP to a pod". */
export const podEipOf = ({
  spec = {},
  metadata = {},
  status = {},
}: {
  readonly spec?: Partial<PodEip['spec']>;
  readonly metadata?: Partial<PodEip['metadata']>;
  readonly status?: PodEip['status'];
} = {}): PodEip => ({
  metadata: {
    namespace: 'shop',
    name: 'a',
    uid: 'podeip-uid',
    resourceVersion: '222800',
    creationTimestamp: '2023-12-15T04:25:37Z',
    finalizers: [FINALIZER],
    ...metadata,
  },
  spec: { allocationID: 'eip-1', allocationType: { releaseStrategy: 'Follow', type: 'Auto' }, ...spec },
  status: {
    eipAddress: '39.102.0.1',
    internetChargeType: 'PayByTraffic',
    isp: 'BGP',
    networkInterfaceID: ENI,
    podLastSeen: '2026-11-30T11:59:50Z',
    privateIPAddress: ADDRESS,
    resourceGroupID: 'rg-1',
    status: 'InUse',
    ...status,
  },
});

export const eipOf = (over: Partial<Eip> = {}): Eip => ({
  allocationId: 'eip-1',
  ipAddress: '39.102.0.1',
  status: 'InUse',
  instanceId: ENI,
  instanceType: 'NetworkInterface',
  privateIpAddress: ADDRESS,
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: new Map(),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
  ...over,
});

export const ourTags = new Map([
  [TAG_CLUSTER_UID, CLUSTER_UID],
  [TAG_PODEIP_UID, 'podeip-uid'],
]);

export const seenOf = (over: Partial<SeenPod> = {}): SeenPod => ({
  key: 'shop/a',
  pod: podOf(),
  node,
  podEip: podEipOf(),
  eip: eipOf(),
  interfaces: [interfaceOf(false)],
  competitors: [],
  ...over,
});

/** An interface that holds the pod's address, as its primary one or not. */
export const interfaceOf = (isPrimary: boolean) => ({
  networkInterfaceId: ENI,
  status: 'InUse',
  vpcId: 'vpc-1',
  primaryIpAddress: isPrimary ? ADDRESS : '192.168.0.1',
  privateIpAddresses: [ADDRESS],
});

export const around = (over: Partial<Surroundings> = {}): Surroundings => ({
  from: 'ack-extend-network-controller',
  settings: podEipSettings({ existingEips: 'firstUse' }),
  pool: 'off',
  poolOffSince: NOW - 600_000,
  vouchedFor: new Set<string>(),
  now: NOW,
  ...over,
});

export const inventoryOf = (over: Partial<Inventory> = {}): Inventory => ({
  from: 'ack-extend-network-controller',
  settings: podEipSettings({ existingEips: 'firstUse' }),
  vouchedFor: new Set<string>(),
  now: NOW,
  others: { deployments: [], pods: [], leases: [] },
  own: { deployments: [], leases: [] },
  terway: { configuration: undefined, offSince: undefined, notedOff: undefined, pods: [] },
  isGuarded: false,
  seen: [],
  ...over,
});

export const ofTerway = (metadata: Partial<PodEip['metadata']> = {}) =>
  podEipOf({ metadata: { annotations: { [CONTROLLER]: 'terway' }, ...metadata }, status: {} });
