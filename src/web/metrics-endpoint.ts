import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Route } from './route.ts';

/** The metrics as text, and the media type of its format. */
export type Exposition = () => Promise<{ readonly contentType: string; readonly body: string }>;

/**
 * Whether this Authorization header allows reading the metrics: 200, or the status of the answer. 401: no user is known
 * by it · 403: known, and not allowed · 503: the API server cannot say at present.
 */
export type Guard = (authorization: string | undefined) => Promise<200 | 401 | 403 | 503>;

const REFUSALS = {
  401: 'Unauthorized: send the token of a Kubernetes service account\n',
  403: 'Forbidden: the role knative-eip-metrics-reader allows to get /metrics\n',
  503: 'The API server cannot be asked who you are\n',
} as const;

const compress = promisify(gzip);

/** `/metrics`, for all or for those that the guard lets pass; compressed where the request accepts that. */
export const metricsRoute =
  (exposition: Exposition, guard?: Guard): Route =>
  async (ctx) => {
    const verdict = (await guard?.(ctx.get('authorization') || undefined)) ?? 200;
    if (verdict !== 200) {
      ctx.status = verdict;
      if (verdict === 401) ctx.set('WWW-Authenticate', 'Bearer');
      ctx.body = REFUSALS[verdict];
      return;
    }
    const { contentType, body } = await exposition();
    ctx.set('Content-Type', contentType);
    ctx.vary('Accept-Encoding');
    if (ctx.acceptsEncodings('gzip', 'identity') === 'gzip') {
      ctx.set('Content-Encoding', 'gzip');
      ctx.body = await compress(body);
    } else ctx.body = body;
  };
