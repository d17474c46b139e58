import type { assembleCloudEvents } from '../cloudevents/assemble-cloudevents.ts';
import type { Sender } from '../cloudevents/sender.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { OPEN, type MayMutate } from '../cloud/fence.ts';
import type { Config } from '../config/schema.ts';
import { awaitAccount, watchAccount } from '../controllers/preflight/account.ts';
import { enqueueChanges, type Caches } from '../controllers/caches.ts';
import { recheckByList } from '../controllers/recheck.ts';
import { laneOf, roomOf } from '../controllers/work-order.ts';
import { createWaitingPodNotifier } from '../controllers/preflight/waiting-pods.ts';
import { Tracker } from '../controllers/podeip/tracker.ts';
import { reconcilePodEip } from '../controllers/podeip/controller.ts';
import type { OtherControllers } from '../controllers/preflight/other-controllers.ts';
import { runPolicies } from '../controllers/policies/controller.ts';
import { enqueueForPolicies, type PolicyCache } from '../policies/policy-cache.ts';
import { enqueueForServices, runServices, type ServiceCache } from '../controllers/service/controller.ts';
import { LatencyTracker } from '../controllers/podeip/latency.ts';
import { PurchaseHistory } from '../policies/purchase-history.ts';
import { runGarbageCollection } from '../controllers/garbagecollection/controller.ts';
import { runController } from '../kube/reconcile-loop.ts';
import type { Election } from '../kube/lease.ts';
import type { Kube } from '../kube/port.ts';
import { createQueue } from '../kube/queue.ts';
import { SERVICE_LABEL } from '../api/knative.ts';
import { keyOf, refOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import type { EventNote, Regarding } from '../controllers/podeip/events.ts';
import { createServiceWarnings } from '../controllers/service/warnings.ts';
import type { workAsVirtualNode, VirtualNodeSource } from './virtual-node-wiring.ts';
import type { Metrics } from './metrics-registry.ts';
import type { ReconcileResult } from '../metrics/work.ts';
import { accountOf } from './account-wiring.ts';
import { findClusterUid, unlessStopped } from './cluster-uid.ts';
import { agreeOnMarkKey } from './mark-key.ts';
import { measure, measureWatches } from './metrics-wiring.ts';
import { looksFor } from './looks.ts';
import { settingsOf } from './settings.ts';

/**
 * First and longest wait after a failed reconcile. The first is longer than client-go's, because each attempt costs a
 * call to the cloud.
 */
const BACKOFF = { baseMs: 250, capMs: 60_000 };
/** The controllers, running. */
interface Operation {
  /** Resolves when nothing is under way any more. */
  readonly drained: Promise<void>;
  /** Resolves if the leadership is lost. */
  readonly lost: Promise<'lost'>;
  /** Resolves to the reason if the controllers cannot work, and only a new process or a repair can change that. */
  readonly failed: Promise<{ readonly error: unknown }>;
  /** False while the credentials, the region or the VPC are known not to be the cluster's; nothing is done then. */
  readonly fitsAccount: () => boolean;
}

/**
 * The dependencies of the controllers. All of them are ports, so that production, sandbox and simulation run the same
 * code.
 */
interface OperationParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly kube: Kube;
  /** The API server's clock, in milliseconds; undefined before it has answered. */
  readonly serverTime?: (() => number | undefined) | undefined;
  readonly caches: Caches;
  /** The cache of Knative Services; undefined if they are not watched. */
  readonly services?: ServiceCache | undefined;
  /** Undefined without a virtual node of our own. */
  readonly virtualNode?: (VirtualNodeSource & { readonly run: typeof workAsVirtualNode }) | undefined;
  /** The cache of EipPolicies; undefined if no namespace is restricted. */
  readonly policies?: PolicyCache | undefined;
  /** The watch of other controllers of EIPs; undefined if they are ignored. */
  readonly otherControllers?: OtherControllers | undefined;
  readonly metrics: Metrics;
  /** Undefined if this process is the only one. */
  readonly election: Election | undefined;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /**
   * Creates the cloud, which asks `mayMutate` before each change whether this process may still make a call of
   * `needMs`.
   */
  readonly assemble: (mayMutate: MayMutate) => AssembledCloud;
  /** The sink of CloudEvents and a client for their journals; undefined without a sink. */
  readonly cloudEvents?:
    { readonly assemble: typeof assembleCloudEvents; readonly sender: Sender; readonly kube: Kube } | undefined;
  /** Called once it is known that AllocateEipAddress drops its tags. */
  readonly onTagsDropped?: (() => void) | undefined;
  /** Aborts when the drain starts. */
  readonly work: AbortSignal;
}

