import type { PodEip } from '../api/podeip.ts';
import { runController } from '../kube/reconcile-loop.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import { createQueue } from '../kube/queue.ts';
import type { StoreEvent } from '../kube/mirror.ts';
import { createReflector, type Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { createKubeletCalls } from './api-server.ts';
import { collectOrphans } from './collect.ts';
import { NodeGroups } from './groups.ts';
import { keepAlive } from './heartbeat.ts';
import { serveKubelet, type KubeletEndpoint, type KubeletEndpointSettings } from './logs.ts';
import { PodTracker } from './tracker.ts';
import type { NodeDescription } from './node.ts';
import { reconcilePod, type ReconcilePorts } from './reconcile.ts';
import type { DecideSettings } from './observation.ts';
import { isOwnCondition } from './instance-status.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

/** What the watch of the node's pods keeps: what says which pod to look at. Nothing is decided from it. */
export type PodWatch = Reflector<WorkloadPod>;

/** Watches the pods that are bound to the node. To be run by {@link runVirtualNode}, and by nobody before. */
export const createPodWatch = (
  options: Omit<
    ReflectorOptions<WorkloadPod, WorkloadPod>,
    'resource' | 'keep' | 'indexes' | 'fieldSelector' | 'namespace' | 'labelSelector'
  >,
  nodeName: string,
): PodWatch =>
  createReflector<WorkloadPod, WorkloadPod>({
    ...options,
    resource: WORKLOAD_POD,
    fieldSelector: `spec.nodeName=${nodeName}`,
    keep: ({ metadata, spec, status }) => {
      const { name, namespace, uid, resourceVersion, deletionTimestamp, annotations = {}, finalizers } = metadata;
      const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...kept } = annotations;
      return {
        metadata: { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, annotations: kept },
        spec: { nodeName: spec.nodeName, containers: [] },
        status: {
          phase: status?.phase,
          // Those that are written here are no news.
          conditions: status?.conditions
            ?.filter(({ type }) => !isOwnCondition(type))
            .map(({ type, status: value }) => ({ type, status: value })),
        },
      };
    },
  });

/** What the virtual node is told once and for all. */
export interface VirtualNodeSettings extends DecideSettings {
  readonly description: Omit<NodeDescription, 'endpoint'>;
  /** Where the API server gets the output of containers; undefined for nowhere. */
  readonly kubelet?: Pick<KubeletEndpointSettings, 'listen' | 'address' | 'clientCA'> | undefined;
  /** How many pods are worked on at the same time. */
  readonly workers: number;
  /** Between two status calls while something changes; milliseconds. */
  readonly pollMs: number;
  /** Between two searches for groups without a pod; milliseconds. */
  readonly garbageCollectionMs: number;
  /** See CollectSettings. */
  readonly brakeAbove: number;
}

/** What the virtual node works with: every port. */
interface VirtualNodeParts extends Pick<
  ReconcilePorts,
  'kube' | 'cloud' | 'findEip' | 'policyOf' | 'containerGroups' | 'clock' | 'log' | 'record'
> {
  /**
   * For Node and Lease, with a rate limit of its own: a Lease that waits behind pods comes too late. By default `kube`.
   */
  readonly heartbeatKube?: Kube | undefined;
  /** For the calls that are no plain call on an object. */
  readonly transport: KubeTransport;
  readonly pods: PodWatch;
  /** The cache of PodEIPs, if there is one: a pod whose EIP has been bought need not wait for its next look. */
  readonly podEips?: Reflector<PodEip> | undefined;
  readonly random: Random;
  /** Until this resolves the Node is kept alive, and nothing is run or ended. By default it begins at once. */
  readonly begin?: Promise<void> | undefined;
  readonly settings: VirtualNodeSettings;
}

/** After a failure that passes. Each costs a call to the cloud. */
const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** After the cloud refused to make a group: no stock, no quota. */
const REFUSED = { baseMs: 10_000, capMs: 300_000 };
/** While nothing changes, the status is asked for only in one turn out of so many. */
const IDLE_TURNS = 5;

/**
 * Runs the pods that are bound to the node as elastic container instances, until the signal aborts; resolves once
 * nothing is under way any more, and never rejects. To be called while this process leads. What is under way in the
 * cloud at the end is found again by its tags.
 */
