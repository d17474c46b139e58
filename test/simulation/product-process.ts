import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { assembleCloudEvents } from '../../src/cloudevents/assemble-cloudevents.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import type { Config } from '../../src/config/schema.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createPolicyCache } from '../../src/policies/policy-cache.ts';
import { createServiceCache } from '../../src/controllers/service/controller.ts';
import { createKube } from '../../src/kube/client.ts';
import { tellingTime } from '../../src/kube/server-time.ts';
import { createElection } from '../../src/kube/lease.ts';
import { createRecorder } from '../../src/kube/recorder.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Metrics } from '../../src/manager/metrics-registry.ts';
import { DRAIN_MS } from '../../src/manager/shutdown.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { cloudLink } from './cloud-link.ts';
import { SETTLE_SECONDS } from './fault-bounds.ts';
import { kubeLink } from './kube-link.ts';
import type { Sender } from '../../src/cloudevents/sender.ts';
import type { Process } from './process.ts';
import { hasKnative, type Script } from './script.ts';
import { EPOCH, type Wire } from './wire.ts';
import { logTo } from '../harness/recording-log.ts';
import { configOf } from '../harness/settings.ts';

export const LEASE_NAMESPACE = 'kube-system';

/** The configuration of the simulated controllers: production's but for what would only make a life longer. */
const freshConfiguration = ({
  election,
  sweeper,
  holdOffSeconds = 0,
}: Pick<Script, 'election' | 'sweeper' | 'holdOffSeconds'>): Config =>
  configOf({
    clusterID: 'c-simulated',
    // No limit that would hide a controller that spins.
    kubeClientQPS: 500,
    kubeClientBurst: 500,
    networkController: { eipController: { garbageCollectionPeriodInMinutes: 2 } },
    cloud: { settleSeconds: SETTLE_SECONDS },
    leaderElection: { enabled: election, namespace: LEASE_NAMESPACE },
    knative: { holdOffSeconds },
    sweeper: { mode: sweeper ? 'release' : 'off' },
    // Only what is there when a world begins is older than this.
    adoptPodEIPsCreatedBefore: new Date(EPOCH + 1_000).toISOString(),
  });

const CONFIGS = new Map<string, Config>();

export const configuration = (script: Pick<Script, 'election' | 'sweeper' | 'holdOffSeconds'>): Config => {
  const key = `${script.election} ${script.sweeper} ${script.holdOffSeconds}`;
  const config = CONFIGS.get(key) ?? freshConfiguration(script);
  CONFIGS.set(key, config);
  return config;
};

/** How often the truth is looked at although nothing happened; milliseconds. */
export const RECHECK_MS =
  configuration({ election: false, sweeper: false }).networkController.eipController.garbageCollectionPeriodInMinutes *
  60_000;

const nothing = (): undefined => undefined;

/** Figures that nobody reads: prom-client costs more than the rest of a simulated process. */
const noMetrics: Metrics = {
  reconciled: nothing,
  queue: () => ({ state: nothing, added: nothing, waited: nothing, worked: nothing, retried: nothing }),
  cloudCalled: nothing,
  accountMismatched: nothing,
  unmappedCloudCode: nothing,
  cloudEndpoint: nothing,
  tagsDropped: nothing,
  profile: nothing,
  reviewed: nothing,
  held: nothing,
  life: { did: nothing, served: nothing, gaveBack: nothing, lost: nothing, found: nothing },
  mayCall: nothing,
  cloudBudget: nothing,
  eipQuota: nothing,
  quotaNow: () => undefined,
  virtualNode: { leading: nothing, certificate: nothing, orphans: nothing, session: () => nothing },
  sweeper: {
    passed: nothing,
    saw: nothing,
    left: nothing,
    braked: nothing,
    released: nothing,
    blocked: nothing,
    lastPassAge: nothing,
  },
  cloudEvents: { sent: nothing, dropped: nothing, attempted: nothing, waiting: nothing },
  leading: nothing,
  otherControllers: nothing,
  watching: nothing,
  render: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  names: () => [],
  definitions: [],
};

