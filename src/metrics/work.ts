import { OTHER_CONTROLLERS } from '../rules/conflicting-controllers.ts';
import { SECONDS, type Meter } from './definition.ts';

/** How a reconcile ended; the words of controller-runtime. */
export type ReconcileResult = 'success' | 'error' | 'requeue' | 'requeue_after';

/** The current length of a queue. */
interface QueueState {
  /** Items that are due. */
  readonly ready: number;
  /** Items that are due later. */
  readonly delayed: number;
  /** For how long the oldest item that is due has waited, milliseconds; 0 if none waits. */
  readonly oldestMs: number;
}

/**
 * Metrics of one work queue, with the names of client-go's, so that existing dashboards show them. Durations in
 * seconds.
 */
interface QueueMetrics {
  /** `collect` is called at each scrape. */
  state(collect: () => QueueState): void;
  added(): void;
  /** Observes for how long an item was due before its reconcile began. */
  waited(seconds: number): void;
  /** Observes the duration of a reconcile. */
  worked(seconds: number): void;
  retried(): void;
}

/** Counts of a watch since the start of the process. */
interface WatchCounts {
  readonly lists: number;
  readonly events: number;
  readonly faults: number;
}

/** Metrics of the process: queues, watches, leadership and webhooks. */
export interface WorkMetrics {
  reconciled(controller: string, result: ReconcileResult, seconds: number): void;
  queue(name: string): QueueMetrics;
  /** Observes one admission review: the answer, and the duration in seconds. */
  reviewed(webhook: string, answer: string, seconds: number): void;
  leading(leads: boolean): void;
  /** Sets the other controllers of EIPs that this replica found in the cluster, by name. */
  otherControllers(names: readonly string[]): void;
  /** Called at each scrape: whether the selectors of the eci-profile cannot be used. Only where it is honoured. */
  profile(isBroken: () => boolean): void;
  /** Called at each scrape: the time since the watch last heard from the API server, in seconds, and its counts. */
  watching(resource: string, age: () => number, counts: () => WatchCounts): void;
}

export const workMetrics = (meter: Meter, build: { version: string; nodeVersion: string }): WorkMetrics => {
  const info = meter.gauge(
    'knative_eip_build_info',
    'Always 1; the labels say what is running',
    'version',
    'node_version',
  );
  info.set({ version: build.version, node_version: build.nodeVersion }, 1);
  const leader = meter.gauge('knative_eip_leader', '1 while this replica leads, otherwise 0');
  let others: readonly string[] = [];
  meter.scraped(
    'knative_eip_other_controllers',
    '1 for each other controller in the cluster that makes EIPs for the same annotations, otherwise 0; while there is one, no new request is served',
    'name',
  )(function* () {
    for (const name of OTHER_CONTROLLERS) yield [{ name }, others.includes(name) ? 1 : 0] as const;
  });

  let profile: (() => boolean) | undefined;
  meter.scraped(
    'knative_eip_eci_profile_broken',
    '1 while the selectors of the ConfigMap kube-system/eci-profile cannot be used, otherwise 0; only where virtualNode.eciProfile is true',
  )(function* () {
    if (profile) yield [{}, profile() ? 1 : 0] as const;
  });

  const reconciles = meter.counter(
    'knative_eip_reconcile_total',
    'Reconciles, by controller and by how they ended',
    'controller',
    'result',
  );
  const reconcileSeconds = meter.histogram(
    'knative_eip_reconcile_duration_seconds',
    'How long a reconcile took',
    SECONDS,
    'controller',
  );

  const states = new Map<string, () => QueueState>();
  const queueGauge = (name: string, help: string, read: (state: QueueState) => number) =>
    meter.scraped(
      name,
      help,
      'name',
    )(function* () {
      for (const [name, state] of states) yield [{ name }, read(state())] as const;
    });
  queueGauge('workqueue_depth', 'Items that wait in the queue', ({ ready }) => ready);
  queueGauge('knative_eip_workqueue_delayed', 'Items that are due later', ({ delayed }) => delayed);
  queueGauge(
    'knative_eip_workqueue_oldest_seconds',
    'How long the item that has waited longest has been waiting',
    ({ oldestMs }) => oldestMs / 1_000,
  );
  const adds = meter.counter('workqueue_adds_total', 'Items added to the queue', 'name');
  const waits = meter.histogram(
    'workqueue_queue_duration_seconds',
    'How long an item waited before work on it began',
    SECONDS,
    'name',
  );
  const works = meter.histogram('workqueue_work_duration_seconds', 'How long work on an item took', SECONDS, 'name');
  const retries = meter.counter('workqueue_retries_total', 'Items put back to be tried again', 'name');

  const reviewSeconds = meter.histogram(
    'knative_eip_webhook_duration_seconds',
    'How long an admission review took, by webhook and by answer',
    SECONDS,
    'webhook',
    'answer',
  );

  const watches = new Map<string, { age: () => number; counts: () => WatchCounts }>();
  meter.scraped(
    'knative_eip_kube_watch_age_seconds',
    'How long ago the watch of a resource last heard from the API server',
    'resource',
  )(function* () {
    for (const [resource, { age }] of watches) yield [{ resource }, age()];
  });
  for (const [kind, help] of [
    ['lists', 'How often everything of a resource was listed'],
    ['events', 'Events of the watch of a resource'],
    ['faults', 'Failures of the watch of a resource'],
  ] as const)
    meter.scrapedCounter(
      `knative_eip_kube_watch_${kind}_total`,
      help,
      'resource',
    )(function* () {
      for (const [resource, { counts }] of watches) yield [{ resource }, counts()[kind]] as const;
    });

  return {
    reconciled: (controller, result, seconds) => {
      reconciles.inc({ controller, result });
      reconcileSeconds.observe({ controller }, seconds);
    },
    queue: (name) => {
      adds.inc({ name }, 0);
      retries.inc({ name }, 0);
      return {
        state: (collect) => void states.set(name, collect),
        added: () => adds.inc({ name }),
        waited: (seconds) => waits.observe({ name }, seconds),
        worked: (seconds) => works.observe({ name }, seconds),
        retried: () => retries.inc({ name }),
      };
    },
    reviewed: (webhook, answer, seconds) => reviewSeconds.observe({ webhook, answer }, seconds),
    otherControllers: (names) => {
      others = names;
    },
    profile: (isBroken) => {
      profile = isBroken;
    },
    leading: (leads) => leader.set(leads ? 1 : 0),
    watching: (resource, age, counts) => void watches.set(resource, { age, counts }),
  };
};
