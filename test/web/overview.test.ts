import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import test from 'ava';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import type { Changed, Overview, ShownAddress, Status } from '../../src/web/overview.ts';
import { MOST_STREAMS } from '../../src/web/stream.ts';

const address = (pod: string, message = ''): ShownAddress =>
  ({ key: `a/${pod}`, namespace: 'a', pod, standing: 'inUse', reason: 'InUse', message }) as ShownAddress;

/** A page over data that the test changes, and a ticker that it drives. */
const page = async () => {
  const known = new Map([['a/x', address('x')]]);
  const listeners = new Set<(what: Changed, key: string) => void>();
  const due: (() => void)[] = [];
  let overview = { cluster: 'one' } as Overview;
  const status: Status = {
    summary: () => ({ cluster: overview.cluster }) as Overview,
    overview: () => overview,
    service: () => undefined,
    findingsAbout: () => [],
    addresses: () => known.values(),
    address: (key) => known.get(key),
    history: () => [],
    subscribe: (changed) => {
      listeners.add(changed);
      for (const key of known.keys()) changed('address', key);
      return () => listeners.delete(changed);
    },
  };
  const clock: Clock = {
    ...systemClock,
    timer: (_, fire) => {
      due.push(fire);
      return () => void due.splice(due.indexOf(fire), 1);
    },
  };
  const ending = new AbortController();
  const warnings: object[] = [];
  const app = createApp({
    exposition: async () => ({ contentType: 'text/plain', body: '' }),
    page: { status, clock, signal: ending.signal, isLocalOnly: true },
    log: { ...silentLog, warn: (fields) => void warnings.push(fields) },
  });
  const server = await serve(app, '127.0.0.1:0', systemClock);
  return {
    app,
    server,
    warnings,
    listeners,
    ending,
    change: (key: string, to: ShownAddress | undefined) => {
      if (to) known.set(key, to);
      else known.delete(key);
      for (const changed of listeners) changed('address', key);
    },
    say: (cluster: string) => (overview = { cluster } as Overview),
    /** Lets the second pass that changes are gathered in. */
    tick: () => due.splice(0).forEach((fire) => fire()),
  };
};

/** Opens the stream and reads it event by event. */
const stream = async (url: string) => {
  const request = get(`${url}/api/stream`);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const next = async (): Promise<[event: string, data: unknown]> => {
    while (!text.includes('\n\n')) await once(answer, 'data');
    const end = text.indexOf('\n\n');
    const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)$/s.exec(text.slice(0, end)) ?? [];
    text = text.slice(end + 2);
    return [event, JSON.parse(data)];
  };
  return { answer, next, close: () => request.destroy() };
};

test('every file of the page is served with a policy that lets nothing else run', async (t) => {
  const { server } = await page();
  const html = await (await fetch(server.url)).text();
  const files = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path ?? '');
  t.true(files.includes('page.js') && files.includes('page.css') && files.includes('icon.svg'));
  for (const path of [
    '',
    ...files.filter((it) => !it.startsWith('api/')),
    'rows.js',
    'controls.js',
    'live.js',
    'news.js',
  ]) {
    const { status, headers } = await fetch(`${server.url}/${path}`);
    t.is(status, 200, path);
    const policy = headers.get('content-security-policy') ?? '';
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"])
      t.true(policy.includes(rule), path);
    t.false(/unsafe|\*|https?:|data:/.test(policy), path);
    t.is(headers.get('x-content-type-options'), 'nosniff');
  }
  t.false(/https?:\/\//.test(html), 'nothing comes from elsewhere');
  t.false(/<style|<script(?! type="module" src="page\.js")|\son\w+=|style=/.test(html), 'nothing is inline');
  await server.close();
});