/** Waits for the leadership, and runs the controllers while it lasts. */
export const runControllers = (parts: OperationParts): Operation => {
  const { config, clock, random, log, kube, caches, metrics, election, record, work, policies } = parts;
  const workers = config.networkController.eipController.maxConcurrentReconciles;
  const many = 2 * workers;
  const measured = metrics.queue('podeip');
  const queue = createQueue({
    clock,
    random,
    backoff: BACKOFF,
    laneOf: (key) => {
      const podEip = caches.podEips.store.get(key);
      const isDetached = podEip && tracker.isDetached(podEip.metadata.uid);
      return laneOf({ pod: caches.pods.store.get(key), podEip, isDetached });
    },
    roomOf: (lane, line) => roomOf(lane, cloud.throttle, line),
    observer: {
      taken: (waitedMs) => {
        measured.added();
        measured.waited(waitedMs / 1_000);
      },
      retried: () => measured.retried(),
    },
  });
  measured.state(() => queue.depth());
  const tracker = new Tracker(clock, random);
  const warnService = createServiceWarnings(clock, record);
  const latency = new LatencyTracker(clock, metrics.life);
  latency.follow(caches);
  const purchases = new PurchaseHistory(clock);
  purchases.follow(caches.podEips);
  // Unlike calls to the cloud, writes to the API server need no time left on the lease: each names the version that it
  // replaces.
  const mayAct = () => election === undefined || election.remainingMs() > 0;
  const cloudEvents =
    parts.cloudEvents &&
    parts.cloudEvents.assemble({
      ...parts.cloudEvents,
      config,
      clock,
      random,
      log,
      metrics: metrics.cloudEvents,
      isKnown: (podEip, uid) => caches.podEips.store.get(keyOf(podEip))?.metadata.uid === uid,
      again: (podEip) => queue.add(keyOf(podEip)),
      mayAct,
    });
  enqueueChanges(caches, queue, (uid) => {
    tracker.forget(uid);
    cloudEvents?.outbox.forget(uid);
  });
  if (policies) enqueueForPolicies(policies, caches.podEips, queue);
  if (parts.services) enqueueForServices(parts.services, caches.podEips, queue);

  /**
   * Set while the credentials have been refused. Once they are accepted, it must be checked whose they are before
   * anything is changed.
   */
  let isAccountOpen = false;
  const cloud = parts.assemble((needMs) => {
    const isSafe =
      (!election || election.remainingMs() > needMs) && parts.virtualNode?.claim?.outlasts(needMs) !== false;
    if (work.aborted || !isSafe) return { kind: 'leadershipUncertain' };
    return isAccountOpen ? { kind: 'accountUnseen' } : OPEN;
  });

  measureWatches(metrics, caches);

  const hindrance = createWaitingPodNotifier({ caches, record, warnService });
  const { account, isMismatched } = accountOf({ ...parts, cloud, hindered: hindrance.told });

  const lost = Promise.withResolvers<'lost'>();
  const failed = Promise.withResolvers<{ readonly error: unknown }>();
  const fail = (error: unknown) => {
    if (work.aborted) return;
    log.error({ error }, 'The controller cannot work');
    failed.resolve({ error });
  };
  const crash = new AbortController();
  if (election)
    void election.run(crash.signal).then((how) => {
      metrics.leading(false);
      if (how === 'lost') lost.resolve('lost');
    });

  void parts.virtualNode?.claim?.lost.then(lost.resolve);
  if (parts.virtualNode) metrics.virtualNode.leading(false);

  const reflectors = [...caches.all.map(([, reflector]) => reflector), ...(policies ? [policies.reflector] : [])];
  const reflecting = Promise.all([
    ...reflectors.map((reflector) => reflector.run(work)),
    ...(parts.otherControllers ? [parts.otherControllers.run(work)] : []),
  ]);
  /** Resolves once the account is known to be the cluster's, as far as that can be known. */
  const begin = Promise.withResolvers<void>();
  let running: Promise<void> = Promise.resolve();
  const working = (async () => {
    await unlessStopped(work, Promise.all(caches.all.map(([, reflector]) => reflector.synced)));
    // Must precede the first request: two controllers would buy two EIPs for it.
    if (parts.otherControllers) await unlessStopped(work, parts.otherControllers.looked);
    const clusterUid = await findClusterUid({ kube, clock, random, log }, work);
    if (election) {
      log.info({ lease: `${config.leaderElection.namespace}/${config.leaderElection.name}` }, 'Waiting for the lease');
      await unlessStopped(work, election.acquired);
    }
    metrics.leading(true);
    const { namespace } = config.leaderElection;
    const markKey = await agreeOnMarkKey({ kube, clock, random, log, namespace }, work);
    const settings = settingsOf(config, clusterUid, markKey);
    // Started before the account is checked: if nobody renewed the Node's Lease while a person corrects the account,
    // the node would count as dead and lose all its pods.
    if (parts.virtualNode)
      running = parts.virtualNode
        .run(
          {
            ...parts.virtualNode,
            config,
            clock,
            random,
            log,
            kube,
            caches,
            cloud,
            settings,
            metrics: parts.metrics.virtualNode,
            policies: parts.policies,
            begin: begin.promise,
          },
          work,
        )
        .catch(fail);
    // Must precede the first look at an EIP: in another account, each EIP would look as if it had been released.
    const began = config.cloud.checkAccount ? await awaitAccount(account, work) : 'fits';
    isAccountOpen = began === 'refused';
    if (began === 'noNodeToCompare' || began === 'refused')
      void watchAccount({ ...account, answered: () => (isAccountOpen = false) }, work).catch(fail);
    log.info({ clusterUid, pods: caches.pods.store.size, podEips: caches.podEips.store.size }, 'Working');
    begin.resolve();
    const reconcile = reconcilePodEip({
      kube,
      cloud: cloud.cloud,
      clock,
      cluster: { uid: clusterUid, id: config.clusterID, region: config.regionID, markKey },
      settings,
      vpcId: config.vpcID,
      annotateThrough: config.announcement.through,
      tracker,
      latency,
      purchases,
      ofService: ({ metadata: { namespace, labels } }) =>
        caches.podEips.store.by('service', keyOf({ namespace, name: labels?.[SERVICE_LABEL] ?? '' })),
      mayAct,
      serverTime: parts.serverTime,
      changes: cloudEvents?.outbox,
      onTagsDropped: () => {
        metrics.tagsDropped();
        parts.onTagsDropped?.();
      },
      onQuotaFreed: () => {
        const waiting = new Set(tracker.quotaFreed());
        if (waiting.size === 0) return;
        for (const { metadata } of caches.podEips.store.values())
          if (waiting.has(metadata.uid)) queue.add(keyOf(metadata), 'resync');
      },
      policies: parts.policies,
      otherControllers: parts.otherControllers?.known,
      terwayUntil: parts.otherControllers?.terwayUntil,
      nodeOf: (name) => caches.nodes.store.get(name),
      ...looksFor({ caches, cloud, clock, queue, signal: work }),
      record,
      warnService,
      log,
    });
    const telling = parts.services
      ? runServices(
          {
            kube,
            clock,
            random,
            log,
            services: parts.services,
            podEips: caches.podEips,
            record,
            settings,
            writesCondition: config.knative.serviceCondition,
          },
          work,
        )
      : Promise.resolve();
    const judging =
      policies && runPolicies({ kube, clock, random, log, policies, podEips: caches.podEips, mayAct }, work);
    const measuring = measure({ config, metrics, caches, cloud, clock, log, purchases }, work);
    const delivering = cloudEvents?.run(work);
    const listed: Listed = (eips, all) =>
      recheckByList({ eips, podEips: all }, { queue, podOf: (key) => caches.pods.store.get(key), settings });
    const ports = { kube, cloud: cloud.cloud, clock, random, metrics, record, listed, log };
    const sweeping = sweep(config, settings, ports, work);
    await runController(
      {
        name: 'podeip',
        queue,
        workers,
        // What is under way and what goes back have workers of their own, so that they never wait behind requests for
        // EIPs, whose calls the cloud throttles. Calls that change the cloud take long, and a worker that waits for one
        // costs nothing: as many begin as the account allows.
        laneWorkers: { purchase: many, started: many, detach: many, priority: many },
        clock,
        log,
        reconcile: (key, signal) => reconcile(refOf(key), signal),
        observe: ({ outcome, durationMs }) => {
          metrics.reconciled('podeip', RESULT[outcome], durationMs / 1_000);
          measured.worked(durationMs / 1_000);
        },
      },
      work,
    );
    await Promise.all([sweeping, telling, judging, measuring, delivering]);
    await cloudEvents?.outbox.close();
  })().catch(fail);
  const drained = (async () => {
    await working;
    await running;
    await reflecting;
    await cloud.idle();
  })();
  return { drained, lost: lost.promise, failed: failed.promise, fitsAccount: () => !isMismatched() };
};

