import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import type { Caches } from '../controllers/caches.ts';
import type { AccountParts } from '../controllers/preflight/account.ts';
import type { ManagerOptions } from './manager-options.ts';
import type { Metrics } from './metrics-registry.ts';

interface AccountOptions extends Pick<ManagerOptions, 'config' | 'clock' | 'random' | 'log'> {
  readonly cloud: AssembledCloud;
  readonly caches: Caches;
  readonly metrics: Metrics;
  /** Tells people whose pods wait for it; see {@link AccountParts}. */
  readonly hindered: AccountParts['hindered'];
}

/** What the check asks whether the account is the cluster's, and whether it is known not to be. */
export const accountOf = ({
  config,
  clock,
  random,
  log,
  cloud,
  caches,
  metrics,
  hindered,
}: AccountOptions): { readonly account: AccountParts; readonly isMismatched: () => boolean } => {
  let isMismatched = false;
  const account: AccountParts = {
    cloud: cloud.cloud,
    clock,
    random,
    log,
    region: config.regionID,
    vpcId: config.vpcID,
    nodes: () => caches.nodes.store.values(),
    mismatched: (is) => {
      isMismatched = is;
      metrics.accountMismatched(is);
    },
    hindered,
  };
  return { account, isMismatched: () => isMismatched };
};
