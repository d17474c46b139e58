import type { Meter } from '../metrics/definition.ts';

/** Metrics of the virtual node. */
export interface VirtualNodeMetrics {
  /** What the last search for groups without a pod has found. */
  orphans(found: { readonly running: number; readonly isBraked: boolean }): void;
}

export const virtualNodeMetrics = (meter: Meter): VirtualNodeMetrics => {
  const orphans = meter.gauge(
    'knative_eip_virtual_node_orphans',
    'Container groups of this cluster that run and whose pod does not exist, as the last search saw them',
  );
  const braked = meter.gauge(
    'knative_eip_virtual_node_braked',
    '1 while so many container groups have no pod that none is deleted, otherwise 0',
  );
  return {
    orphans: ({ running, isBraked }) => {
      orphans.set(running);
      braked.set(isBraked ? 1 : 0);
    },
  };
};
