import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CloudFaultKind } from '../cloud/fault.ts';
import type { CloudEventMetrics } from './cloudevents.ts';
import type { StrayKind } from '../plan/sweep.ts';

/** How a reconcile ended; the words of controller-runtime. */
export type ReconcileResult = 'success' | 'error' | 'requeue' | 'requeue_after';

/** The measures of one work queue, named as client-go's so that existing dashboards show them. Durations in seconds. */
export interface QueueMetrics {
  depth(items: number): void;
  added(): void;
  /** How long an item waited before work on it began. */
  waited(seconds: number): void;
  /** How long work on an item took. */
  worked(seconds: number): void;
  retried(): void;
}

/**
 * How a pass of the sweeper ended. `inconsistent`: the list of EIPs changed while it was read, nothing was concluded ·
 * `braked`: too much was due, nothing was released · `failed`: cloud or cluster did not answer.
 */
export type SweepOutcome = 'ok' | 'inconsistent' | 'braked' | 'failed';

/** The measures of the sweeper. */
export interface SweeperMetrics {
  passed(outcome: SweepOutcome): void;
  /** What the last complete pass saw. */
  saw(strays: Readonly<Record<StrayKind, number>>): void;
  braked(isBraked: boolean): void;
  released(): void;
  /** An EIP was due, and somebody must act before it can be released. */
  blocked(): void;
  /** Asked at each scrape: seconds since the last complete pass, or undefined where this replica does not sweep. */
  lastPassAge(collect: () => number | undefined): void;
}

/** Everything that the product measures about itself. Callers never see the library behind it. */
export interface Metrics {
  reconciled(controller: string, result: ReconcileResult, seconds: number): void;
  queue(name: string): QueueMetrics;
  /** One call to the cloud: how it ended, and how long it took without the wait for its turn. */
  cloudCalled(action: string, outcome: 'ok' | CloudFaultKind, seconds: number): void;
  /** An error code that the table of codes does not know. */
  unmappedCloudCode(code: string): void;
  /** Asked at each scrape: how many EIPs of this cluster are in each state of the VPC API. */
  eips(collect: () => Iterable<readonly [state: string, count: number]>): void;
  /** Asked at each scrape: how many PodEIPs are ready or not, and why. Reasons are from the closed list of the API. */
  podEips(collect: () => Iterable<{ readonly ready: boolean; readonly reason: string; readonly count: number }>): void;
  /** One review of a webhook: whether the object was changed, and how long the answer took. */
  reviewed(webhook: string, answer: string, seconds: number): void;
  leading(leads: boolean): void;
  readonly sweeper: SweeperMetrics;
  readonly cloudEvents: CloudEventMetrics;
  /** Asked at each scrape: how long ago the watch of this resource last heard from the API server. */
  watchAge(resource: string, collect: () => number): void;
  /** The text of `/metrics` and its media type. */
  render(): Promise<{ contentType: string; body: string }>;
  /** The names of all metrics, for the tests of dashboards and rules. */
  names(): string[];
}

/** From 1 ms to about 2 min: an associate takes seconds, an unanswered call a minute. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** So many unknown codes are told apart; more would let the cloud's answers grow the memory without end. */
const MOST_CODES = 50;

const none = () => [];

