import type { CloudFaultKind } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import { SECONDS, type Meter } from './definition.ts';

/** The rate limit of one API action, and what is left of it. */
interface ActionBudget {
  readonly action: string;
  /** Calls that could be sent now without waiting. */
  readonly left: number;
  /** Calls per minute without throttling: the share of the account's rate that this cluster uses. */
  readonly perMinute: number;
  /** The current rate as a fraction of `perMinute`, 0–1; throttled answers lower it. */
  readonly pace: number;
  /** Calls that are queued. */
  readonly waiting: number;
}

/** The number of EIPs that the account has in this region, whoever created them, and its quota. */
interface EipQuota {
  readonly used: number;
  readonly limit: number;
}

/** Metrics of the calls to the cloud's APIs and of their limits. */
export interface CloudMetrics {
  /**
   * Declares the actions that may be called. Their counters start at zero, so that the first fault shows as an
   * increase.
   */
  mayCall(actions: readonly string[]): void;
  /** Counts one call. The duration, in seconds, does not include the time in the throttle's queue. */
  cloudCalled(action: string, outcome: 'ok' | CloudFaultKind, seconds: number): void;
  /** Whether credentials, region or VPC are known to be other ones than those of the cluster's nodes. */
  accountMismatched(isMismatched: boolean): void;
  /** Sets the host at which a product's API is called from now on. */
  cloudEndpoint(product: string, host: string): void;
  /** AllocateEipAddress was seen to drop the tags that it is given. */
  tagsDropped(): void;
  /** Counts an error code that the table of codes does not have. */
  unmappedCloudCode(code: string): void;
  /** `collect` is called at each scrape. */
  cloudBudget(collect: () => readonly ActionBudget[]): void;
  /** `collect` is called at each scrape; undefined while the quota is not known. */
  eipQuota(collect: () => EipQuota | undefined): void;
  /** What was collected last; undefined while the quota is not known. */
  quotaNow(): EipQuota | undefined;
}

const OUTCOMES = ['ok', ...Object.keys(FAULT)];

/**
 * The number of unknown codes that get a label value of their own. Without a bound, the cloud's answers could grow the
 * memory without limit.
 */
const MOST_CODES = 50;

export const cloudMetrics = (meter: Meter): CloudMetrics => {
  const calls = meter.counter(
    'knative_eip_cloud_calls_total',
    'Calls to the cloud, by API action and by outcome: ok, or the kind of fault',
    'action',
    'outcome',
  );
  const seconds = meter.histogram(
    'knative_eip_cloud_call_duration_seconds',
    'How long a call to the cloud took, without the wait for its turn',
    SECONDS,
    'action',
  );
  const unmapped = meter.counter(
    'knative_eip_unmapped_cloud_codes_total',
    'Error codes of the cloud that the table of codes does not know',
    'code',
  );
  const mismatch = meter.gauge(
    'knative_eip_account_mismatch',
    "1 while the credentials, regionID or vpcID are not those of the cluster's nodes and no work is done, otherwise 0",
  );
  const codes = new Set<string>();

  let budget: (() => readonly ActionBudget[]) | undefined;
  const budgetGauge = (name: string, help: string, read: (budget: ActionBudget) => number) =>
    meter.scraped(
      name,
      help,
      'action',
    )(function* () {
      for (const each of budget?.() ?? []) yield [{ action: each.action }, read(each)] as const;
    });
  budgetGauge('knative_eip_cloud_budget_left_calls', 'Calls that could be sent now without a wait', (it) => it.left);
  budgetGauge(
    'knative_eip_cloud_budget_calls_per_minute',
    "This cluster's share of the account's rate of calls per minute",
    (it) => it.perMinute,
  );
  budgetGauge(
    'knative_eip_cloud_budget_pace_ratio',
    'The present rate as a share of that; below 1 after the cloud has throttled',
    (it) => it.pace,
  );
  budgetGauge('knative_eip_cloud_budget_waiting_calls', 'Calls that wait for their turn', (it) => it.waiting);

  const endpoints = meter.gauge(
    'knative_eip_cloud_endpoint',
    '1 for the host where a product’s API is asked, where the configuration does not say; 0 for one of before',
    'product',
    'host',
  );
  const hosts = new Map<string, string>();
  const dropsTags = meter.gauge(
    'knative_eip_allocate_drops_tags',
    '1 once AllocateEipAddress was seen to drop its tags, so that each EIP is tagged after its purchase; otherwise 0',
  );
  dropsTags.set(0);

  let quota: (() => EipQuota | undefined) | undefined;
  const quotaGauge = (name: string, help: string, read: (quota: EipQuota) => number) =>
    meter.scraped(
      name,
      help,
    )(function* () {
      const now = quota?.();
      if (now) yield [{}, read(now)] as const;
    });
  quotaGauge('knative_eip_quota_limit_eips', 'EIPs that the account may have, as configured', ({ limit }) => limit);
  quotaGauge('knative_eip_quota_used_eips', 'EIPs that the account has in this region', ({ used }) => used);
  quotaGauge('knative_eip_quota_left_eips', 'EIPs that can still be made', ({ used, limit }) =>
    Math.max(0, limit - used),
  );

  return {
    mayCall: (actions) => {
      for (const action of actions) for (const outcome of OUTCOMES) calls.inc({ action, outcome }, 0);
    },
    cloudCalled: (action, outcome, took) => {
      calls.inc({ action, outcome });
      seconds.observe({ action }, took);
    },
    accountMismatched: (isMismatched) => mismatch.set(isMismatched ? 1 : 0),
    cloudEndpoint: (product, host) => {
      const before = hosts.get(product);
      if (before !== undefined) endpoints.set({ product, host: before }, 0);
      hosts.set(product, host);
      endpoints.set({ product, host }, 1);
    },
    tagsDropped: () => dropsTags.set(1),
    unmappedCloudCode: (code) => {
      if (codes.size < MOST_CODES) codes.add(code);
      unmapped.inc({ code: codes.has(code) ? code : 'other' });
    },
    cloudBudget: (collect) => {
      budget = collect;
    },
    eipQuota: (collect) => {
      quota = collect;
    },
    quotaNow: () => quota?.(),
  };
};