test('the API gives JSON, to GET and HEAD only, and only what it knows', async (t) => {
  const { server } = await page();
  const addresses = await fetch(`${server.url}/api/addresses`);
  t.is(addresses.headers.get('content-type'), 'application/json; charset=utf-8');
  t.is(addresses.headers.get('access-control-allow-origin'), null);
  t.deepEqual(await addresses.json(), [address('x')]);
  t.is((await fetch(`${server.url}/api/addresses`, { method: 'POST' })).status, 405);
  t.is((await fetch(`${server.url}/api/addresses`, { method: 'HEAD' })).status, 200);
  t.is((await fetch(`${server.url}/api/stream`, { method: 'HEAD' })).status, 200);
  t.is((await fetch(`${server.url}/api/history?pod=a/x`)).status, 200);
  for (const query of ['', '?pod=', '?pod=a/y', '?pod=a/x&pod=a/x', '?pod=__proto__'])
    t.is((await fetch(`${server.url}/api/history${query}`)).status, 404, query);
  for (const path of ['page/page.html', 'page.html', 'app.ts', '..%2fapp.ts', 'api/'])
    t.is((await fetch(`${server.url}/${path}`)).status, 404, path);
  await server.close();
});

test('the stream begins with everything, goes on with what changed, and stops its work with the last reader', async (t) => {
  const { server, change, say, tick, listeners } = await page();
  const one = await stream(server.url);
  t.deepEqual(await one.next(), ['overview', { cluster: 'one' }]);
  t.deepEqual(await one.next(), ['all', [address('x')]]);
  change('a/x', address('x', 'new\n\nevent: all\ndata: []'));
  change('a/y', address('y'));
  change('a/y', undefined);
  tick();
  t.deepEqual(await one.next(), [
    'changed',
    { changed: [address('x', String.raw`new\u000a\u000aevent: all\u000adata: []`)], gone: ['a/y'] },
  ]);
  tick();
  say('two');
  tick();
  t.deepEqual(await one.next(), ['news', { cluster: 'two' }], 'a second without news sends nothing');
  t.is(listeners.size, 1);
  const two = await stream(server.url);
  t.is((await two.next())[0], 'overview');
  t.is(listeners.size, 1, 'all readers are served by one subscription');
  one.close();
  two.close();
  while (listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  t.is(listeners.size, 0);
  await server.close();
});

test('a page that joins between two rounds is told of what is again as the others knew it', async (t) => {
  const { server, say, tick } = await page();
  const one = await stream(server.url);
  t.deepEqual(await one.next(), ['overview', { cluster: 'one' }]);
  t.is((await one.next())[0], 'all');
  say('two');
  const two = await stream(server.url);
  t.deepEqual(await two.next(), ['overview', { cluster: 'two' }]);
  t.is((await two.next())[0], 'all');
  say('one');
  tick();
  t.deepEqual(await two.next(), ['news', { cluster: 'one' }]);
  t.deepEqual(
    await one.next(),
    ['news', { cluster: 'two' }],
    'who was there before knows what the other one began with',
  );
  t.deepEqual(await one.next(), ['news', { cluster: 'one' }]);
  one.close();
  two.close();
  await server.close();
});

test('who closes a page is no failure in the log', async (t) => {
  const { app, server, warnings } = await page();
  const left = new Promise<Error & { code?: string }>((resolve) => app.once('error', resolve));
  const one = await stream(server.url);
  await one.next();
  one.close();
  // Koa has told whoever was there to listen before this test.
  t.is((await left).code, 'ERR_STREAM_PREMATURE_CLOSE');
  t.deepEqual(warnings, []);
  await server.close();
});

test('there are only so many streams, and all of them end with the drain', async (t) => {
  const { server, ending } = await page();
  const streams = await Promise.all(Array.from({ length: MOST_STREAMS }, () => stream(server.url)));
  const refused = await fetch(`${server.url}/api/stream`);
  t.is(refused.status, 503);
  t.is(refused.headers.get('retry-after'), '5');
  const ended = Promise.all(streams.map(({ answer }) => once(answer, 'end')));
  ending.abort();
  await ended;
  t.is((await fetch(`${server.url}/api/stream`)).status, 503);
  await server.close();
});