export interface ProductParts {
  readonly wire: Wire;
  readonly process: Process;
  readonly server: ApiServer;
  readonly cloud: EmbeddedCloud;
  readonly random: Random;
  readonly script: Pick<Script, 'election' | 'sweeper' | 'holdOffSeconds' | 'limit' | 'actions'>;
  /** The sink of CloudEvents; undefined where there is none. */
  readonly sender: Sender | undefined;
  /** Whether what the product logs is kept. */
  readonly tells: boolean;
  /** The process has ended by its own will: it lost the leadership, or it has drained. */
  readonly onExit: () => void;
}

/** The product's log beside the trace. */
const telling = (wire: Wire, name: string): Log =>
  logTo((level, fields, message) =>
    wire.tell(
      `${name} ${level} ${message} ${JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? value.stack : value))}`,
    ),
  );

/**
 * Starts the product in a process: everything that src/manager/manager.ts puts together, but for the HTTP server.
 * Returns how to send it SIGTERM.
 */
export const startController = (parts: ProductParts): { readonly terminate: () => void } => {
  const { wire, process, server, cloud, random, onExit } = parts;
  const config = configuration(parts.script);
  const log = parts.tells ? telling(wire, process.name) : silentLog;
  const clock = process;
  const transport = kubeLink(wire, process, server);
  const dated = tellingTime(transport);
  const { leaderElection: lease } = config;
  const election = parts.script.election
    ? createElection({
        kube: createKube({ transport, clock, timeoutMs: lease.retryPeriodSeconds * 2_000 }),
        clock,
        random,
        log,
        namespace: lease.namespace,
        name: lease.name,
        identity: `${process.name}_${random.uuid()}`,
        leaseDurationMs: lease.leaseDurationSeconds * 1_000,
        renewDeadlineMs: lease.renewDeadlineSeconds * 1_000,
        retryPeriodMs: lease.retryPeriodSeconds * 1_000,
      })
    : undefined;
  const recorder = createRecorder({
    kube: createKube({ transport, clock }),
    clock,
    random,
    log,
    controller: 'alibabacloud.com/knative-eip',
    instance: process.name,
  });
  const work = new AbortController();
  const running = runControllers({
    config,
    clock,
    random,
    log,
    kube: createKube({
      transport: dated.transport,
      clock,
      qps: config.kubeClientQPS,
      burst: config.kubeClientBurst,
    }),
    serverTime: () => dated.time.latest(),
    caches: createCaches({ transport, clock, random, log, onTrouble: nothing }),
    ...(parts.script.limit !== undefined && { policies: createPolicyCache({ transport, clock, random, log }) }),
    ...(hasKnative(parts.script.actions) && { services: createServiceCache({ transport, clock, random, log }) }),
    metrics: noMetrics,
    election,
    record: (regarding, event) => recorder.record(regarding, event),
    assemble: (mayMutate) =>
      assembleCloud({
        clock,
        region: config.regionID,
        callApi: cloudLink(wire, process, cloud),
        rateShare: config.cloud.apiShare,
        mayMutate,
      }),
    cloudEvents: parts.sender && {
      assemble: assembleCloudEvents,
      sender: parts.sender,
      kube: createKube({ transport, clock, qps: config.kubeClientQPS, burst: config.kubeClientBurst }),
    },
    work: work.signal,
  });
  const exit = (why: string) => {
    if (!process.isAlive) return;
    wire.trace(`${process.name} exits: ${why}`);
    process.kill();
    onExit();
  };
  // A defect, which ends the simulation.
  void running.failed.then(({ error }) => {
    throw error;
  });
  void running.lost.then(() => exit('lost the leadership'));
  const stop = async () => {
    work.abort(new Error('the controller is stopping'));
    const enough = new AbortController();
    await Promise.race([running.drained, clock.sleep(DRAIN_MS, enough.signal).catch(nothing)]);
    enough.abort();
    await recorder.stop(500);
    await election?.release();
    exit('stopped');
  };
  return { terminate: () => process.deliver(() => void stop()) };
};
