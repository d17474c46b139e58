import {
  NODE_TYPE,
  OUR_VIRTUAL_NODE,
  VIRTUAL_KUBELET,
  VIRTUAL_NODE_TAINT,
  VIRTUAL_NODE_TAINT_VALUE,
} from '../api/annotations.ts';
import { NODE, type Node } from '../api/core.ts';
import type { Resource } from '../kube/port.ts';
import type { ObjectReference } from '../kube/recorder.ts';
import { parseQuantity } from './translate/quantity.ts';

/** A Node with the status that its kubelet writes. */
export interface VirtualNode extends Node {
  readonly status?: NodeStatus | undefined;
}

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastHeartbeatTime?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

interface NodeAddress {
  readonly type: string;
  readonly address: string;
}

interface NodeStatus {
  readonly capacity?: Readonly<Record<string, string>> | undefined;
  readonly allocatable?: Readonly<Record<string, string>> | undefined;
  readonly conditions?: readonly NodeCondition[] | undefined;
  readonly addresses?: readonly NodeAddress[] | undefined;
  readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port: number } | undefined } | undefined;
  readonly nodeInfo?: Readonly<Record<string, string>> | undefined;
}

/** A strategic patch of the status: of the addresses, which are merged by type, one is taken away by a directive. */
interface NodeStatusPatch extends Omit<NodeStatus, 'addresses'> {
  readonly addresses: readonly (NodeAddress | { readonly $patch: 'delete'; readonly type: string })[];
}

/** A {@link NODE} with the whole status that its kubelet writes. */
export const VIRTUAL_NODE: Resource<VirtualNode> = { ...NODE, of: undefined, whole: (node) => node };

/** The properties that the Node reports. */
export interface NodeDescription {
  readonly name: string;
  readonly region: string;
  /** Undefined if its instances may be in several zones. */
  readonly zone?: string | undefined;
  /** How much the scheduler may place on it; quantities. The cloud's own limits apply as well. */
  readonly capacity: {
    readonly cpu: string;
    readonly memory: string;
    readonly pods: string;
    readonly ephemeralStorage: string;
    readonly gpu: string;
  };
  /** Where the API server reaches the kubelet endpoint; undefined if there is none. */
  readonly endpoint?: { readonly address: string; readonly port: number } | undefined;
  /** `spec.providerID`; it can be written once, and not changed. */
  readonly providerID?: string | undefined;
  /** The product's version. */
  readonly version: string;
  /** The minor version of the API server, such as `1.36`; undefined if it did not say. */
  readonly clusterVersion?: string | undefined;
}

/** Labels of the Node. Source: Kubernetes, "Well-Known Labels, Annotations and Taints". */
const labelsOf = ({ name, region, zone }: NodeDescription): Readonly<Record<string, string>> => ({
  [NODE_TYPE]: VIRTUAL_KUBELET,
  [OUR_VIRTUAL_NODE]: 'true',
  // The role of every public virtual kubelet, by which samples select its node.
  'kubernetes.io/role': 'agent',
  'kubernetes.io/hostname': name,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': 'amd64',
  'topology.kubernetes.io/region': region,
  ...(zone !== undefined && {
    'topology.kubernetes.io/zone': zone,
    // By which the volumes of disks say where they are (alibaba-cloud-csi-driver, pkg/disk, TopologyZoneKey).
    'topology.diskplugin.csi.alibabacloud.com/zone': zone,
  }),
  // There is no machine that a load balancer could send traffic to (KEP-1143).
  'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
});

/**
 * Labels that NodeRestriction keeps from nodes themselves (kubernetes plugin/pkg/admission/noderestriction,
 * getForbiddenLabels); they are written afterwards.
 */
const NOT_FOR_NODES = new Set(['kubernetes.io/role']);

/** The Node to create, with the taint that keeps away pods that were not sent here. */
export const newNode = (description: NodeDescription): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: description.name,
    labels: Object.fromEntries(Object.entries(labelsOf(description)).filter(([key]) => !NOT_FOR_NODES.has(key))),
  },
  spec: {
    ...(description.providerID !== undefined && { providerID: description.providerID }),
    taints: [{ key: VIRTUAL_NODE_TAINT, value: VIRTUAL_NODE_TAINT_VALUE, effect: 'NoSchedule' }],
  },
});

/** Whether the Node belongs to this product. A Node of the same name without the label is somebody else's machine. */
export const isOurNode = ({ metadata }: Node): boolean => metadata.labels?.[OUR_VIRTUAL_NODE] === 'true';

/**
 * Our labels that are missing on the Node, or have another value; undefined if there are none. Other labels are left
 * alone.
 */
export const missingLabels = (
  { metadata }: Node,
  description: NodeDescription,
): Readonly<Record<string, string>> | undefined => {
  const missing = Object.entries(labelsOf(description)).filter(([key, value]) => metadata.labels?.[key] !== value);
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
};

/** The provider ID to write on a Node that has none; undefined if there is nothing to write. */
export const missingProviderID = ({ spec }: Node, { providerID }: NodeDescription): string | undefined =>
  spec?.providerID ? undefined : providerID;

