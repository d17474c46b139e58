import {
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  EIP_MADE_WITH,
  EXTERNAL_DNS,
  KEYS,
  ON_VIRTUAL_NODE,
  QUIET_SINCE,
  READINESS_GATE,
  SUCCESSOR_UID,
} from '../api/annotations.ts';
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
import { saysInUse } from './at-rest.ts';
import { readRecord } from './podeip/record.ts';

/**
 * The caches of the watches. They determine which keys are reconciled and what /metrics shows; no decision is based on
 * them.
 */
export interface Caches {
  readonly pods: Reflector<Pod>;
  readonly podEips: Reflector<PodEip>;
  readonly nodes: Reflector<Node>;
  /** All three, with their names in health checks and metrics. */
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
/** Annotations that tell the pod its address. They are ours: their changes bring nothing about. */
const TOLD = [
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  ...EXTERNAL_DNS.flatMap(({ hostname, target }) => [hostname, target]),
];
/**
 * Annotations that are cached: those of requests, and those that virtual nodes write, so that their changes are
 * noticed.
 */
const KEPT = [...Object.values(KEYS).flat(), ECI_INSTANCE_ID, ALLOCATED_INSTANCE_ID, EIP_MADE_WITH, ...TOLD];

/** Labels that are cached: they tell where a pod runs, and for which Knative Service. */
const LABELS = [ON_VIRTUAL_NODE, SERVICE_LABEL, SERVICE_UID];

const asksForAddress = ({ annotations = {} }: ObjectMeta): boolean =>
  ASKING.some((key) => annotations[key] !== undefined);

/** Reduces a pod to its identity and to what may require a reconcile. A pod that asks for no address is not cached. */
const trimPod = ({ metadata, spec, status }: Pod): Pod | undefined => {
  if (!asksForAddress(metadata)) return undefined;
  const { annotations = {} } = metadata;
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
    spec: {
      nodeName: spec.nodeName,
      hostNetwork: spec.hostNetwork,
      readinessGates: spec.readinessGates?.filter(({ conditionType }) => conditionType === READINESS_GATE),
    },
    status: {
      phase: status?.phase,
      reason: status?.reason,
      podIP: status?.podIP,
      conditions: status?.conditions
        ?.filter(({ type }) => type === 'ContainersReady' || type === READINESS_GATE)
        .map(({ type, status: is, reason }) =>
          type === READINESS_GATE ? { type, status: is, reason } : { type, status: is },
        ),
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
    conditions: status?.conditions?.filter(({ type }) => type === 'Ready' || type === 'Allocated'),
  },
});

