import { reconcilePodEip } from '../controllers/podeip.ts';
import { createCaches, feed } from '../controllers/caches.ts';
import { Memories } from '../controllers/memory.ts';
import { NAMESPACE } from '../api/core.ts';
import { assembleCloud } from '../cloud/assemble.ts';
import { createCredentials } from '../cloud/credentials.ts';
import { CALL_TIMEOUT_MS } from '../cloud/deadline.ts';
import type { Config } from '../config/schema.ts';
import type { Connection } from '../kube/connect.ts';
import { createKube } from '../kube/client.ts';
import { runController as runWorkers } from '../kube/controller.ts';
import { KubeFault } from '../kube/fault.ts';
import { createElection } from '../kube/lease.ts';
import type { Kube } from '../kube/port.ts';
import { createQueue } from '../kube/queue.ts';
import { createRecorder } from '../kube/recorder.ts';
import { refOf } from '../kube/store.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Settings } from '../plan/seen.ts';
import { createMetrics, type ReconcileResult } from '../report/metrics.ts';
import type { Caches } from '../controllers/caches.ts';
import type { Metrics } from '../report/metrics.ts';
import { createApp } from '../web/app.ts';
import { createHealth } from '../web/health.ts';
import { serve } from '../web/server.ts';

export interface ControlOptions {
  readonly config: Config;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** The variables that credentials may come from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Starts the drain. */
  readonly signal: AbortSignal;
}

/** A controller that runs. */
export interface Control {
  /** Where /metrics, /healthz and /readyz are. */
  readonly url: string;
  /** `stopped` once it has drained; `lost` at once when the leadership is lost: the process must end then. */
  readonly ended: Promise<'stopped' | 'lost'>;
}

/** What a drain may take before it is given up, milliseconds: less than the 10 s that are promised. */
const DRAIN_MS = 8_500;
/** First and longest wait after a failed reconcile. The first is longer than client-go's: each costs a call to the cloud. */
const BACKOFF = { baseMs: 250, capMs: 60_000 };
/** How long a Describe may lag behind an accepted change. Not documented; Terway waits 3 s before it looks. */
const READ_LAG_MS = 3_000;

/** Puts the controller together from its configuration and runs it until the signal. */
export const control = async (options: ControlOptions): Promise<Control> => {
  const { config, connection, clock, random, log, signal } = options;
  const metrics = createMetrics({ version: options.version, nodeVersion: process.version });
  const health = createHealth();
  const app = createApp({ health, exposition: () => metrics.render(), log });
  const server = await serve(app, config.http.address, clock);

  const limits = { qps: config.kubeClientQPS, burst: config.kubeClientBurst };
  const kube = createKube({ transport: connection.calls, clock, ...limits });
  const caches = createCaches({
    transport: connection.watches,
    clock,
    random,
    log,
    onTrouble: (resource, fault) => tellTrouble(log, connection.server, resource, fault),
  });
  for (const [name, reflector] of caches.all) {
    health.ready(name, () => reflector.hasSynced());
    metrics.watchAge(name, () => reflector.lastActivityAgeMs() / 1_000);
  }
  countPodEips(metrics, caches);

  // Leases and Events have their own budget of calls: a renewal must not wait behind reconciles.
  const election = electionOf(options);
  const recorder = createRecorder({
    kube: createKube({ transport: connection.calls, clock }),
    clock,
    random,
    log,
    controller: 'alibabacloud.com/knative-eip',
    instance: config.leaderElection.identity ?? 'knative-eip',
  });

  const work = new AbortController();
  const running = run({ ...options, kube, caches, metrics, election, recorder, work: work.signal });
  const ended = (async (): Promise<'stopped' | 'lost'> => {
    const stopped = new Promise<'stopped'>((resolve) => {
      if (signal.aborted) resolve('stopped');
      signal.addEventListener('abort', () => resolve('stopped'), { once: true });
    });
    const how = await Promise.race([stopped, running.lost]);
    if (how === 'lost') return how;
    log.info({}, 'Stopping: nothing new is begun, calls to the cloud that are under way end');
    work.abort(new Error('the controller is stopping'));
    const enough = new AbortController();
    await Promise.race([running.drained, clock.sleep(DRAIN_MS, enough.signal).catch(() => undefined)]);
    enough.abort();
    await recorder.stop(500);
    await election?.release();
    await server.close();
    await connection.close();
    log.info({}, 'Stopped');
    return how;
  })();
  return { url: server.url, ended };
};

const electionOf = ({ config, connection, clock, random, log }: ControlOptions) => {
  const { enabled, namespace, name, identity, ...seconds } = config.leaderElection;
  if (!enabled) return undefined;
  return createElection({
    kube: createKube({ transport: connection.calls, clock, timeoutMs: seconds.retryPeriodSeconds * 2_000 }),
    clock,
    random,
    log,
    namespace,
    name,
    // The name alone would outlive a restart of the container.
    identity: `${identity ?? 'knative-eip'}_${random.uuid()}`,
    leaseDurationMs: seconds.leaseDurationSeconds * 1_000,
    renewDeadlineMs: seconds.renewDeadlineSeconds * 1_000,
    retryPeriodMs: seconds.retryPeriodSeconds * 1_000,
  });
};

interface Running {
  /** Resolves once nothing is under way any more. */
  readonly drained: Promise<void>;
  /** Resolves if the leadership is lost. */
  readonly lost: Promise<'lost'>;
}

type Parts = ControlOptions & {
  readonly kube: Kube;
  readonly caches: Caches;
  readonly metrics: Metrics;
  readonly election: ReturnType<typeof electionOf>;
  readonly recorder: ReturnType<typeof createRecorder>;
  /** Aborts when the drain starts. */
  readonly work: AbortSignal;
};

