import { CLOUD_ACTIONS } from '../cloud/actions.ts';
import type { AssembledCloud } from '../cloud/assemble.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../report/metrics.ts';

export interface MeasuredParts {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly caches: Caches;
  readonly cloud: Pick<AssembledCloud, 'throttle'>;
}

/** Between two counts of the account's EIPs: one call of the 600 in a minute that the account may make. */
const COUNT_EVERY_MS = 60_000;
/** A count that is older is not shown any more. */
const STALE_MS = 5 * COUNT_EVERY_MS;

/** Shows at each scrape what the caches and the throttle know. */
export const measure = ({ config, metrics, caches, cloud: { throttle } }: MeasuredParts): void => {
  const { addressLimit: addresses, revisionLimit: revisions } = config.metrics;
  metrics.held(() => caches.podEips.store.values(), { addresses, revisions });
  for (const [name, reflector] of caches.all)
    metrics.watching(
      name,
      () => reflector.lastActivityAgeMs() / 1_000,
      () => reflector.stats(),
    );
  metrics.cloudBudget(() =>
    CLOUD_ACTIONS.map((action) => ({
      action,
      left: throttle.left(action),
      perMinute: throttle.perMinute(action),
      pace: throttle.pace(action),
      waiting: throttle.waiting(action),
    })),
  );
};

export interface CountedParts {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly cloud: Pick<AssembledCloud, 'countEips'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Counts the account's EIPs against their quota, again and again until the signal aborts. For the one that leads. */
export const countAccount = async (
  { config, metrics, cloud, clock, log }: CountedParts,
  signal: AbortSignal,
): Promise<void> => {
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
