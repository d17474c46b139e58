import type { PodEip } from '../api/podeip.ts';
import { runController } from '../kube/reconcile-loop.ts';
import type { StoreEvent } from '../kube/mirror.ts';
import type { Kube, KubeTransport, ObjectMeta } from '../kube/port.ts';
import { createQueue, type QueueLane } from '../kube/queue.ts';
import type { Reflector } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { AddressLookUps } from './address-look-ups.ts';
import { createKubeletCalls } from './api-server.ts';
import { collectOrphans } from './collect.ts';
import { NodeGroups } from './groups.ts';
import { OwnWrites } from './own-writes.ts';
import { sharedRead } from '../lib/shared-read.ts';
import { UNRESTRICTED } from '../policies/policy.ts';
import { keepAlive } from './heartbeat.ts';
import type { Registration } from './registration.ts';
import { serveKubelet, type KubeletEndpoint, type KubeletEndpointSettings } from './logs.ts';
import { spotOf } from './translate/eci-annotations.ts';
import type { VirtualNodeMetrics } from './metrics.ts';
import { PodTracker } from './tracker.ts';
import type { NodeDescription } from './node.ts';
import type { PodInstance } from './node-usage.ts';
import { reconcilePod, type ReconcilePorts } from './reconcile.ts';
import type { DecideSettings } from './observation.ts';
import { isRelevantChange, type PodWatch } from './pod-watch.ts';
import { sleepUnlessAborted } from '../lib/clock.ts';

/** The settings of the virtual node. */
export interface VirtualNodeSettings extends DecideSettings {
  readonly description: Omit<NodeDescription, 'endpoint'>;
  /** The endpoint from which the API server reads the output of containers; undefined for none. */
  readonly kubelet?:
    Pick<KubeletEndpointSettings, 'listen' | 'address' | 'clientCA' | 'certificate' | 'renewed'> | undefined;
  /** How many pods are reconciled at the same time. */
  readonly workers: number;
  /** Interval between status calls while something changes, and between thoughts of one; milliseconds. */
  readonly pollMs: number;
  /** Interval between searches for groups without a pod; milliseconds. */
  readonly garbageCollectionMs: number;
  /** See CollectSettings. */
  readonly brakeAbove?: number | undefined;
}

/** The ports of the virtual node. */
interface VirtualNodeParts extends Pick<
  ReconcilePorts,
  'kube' | 'cloud' | 'policyOf' | 'containerGroups' | 'clock' | 'log' | 'record'
> {
  /**
   * For what a kubelet does: the pods of the node, and what they refer to. The rest (PodEIPs, orphans on other nodes,
   * labels of the Node) goes through `kube`. By default that, too.
   */
  readonly nodeKube?: Kube | undefined;
  /**
   * For Node and Lease, with a rate limit of its own: a Lease that waits behind pods would be renewed too late. By
   * default `kube`.
   */
  readonly heartbeatKube?: Kube | undefined;
  /** Whether `heartbeatKube` asks as the node at the moment. */
  readonly isNode?: (() => boolean) | undefined;
  /** Is told when the Node is there. */
  readonly registration?: Registration | undefined;
  /** For the kubelet endpoint, with a rate limit of its own: a flood there must not slow pods. By default `kube`. */
  readonly endpointKube?: Kube | undefined;
  /** For calls that are not plain operations on objects. */
  readonly transport: KubeTransport;
  readonly pods: PodWatch;
  /** The cache of PodEIPs, if there is one: a pod whose EIP has been bought is reconciled at once. */
  readonly podEips?: Reflector<PodEip> | undefined;
  readonly random: Random;
  readonly metrics: VirtualNodeMetrics;
  /**
   * Until this resolves, the Node is kept alive, and no instance is created or ended. By default everything begins at
   * once.
   */
  readonly begin?: Promise<void> | undefined;
  readonly settings: VirtualNodeSettings;
}

/** Backoff after a transient failure; each attempt costs a call to the cloud. */
const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** Backoff after the cloud refused to create a group: no stock, no quota. */
const REFUSED = { baseMs: 10_000, capMs: 300_000 };
/** For so long after the last change or step the status is read in each turn; milliseconds. */
const SOON_MS = 60_000;
/** After that, while some pods wait for something, it is read in one of this many turns. */
const SLOW_TURNS = 4;
/** While nothing changes, or while the status needs a list of all groups, it is read in one of this many turns. */
const IDLE_TURNS = 20;

/**
 * Runs the pods that are bound to the node as elastic container instances, until the signal aborts; resolves once
 * nothing is under way any more, and never rejects. To be called while this process leads. Changes of the cloud that
 * are under way at the end are found again by their tags.
 */