/** A registry of its own for each call, so that two controllers in one process do not add up. */
export const createMetrics = (build: { readonly version: string; readonly nodeVersion: string }): Metrics => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  new Gauge({
    name: 'knative_eip_build_info',
    help: 'Always 1; the labels say what is running',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version: build.version, node_version: build.nodeVersion }, 1);

  const reconciles = new Counter({
    name: 'knative_eip_reconcile_total',
    help: 'Reconciles, by controller and by how they ended',
    labelNames: ['controller', 'result'],
    registers,
  });
  const reconcileSeconds = new Histogram({
    name: 'knative_eip_reconcile_duration_seconds',
    help: 'How long a reconcile took',
    labelNames: ['controller'],
    buckets: SECONDS,
    registers,
  });

  const depth = new Gauge({
    name: 'workqueue_depth',
    help: 'Items that wait in the queue',
    labelNames: ['name'],
    registers,
  });
  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Items added to the queue',
    labelNames: ['name'],
    registers,
  });
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long an item waited before work on it began',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  });
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long work on an item took',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  });
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Items put back to be tried again',
    labelNames: ['name'],
    registers,
  });

  const calls = new Counter({
    name: 'knative_eip_cloud_calls_total',
    help: 'Calls to the cloud, by API action and by outcome: ok, or the kind of fault',
    labelNames: ['action', 'outcome'],
    registers,
  });
  const callSeconds = new Histogram({
    name: 'knative_eip_cloud_call_duration_seconds',
    help: 'How long a call to the cloud took, without the wait for its turn',
    labelNames: ['action'],
    buckets: SECONDS,
    registers,
  });
  const unmapped = new Counter({
    name: 'knative_eip_unmapped_cloud_codes_total',
    help: 'Error codes of the cloud that the table of codes does not know; "other" after the first 50',
    labelNames: ['code'],
    registers,
  });
  const codes = new Set<string>();

  let eips: Parameters<Metrics['eips']>[0] = none;
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_eips',
      help: 'EIPs of this cluster, by state in the VPC API',
      labelNames: ['state'],
      registers: [],
      collect() {
        this.reset();
        for (const [state, count] of eips()) this.set({ state }, count);
      },
    }),
  );
  let podEips: Parameters<Metrics['podEips']>[0] = none;
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_podeips',
      help: 'PodEIPs, by whether they are ready and why',
      labelNames: ['ready', 'reason'],
      registers: [],
      collect() {
        this.reset();
        for (const { ready, reason, count } of podEips()) this.inc({ ready: String(ready), reason }, count);
      },
    }),
  );
  const reviewSeconds = new Histogram({
    name: 'knative_eip_webhook_duration_seconds',
    help: 'How long an admission review took, by webhook and by answer: changed, unchanged or unreadable',
    labelNames: ['webhook', 'answer'],
    buckets: SECONDS,
    registers,
  });
  const leader = new Gauge({
    name: 'knative_eip_leader',
    help: '1 while this replica leads, otherwise 0',
    registers,
  });
  const ages = new Map<string, () => number>();
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_kube_watch_age_seconds',
      help: 'How long ago the watch of a resource last heard from the API server',
      labelNames: ['resource'],
      registers: [],
      collect() {
        for (const [resource, age] of ages) this.set({ resource }, age());
      },
    }),
  );

  const passes = new Counter({
    name: 'knative_eip_sweeper_passes_total',
    help: 'Passes of the sweeper, by how they ended: ok, inconsistent, braked or failed',
    labelNames: ['outcome'],
    registers,
  });
  const strays = new Gauge({
    name: 'knative_eip_sweeper_strays',
    help: 'EIPs of this cluster that belong to no PodEIP, by kind, as the last complete pass saw them',
    labelNames: ['kind'],
    registers,
  });
  const sightings = new Counter({
    name: 'knative_eip_sweeper_sightings_total',
    help: 'How often a pass saw an EIP that belongs to no PodEIP, by kind',
    labelNames: ['kind'],
    registers,
  });
  const released = new Counter({
    name: 'knative_eip_sweeper_released_total',
    help: 'EIPs that the sweeper released',
    registers,
  });
  const blocked = new Counter({
    name: 'knative_eip_sweeper_blocked_total',
    help: 'How often an EIP was due for release and could not be released before somebody acts',
    registers,
  });
  const braked = new Gauge({
    name: 'knative_eip_sweeper_braked',
    help: '1 while so much is due for release that nothing is released, otherwise 0',
    registers,
  });
  let lastPassAge: Parameters<SweeperMetrics['lastPassAge']>[0] | undefined;
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_sweeper_last_pass_age_seconds',
      help: 'How long ago the last complete pass of the sweeper was; before the first one, how long it has been at work',
      registers: [],
      collect() {
        const age = lastPassAge?.();
        if (age === undefined) this.remove();
        else this.set(age);
      },
    }),
  );

  return {
    cloudEvents: createCloudEventMetrics(registry),
    sweeper: {
      passed: (outcome) => passes.inc({ outcome }),
      saw: (seen) => {
        for (const kind of ['orphan', 'surplus', 'unidentified'] as const) {
          strays.set({ kind }, seen[kind]);
          sightings.inc({ kind }, seen[kind]);
        }
      },
      braked: (is) => braked.set(is ? 1 : 0),
      released: () => released.inc(),
      blocked: () => blocked.inc(),
      lastPassAge: (collect) => {
        lastPassAge = collect;
      },
    },
    reconciled: (controller, result, seconds) => {
      reconciles.inc({ controller, result });
      reconcileSeconds.observe({ controller }, seconds);
    },
    queue: (name) => {
      depth.set({ name }, 0);
      adds.inc({ name }, 0);
      retries.inc({ name }, 0);
      return {
        depth: (items) => depth.set({ name }, items),
        added: () => adds.inc({ name }),
        waited: (seconds) => waits.observe({ name }, seconds),
        worked: (seconds) => works.observe({ name }, seconds),
        retried: () => retries.inc({ name }),
      };
    },
    cloudCalled: (action, outcome, seconds) => {
      calls.inc({ action, outcome });
      callSeconds.observe({ action }, seconds);
    },
    unmappedCloudCode: (code) => {
      if (codes.size < MOST_CODES) codes.add(code);
      unmapped.inc({ code: codes.has(code) ? code : 'other' });
    },
    eips: (collect) => {
      eips = collect;
    },
    podEips: (collect) => {
      podEips = collect;
    },
    reviewed: (webhook, answer, seconds) => reviewSeconds.observe({ webhook, answer }, seconds),
    leading: (leads) => leader.set(leads ? 1 : 0),
    watchAge: (resource, collect) => void ages.set(resource, collect),
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
  };
};

