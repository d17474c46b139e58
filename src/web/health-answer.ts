import type { CheckResults, HealthReport } from './health.ts';

/** A request to the port of health, as far as it counts. */
interface HealthRequest {
  readonly method: string;
  /** Path and query, as they stand in the request. */
  readonly target: string;
}

interface HealthAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whether the rest of the process does anything at all. Its name is shown by `?verbose`. */
const TURNS = 'event-loop';

/** Writes the same lines as Kubernetes' own components do for `?verbose`. */
const verdict = (name: string, results: CheckResults, isVerbose: boolean): HealthAnswer => {
  const isWell = results.every(([, passes]) => passes);
  const line = `${name} check ${isWell ? 'passed' : 'failed'}\n`;
  const lines = results.map(([check, passes]) => `[${passes ? '+' : '-'}]${check} ${passes ? 'ok' : 'failed'}\n`);
  return { status: isWell ? 200 : 503, body: isVerbose ? [...lines, line].join('') : isWell ? 'ok\n' : line };
};

/**
 * The answer to a probe: `/healthz` asks whether the process lives, `/readyz` whether it is ready.
 *
 * @param report what the checks said last
 * @param turns whether the event loop that they belong to still turns
 */
export const answerToProbe = (
  { method, target }: HealthRequest,
  report: HealthReport,
  turns: boolean,
): HealthAnswer => {
  const url = URL.parse(target, 'http://localhost');
  const name = url?.pathname === '/healthz' ? 'healthz' : url?.pathname === '/readyz' ? 'readyz' : undefined;
  if (!url || name === undefined) return { status: 404, body: 'Not found\n' };
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, body: 'Method not allowed\n', headers: { Allow: 'GET, HEAD' } };
  const results: CheckResults = [...(name === 'healthz' ? report.live : report.ready), [TURNS, turns]];
  return verdict(name, results, url.searchParams.has('verbose'));
};
