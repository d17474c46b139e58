import { collectDefaultMetrics, Registry } from 'prom-client';
import type { CloudEventMetrics } from '../metrics/event-delivery.ts';
import { cloudEventMetrics } from '../metrics/event-delivery.ts';
import { cloudMetrics, type CloudMetrics } from '../metrics/cloud-calls.ts';
import { Meter, type Definition } from '../metrics/definition.ts';
import { heldMetrics, type HeldMetrics } from '../metrics/held.ts';
import { lifeMetrics, type LifeMetrics } from '../controllers/podeip/metrics.ts';
import { sweeperMetrics, type SweeperMetrics } from '../controllers/garbagecollection/metrics.ts';
import { virtualNodeMetrics, type VirtualNodeMetrics } from '../virtualnode/metrics.ts';
import { workMetrics, type WorkMetrics } from '../metrics/work.ts';

/** All metrics of the product. Hides the library that implements them. */
export interface Metrics extends WorkMetrics, CloudMetrics, HeldMetrics {
  readonly life: LifeMetrics;
  readonly sweeper: SweeperMetrics;
  readonly virtualNode: VirtualNodeMetrics;
  readonly cloudEvents: CloudEventMetrics;
  /** The text of `/metrics`, and its media type. */
  render(): Promise<{ contentType: string; body: string }>;
  /** The names of all metrics, for the tests of dashboards and rules. */
  names(): string[];
  /** The product's own metrics, for the table in docs/metrics.md. */
  readonly definitions: readonly Definition[];
}

/** Creates a separate registry on each call, so that two controllers in one process do not add up. */
export const createMetrics = (build: { readonly version: string; readonly nodeVersion: string }): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const meter = new Meter(registry);
  return {
    ...workMetrics(meter, build),
    ...heldMetrics(meter),
    life: lifeMetrics(meter),
    ...cloudMetrics(meter),
    sweeper: sweeperMetrics(meter),
    virtualNode: virtualNodeMetrics(meter),
    cloudEvents: cloudEventMetrics(meter),
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    definitions: meter.definitions,
  };
};
