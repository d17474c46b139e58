import type { Route } from './route.ts';

/** Returns whether something works at the moment. Must not block. Throwing counts as failed. */
type Check = () => boolean;

/**
 * The checks behind Kubernetes' probes. Liveness: would a restart help? Readiness: can this process do its work, as
 * leader or not? The names of checks are shown without authentication; the reasons of failures are not.
 */
export interface Health {
  /** The process is restarted while one of these fails. */
  live(name: string, check: Check): void;
  /** The process is not ready while one of these fails. */
  ready(name: string, check: Check): void;
  /** Each check's name and whether it passes, in the order in which they were registered. */
  results(kind: 'live' | 'ready'): readonly (readonly [name: string, passes: boolean])[];
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
  return {
    live: (name, check) => void checks.live.set(name, check),
    ready: (name, check) => void checks.ready.set(name, check),
    results: (kind) => [...checks[kind]].map(([name, check]) => [name, passes(check)] as const),
  };
};

/** Writes the same lines as Kubernetes' own components do for `?verbose`. */
const probe =
  (path: string, kind: 'live' | 'ready', health: Health): Route =>
  (ctx) => {
    const results = health.results(kind);
    const well = results.every(([, passes]) => passes);
    const verdict = `${path} check ${well ? 'passed' : 'failed'}\n`;
    const lines = results.map(([name, passes]) => `[${passes ? '+' : '-'}]${name} ${passes ? 'ok' : 'failed'}\n`);
    ctx.status = well ? 200 : 503;
    ctx.body = 'verbose' in ctx.query ? [...lines, verdict].join('') : well ? 'ok\n' : verdict;
  };

/** `/healthz` and `/readyz`. Any answer from /healthz shows that the event loop is not blocked. */
export const healthRoutes = (health: Health): [string, Route][] => [
  ['/healthz', probe('healthz', 'live', health)],
  ['/readyz', probe('readyz', 'ready', health)],
];
