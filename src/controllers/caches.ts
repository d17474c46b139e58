import { ALLOCATED_INSTANCE_ID, ECI_INSTANCE_ID, EIP_MADE_WITH, KEYS, ON_VIRTUAL_NODE } from '../api/annotations.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../api/knative.ts';
import { NODE, POD, type Node, type Pod } from '../api/core.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { Reason } from '../api/reason.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { KubeFault } from '../kube/fault.ts';
import type { KubeTransport, ObjectMeta } from '../kube/port.ts';
import type { WorkQueue } from '../kube/queue.ts';
import type { StoreEvent } from '../kube/mirror.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';
import { isFinal } from '../api/pod.ts';
import { readRecord } from './podeip/record.ts';

/** What the watches keep. Nothing is decided from it: it says which key to look at, and what to show in /metrics. */
export interface Caches {
  readonly pods: Reflector<Pod>;
  readonly podEips: Reflector<PodEip>;
  readonly nodes: Reflector<Node>;
  /** All three, with the names that health checks and metrics show. */
  readonly all: readonly (readonly [name: string, reflector: Reflector<Pod> | Reflector<PodEip> | Reflector<Node>])[];
}

interface CacheOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called for each failure of a watch. */
  readonly onTrouble: (resource: string, fault: KubeFault) => void;
}

const ASKING = [...KEYS.withEip, ...KEYS.instanceId];
/** Beside the keys of requests what virtual nodes write, so that it is seen when they do. */
const KEPT = [...Object.values(KEYS).flat(), ECI_INSTANCE_ID, ALLOCATED_INSTANCE_ID, EIP_MADE_WITH];

/** What of its labels says where it runs, and for which Knative Service. */
const LABELS = [ON_VIRTUAL_NODE, SERVICE_LABEL, SERVICE_UID];

/** Identity and what decides whether to look; a pod that asks for no address is not kept at all. */
const trimPod = ({ metadata, spec, status }: Pod): Pod | undefined => {
  const { annotations = {} } = metadata;
  if (!ASKING.some((key) => annotations[key] !== undefined)) return undefined;
  const kept = KEPT.flatMap((key) => (annotations[key] === undefined ? [] : [[key, annotations[key]] as const]));
  const labels = LABELS.flatMap((key) => {
    const value = metadata.labels?.[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    metadata: {
      ...identity(metadata),
      annotations: Object.fromEntries(kept),
      ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    },
    spec: { nodeName: spec.nodeName, hostNetwork: spec.hostNetwork },
    status: {
      phase: status?.phase,
      reason: status?.reason,
      podIP: status?.podIP,
      conditions: status?.conditions
        ?.filter(({ type }) => type === 'ContainersReady')
        .map((it) => ({ type: it.type, status: it.status })),
    },
  };
};

const trimPodEip = ({ metadata, spec, status }: PodEip): PodEip => ({
  metadata: {
    ...identity(metadata),
    creationTimestamp: metadata.creationTimestamp,
    labels: metadata.labels,
    annotations: metadata.annotations,
    finalizers: metadata.finalizers,
  },
  spec,
  status: {
    status: status?.status,
    eipAddress: status?.eipAddress,
    privateIPAddress: status?.privateIPAddress,
    networkInterfaceID: status?.networkInterfaceID,
    managedBy: status?.managedBy,
    isp: status?.isp,
    internetChargeType: status?.internetChargeType,
    bandwidth: status?.bandwidth,
    bandwidthPackageID: status?.bandwidthPackageID,
    conditions: status?.conditions?.filter(({ type }) => type === 'Ready'),
  },
});

const keepNode = ({ metadata, spec, status }: Node): Node => ({
  metadata: { ...identity(metadata), labels: metadata.labels },
  spec: { providerID: spec?.providerID, taints: spec?.taints?.map(({ key, effect }) => ({ key, effect })) },
  status: {
    addresses: status?.addresses
      ?.filter(({ type }) => type === 'InternalIP')
      .map(({ type, address }) => ({ type, address })),
    conditions: status?.conditions
      ?.filter(({ type }) => type === 'Ready')
      .map((it) => ({ type: it.type, status: it.status })),
  },
});

const identity = ({ name, namespace, uid, resourceVersion, deletionTimestamp }: ObjectMeta): ObjectMeta => ({
  name,
  namespace,
  uid,
  resourceVersion,
  deletionTimestamp,
});

export const createCaches = (options: CacheOptions): Caches => {
  const { onTrouble, ...rest } = options;
  const pods = createReflector({
    ...rest,
    resource: POD,
    keep: trimPod,
    indexes: { node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]) },
    onTrouble: (fault) => onTrouble('pods', fault),
  });
  const podEips = createReflector({
    ...rest,
    resource: PODEIP,
    keep: trimPodEip,
    indexes: { wanted: (podEip) => wantedBy(podEip), service: serviceOf, waiting: waitingIn },
    onTrouble: (fault) => onTrouble('podeips', fault),
  });
  const nodes = createReflector({
    ...rest,
    resource: NODE,
    keep: keepNode,
    onTrouble: (fault) => onTrouble('nodes', fault),
  });
  const all = [['pods', pods] as const, ['podeips', podEips] as const, ['nodes', nodes] as const];
  return { pods, podEips, nodes, all };
};

