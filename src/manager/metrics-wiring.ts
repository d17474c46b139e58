import { CLOUD_ACTIONS } from '../cloud/api-actions.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from './metrics-registry.ts';

/** Shows at each scrape how the watches are. Every replica has them. */
export const measureWatches = (metrics: Metrics, caches: Caches): void => {
  for (const [name, reflector] of caches.all)
    metrics.watching(
      name,
      () => reflector.lastActivityAgeMs() / 1_000,
      () => reflector.stats(),
    );
};

interface MeasuredParts {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly caches: Caches;
  readonly cloud: Pick<AssembledCloud, 'throttle' | 'countEips'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two counts of the account's EIPs: one call of the 600 in a minute that the account may make. */
const COUNT_EVERY_MS = 60_000;
/** A count that is older is not shown any more. */
const STALE_MS = 5 * COUNT_EVERY_MS;

/**
 * Shows at each scrape what is held and what the APIs still allow, and counts the account's EIPs again and again until
 * the signal aborts. Only for the one that leads: what two replicas show would add up.
 */
export const measure = async (
  { config, metrics, caches, cloud, clock, log }: MeasuredParts,
  signal: AbortSignal,
): Promise<void> => {
  const { addressLimit: addresses, revisionLimit: revisions } = config.metrics;
  metrics.held(() => caches.podEips.store.values(), { addresses, revisions });
  metrics.mayCall(CLOUD_ACTIONS);
  const { throttle } = cloud;
  metrics.cloudBudget(() =>
    CLOUD_ACTIONS.map((action) => ({
      action,
      left: throttle.left(action),
      perMinute: throttle.perMinute(action),
      pace: throttle.pace(action),
      waiting: throttle.waiting(action),
    })),
  );
  let count: { readonly used: number; readonly at: number } | undefined;
  metrics.eipQuota(() =>
    count && clock.mono() - count.at < STALE_MS ? { used: count.used, limit: config.cloud.eipQuota } : undefined,
  );
  while (!signal.aborted) {
    try {
      count = { used: await cloud.countEips(signal), at: clock.mono() };
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CloudFault)) throw error;
      log.debug({ kind: error.kind, code: error.code }, `The EIPs of the account cannot be counted: ${error.message}`);
    }
    await clock.sleep(COUNT_EVERY_MS, signal).catch(() => undefined);
  }
};