const createCloudEventMetrics = (registry: Registry): CloudEventMetrics => {
  const registers = [registry];
  const sent = new Counter({
    name: 'knative_eip_cloudevents_sent_total',
    help: 'CloudEvents that the sink took, by what they tell',
    labelNames: ['kind'],
    registers,
  });
  const dropped = new Counter({
    name: 'knative_eip_cloudevents_dropped_total',
    help: 'CloudEvents that were given up, by what they tell and by reason: refused by the sink, or expired',
    labelNames: ['kind', 'reason'],
    registers,
  });
  const attempts = new Histogram({
    name: 'knative_eip_cloudevents_delivery_duration_seconds',
    help: 'How long a delivery to the sink took, by how it ended: delivered, later (tried again) or refused',
    labelNames: ['outcome'],
    buckets: SECONDS,
    registers,
  });
  let waiting: Parameters<CloudEventMetrics['waiting']>[0] | undefined;
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_cloudevents_waiting',
      help: 'CloudEvents that wait to be delivered',
      registers: [],
      collect() {
        this.set(waiting?.().count ?? 0);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'knative_eip_cloudevents_oldest_waiting_seconds',
      help: 'Age of the oldest CloudEvent that waits to be delivered; 0 where none waits',
      registers: [],
      collect() {
        this.set(waiting?.().oldestSeconds ?? 0);
      },
    }),
  );
  return {
    sent: (kind) => sent.inc({ kind }),
    dropped: (kind, reason) => dropped.inc({ kind, reason }),
    attempted: (outcome, seconds) => attempts.observe({ outcome }, seconds),
    waiting: (collect) => {
      waiting = collect;
    },
  };
};