/** The key of the Knative Service that a PodEIP's pod belongs to. */
const serviceOf = ({ metadata: { namespace, labels } }: PodEip): readonly string[] => {
  const name = labels?.[SERVICE_LABEL];
  return name === undefined ? [] : [keyOf({ namespace, name })];
};

/** The namespace whose limits a PodEIP waits for. */
const waitingIn = ({ metadata: { namespace = '' }, status }: PodEip): readonly string[] =>
  status?.conditions?.some(({ reason }) => reason === WAITING) === true ? [namespace] : [];

const WAITING: Reason = 'QuotaOfNamespaceExceeded';
/** How many of those that wait for room are told of a place: it is for one, and may be too small for the first. */
const MOST_TOLD = 10;

/** The existing EIP that a PodEIP names, whether it has it or still waits for it. */
const wantedBy = (podEip: PodEip): readonly string[] => {
  const { request } = readRecord(podEip);
  return request?.kind === 'existing' ? [request.allocationId] : [];
};

/** What of an object makes a difference: not its version, not our own status, and not that of a node. */
const relevantPartOf = (object: Pod | PodEip | Node): string => {
  const { metadata, ...others } = object;
  const { resourceVersion: _, ...kept } = metadata;
  const { status: __, ...withoutStatus } = others as { status?: unknown };
  const spec = object.spec ?? {};
  return JSON.stringify([kept, 'allocationID' in spec || 'taints' in spec ? withoutStatus : others]);
};

const isRelevantChange = ({ type, object, old }: StoreEvent<Pod> | StoreEvent<PodEip> | StoreEvent<Node>): boolean =>
  type !== 'updated' || old === undefined || relevantPartOf(object) !== relevantPartOf(old);

/**
 * Whether the address of this key is on its way back, as far as the caches know: there is a PodEIP, and no pod for it.
 */
export const isGoingBack = ({ pods, podEips }: Pick<Caches, 'pods' | 'podEips'>, key: string): boolean => {
  const podEip = podEips.store.get(key);
  if (!podEip) return false;
  if (podEip.metadata.deletionTimestamp !== undefined) return true;
  const pod = pods.store.get(key);
  return !pod || isFinal(pod) || pod.metadata.uid !== readRecord(podEip).podUid;
};

/** Puts the key of everything that changed into the queue. `forget` is told the UIDs of PodEIPs that are gone. */
export const enqueueChanges = (
  { pods, podEips, nodes }: Caches,
  queue: WorkQueue,
  forget: (uid: string) => void,
): void => {
  pods.subscribe((event) => {
    if (isRelevantChange(event)) queue.add(keyOf(event.object.metadata), event.from === 'list' ? 'resync' : 'live');
  });
  podEips.subscribe((event) => {
    if (!isRelevantChange(event)) return;
    queue.add(keyOf(event.object.metadata), event.from === 'list' ? 'resync' : 'live');
    if (event.type !== 'deleted') return;
    forget(event.object.metadata.uid);
    // Whoever waits for this EIP may have it now.
    for (const allocationId of wantedBy(event.object))
      for (const waiting of podEips.store.by('wanted', allocationId)) queue.add(keyOf(waiting.metadata));
    const waiting = [...podEips.store.by('waiting', event.object.metadata.namespace ?? '')];
    for (const { metadata } of waiting.slice(0, MOST_TOLD)) queue.add(keyOf(metadata));
  });
  nodes.subscribe((event) => {
    if (!isRelevantChange(event)) return;
    for (const pod of pods.store.by('node', event.object.metadata.name)) queue.add(keyOf(pod.metadata), 'resync');
  });
};
