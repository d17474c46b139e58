import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { SERVICE_LABEL } from '../../src/api/knative.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createServiceCache } from '../../src/controllers/service/controller.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createStatus } from '../../src/manager/status-page.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import type { Overview, OverviewNews, ShownAddress } from '../../src/web/overview.ts';
import { withNews } from '../../src/web/page/news.js';
import { fixedRandom, seeded } from '../harness/random.ts';
import { configOf } from '../harness/settings.ts';
import { scriptedApi, type KubeExchange } from '../kube/scripted-api.ts';

const READY = { type: 'Ready', status: 'True', reason: 'InUse', message: 'bound' };
const REFUSED = { type: 'Ready', status: 'False', reason: 'InvalidBandwidth', message: '0 is no bandwidth' };
const WAITS = { type: 'Ready', status: 'False', reason: 'Pending', message: 'to be bought' };

const soon = () => new Promise((resolve) => setImmediate(resolve));

/** An object that the API tells of. */
interface Changing {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

let version = 0;
const metadata = (name: string, more: object = {}) => ({
  namespace: 'team',
  name,
  uid: `uid-${name}`,
  resourceVersion: String((version += 1)),
  ...more,
});

/** Ten pods of each Service. */
const podEip = (index: number, ready: object = READY) => ({
  metadata: metadata(`web-${String(index).padStart(5, '0')}`, {
    labels: { [SERVICE_LABEL]: `shop-${String(Math.floor(index / 10)).padStart(4, '0')}` },
  }),
  spec: { allocationID: `eip-${String(index).padStart(5, '0')}`, allocationType: { type: 'Auto' } },
  status: { status: 'InUse', eipAddress: '203.0.113.8', conditions: [ready] },
});

const pod = (index: number) => ({
  metadata: metadata(`web-${String(index).padStart(5, '0')}`, { annotations: { [KEYS.withEip[0]]: 'true' } }),
  spec: {},
});

/** One that asks for the same EIP for each of its pods, and one that asks for nothing. */
const service = (index: number, isWrong: boolean) => ({
  metadata: metadata(`shop-${String(index).padStart(4, '0')}`),
  spec: { template: { metadata: { annotations: isWrong ? { [KEYS.instanceId[0]]: 'eip-1' } : {} } } },
});

/** A controller's status page over an API that has these objects and tells of what the test says. */
const stage = async (t: ExecutionContext, objects: Readonly<Record<string, readonly object[]>>) => {
  const watches = new Map<string, KubeExchange>();
  const { connection } = await scriptedApi(t, (exchange) => {
    const kind = exchange.path.split('/').at(-1) ?? '';
    if (exchange.query.has('watch')) {
      exchange.response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      watches.set(kind, exchange);
    } else exchange.json(200, { metadata: { resourceVersion: '1' }, items: objects[kind] ?? [] });
  });
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const shared = { transport: connection.watches, clock: systemClock, random: fixedRandom(), log: silentLog };
  const caches = createCaches({ ...shared, onTrouble: () => undefined });
  const services = createServiceCache(shared);
  let quota: Overview['quota'];
  const feed = createStatus({
    config: configOf(),
    version: '0',
    clock: systemClock,
    caches,
    services,
    election: undefined,
    endpoints: () => [],
    quota: () => quota,
  });
  for (const reflector of [...caches.all.map(([, it]) => it), services]) void reflector.run(stop.signal);
  while (watches.size < 4) await soon();
  const stores = { podeips: caches.podEips.store, pods: caches.pods.store, services: services.store };
  const due: (() => void)[] = [];
  const clock: Clock = { ...systemClock, timer: (_, fire) => (due.push(fire), () => due.splice(due.indexOf(fire), 1)) };
  const app = createApp({
    page: { status: feed.status, clock, signal: stop.signal, isLocalOnly: true },
    log: silentLog,
  });
  const server = await serve(app, '127.0.0.1:0', systemClock);
  t.teardown(() => server.close());
  return {
    feed,
    url: server.url,
    /** Tells of a change; resolves once the controller has it. */
    change: async (kind: keyof typeof stores, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Changing) => {
      watches.get(kind)?.event(type, object);
      const { name, resourceVersion } = object.metadata;
      const known = () => stores[kind].get(`team/${name}`)?.metadata.resourceVersion;
      while (known() !== (type === 'DELETED' ? undefined : resourceVersion)) await soon();
    },
    /** Says how many EIPs the account has. */
    count: (known: Overview['quota']) => (quota = known),
    /** Lets the second pass that changes are gathered in. */
    tick: () => due.splice(0).forEach((fire) => fire()),
  };
};

/** A page that listens, and what it has received. */
const open = async (t: ExecutionContext, url: string) => {
  const request = get(`${url}/api/stream`);
  t.teardown(() => request.destroy());
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  /** The next event, as it was sent. */
  const next = async (): Promise<{ event: string; data: unknown; bytes: number }> => {
    while (!text.includes('\n\n')) await once(answer, 'data');
    const end = text.indexOf('\n\n') + 2;
    const sent = text.slice(0, end);
    text = text.slice(end);
    const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)\n\n$/s.exec(sent) ?? [];
    return { event, data: JSON.parse(data), bytes: Buffer.byteLength(sent) };
  };
  return { next };
};