export const runVirtualNode = async (parts: VirtualNodeParts, signal: AbortSignal): Promise<void> => {
  const { kube, transport, pods, podEips, containerGroups, clock, random, record, metrics, settings } = parts;
  const { nodeName, node } = settings;
  const log = parts.log.child({ controller: 'virtualnode', node: nodeName });
  const queue = createQueue({
    clock,
    random,
    backoff: BACKOFF,
    laneOf: (key) => laneOf(pods.store.get(key)?.metadata, tracker),
  });
  const tracker = new PodTracker(clock, random, REFUSED);
  const { readLagMs } = settings;
  const groups = new NodeGroups(containerGroups, clock, { clusterUid: node.clusterUid, nodeName, readLagMs });
  const again = (uid: string) => {
    const key = keyOfUid.get(uid);
    if (key !== undefined) queue.add(key);
  };
  const addresses = new AddressLookUps(parts.cloud, clock, again);
  const ownWrites = new OwnWrites(again);
  const keyOfUid = new Map<string, string>();
  const instances = () =>
    groups.described().flatMap(({ uid, group }) => {
      const { namespace = '', name = '' } = pods.store.get(keyOfUid.get(uid) ?? '')?.metadata ?? {};
      return name === '' ? [] : [{ namespace, name, uid, group }];
    });
  /** Pods at which something is about to change. */
  const restless = new Set<string>();
  let movedAt = clock.mono();
  const changed = (uid: string) => {
    movedAt = clock.mono();
    again(uid);
  };

  const endpoint = await listen(parts, log, instances);
  const calls = createKubeletCalls({ transport, clock, tokenSeconds: settings.tokenSeconds });
  // What is not said is not waited for: the Node is needed more than its version.
  const clusterVersion = await calls.version(signal).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    if (!signal.aborted)
      log.warn({}, `The version of the API server cannot be read, so the Node shows the product's: ${message}`);
    return undefined;
  });
  const description = { ...settings.description, clusterVersion, ...(endpoint && { endpoint }) };
  const heartbeat = keepAlive(
    { ...parts, kube: parts.heartbeatKube ?? kube, labelKube: kube, log },
    description,
    signal,
  );
  const watching = pods.run(signal);
  pods.subscribe((event) => {
    const { uid } = event.object.metadata;
    const key = keyOf(event.object.metadata);
    if (event.type !== 'deleted') keyOfUid.set(uid, key);
    if (event.type === 'added') tracker.meet(uid, key, event.from === 'watch');
    if (event.type === 'updated' && ownWrites.isOwn(uid, event.object.metadata.resourceVersion)) return;
    if (isRelevantChange(event)) queue.add(key, event.from === 'list' ? 'resync' : 'live');
  });
  const unsubscribe = podEips?.subscribe((event) => {
    const key = keyOf(event.object.metadata);
    if (!isNewsOfEip(event)) return;
    const { uid = '' } = pods.store.get(key)?.metadata ?? {};
    if (restless.has(uid) && !tracker.hasBegun(uid)) queue.add(key);
  });

  const isReady = await started(signal, Promise.all([heartbeat.registered, pods.synced, parts.begin]));
  if (isReady) {
    await groups.prime(signal).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      log.warn({}, `The container groups could not be listed, so each pod's is looked for by itself: ${message}`);
    });
    log.info({ pods: pods.store.size }, 'The virtual node runs');
    const { policyOf } = parts;
    // A quorum read says the same to all who have asked for it before.
    const fresh = sharedRead((namespace) => policyOf?.(namespace, true, signal) ?? Promise.resolve(UNRESTRICTED));
    const reconcile = reconcilePod({
      ...parts,
      nodeKube: parts.nodeKube ?? kube,
      calls,
      log,
      tracker,
      groups,
      addresses,
      ownWrites,
      policyOf:
        policyOf && ((namespace, isFresh, stop) => (isFresh ? fresh(namespace) : policyOf(namespace, false, stop))),
      onRest: (uid, how) => {
        if (how === 'moves') movedAt = clock.mono();
        if (how === 'rests') restless.delete(uid);
        else restless.add(uid);
      },
      onForget: (uid) => {
        restless.delete(uid);
        keyOfUid.delete(uid);
        addresses.forget(uid);
        ownWrites.forget(uid);
      },
    });
    const polling = poll({ clock, settings, groups, log }, signal, {
      isIdle: () => pods.store.size === 0 && groups.isEmpty,
      turns: () => {
        if (groups.whyListed !== undefined || (restless.size === 0 && groups.isSure)) return IDLE_TURNS;
        return clock.mono() - movedAt < SOON_MS ? 1 : SLOW_TURNS;
      },
      mayBeReclaimed: () => [...pods.store.values()].some(({ metadata }) => !KEPT.has(spotOf(metadata))),
      changed,
    });
    const collecting = collectOrphans(
      { kube, containerGroups, groups, clock, random, log, record, metrics, changed: again },
      {
        nodeName,
        hostIP: node.hostIP,
        periodMs: settings.garbageCollectionMs,
        brakeAbove: settings.brakeAbove,
      },
      signal,
    );
    const { workers } = settings;
    const laneWorkers = { started: workers, priority: workers };
    await runController({ name: 'virtualnode', queue, workers, laneWorkers, clock, log, reconcile }, signal);
    await Promise.all([polling, collecting]);
  }
  unsubscribe?.();
  await Promise.all([heartbeat.ended, watching, endpoint?.close()]);
};

