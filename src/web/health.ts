/** Returns whether something works at the moment. Must not block. Throwing counts as failed. */
type Check = () => boolean;

/** Each check's name and whether it passes, in the order in which they were registered. */
export type CheckResults = readonly (readonly [name: string, passes: boolean])[];

/** What the checks of both kinds say at one moment. */
export interface HealthReport {
  readonly live: CheckResults;
  readonly ready: CheckResults;
}

/**
 * The checks behind Kubernetes' probes. Liveness: would a restart help? Readiness: can this process do its work, as
 * leader or not? The names of checks are shown without authentication; the reasons of failures are not.
 */
export interface Health {
  /** The process is restarted while one of these fails. */
  live(name: string, check: Check): void;
  /** The process is not ready while one of these fails. */
  ready(name: string, check: Check): void;
  report(): HealthReport;
}

const passes = (check: Check): boolean => {
  try {
    return check();
  } catch {
    // The caller shows which check failed; what it threw may name hosts or objects, and must not reach the answer.
    return false;
  }
};

/** Creates an empty registry of checks. Registering a name again replaces its check. */
export const createHealth = (): Health => {
  const checks = { live: new Map<string, Check>(), ready: new Map<string, Check>() };
  const results = (kind: 'live' | 'ready') => [...checks[kind]].map(([name, check]) => [name, passes(check)] as const);
  return {
    live: (name, check) => void checks.live.set(name, check),
    ready: (name, check) => void checks.ready.set(name, check),
    report: () => ({ live: results('live'), ready: results('ready') }),
  };
};
