import type { Route } from './route.ts';

/** Whether something is well, now. Must be quick. One that throws counts as failed. */
type Check = () => boolean;

/**
 * What the probes of Kubernetes ask. Liveness: would a restart help? Readiness: is everything in place to work, leader
 * or not? Check names are shown without authentication; reasons are not.
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

/** A fresh registry of checks. A name registered again replaces the check before. */
export const createHealth = (): Health => {
  const checks = { live: new Map<string, Check>(), ready: new Map<string, Check>() };
  return {
    live: (name, check) => void checks.live.set(name, check),
    ready: (name, check) => void checks.ready.set(name, check),
    results: (kind) => [...checks[kind]].map(([name, check]) => [name, passes(check)] as const),
  };
};

/** The same lines as Kubernetes' own components give with `?verbose`. */
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

/** `/healthz` and `/readyz`. That /healthz is answered at all shows that the event loop turns. */
export const healthRoutes = (health: Health): [string, Route][] => [
  ['/healthz', probe('healthz', 'live', health)],
  ['/readyz', probe('readyz', 'ready', health)],
];
