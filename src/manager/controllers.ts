import { NAMESPACE } from '../api/core.ts';
import { assembleCloudEvents } from '../cloudevents/assemble-cloudevents.ts';
import type { Sender } from '../cloudevents/sender.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { CALL_TIMEOUT_MS } from '../cloud/deadline.ts';
import { OPEN, type MayMutate } from '../cloud/fence.ts';
import type { Config } from '../config/schema.ts';
import { awaitAccount, watchAccount, type AccountParts } from '../controllers/preflight/account.ts';
import { enqueueChanges, isGoingBack, type Caches } from '../controllers/caches.ts';
import { createWaitingPodNotifier } from '../controllers/preflight/waiting-pods.ts';
import { Tracker } from '../controllers/podeip/tracker.ts';
import { reconcilePodEip } from '../controllers/podeip/controller.ts';
import type { OtherControllers } from '../controllers/preflight/other-controllers.ts';
import { feedPolicies, type PolicyCache } from '../controllers/policy-cache.ts';
import { feedServices, runServices, type ServiceCache } from '../controllers/service/controller.ts';
import { LatencyTracker } from '../controllers/podeip/latency.ts';
import { runGarbageCollection } from '../controllers/garbagecollection/controller.ts';
import { runController } from '../kube/reconcile-loop.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Election } from '../kube/lease.ts';
import type { Kube } from '../kube/port.ts';
import { createQueue } from '../kube/queue.ts';
import { keyOf, refOf } from '../kube/store.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import type { EventNote, Regarding } from '../controllers/podeip/events.ts';
import { createServiceWarnings } from '../controllers/service/warnings.ts';
import { workAsVirtualNode, type VirtualNodeSource } from './virtual-node-wiring.ts';
import type { Metrics } from './metrics-registry.ts';
import type { ReconcileResult } from '../metrics/work.ts';
import { measure, measureWatches } from './metrics-wiring.ts';

/**
 * First and longest wait after a failed reconcile. The first is longer than client-go's: each costs a call to the
 * cloud.
 */
const BACKOFF = { baseMs: 250, capMs: 60_000 };
/** How long a Describe may lag behind an accepted change. Not documented; Terway waits 3 s before it looks. */
const READ_LAG_MS = 3_000;
/** How long an EIP must not be listed before it counts as gone and another is bought. */
const MISSING_MS = 60_000;

/** The controllers at work. */
interface Operation {
  /** Resolves once nothing is under way any more. */
  readonly drained: Promise<void>;
  /** Resolves if the leadership is lost. */
  readonly lost: Promise<'lost'>;
  /**
   * Resolves to the reason if the controllers cannot work, which nothing but a new process, or a repair, can change.
   */
  readonly failed: Promise<{ readonly error: unknown }>;
  /** False while the credentials, the region or the VPC are known not to be the cluster's, and nothing is done. */
  readonly fitsAccount: () => boolean;
}

/** What the controllers work with: every port, so that production, sandbox and simulation run the same code. */
interface OperationParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly kube: Kube;
  readonly caches: Caches;
  /** Knative Services; undefined where they are not watched. */
  readonly services?: ServiceCache | undefined;
  /** Undefined where there is no virtual node of our own. */
  readonly virtualNode?: VirtualNodeSource | undefined;
  /** EipPolicies; undefined where no namespace is restricted. */
  readonly policies?: PolicyCache | undefined;
  /** Other controllers of EIPs; undefined where they are of no interest. */
  readonly otherControllers?: OtherControllers | undefined;
  readonly metrics: Metrics;
  /** Undefined where this process is the only one. */
  readonly election: Election | undefined;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /** The cloud, which asks before each change whether this process may still make one that takes `needMs`. */
  readonly assemble: (mayMutate: MayMutate) => AssembledCloud;
  /** Who takes CloudEvents, and a client for their journals; undefined where there is no sink. */
  readonly cloudEvents?: { readonly sender: Sender; readonly kube: Kube } | undefined;
  /** Aborts when the drain starts. */
  readonly work: AbortSignal;
}

