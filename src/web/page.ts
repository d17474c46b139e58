import { readFileSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { jsonOf } from './legible-json.ts';
import type { Route } from './route.ts';
import type { Status } from './overview.ts';
import { streamRoute } from './stream.ts';

/** What the status page depends on. */
export interface PageOptions {
  readonly status: Status;
  readonly clock: Clock;
  /** Answers only requests from this machine, for example through `kubectl port-forward`. */
  readonly isLocalOnly: boolean;
  /** Ends the streams, so that a shutdown does not wait for open pages. */
  readonly signal: AbortSignal;
}

/** The files of the page, by fixed names: no part of a request's path reaches the file system. */
const FILES = [
  ['/', 'page.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/controls.js', 'controls.js', 'text/javascript; charset=utf-8'],
  ['/rows.js', 'rows.js', 'text/javascript; charset=utf-8'],
  ['/live.js', 'live.js', 'text/javascript; charset=utf-8'],
  ['/news.js', 'news.js', 'text/javascript; charset=utf-8'],
  ['/language.js', 'language.js', 'text/javascript; charset=utf-8'],
  ['/words.js', 'words.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const;

/**
 * Allows scripts, styles and images from this server only, so that markup in a text of a user cannot run anything. The
 * page's own scripts set texts and attributes, never markup; `require-trusted-types-for` enforces that.
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

/** JSON that a browser displays only as text, and does not give to other sites. */
const json =
  (give: (key: string) => object | undefined): Route =>
  (ctx) => {
    const { pod = '' } = ctx.query;
    const body = give(typeof pod === 'string' ? pod : '');
    ctx.status = body ? 200 : 404;
    ctx.set('Content-Type', 'application/json; charset=utf-8');
    ctx.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    ctx.body = jsonOf(body ?? { error: 'no address of this pod is known; ask with ?pod=namespace/name' });
  };

/**
 * The loopback addresses that kubectl port-forward comes from, in the spellings of sockets that listen on IPv4 and on
 * both protocols. The rest of 127.0.0.0/8 is not trusted: Istio's sidecar hands on what comes from other pods from
 * 127.0.0.6 (istio/istio pkg/config/constants, InboundPassthroughBindIpv4).
 */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::ffff:127.0.0.1', '::1']);
/** The Host headers of local requests. In a DNS rebinding attack, the header has the attacker's name. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * Restricts a route to requests from this machine. With `kubectl port-forward` the kubelet connects from inside the
 * pod's network namespace, after RBAC has allowed it; another pod connects from its own address.
 */
const local =
  (route: Route): Route =>
  (ctx) => {
    if (LOOPBACK.has(ctx.req.socket.remoteAddress ?? '') && LOCAL_HOST.test(ctx.get('Host'))) return route(ctx);
    ctx.status = 403;
    ctx.body =
      'The status page shows the addresses of all namespaces. Use kubectl port-forward and open it at localhost.\n';
  };

/**
 * The status page at `/` and its data: `/api/addresses`, `/api/overview`, `/api/history?pod=namespace/name` and
 * `/api/stream`. Read-only. The page uses relative URLs, so that it also works behind the API server's proxy.
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
