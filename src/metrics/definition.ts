import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From 1 ms to 2 min: AssociateEipAddress takes seconds, a call that gets no answer up to a minute. */
export const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** For times that users wait: from 0.1 s to 30 min. */
export const WAITING_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

/** Every label, with its meaning and what bounds the number of its values. Only labels of this table can be used. */
export const LABELS = {
  action: 'API action of VPC, ECS or ECI; a fixed list',
  address: 'the public address',
  answer: '`changed`, `unchanged`, `refused` or `unreadable`',
  code: 'error code of the cloud; 50 are told apart, the rest is `other`',
  controller: 'which of the controllers; a fixed list',
  eip: 'allocation ID of the EIP',
  finding: 'ID of the finding, the reason of its Event; a fixed list',
  host: 'host of an API of the cloud; a few for each product',
  internet_charge_type: '`PayByTraffic` or `PayByBandwidth`; empty until it is known',
  isp: 'line type, such as `BGP`; empty until it is known',
  k8s_namespace_name: "namespace, named as in Knative's metrics",
  k8s_pod_name: 'the pod that has the address',
  kind: 'see the metric; a fixed list',
  kn_revision_name: "Knative Revision, named as in Knative's metrics; empty for other pods",
  kn_service_name: "Knative Service, named as in Knative's metrics; empty for other pods",
  manager: 'who makes and releases the EIP: `Controller`, or `ECI` for the virtual node',
  name: 'name of the queue, or of the other controller; a fixed list',
  node_version: 'version of Node.js',
  outcome: 'see the metric; a fixed list',
  product: '`vpc`, `ecs`, `eci` or `sts`',
  ready: '`true` or `false`',
  reason: 'reason of the condition Ready, or why an event was given up; a fixed list',
  resource: 'plural of the Kubernetes resource; a fixed list',
  result: '`success`, `error`, `requeue` or `requeue_after`, as controller-runtime says it',
  severity: '`refuse` or `warn`',
  stage: '`queue`, `allocate`, `associate` or `publish`',
  state: 'state of the EIP in the VPC API; `None` while there is no EIP',
  step: 'what the controller did, such as `Allocate`; a fixed list',
  version: 'version of knative-eip',
  webhook: 'which of the webhooks; a fixed list',
} as const;

export type Label = keyof typeof LABELS;

/** One metric, as the table in docs/metrics.md lists it. */
export interface Definition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly Label[];
  readonly help: string;
}

/** Returns the samples of a gauge or counter; called at each scrape. */
type Samples<L extends Label> = () => Iterable<readonly [labels: Readonly<Record<L, string>>, value: number]>;

/** Creates metrics in one registry and keeps the list of their definitions. */
export class Meter {
  readonly definitions: Definition[] = [];
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter<L extends Label = never>(name: string, help: string, ...labels: L[]): Counter<L> {
    this.definitions.push({ name, type: 'counter', labels, help });
    return new Counter({ name, help, labelNames: labels, registers: [this.#registry] });
  }

  gauge<L extends Label = never>(name: string, help: string, ...labels: L[]): Gauge<L> {
    this.definitions.push({ name, type: 'gauge', labels, help });
    return new Gauge({ name, help, labelNames: labels, registers: [this.#registry] });
  }

  histogram<L extends Label = never>(name: string, help: string, buckets: number[], ...labels: L[]): Histogram<L> {
    this.definitions.push({ name, type: 'histogram', labels, help });
    return new Histogram({ name, help, labelNames: labels, buckets, registers: [this.#registry] });
  }

  /**
   * Creates a gauge whose samples are collected at each scrape; a label set that is not returned any more disappears.
   * Returns the function that sets the source of the samples: until it is called, the gauge has none.
   */
  scraped<L extends Label = never>(name: string, help: string, ...labels: L[]): (samples: Samples<L>) => void {
    this.definitions.push({ name, type: 'gauge', labels, help });
    return this.#scraped(labels, (collect) => new Gauge<L>({ name, help, labelNames: labels, registers: [], collect }));
  }

  /** Creates a counter that is collected in the same way, from something that counts by itself since the start. */
  scrapedCounter<L extends Label = never>(name: string, help: string, ...labels: L[]): (samples: Samples<L>) => void {
    this.definitions.push({ name, type: 'counter', labels, help });
    return this.#scraped(
      labels,
      (collect) => new Counter<L>({ name, help, labelNames: labels, registers: [], collect }),
    );
  }

  #scraped<L extends Label>(
    labels: readonly L[],
    make: (collect: () => void) => Gauge<L> | Counter<L>,
  ): (samples: Samples<L>) => void {
    let source: Samples<L> | undefined;
    const metric = make(() => {
      metric.reset();
      // For a metric without labels, reset() would leave a sample of zero.
      if (labels.length === 0) metric.remove();
      for (const [values, value] of source?.() ?? []) metric.inc(values, value);
    });
    this.#registry.registerMetric(metric);
    return (samples) => {
      source = samples;
    };
  }
}