/** Leads, and works while it leads. */
export const runControllers = (parts: OperationParts): Operation => {
  const { config, clock, random, log, kube, caches, metrics, election, record, work } = parts;
  const measured = metrics.queue('podeip');
  const queue = createQueue({
    clock,
    random,
    backoff: BACKOFF,
    laneOf: (key) => (isGoingBack(caches, key) ? 'priority' : 'main'),
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
  // As long as a call to the API server may take.
  const mayAct = () => election === undefined || election.remainingMs() > 0;
  const cloudEvents =
    parts.cloudEvents &&
    assembleCloudEvents({
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
  if (parts.policies) feedPolicies(parts.policies, caches.podEips, queue);
  if (parts.services) feedServices(parts.services, caches.podEips, queue);

  /** The credentials are refused: once they are not, it is seen whose they are before anything is changed. */
  let isAccountOpen = false;
  const cloud = parts.assemble((needMs) => {
    if (work.aborted || (election && election.remainingMs() <= needMs)) return { kind: 'leadershipUncertain' };
    return isAccountOpen ? { kind: 'accountUnseen' } : OPEN;
  });

  measureWatches(metrics, caches);

  const hindrance = createWaitingPodNotifier({ caches, record, warnService });
  let isMismatched = false;
  const account: AccountParts = {
    cloud: cloud.cloud,
    clock,
    random,
    log,
    region: config.regionID,
    vpcId: config.vpcID,
    nodes: () => caches.nodes.store.values(),
    mismatched: (is) => {
      isMismatched = is;
      metrics.accountMismatched(is);
    },
    hindered: hindrance.told,
  };

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

  const reflectors = [
    ...caches.all.map(([, reflector]) => reflector),
    ...(parts.policies ? [parts.policies.reflector] : []),
  ];
  const reflecting = Promise.all([
    ...reflectors.map((reflector) => reflector.run(work)),
    ...(parts.otherControllers ? [parts.otherControllers.run(work)] : []),
  ]);
  /** Resolves once the account is known to be the cluster's, as far as that can be known. */
  const begin = Promise.withResolvers<void>();
  let running: Promise<void> = Promise.resolve();
  const working = (async () => {
    await unlessStopped(work, Promise.all(caches.all.map(([, reflector]) => reflector.synced)));
    // Before the first request is served: it would be bought twice.
    if (parts.otherControllers) await unlessStopped(work, parts.otherControllers.looked);
    const clusterUid = await findClusterUid({ kube, clock, random, log }, work);
    if (election) {
      log.info({ lease: `${config.leaderElection.namespace}/${config.leaderElection.name}` }, 'Waiting for the lease');
      await unlessStopped(work, election.acquired);
    }
    metrics.leading(true);
    const settings = settingsOf(config, clusterUid);
    // Its Lease is renewed also while somebody has to correct the account: a node that is taken for dead loses all its
    // pods.
    if (parts.virtualNode)
      running = workAsVirtualNode(
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
          policies: parts.policies,
          begin: begin.promise,
        },
        work,
      ).catch(fail);
    // Before anything looks at an EIP: in another account, each would look as if it had been released.
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
      cluster: { uid: clusterUid, id: config.clusterID, region: config.regionID },
      settings,
      vpcId: config.vpcID,
      tracker,
      latency,
      mayAct,
      changes: cloudEvents?.outbox,
      onQuotaFreed: () => {
        const waiting = new Set(tracker.quotaFreed());
        if (waiting.size === 0) return;
        for (const { metadata } of caches.podEips.store.values())
          if (waiting.has(metadata.uid)) queue.add(keyOf(metadata), 'resync');
      },
      policies: parts.policies,
      otherControllers: parts.otherControllers?.known,
      nodeOf: (name) => caches.nodes.store.get(name),
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
    const measuring = measure({ config, metrics, caches, cloud, clock, log }, work);
    const delivering = cloudEvents?.run(work);
    const sweeping = sweep(config, clusterUid, { kube, cloud: cloud.cloud, clock, random, metrics, record, log }, work);
    await runController(
      {
        name: 'podeip',
        queue,
        workers: config.networkController.eipController.maxConcurrentReconciles,
        // Who gives an address back never waits behind those who ask for one, whose calls the cloud admits slowly.
        priorityWorkers: Math.max(2, Math.ceil(config.networkController.eipController.maxConcurrentReconciles / 2)),
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
    await Promise.all([sweeping, telling, measuring, delivering]);
    await cloudEvents?.outbox.close();
  })().catch(fail);
  const drained = (async () => {
    await working;
    await running;
    await reflecting;
    await cloud.idle();
  })();
  return { drained, lost: lost.promise, failed: failed.promise, fitsAccount: () => !isMismatched };
};

/** The words of controller-runtime, which dashboards know. */
const RESULT: Readonly<Record<'done' | 'now' | 'backoff' | 'after' | 'error', ReconcileResult>> = {
  done: 'success',
  now: 'requeue',
  backoff: 'requeue',
  after: 'requeue_after',
  error: 'error',
};

/** Resolves as `work` does, or rejects as soon as the signal aborts. */
const unlessStopped = async (signal: AbortSignal, work: Promise<unknown>): Promise<void> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

/** The settings of the decision, from the configuration. */
export const settingsOf = (config: Config, clusterUid: string): Settings => ({
  clusterUid,
  defaults: {
    bandwidthMbps: config.eipDefaults.bandwidth,
    internetChargeType: config.eipDefaults.internetChargeType,
    isp: config.eipDefaults.isp,
  },
  region: config.regionID,
  existingEips: config.existingEips,
  existingEipNamespaces: config.existingEipNamespaces,
  statefulKinds: ['StatefulSet', ...config.networkController.customStatefulWorkloadKinds],
  enableVirtualNode: config.enableVirtualNode,
  allowEipRob: config.allowEipRob,
  adoptBefore:
    config.adoptPodEIPsCreatedBefore === undefined ? undefined : Date.parse(config.adoptPodEIPsCreatedBefore),
  isUnelected: !config.leaderElection.enabled,
  holdOffMs: config.knative.holdOffSeconds * 1_000,
  settleMs: config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS,
  missingMs: Math.max(MISSING_MS, config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS),
  readLagMs: READ_LAG_MS,
  recheckMs: config.networkController.eipController.garbageCollectionPeriodInMinutes * 60_000,
});

/** Runs the sweeper as configured, until the signal aborts. */
const sweep = async (
  config: Config,
  clusterUid: string,
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

/** The UID of kube-system names the cluster. Asked until it is there: an API server that is away comes back. */
const findClusterUid = async (
  {
    kube,
    clock,
    random,
    log,
  }: { readonly kube: Kube; readonly clock: Clock; readonly random: Random; readonly log: Log },
  signal: AbortSignal,
): Promise<string> => {
  for (let failures = 0; ; failures += 1) {
    try {
      const namespace = await kube.get(NAMESPACE, { name: 'kube-system' }, signal);
      if (namespace) return namespace.metadata.uid;
      log.error({}, 'There is no namespace kube-system, whose UID names the cluster; waiting for it');
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      log.error({ kind: error.kind }, `The UID of the namespace kube-system cannot be read: ${error.message}`);
    }
    await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
  }
};