test('what a change sends to each page does not grow with the number of addresses, Services and findings', async (t) => {
  const sent: number[] = [];
  // As many digits as each other, also less one.
  for (const count of [1_200, 9_900]) {
    const podeips = Array.from({ length: count }, (_, index) => podEip(index, index % 10 === 0 ? REFUSED : READY));
    const { url, change, tick } = await stage(t, { podeips });
    const { next } = await open(t, url);
    t.is(((await next()).data as Overview).findings.length, count / 10);
    t.is(((await next()).data as ShownAddress[]).length, count);
    await change('podeips', 'MODIFIED', podEip(1, REFUSED));
    await change('podeips', 'MODIFIED', podEip(10, READY));
    tick();
    const [changed, news] = [await next(), await next()];
    t.deepEqual([changed.event, news.event], ['changed', 'news']);
    t.deepEqual(Object.keys(news.data as OverviewNews), ['services', 'findings'], 'counts are as before');
    await change('podeips', 'MODIFIED', podEip(10, REFUSED));
    tick();
    const [again, counted] = [await next(), await next()];
    const { counts } = counted.data as OverviewNews;
    t.deepEqual([counts?.attention, counts?.inUse], [count / 10 + 1, count - count / 10 - 1]);
    sent.push(changed.bytes + news.bytes + again.bytes + counted.bytes);
  }
  t.is(sent[0], sent[1]);
  t.true((sent[0] ?? NaN) < 6_000, `three changes are ${sent[0]} bytes`);
});

test('a page that was told of everything and then of changes alone knows what the server knows', async (t) => {
  const random = seeded(7);
  const below = (most: number) => Math.floor(random.next() * most);
  const { feed, url, change, tick, count } = await stage(t, { podeips: [podEip(0), podEip(11, REFUSED)] });
  const { next } = await open(t, url);
  let overview = (await next()).data as Overview;
  const addresses = new Map(((await next()).data as ShownAddress[]).map((it) => [it.key, it]));
  const make = {
    podeips: (index: number) => podEip(index, [READY, REFUSED, WAITS][below(3)]),
    pods: pod,
    services: (index: number) => service(index, below(2) === 0),
  };
  const there = new Set(['podeips 0', 'podeips 11']);
  let compared = 0;
  for (let round = 0; round < 80; round += 1) {
    for (let changes = 1 + below(4); changes > 0; changes -= 1) {
      const kind = (['podeips', 'podeips', 'pods', 'services'] as const)[below(4)] ?? 'pods';
      const index = below(kind === 'services' ? 3 : 25);
      const id = `${kind} ${index}`;
      const isThere = there.has(id);
      const goes = isThere && below(3) === 0;
      await change(kind, goes ? 'DELETED' : isThere ? 'MODIFIED' : 'ADDED', make[kind](index));
      if (goes) there.delete(id);
      else there.add(id);
      const about = pod(below(25)).metadata;
      feed.recorded(
        { apiVersion: 'v1', kind: 'Pod', namespace: about.namespace, name: about.name, uid: about.uid },
        { type: 'Warning', reason: 'InvalidBandwidth', action: below(2) === 0 ? 'Claim' : 'Bind', note: `${round}` },
      );
    }
    // Every second has news, so that the page knows when it has read all of it.
    count(round % 7 === 0 ? undefined : { used: round, limit: 100 });
    tick();
    for (let event = ''; event !== 'news';) {
      const told = await next();
      event = told.event;
      if (event === 'news') overview = withNews(overview, told.data as OverviewNews);
      else {
        const { changed, gone } = told.data as { changed: ShownAddress[]; gone: string[] };
        for (const it of changed) addresses.set(it.key, it);
        for (const key of gone) addresses.delete(key);
      }
    }
    const is = (await (await fetch(`${url}/api/overview`)).json()) as Overview;
    t.deepEqual(overview, is, `round ${round}`);
    compared += is.findings.length + is.services.length;
  }
  const are = (await (await fetch(`${url}/api/addresses`)).json()) as ShownAddress[];
  t.deepEqual(new Map(are.map((it) => [it.key, it])), addresses);
  t.true(compared > 400, `${compared} Services and findings were compared`);
});
