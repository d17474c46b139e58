import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Route } from './route.ts';

/** Renders the metrics: the text, and the media type of its format. */
export type Exposition = () => Promise<{ readonly contentType: string; readonly body: string }>;

/**
 * Decides by the Authorization header whether the metrics may be read: 200, or the status of the answer. 401: it
 * identifies no user · 403: the user is not allowed · 503: the API server cannot say at the moment, or is being asked
 * about too many of this remote address.
 */
export type Guard = (authorization: string | undefined, address: string | undefined) => Promise<200 | 401 | 403 | 503>;

const REFUSALS = {
  401: 'Unauthorized: send the token of a Kubernetes service account\n',
  403: 'Forbidden: the role knative-eip-metrics-reader allows to get /metrics\n',
  503: 'The API server cannot be asked who you are, or is being asked about too many: try again\n',
} as const;

const compress = promisify(gzip);

/**
 * The route `/metrics`. Without a guard everybody may read it. The answer is compressed if the request accepts that.
 */
export const metricsRoute =
  (exposition: Exposition, guard?: Guard): Route =>
  async (ctx) => {
    const verdict = (await guard?.(ctx.get('authorization') || undefined, ctx.req.socket.remoteAddress)) ?? 200;
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
