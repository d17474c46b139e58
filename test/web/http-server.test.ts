import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import test from 'ava';
import Koa from 'koa';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { createApp, type Shown } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import { ServeError, type Serving } from '../../src/web/listen.ts';
import type { Overview, Status } from '../../src/web/overview.ts';

/** Serves the application on a free port for as long as `use` takes. */
const serving = async (shown: Partial<Shown>, use: (server: Serving) => Promise<void>) => {
  const app = createApp({
    exposition: async () => ({ contentType: 'text/plain', body: '' }),
    log: silentLog,
    ...shown,
  });
  const server = await serve(app, '127.0.0.1:0', systemClock);
  try {
    await use(server);
  } finally {
    await server.close();
  }
};

const answer = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
};

/** Writes bytes to the server and resolves to everything that it says until it closes. */
const raw = async (url: string, bytes: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => (said += text));
  socket.write(bytes);
  await once(socket, 'close');
  return said;
};

test('/metrics is in the Prometheus text format', (t) => {
  const metrics = createMetrics({ version: '1.2.3', nodeVersion: '24' });
  return serving({ exposition: () => metrics.render() }, async ({ url }) => {
    const { status, body, headers } = await answer(`${url}/metrics`);
    t.is(status, 200);
    t.regex(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    t.true(body.includes('knative_eip_build_info{version="1.2.3",node_version="24"} 1\n'));
  });
});

const broken = () => Promise.reject(new Error('secret detail'));

test('metrics that cannot be collected are a 500 without details, and a line in the log', (t) => {
  const lines: object[] = [];
  const log: Log = { ...silentLog, warn: (fields) => void lines.push(fields) };
  return serving({ exposition: broken, log }, async ({ url }) => {
    const { status, body } = await answer(`${url}/metrics`);
    t.is(status, 500);
    t.is(body, 'Internal Server Error');
    t.is(lines.length, 1);
  });
});

test('other paths are 404, other methods 405, HEAD has no body', (t) =>
  serving({}, async ({ url }) => {
    for (const path of ['/', '/metrics/', '/METRICS', '/metrics/x', '/..%2fmetrics', '/%', '/healthz', '/readyz'])
      t.like(await answer(url + path), { status: 404, body: 'Not found\n' }, path);
    const refused = await answer(`${url}/metrics`, { method: 'POST', body: 'x' });
    t.is(refused.status, 405);
    t.is(refused.headers.get('allow'), 'GET, HEAD');
    t.like(await answer(`${url}/metrics`, { method: 'HEAD' }), { status: 200, body: '' });
    const plain = await answer(`${url}/metrics`);
    t.is(plain.headers.get('x-content-type-options'), 'nosniff');
    t.is(plain.headers.get('cache-control'), 'no-store');
  }));

test('headers that are too long and requests that are none are refused', (t) =>
  serving({}, async ({ url }) => {
    t.regex(
      await raw(url, `GET /metrics HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17 * 1024)}\r\n\r\n`),
      /^HTTP\/1.1 431 /,
    );
    t.regex(await raw(url, 'hello\r\n\r\n'), /^HTTP\/1.1 400 /);
  }));

test('an address that is taken is named, with the key to change', async (t) => {
  await serving({}, async ({ url }) => {
    const address = url.replace('http://', '');
    await t.throwsAsync(serve(new Koa(), address, systemClock), {
      instanceOf: ServeError,
      message: `cannot serve HTTP on ${address}: another process listens there already; change http.address`,
    });
  });
  await t.throwsAsync(serve(new Koa(), '192.0.2.1:0', systemClock, 'endpoints.x'), {
    instanceOf: ServeError,
    message: /^cannot serve HTTP on 192.0.2.1:0: this machine does not have that address; change endpoints.x$/,
  });
  await t.throwsAsync(serve(new Koa(), 'nowhere', systemClock), {
    instanceOf: ServeError,
    message: /must be host:port/,
  });
});

test('closing waits for the answer that is under way, not for connections that say nothing', async (t) => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const server = await serve(
    new Koa().use(async (ctx) => {
      begun.resolve();
      await go.promise;
      ctx.body = 'done';
    }),
    '127.0.0.1:0',
    systemClock,
  );
  const slow = answer(server.url);
  await begun.promise;
  const closed = server.close();
  go.resolve();
  t.like(await slow, { status: 200, body: 'done' });
  await closed;
  await t.throwsAsync(fetch(server.url));
});

test('closing cuts what has not ended when the second is over', async (t) => {
  const fired: (() => void)[] = [];
  const clock = { ...systemClock, timer: (_: number, fire: () => void) => (fired.push(fire), () => {}) };
  const begun = Promise.withResolvers<void>();
  const server = await serve(
    new Koa().use(async () => {
      begun.resolve();
      await Promise.withResolvers<void>().promise;
    }),
    '127.0.0.1:0',
    clock,
  );
  const never = answer(server.url);
  await begun.promise;
  const closed = server.close();
  fired.forEach((fire) => fire());
  await t.throwsAsync(never);
  await closed;
  t.pass();
});

const NO_STATUS: Status = {
  addresses: () => [],
  address: () => undefined,
  summary: () => ({}) as Overview,
  overview: () => ({}) as Overview,
  service: () => undefined,
  findingsAbout: () => [],
  history: () => [],
  subscribe: () => () => undefined,
};

const exposition = async () => ({ contentType: 'text/plain', body: 'metrics' });

/** The first line of the answer to a request that comes from this address. */
const get = async (isLocalOnly: boolean, remoteAddress: string, host: string, path = '/api/addresses') => {
  const page = { status: NO_STATUS, clock: systemClock, signal: new AbortController().signal, isLocalOnly };
  const handle = createApp({ exposition, page, log: silentLog }).callback();
  const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  server.on('connection', (socket) => Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress }));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const said = await raw(
    `http://127.0.0.1:${port}`,
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  );
  await once(server.close(), 'close');
  return said.split('\r\n', 1)[0];
};

test('the status page is for who comes from this machine, and for no page of another site that has itself sent here', async (t) => {
  const fine = 'HTTP/1.1 200 OK';
  const forbidden = 'HTTP/1.1 403 Forbidden';
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
    for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'localhost'])
      t.is(await get(true, address, host), fine, `${address} ${host}`);
  for (const host of ['rebound.example:8080', '10.0.0.7:8080', 'localhost.rebound.example', ''])
    t.is(await get(true, '127.0.0.1', host), forbidden, host);
  // 127.0.0.6 is where Istio's sidecar says that other pods' requests come from.
  for (const address of [
    '10.0.0.7',
    '::ffff:10.0.0.7',
    '2001:db8::1',
    '127.0.0.1.example',
    '127.0.0.6',
    '::ffff:127.0.0.6',
  ])
    for (const path of ['/', '/api/addresses', '/api/overview', '/api/history', '/api/stream', '/page.js'])
      t.is(await get(true, address, 'localhost:8080', path), forbidden, `${address} ${path}`);
  t.is(await get(false, '10.0.0.7', 'knative-eip.example'), fine);
  t.is(await get(true, '10.0.0.7', '10.0.0.8:8080', '/metrics'), fine, 'metrics are for the cluster');
});
