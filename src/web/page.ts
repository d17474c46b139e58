import { readFileSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import type { Route } from './route.ts';
import type { Status } from './overview.ts';
import { streamRoute } from './stream.ts';

/** What the status page needs. */
export interface PageOptions {
  readonly status: Status;
  readonly clock: Clock;
  /** Only requests from this machine are answered, by `kubectl port-forward` for example. */
  readonly isLocalOnly: boolean;
  /** Ends the streams, so that a shutdown need not wait for open pages. */
  readonly signal: AbortSignal;
}

/** The files of the page. Fixed names: nothing of a request's path reaches the file system. */
const FILES = [
  ['/', 'page.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/rows.js', 'rows.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const;

/**
 * Only files of this server run or are shown; a text that finds its way into the document as markup does nothing. The
 * page itself sets texts and attributes, never markup, which `require-trusted-types-for` makes sure of.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const file = (name: string, type: string): Route => {
  const content = readFileSync(new URL(`./page/${name}`, import.meta.url));
  return (ctx) => {
    ctx.set('Content-Security-Policy', POLICY);
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.set('Content-Type', type);
    ctx.body = content;
  };
};

/** JSON that a browser shows as text at most, and gives to no other site. */
const json =
  (give: (key: string) => object | undefined): Route =>
  (ctx) => {
    const { pod = '' } = ctx.query;
    const body = give(typeof pod === 'string' ? pod : '');
    ctx.status = body ? 200 : 404;
    ctx.set('Content-Type', 'application/json; charset=utf-8');
    ctx.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    ctx.body = JSON.stringify(body ?? { error: 'no address of this pod is known; ask with ?pod=namespace/name' });
  };

/** The loopback addresses as a socket that listens on IPv4 or on both names them. */
const LOOPBACK = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
/** A page of another site that has its name resolved to this machine (DNS rebinding) says its own name here. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * The route for requests from this machine only. Through `kubectl port-forward` the kubelet connects from inside the
 * pod's network, and RBAC has decided before who may; another pod connects from an address of its own.
 */
const local =
  (route: Route): Route =>
  (ctx) => {
    if (LOOPBACK.test(ctx.req.socket.remoteAddress ?? '') && LOCAL_HOST.test(ctx.get('Host'))) return route(ctx);
    ctx.status = 403;
    ctx.body =
      'The status page shows the addresses of all namespaces. Use kubectl port-forward and open it at localhost, or set http.statusPage to everybody.\n';
  };

/**
 * The status page at `/` and what it is made from: `/api/addresses`, `/api/overview`, `/api/history?pod=namespace/name`
 * and `/api/stream`. Read-only. Its own addresses are relative, so that it also works behind the API server's proxy.
 */
export const pageRoutes = (options: PageOptions): [string, Route][] =>
  options.isLocalOnly ? routes(options).map(([path, route]) => [path, local(route)]) : routes(options);

const routes = ({ status, clock, signal }: PageOptions): [string, Route][] => [
  ...FILES.map(([path, name, type]): [string, Route] => [path, file(name, type)]),
  ['/api/addresses', json(() => [...status.addresses()])],
  ['/api/overview', json(() => status.overview())],
  [
    '/api/history',
    json((key) => {
      const entries = status.history(key);
      return entries.length > 0 || status.address(key) ? entries : undefined;
    }),
  ],
  ['/api/stream', streamRoute(status, clock, signal)],
];
