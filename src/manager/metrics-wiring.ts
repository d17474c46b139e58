import { CLOUD_ACTIONS } from '../cloud/api-actions.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { PurchaseHistory } from '../policies/purchase-history.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from './metrics-registry.ts';

/** Exports the state of the watches at each scrape. Every replica has them. */
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
  /** Hears how many EIPs the account has. */
  readonly purchases: Pick<PurchaseHistory, 'counted'>;
}

/**
 * Interval between two counts of the account's EIPs, milliseconds. A count is one of the 600 calls per minute of the
 * account.
 */
const COUNT_EVERY_MS = 60_000;
/** What a new account may have (VPC's documentation, "EIP quotas"), where the operator has not written its quota. */
const NEW_ACCOUNT_QUOTA = 20;
/** An older count is not exported. */
const STALE_MS = 5 * COUNT_EVERY_MS;

/**
 * Exports at each scrape what is held and what is left of the API limits, and counts the account's EIPs periodically
 * until the signal aborts. For the leader only: the samples of two replicas would add up.
 */
export const measure = async (
  { config, metrics, caches, cloud, clock, log, purchases }: MeasuredParts,
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
    count && clock.mono() - count.at < STALE_MS
      ? { used: count.used, limit: config.cloud.eipQuota ?? NEW_ACCOUNT_QUOTA }
      : undefined,
  );
  while (!signal.aborted) {
    try {
      count = { used: await cloud.countEips(signal), at: clock.mono() };
      purchases.counted(count.used);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CloudFault)) throw error;
      log.debug({ kind: error.kind, code: error.code }, `The EIPs of the account cannot be counted: ${error.message}`);
    }
    await sleepUnlessAborted(clock, COUNT_EVERY_MS, signal);
  }
};
