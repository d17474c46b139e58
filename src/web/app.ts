import Koa from 'koa';
import type { Log } from '../lib/log.ts';
import { metricsRoute, type Exposition, type Guard } from './metrics-endpoint.ts';
import { pageRoutes, type PageOptions } from './page.ts';
import type { Route } from './route.ts';

/** What an HTTP server serves: what is undefined is not there. */
export interface Shown {
  /** /metrics, in the Prometheus text format. */
  readonly exposition?: Exposition | undefined;
  /** Decides who may read the metrics; without it, everybody may. */
  readonly guard?: Guard | undefined;
  /** The status page at /. */
  readonly page?: PageOptions | undefined;
  readonly log: Log;
}

/**
 * The application behind `metrics.address` or `http.address`. Each of them has one part only, and a listener of its
 * own, so that whoever keeps one busy keeps nobody from the other. Health has a thread of its own: see serve-health.ts.
 */
export const createApp = ({ exposition, guard, page, log }: Shown): Koa => {
  const routes = new Map<string, Route>([
    ...(exposition ? ([['/metrics', metricsRoute(exposition, guard)]] as const) : []),
    ...(page ? pageRoutes(page) : []),
  ]);
  const app = new Koa();
  // No answer depends on the sender, so X-Forwarded-* are never trusted.
  app.proxy = false;
  app.on('error', (error: Error & { status?: number; code?: string }) => {
    // Who leaves in the middle of an answer, as everybody does who closes a page with a stream, is no failure.
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    // Nor are requests that are wrong.
    if ((error.status ?? 500) >= 500) log.warn({ error }, 'An HTTP answer failed');
  });
  app.use(async (ctx) => {
    const route = routes.get(ctx.path);
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'text/plain';
    if (!route) {
      ctx.status = 404;
      ctx.body = 'Not found\n';
    } else if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.status = 405;
      ctx.set('Allow', 'GET, HEAD');
      ctx.body = 'Method not allowed\n';
    } else await route(ctx);
  });
  return app;
};