export const runVirtualNode = async (parts: VirtualNodeParts, signal: AbortSignal): Promise<void> => {
  const { kube, transport, pods, podEips, containerGroups, clock, random, settings } = parts;
  const { nodeName, node } = settings;
  const log = parts.log.child({ controller: 'virtualnode', node: nodeName });
  const queue = createQueue({
    clock,
    random,
    backoff: BACKOFF,
    // What costs money is ended first.
    laneOf: (key) => (pods.store.get(key)?.metadata.deletionTimestamp === undefined ? 'main' : 'priority'),
  });
  const tracker = new PodTracker(clock, random, REFUSED);
  const groups = new NodeGroups(containerGroups, clock, node.clusterUid, nodeName);
  /** Pods at which something is about to change. */
  const restless = new Set<string>();

  const endpoint = await listen(parts, log);
  const description = endpoint ? { ...settings.description, endpoint } : settings.description;
  const heartbeat = keepAlive({ kube: parts.heartbeatKube ?? kube, clock, log }, description, signal);
  const watching = pods.run(signal);
  const keyOfUid = new Map<string, string>();
  pods.subscribe((event) => {
    const { uid } = event.object.metadata;
    const key = keyOf(event.object.metadata);
    if (event.type !== 'deleted') keyOfUid.set(uid, key);
    if (event.type === 'added') tracker.meet(uid, key, event.from === 'watch');
    if (isRelevantChange(event)) queue.add(key, event.from === 'list' ? 'resync' : 'live');
  });
  const unsubscribe = podEips?.subscribe(({ object: { metadata } }) => {
    const key = keyOf(metadata);
    if (restless.has(pods.store.get(key)?.metadata.uid ?? '')) queue.add(key);
  });

  const isReady = await started(signal, Promise.all([heartbeat.registered, pods.synced, parts.begin]));
  if (isReady) {
    await groups.prime(signal).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      log.warn({}, `The container groups could not be listed, so each pod's is looked for by itself: ${message}`);
    });
    log.info({ pods: pods.store.size }, 'The virtual node runs');
    const reconcile = reconcilePod({
      ...parts,
      calls: createKubeletCalls({ transport, clock }),
      log,
      tracker,
      groups,
      onRest: (uid, isAtRest) => void (isAtRest ? restless.delete(uid) : restless.add(uid)),
      onForget: (uid) => {
        restless.delete(uid);
        keyOfUid.delete(uid);
      },
    });
    const polling = poll({ clock, settings, groups, log }, signal, {
      isIdle: () => pods.store.size === 0 && groups.isEmpty,
      isAtRest: () => restless.size === 0,
      changed: (uid) => {
        const key = keyOfUid.get(uid);
        if (key !== undefined) queue.add(key);
      },
    });
    const collecting = collectOrphans(
      { kube, containerGroups, groups, clock, random, log },
      { nodeName, periodMs: settings.garbageCollectionMs, brakeAbove: settings.brakeAbove },
      signal,
    );
    const { workers } = settings;
    await runController(
      { name: 'virtualnode', queue, workers, priorityWorkers: workers, clock, log, reconcile },
      signal,
    );
    await Promise.all([polling, collecting]);
  }
  unsubscribe?.();
  await Promise.all([heartbeat.ended, watching, endpoint?.close()]);
};

/** The kubelet endpoint, if it is wanted and can be had: pods run without it too. */
const listen = async (
  parts: VirtualNodeParts,
  log: Log,
): Promise<(KubeletEndpoint & { readonly address: string }) | undefined> => {
  const { kubelet, nodeName, node } = parts.settings;
  if (!kubelet) return undefined;
  try {
    const endpoint = await serveKubelet(parts, { ...kubelet, nodeName, clusterUid: node.clusterUid });
    return { ...endpoint, address: kubelet.address };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error(
      { host: kubelet.listen.host, port: kubelet.listen.port },
      `There will be no kubectl logs of the virtual node: ${message}`,
    );
    return undefined;
  }
};

/** Whether a change of a pod needs a look; its version alone does not. */
const isRelevantChange = ({ type, object, old }: StoreEvent<WorkloadPod>): boolean =>
  type !== 'updated' || old === undefined || relevantPartOf(object) !== relevantPartOf(old);

const relevantPartOf = ({ metadata, status }: WorkloadPod): string => {
  const { resourceVersion: _, ...kept } = metadata;
  return JSON.stringify([kept, status]);
};

/** False as soon as the signal aborts. */
const started = async (signal: AbortSignal, ready: Promise<unknown>): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => resolve();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([ready, promise]).catch(() => undefined);
  signal.removeEventListener('abort', stop);
  return !signal.aborted;
};

/** Notices what happens to the groups. */
const poll = async (
  {
    clock,
    settings,
    groups,
    log,
  }: Pick<VirtualNodeParts, 'clock' | 'settings' | 'log'> & { readonly groups: NodeGroups },
  signal: AbortSignal,
  see: { isIdle: () => boolean; isAtRest: () => boolean; changed: (uid: string) => void },
): Promise<void> => {
  let isFailing = false;
  for (let turn = 0; !signal.aborted; turn += 1) {
    if (!see.isIdle() && (turn % IDLE_TURNS === 0 || !see.isAtRest()))
      try {
        for (const uid of await groups.poll(signal)) see.changed(uid);
        isFailing = false;
      } catch (error) {
        if (signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (!isFailing) log.warn({}, `The status of the container groups cannot be read (retrying): ${message}`);
        isFailing = true;
      }
    await clock.sleep(settings.pollMs, signal).catch(() => undefined);
  }
};