const keepNode = ({ metadata, spec, status }: Node): Node => ({
  metadata: { ...identity(metadata), labels: metadata.labels },
  spec: {
    providerID: spec?.providerID,
    podCIDR: spec?.podCIDR,
    taints: spec?.taints?.map(({ key, effect }) => ({ key, effect })),
  },
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
    // Most pods of a cluster ask for nothing, and are the larger part of what the API server has.
    mayKeep: asksForAddress,
    indexes: { node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]) },
    onTrouble: (fault) => onTrouble('pods', fault),
  });
  const podEips = createReflector({
    ...rest,
    resource: PODEIP,
    keep: trimPodEip,
    indexes: { wanted: (podEip) => wantedBy(podEip), service: serviceOf, successor: successorOf, waiting: waitingIn },
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

/** The key of the Knative Service of a PodEIP's pod. */
const serviceOf = ({ metadata: { namespace, labels } }: PodEip): readonly string[] => {
  const name = labels?.[SERVICE_LABEL];
  return name === undefined ? [] : [keyOf({ namespace, name })];
};

/** The UID of the PodEIP that the EIP of this one goes to. */
const successorOf = ({ metadata: { annotations } }: PodEip): readonly string[] => {
  const uid = annotations?.[SUCCESSOR_UID] ?? '';
  return uid === '' ? [] : [uid];
};

/** The namespace under whose limits a PodEIP waits. */
const waitingIn = ({ metadata: { namespace = '' }, status }: PodEip): readonly string[] =>
  status?.conditions?.some(({ reason }) => reason === WAITING) === true ? [namespace] : [];

const WAITING: Reason = 'QuotaOfNamespaceExceeded';
/**
 * How many waiting PodEIPs are reconciled when a place becomes free: only one can have it, but it may be too small for
 * the first.
 */
const MOST_TOLD = 10;

/** The existing EIP that a PodEIP names, whether it has it or still waits for it. */
const wantedBy = (podEip: PodEip): readonly string[] => {
  const { request } = readRecord(podEip);
  return request?.kind === 'existing' ? [request.allocationId] : [];
};

/**
 * The part of an object whose changes require a reconcile: not its version, not what we write ourselves (the status,
 * the note of its quiet, what a pod is told of its address), and not the status of a node. The note is written before
 * each attempt on the way out: as an event it would bring the next attempt at once.
 */
const relevantPartOf = (object: Pod | PodEip | Node): string => {
  const { metadata, ...others } = object;
  const { resourceVersion: _, annotations, ...kept } = metadata;
  const notes = Object.entries(annotations ?? {}).filter(([key]) => key !== QUIET_SINCE && !TOLD.includes(key));
  const { status, ...withoutStatus } = others as Pick<Pod, 'spec' | 'status'>;
  const spec = object.spec ?? {};
  if ('allocationID' in spec || 'taints' in spec) return JSON.stringify([kept, notes, withoutStatus]);
  const conditions = status?.conditions?.filter(({ type }) => type !== READINESS_GATE);
  return JSON.stringify([kept, notes, withoutStatus, { ...status, conditions }]);
};

const isRelevantChange = ({ type, object, old }: StoreEvent<Pod> | StoreEvent<PodEip> | StoreEvent<Node>): boolean =>
  type !== 'updated' || old === undefined || relevantPartOf(object) !== relevantPartOf(old);

/**
 * Whether an address is no longer said to be in use. Whoever says so works on it, unless a status that a process before
 * this one has sent comes only now: then it says what is not so, and nothing else would bring a look.
 */
const losesUse = ({ type, object, old }: StoreEvent<PodEip>): boolean =>
  type === 'updated' && old !== undefined && saysInUse(old) && !saysInUse(object);

/**
 * Whether all that has changed is that a successor was named: what comes next is the successor's, and its PodEIP tells
 * when the one before it is needed again.
 */
const isNamingOnly = ({ type, object, old }: StoreEvent<PodEip>): boolean => {
  if (type !== 'updated' || old === undefined) return false;
  if (readRecord(old).successorUid !== undefined || readRecord(object).successorUid === undefined) return false;
  const { [SUCCESSOR_UID]: _, ...annotations } = object.metadata.annotations ?? {};
  return relevantPartOf({ ...object, metadata: { ...object.metadata, annotations } }) === relevantPartOf(old);
};

/** Whether the PodEIP has just written an EIP down, or is gone: the one that it has the EIP from waits for that. */
const frees = ({ type, object, old }: StoreEvent<PodEip>): boolean =>
  type === 'deleted' || (object.spec.allocationID !== '' && object.spec.allocationID !== old?.spec.allocationID);

/** Whether an EIP is offered to the next pod of the Service from now on. */
const isOffered = ({ type, object, old }: StoreEvent<PodEip>): boolean =>
  type === 'updated' && old !== undefined && readRecord(object).isReusable && !readRecord(old).isReusable;

/** Adds the key of every object that changes to the queue. `forget` is called with the UIDs of deleted PodEIPs. */
export const enqueueChanges = (
  { pods, podEips, nodes }: Caches,
  queue: WorkQueue,
  forget: (uid: string) => void,
): void => {
  pods.subscribe((event) => {
    if (isRelevantChange(event)) queue.add(keyOf(event.object.metadata), event.from === 'list' ? 'resync' : 'live');
  });
  podEips.subscribe((event) => {
    if (!isRelevantChange(event) && !losesUse(event)) return;
    if (!isNamingOnly(event)) queue.add(keyOf(event.object.metadata), event.from === 'list' ? 'resync' : 'live');
    if (frees(event))
      for (const { metadata } of podEips.store.by('successor', event.object.metadata.uid)) queue.add(keyOf(metadata));
    // PodEIPs of the Service that wait for an EIP may have it now.
    for (const service of isOffered(event) ? serviceOf(event.object) : [])
      for (const { metadata, spec } of podEips.store.by('service', service))
        if (spec.allocationID === '') queue.add(keyOf(metadata));
    if (event.type !== 'deleted') return;
    forget(event.object.metadata.uid);
    // PodEIPs that wait for this EIP may have it now.
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