/** The result labels of controller-runtime, which existing dashboards use. */
const RESULT: Readonly<Record<'done' | 'now' | 'backoff' | 'after' | 'error', ReconcileResult>> = {
  done: 'success',
  now: 'requeue',
  backoff: 'requeue',
  after: 'requeue_after',
  error: 'error',
};

type Listed = NonNullable<Parameters<typeof runGarbageCollection>[0]['listed']>;

/** Runs garbage collection as configured, until the signal aborts. */
const sweep = async (
  config: Config,
  { clusterUid, markKey }: Pick<Settings, 'clusterUid' | 'markKey'>,
  {
    metrics,
    ...ports
  }: Omit<Parameters<typeof runGarbageCollection>[0], 'settings' | 'metrics'> & { metrics: Metrics },
  signal: AbortSignal,
): Promise<void> => {
  const { mode, graceSeconds, maxReleasesPerPeriod, brakeAbove } = config.sweeper;
  if (mode === 'off') return;
  const settings = {
    clusterUid,
    markKey,
    clusterId: config.clusterID,
    mode,
    graceMs: graceSeconds * 1_000,
    periodMs: config.networkController.eipController.garbageCollectionPeriodInMinutes * 60_000,
    maxReleases: maxReleasesPerPeriod,
    brakeAbove,
    vpcId: config.vpcID,
  };
  await runGarbageCollection({ ...ports, metrics: metrics.sweeper, settings }, signal);
};