/** Leads, and works while it leads. */
const run = (parts: Parts): Running => {
  const { config, clock, random, log, kube, caches, metrics, election, recorder, work } = parts;
  const measured = metrics.queue('podeip');
  const queue = createQueue({
    clock,
    random,
    backoff: BACKOFF,
    observer: {
      taken: (waitedMs) => {
        measured.added();
        measured.waited(waitedMs / 1_000);
        measured.depth(queue.depth().ready);
      },
      retried: () => measured.retried(),
    },
  });
  const memories = new Memories(clock, random);
  feed(caches, queue, (uid) => memories.forget(uid));

  const cloud = assembleCloud({
    clock,
    region: config.regionID,
    endpoints: endpointsOf(config),
    credentials: createCredentials(credentialsOf(config, parts.env), clock),
    rateShare: config.cloud.apiShare,
    mayMutate: (needMs) => !work.aborted && (election === undefined || election.remainingMs() > needMs),
    onCall: ({ action, outcome, durationMs }) =>
      metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000),
    unmapped: ({ code }) => metrics.unmappedCloudCode(code),
  });

  const lost = Promise.withResolvers<'lost'>();
  const crash = new AbortController();
  if (election)
    void election.run(crash.signal).then((how) => {
      metrics.leading(false);
      if (how === 'lost') lost.resolve('lost');
    });

  const reflecting = Promise.all(caches.all.map(([, reflector]) => reflector.run(work)));
  const working = (async () => {
    await unlessStopped(work, Promise.all(caches.all.map(([, reflector]) => reflector.synced)));
    const clusterUid = await findClusterUid(kube, clock, random, log, work);
    if (election) {
      log.info({ lease: `${config.leaderElection.namespace}/${config.leaderElection.name}` }, 'Waiting for the lease');
      await unlessStopped(work, election.acquired);
    }
    metrics.leading(true);
    log.info({ clusterUid, pods: caches.pods.store.size, podEips: caches.podEips.store.size }, 'Working');
    const settings = settingsOf(config, clusterUid);
    const reconcile = reconcilePodEip({
      kube,
      cloud: cloud.cloud,
      clock,
      cluster: { uid: clusterUid, id: config.clusterID },
      settings,
      vpcId: config.vpcID,
      memories,
      nodeOf: (name) => caches.nodes.store.get(name),
      record: (regarding, event) => recorder.record(regarding, event),
      log,
    });
    await runWorkers(
      {
        name: 'podeip',
        queue,
        workers: config.networkController.eipController.maxConcurrentReconciles,
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
  })().catch((error: unknown) => {
    if (!work.aborted) log.error({ error }, 'The controller cannot work');
  });
  const drained = (async () => {
    await working;
    await reflecting;
    await cloud.idle();
  })();
  return { drained, lost: lost.promise };
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

const settingsOf = (config: Config, clusterUid: string): Settings => ({
  clusterUid,
  defaults: {
    bandwidthMbps: config.eipDefaults.bandwidth,
    internetChargeType: config.eipDefaults.internetChargeType,
    isp: config.eipDefaults.isp,
  },
  existingEips: config.existingEips,
  existingEipNamespaces: config.existingEipNamespaces,
  settleMs: config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS,
  readLagMs: READ_LAG_MS,
  recheckMs: config.networkController.eipController.garbageCollectionPeriodInMinutes * 60_000,
});

const endpointsOf = ({ endpoints: { vpc, ecs, eci } }: Config) => ({
  ...(vpc !== undefined && { vpc }),
  ...(ecs !== undefined && { ecs }),
  ...(eci !== undefined && { eci }),
});

const credentialsOf = ({ credential }: Config, env: ControlOptions['env']) => ({
  accessKeyId: credential.accessKey?.reveal(),
  accessKeySecret: credential.accessSecret,
  securityToken: credential.securityToken,
  env,
});

/** The UID of kube-system names the cluster. Asked until it is there: an API server that is away comes back. */
const findClusterUid = async (
  kube: Kube,
  clock: Clock,
  random: Random,
  log: Log,
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

/** One line that says what is wrong with a watch and what to do; the watch itself goes on trying. */
const tellTrouble = (log: Log, server: string, resource: string, fault: KubeFault): void => {
  const fields = { resource, kind: fault.kind };
  if (fault.kind === 'notFound' && resource === 'podeips')
    log.error(fields, 'The CRD of PodEIP is not installed; install it with: kubectl apply -k config/crd (retrying)');
  else if (fault.kind === 'forbidden')
    log.error(fields, `The service account may not watch ${resource}; apply config/rbac (retrying): ${fault.message}`);
  else if (fault.kind === 'unavailable')
    log.warn(fields, `The API server ${server} does not answer (retrying): ${fault.message}`);
  else if (fault.kind !== 'expired') log.warn(fields, `Watching ${resource} failed (retrying): ${fault.message}`);
};

/** Gauges are counted when they are scraped, from what the watch keeps. */
const countPodEips = (metrics: Metrics, { podEips }: Caches): void => {
  metrics.eips(() => {
    const byState = new Map<string, number>();
    for (const { status } of podEips.store.values())
      if (status?.status) byState.set(status.status, (byState.get(status.status) ?? 0) + 1);
    return byState;
  });
  metrics.podEips(function* () {
    for (const { status } of podEips.store.values()) {
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      yield { ready: ready?.status === 'True', reason: ready?.reason ?? 'Pending', count: 1 };
    }
  });
};