/**
 * The version that `kubectl get nodes` shows, in the shape of a Kubernetes version of the cluster's: tools compare it
 * with the control plane's (kubeadm, "version skew"). With the minor version of the product instead, it would be too
 * old.
 */
const kubeletVersion = ({ version, clusterVersion }: NodeDescription): string =>
  clusterVersion === undefined ? `v${version}-knative-eip` : `v${clusterVersion}.0-knative-eip-${version}`;

const conditionsOf = (): readonly Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>[] => [
  { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'the virtual-node provider runs' },
  ...[
    ['MemoryPressure', 'KubeletHasSufficientMemory'],
    ['DiskPressure', 'KubeletHasNoDiskPressure'],
    ['PIDPressure', 'KubeletHasSufficientPID'],
  ].map(([type = '', reason = '']) => ({
    type,
    status: 'False',
    reason,
    message: 'each pod has an instance of its own',
  })),
  {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: 'RouteCreated',
    message: 'each pod has a network interface of its own',
  },
];

/**
 * Where API servers and metrics-server reach the kubelet endpoint. There is no host name beside it: both prefer that by
 * default (`--kubelet-preferred-address-types`), and the name of a virtual node is in no DNS.
 */
const addressesOf = ({ name, endpoint }: NodeDescription): readonly NodeAddress[] =>
  endpoint ? [{ type: 'InternalIP', address: endpoint.address }] : [{ type: 'Hostname', address: name }];

/** Addresses of types that only we write, from when the Node had an endpoint, or had none. */
const formerAddresses = (status: NodeStatus | undefined, wanted: readonly NodeAddress[]): readonly string[] =>
  ['InternalIP', 'Hostname'].filter(
    (type) => status?.addresses?.some((it) => it.type === type) && !wanted.some((it) => it.type === type),
  );

/** The part of the status that does not change by itself. */
const lastingStatus = (description: NodeDescription) => {
  const { capacity, endpoint } = description;
  const { cpu, memory, pods, ephemeralStorage, gpu } = capacity;
  const resources = { cpu, memory, pods, 'ephemeral-storage': ephemeralStorage, 'nvidia.com/gpu': gpu };
  return {
    capacity: resources,
    allocatable: resources,
    addresses: addressesOf(description),
    daemonEndpoints: { kubeletEndpoint: { Port: endpoint?.port ?? 0 } },
    nodeInfo: {
      architecture: 'amd64',
      operatingSystem: 'linux',
      kubeletVersion: kubeletVersion(description),
      kubeProxyVersion: '',
      containerRuntimeVersion: 'eci://2018-08-08',
      kernelVersion: '',
      osImage: 'Elastic Container Instance',
      machineID: '',
      systemUUID: '',
      bootID: '',
    },
  };
};

/**
 * The status to write, as a strategic patch that leaves other conditions alone; undefined if the Node shows it already
 * and was written less than `refreshMs` ago.
 */
export const nodeStatusPatch = (
  { status }: VirtualNode,
  description: NodeDescription,
  now: number,
  refreshMs: number,
): NodeStatusPatch | undefined => {
  const lasting = lastingStatus(description);
  const at = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  const current = new Map(status?.conditions?.map((condition) => [condition.type, condition]));
  const wanted = conditionsOf();
  const beat = Date.parse(current.get('Ready')?.lastHeartbeatTime ?? '');
  const isFresh = !Number.isNaN(beat) && now - beat < refreshMs;
  const { capacity, allocatable, ...others } = lasting;
  const former = formerAddresses(status, lasting.addresses);
  const isSame =
    former.length === 0 &&
    wanted.every(({ type, status: value, reason }) => covers(current.get(type), { status: value, reason })) &&
    hasAmounts(status?.capacity, capacity) &&
    hasAmounts(status?.allocatable, allocatable) &&
    covers(status ?? {}, others);
  if (isFresh && isSame) return undefined;
  const conditions = wanted.map((condition) => {
    const before = current.get(condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastHeartbeatTime: at, lastTransitionTime: since ?? at };
  });
  const addresses = [...lasting.addresses, ...former.map((type) => ({ $patch: 'delete' as const, type }))];
  return { ...lasting, addresses, conditions };
};

/** For Events. */
export const referenceToNode = ({ metadata: { name, uid } }: Node): ObjectReference => ({
  apiVersion: 'v1',
  kind: 'Node',
  name,
  uid,
});

type Quantities = Readonly<Record<string, string>>;

/** Whether the amounts are there: the API server keeps the value of a quantity, and 5000 comes back as 5k. */
const hasAmounts = (actual: Quantities | undefined, wanted: Quantities): boolean =>
  Object.entries(wanted).every(([resource, text]) => parseQuantity(actual?.[resource] ?? '') === parseQuantity(text));

/** Whether `actual` contains everything in `wanted`. */
const covers = (actual: unknown, wanted: unknown): boolean => {
  if (typeof wanted !== 'object' || wanted === null) return actual === wanted;
  if (typeof actual !== 'object' || actual === null) return false;
  if (Array.isArray(wanted))
    return Array.isArray(actual) && wanted.every((each) => actual.some((other) => covers(other, each)));
  return Object.entries(wanted).every(([key, value]) => covers((actual as Record<string, unknown>)[key], value));
};