/**
 * What costs money is ended first, and what has its instance does not stand behind those for which one is created, a
 * call whose turn the account's rate makes them wait for.
 */
const laneOf = (metadata: ObjectMeta | undefined, tracker: PodTracker): QueueLane => {
  if (metadata?.deletionTimestamp !== undefined || metadata === undefined) return 'priority';
  return tracker.hasGroup(metadata.uid) ? 'started' : 'main';
};

/** What a pod whose EIP comes first looks at. */
const shownOfEip = ({ metadata, spec, status }: PodEip): string =>
  JSON.stringify([metadata.uid, metadata.deletionTimestamp, spec.allocationID, status?.status]);

/** Whether that is something else now. */
const isNewsOfEip = ({ type, object, old }: StoreEvent<PodEip>): boolean =>
  type === 'deleted' || (old ? shownOfEip(old) !== shownOfEip(object) : object.spec.allocationID !== '');

/** The kubelet endpoint, if it is configured and can be started: pods run without it, too. */
const listen = async (
  parts: VirtualNodeParts,
  log: Log,
  instances: () => readonly PodInstance[],
): Promise<(KubeletEndpoint & { readonly address: string }) | undefined> => {
  const { kubelet, nodeName, node } = parts.settings;
  if (!kubelet) return undefined;
  try {
    const kube = parts.endpointKube ?? parts.nodeKube ?? parts.kube;
    const endpoint = await serveKubelet(
      { ...parts, kube, log, instances },
      { ...kubelet, nodeName, clusterUid: node.clusterUid },
    );
    return { ...endpoint, address: kubelet.address };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error(
      { host: kubelet.listen.host, port: kubelet.listen.port },
      `There will be no kubectl logs, top, exec and port-forward of the virtual node: ${message}`,
    );
    return undefined;
  }
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

/** The cloud takes no such instance back by itself. */
const KEPT: ReadonlySet<string> = new Set<ReturnType<typeof spotOf>>(['no', 'pay-as-you-go']);
/** The cloud gives notice of the end of a spot instance some three minutes before, by an event that only lists show. */
const NOTICE_MS = 60_000;

/** Detects what happens to the groups. */
const poll = async (
  {
    clock,
    settings,
    groups,
    log,
  }: Pick<VirtualNodeParts, 'clock' | 'settings' | 'log'> & { readonly groups: NodeGroups },
  signal: AbortSignal,
  see: {
    isIdle: () => boolean;
    /** How many turns there are from one look to the next. */
    turns: () => number;
    mayBeReclaimed: () => boolean;
    changed: (uid: string) => void;
  },
): Promise<void> => {
  let listedAt = clock.mono();
  let isFailing = false;
  let isTold = false;
  const tellHow = () => {
    const { whyListed } = groups;
    if (isTold === (whyListed !== undefined)) return;
    isTold = !isTold;
    if (whyListed)
      log.warn(
        { kind: whyListed.kind, code: whyListed.code, requestId: whyListed.requestId },
        `The cheap look at the container groups is denied, so all of them are listed every ${(IDLE_TURNS * settings.pollMs) / 1_000} s, and what happens to a pod shows later: ${whyListed.message}`,
      );
    else log.info({}, 'The cheap look at the container groups is allowed again');
  };
  for (let passed = IDLE_TURNS; !signal.aborted; passed += 1) {
    tellHow();
    const began = clock.mono();
    if (!see.isIdle() && passed >= see.turns()) {
      passed = 0;
      try {
        await groups.poll(signal, see.changed);
        if (clock.mono() - listedAt >= NOTICE_MS && see.mayBeReclaimed()) {
          listedAt = clock.mono();
          groups.renew(await groups.list(signal), listedAt, see.changed);
        }
        isFailing = false;
      } catch (error) {
        if (signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (!isFailing) log.warn({}, `The status of the container groups cannot be read (retrying): ${message}`);
        isFailing = true;
      }
    }
    const tookMs = clock.mono() - began;
    await sleepUnlessAborted(clock, Math.max(settings.pollMs / 2, settings.pollMs - tookMs), signal);
  }
};
