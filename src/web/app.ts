import Koa from 'koa';
import type { Log } from '../lib/log.ts';
import { healthRoutes, type Health } from './health.ts';
import { metricsRoute, type Exposition, type Guard } from './metrics-endpoint.ts';
import { pageRoutes, type PageOptions } from './page.ts';
import type { Route } from './route.ts';

/** What the HTTP server shows. */
export interface Shown {
  readonly health: Health;
  /** Renders the metrics in the Prometheus text format. */
  readonly exposition: Exposition;
  /** Who may read them; everybody, where it is left out. */
  readonly guard?: Guard | undefined;
  /** The status page at /; undefined where it is not to be served. */
  readonly page?: PageOptions | undefined;
  readonly log: Log;
}

/**
 * The application behind `http.address`: /metrics, /healthz and /readyz, the status page where it is
 * wanted, and nothing else.
 */
export const createApp = ({ health, exposition, guard, page, log }: Shown): Koa => {
  const routes = new Map<string, Route>([
    ...healthRoutes(health),
    ['/metrics', metricsRoute(exposition, guard)],
    ...(page ? pageRoutes(page) : []),
  ]);
  const app = new Koa();
  // No answer depends on the sender, so X-Forwarded-* are never trusted.
  app.proxy = false;
  app.on('error', (error: Error & { status?: number }) => {
    // A client that breaks off is not worth a line.
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
