/** A certificate and its private key, PEM. The key is empty once it is not needed any more. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
/** Lifetimes as of cert-manager's own webhook certificates (pkg/server/tls/authority): a year and a week. */
export const AUTHORITY_LIFE_MS = 365 * DAY_MS;
export const LEAF_LIFE_MS = 7 * DAY_MS;
/** Tolerance for differences between the clocks of replicas and API servers. */
export const SKEW_MS = 3_600_000;
