import test from 'ava';
import { POD } from '../../src/api/core.ts';
import type { Pod } from '../../src/api/core.ts';
import type { KubeFault } from '../../src/kube/fault.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { compareResourceVersions } from '../../src/kube/resourceversion.ts';
import { bookmark, hurriedClock, listOf, pod, reflecting, status, stay } from './reflecting.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { scriptedApi } from './scripted-api.ts';
import type { KubeExchange } from './scripted-api.ts';
import { fixedRandom } from '../harness/random.ts';
import { settled } from '../harness/clock.ts';

test('the list comes in pages, the watch goes on from it, and only what is kept is stored', async (t) => {
  const { reflector, events, seen, lists, watches, start } = await reflecting(t, {
    lists: [
      ({ json }) =>
        json(200, { ...listOf(5, pod('a', 1, 'a', 'node-1')), metadata: { resourceVersion: '5', continue: 'x' } }),
      ({ json }) => json(200, listOf(5, pod('b', 2, 'b'), pod('dull', 3))),
    ],
    watches: [
      ({ event }) => {
        event('ADDED', pod('c', 6, 'c', 'node-1'));
        event('MODIFIED', pod('dull', 7));
        event('MODIFIED', pod('a', 8, 'a', 'node-2'));
        event('DELETED', pod('b', 9, 'b'));
      },
    ],
  });
  t.false(reflector.hasSynced());
  void start();
  await reflector.synced;
  t.true(reflector.hasSynced());
  await seen(5);
  t.deepEqual(events, [
    'list added a@1',
    'list added b@2',
    'watch added c@6',
    'watch updated a@8 was 1',
    'watch deleted b@9',
  ]);
  t.deepEqual(
    lists.map(String),
    ['limit=500', 'limit=500&continue=x'],
    'without a resourceVersion, which would make the server ignore the limit',
  );
  const query = watches[0]!;
  t.is(query.get('resourceVersion'), '5');
  t.is(query.get('allowWatchBookmarks'), 'true');
  t.is(query.get('timeoutSeconds'), '270');
  t.deepEqual([...reflector.store.keys()], ['n/a', 'n/c']);
  t.deepEqual(reflector.store.get('n/a'), {
    metadata: { namespace: 'n', name: 'a', uid: 'a', resourceVersion: '8' },
    node: 'node-2',
  });
  t.deepEqual(
    [...reflector.store.by('node', 'node-1')].map(({ metadata }) => metadata.name),
    ['c'],
  );
  t.is(reflector.store.count('node', 'node-2'), 1);
  t.throws(() => reflector.store.by('nope', 'x'), { message: /no index nope/ });
  const late: string[] = [];
  reflector.subscribe(({ type, object }) => late.push(`${type} ${object.metadata.name}`));
  t.deepEqual(late, ['added a', 'added c'], 'a late subscriber is told what is there');
});

for (const [how, gone] of [
  ['as an event', ({ event, response }: KubeExchange) => (event('ERROR', status(410, 'Expired')), response.end())],
  [
    'after bookmarks',
    ({ event }: KubeExchange) => (event('BOOKMARK', bookmark(7)), event('ERROR', status(410, 'Gone'))),
  ],
] as const)
  test(`410 ${how} leads to a list that reports the differences only, a new UID as deletion and addition`, async (t) => {
    const { events, seen, watched, watches, start } = await reflecting(t, {
      lists: [
        ({ json }) => json(200, listOf(5, pod('a', 1), pod('b', 2), pod('c', 3))),
        ({ json }) => json(200, listOf(9, pod('a', 1), pod('b', 8, 'uid-new'), pod('d', 9))),
      ],
      watches: [gone, stay],
    });
    void start();
    await seen(7);
    t.deepEqual(events.slice(3), [
      'list deleted uid-b@2',
      'list added uid-new@8',
      'list added uid-d@9',
      'list deleted uid-c@3',
    ]);
    await watched(2);
    t.is(watches[1]!.get('resourceVersion'), '9');
  });

test('410 as an HTTP status, on a watch and in the middle of a list, leads to a new list', async (t) => {
  let lists = 0;
  let watches = 0;
  const { connection } = await scriptedApi(t, ({ query, json, response, event }) => {
    if (!query.has('watch')) {
      lists += 1;
      const body = listOf(lists, pod('a', lists));
      if (lists === 1) return json(200, { ...body, metadata: { resourceVersion: '1', continue: 'x' } });
      return lists === 2 ? json(410, status(410, 'Expired')) : json(200, body);
    }
    watches += 1;
    if (watches === 1) return json(410, status(410, 'Expired'));
    response.writeHead(200);
    return event('MODIFIED', pod('a', 10));
  });
  const log = recordingLog();
  const { promise: modified, resolve } = Promise.withResolvers<void>();
  const reflector = createReflector<Pod, Pod>({
    transport: connection.watches,
    clock: hurriedClock().clock,
    random: fixedRandom(),
    log,
    resource: POD,
    keep: (object) => object,
    backoff: { baseMs: 4, capMs: 16 },
  });
  reflector.subscribe(({ object }) => object.metadata.resourceVersion === '10' && resolve());
  const stop = new AbortController();
  const run = reflector.run(stop.signal);
  await modified;
  stop.abort(new Error('stop'));
  await run;
  t.deepEqual([lists, watches], [4, 2]);
  t.is(log.lines.filter((line) => line.startsWith('warn')).length, 0, 'expiry is no trouble');
});

test('a stream that is cut within a line goes on from the last whole event, without a list', async (t) => {
  const { seen, events, lists, watches, start } = await reflecting(t, {
    lists: [({ json }) => json(200, listOf(5))],
    watches: [
      ({ event, response }) => {
        event('ADDED', pod('a', 6));
        response.write(JSON.stringify({ type: 'ADDED', object: pod('b', 7) }).slice(0, 40), () => response.destroy());
      },
      ({ event, response }) => {
        event('ADDED', pod('b', 7));
        response.end('{"type":"ADDED","obj');
      },
      ({ event }) => event('ADDED', pod('c', 8)),
    ],
  });
  void start();
  await seen(3);
  t.deepEqual(events, ['watch added uid-a@6', 'watch added uid-b@7', 'watch added uid-c@8']);
  t.deepEqual(
    watches.map((query) => query.get('resourceVersion')),
    ['5', '6', '7'],
  );
  t.is(lists.length, 1);
});

test('a silent watch is replaced, from the last bookmark; bookmarks keep one alive', async (t) => {
  const { reflector, seen, handled, advance, watches, lists, start } = await reflecting(
    t,
    {
      lists: [({ json }) => json(200, listOf(5))],
      watches: [({ event }) => event('BOOKMARK', bookmark(42)), ({ event }) => event('ADDED', pod('a', 43))],
    },
    { idleMs: 1_000 },
  );
  void start();
  await handled(1);
  await advance(1_000);
  await seen(1);
  t.is(watches[1]!.get('resourceVersion'), '42');
  t.is(lists.length, 1);
  t.is(reflector.stats().faults, 0, 'silence is no trouble');

  const opened = Promise.withResolvers<KubeExchange['event']>();
  const alive = await reflecting(
    t,
    {
      lists: [({ json }) => json(200, listOf(5))],
      watches: [({ event }) => opened.resolve(event)],
    },
    { idleMs: 1_000 },
  );
  void alive.start();
  const send = await opened.promise;
  for (let sent = 1; sent < 15; sent += 1) {
    send('BOOKMARK', bookmark(5 + sent));
    await alive.handled(sent);
    await alive.advance(100);
  }
  send('ADDED', pod('a', 99));
  await alive.seen(1);
  t.is(alive.watches.length, 1);
});

test('a list that fails with 500, 429, 503 and a missing kind is reported and retried until it works', async (t) => {
  const faults: KubeFault[] = [];
  const { reflector, lists, start } = await reflecting(
    t,
    {
      lists: [
        ({ json }) => json(500, status(500, 'InternalError')),
        ({ json }) => json(429, status(429, 'TooManyRequests'), { 'retry-after': '0' }),
        ({ json }) => json(503, 'no endpoints'),
        ({ json }) => json(404, '404 page not found'),
        ({ response }) => void response.destroy(),
        ({ json }) => json(200, '<html>'),
        ({ json }) => json(200, listOf(5, pod('a', 1))),
      ],
      watches: [stay],
    },
    {
      onTrouble: (fault) => {
        faults.push(fault);
        throw new Error('a trouble handler that throws');
      },
    },
  );
  void start();
  await reflector.synced;
  t.deepEqual(
    faults.map(({ kind }) => kind),
    ['unavailable', 'throttled', 'unavailable', 'notFound', 'unavailable', 'unavailable'],
  );
  t.is(lists.length, 7);
  t.is(reflector.trouble(), undefined, 'a list that works ends the trouble');
  t.is(reflector.stats().faults, 6);
});

const rejecting: unknown = () => Promise.reject(new Error('handler rejected'));

test('handlers that throw, or reject, disturb neither the others nor the reflector', async (t) => {
  const { reflector, events, seen, log, start } = await reflecting(t, {
    lists: [({ json }) => json(200, listOf(5, pod('a', 1)))],
    watches: [({ event }) => (event('ADDED', pod('bad', 6)), event('ADDED', pod('c', 7)))],
  });
  reflector.subscribe(() => {
    throw new Error('handler broke');
  });
  reflector.subscribe(rejecting as () => void);
  void start();
  await seen(3);
  await new Promise(setImmediate);
  t.deepEqual(events, ['list added uid-a@1', 'watch added uid-bad@6', 'watch added uid-c@7']);
  t.is(log.lines.filter((line) => line.includes('handler broke')).length, 3);
  t.is(log.lines.filter((line) => line.includes('handler rejected')).length, 3);
});

test('an object that cannot be read or indexed is logged; what was known of it stays', async (t) => {
  const { reflector, seen, log, start } = await reflecting(
    t,
    {
      lists: [({ json }) => json(200, listOf(5, pod('a', 1), pod('poison', 2)))],
      watches: [({ event }) => (event('MODIFIED', { ...pod('a', 6), spec: null }), event('ADDED', pod('c', 7)))],
    },
    {
      indexes: {
        name: ({ metadata }) => {
          if (metadata.name === 'poison') throw new Error('cannot index');
          return [metadata.name];
        },
      },
    },
  );
  void start();
  await seen(2);
  t.is(reflector.store.get('n/a')?.metadata.resourceVersion, '1');
  t.deepEqual([...reflector.store.keys()], ['n/a', 'n/c']);
  t.regex(log.lines.join('\n'), /Reading Pod n\/a threw/);
  t.regex(log.lines.join('\n'), /Indexing Pod n\/poison threw/);
});

test('nothing is delivered after the stop, whether events are streaming or the watch is still connecting', async (t) => {
  const cut = Promise.withResolvers<void>();
  const { reflector, events, stop, start } = await reflecting(t, {
    lists: [({ json }) => json(200, listOf(5))],
    watches: [
      ({ event, response }) => {
        response.on('close', cut.resolve);
        for (let n = 0; n < 50; n += 1) event('ADDED', pod(`p${n}`, 6 + n));
      },
    ],
  });
  const other: unknown[] = [];
  reflector.subscribe(({ object }) => {
    if (object.metadata.name === 'p3') stop.abort(new Error('stop'));
  });
  reflector.subscribe((event) => other.push(event));
  await start();
  t.is(events.length, 4);
  t.is(other.length, 3, 'not even to the handler behind the one that stopped it');
  await cut.promise;
  await settled();
  t.is(events.length, 4);

  const { promise: asked, resolve } = Promise.withResolvers<unknown>();
  const connecting = await reflecting(t, { lists: [resolve], watches: [] });
  const run = connecting.start();
  await asked;
  connecting.stop.abort(new Error('stop while connecting'));
  await run;
  await t.throwsAsync(connecting.reflector.synced, { message: 'stop while connecting' });
});

test('old and repeated events neither overwrite what is newer nor bring back what is gone', async (t) => {
  const { reflector, events, seen, start } = await reflecting(t, {
    lists: [({ json }) => json(200, listOf(20, pod('a', 10), pod('b', 20)))],
    watches: [
      ({ event }) => {
        event('MODIFIED', pod('a', 9));
        event('MODIFIED', pod('b', 20));
        event('DELETED', pod('b', 19, 'uid-earlier'));
        event('DELETED', pod('a', 30));
        event('ADDED', pod('a', 29));
        event('ADDED', pod('c', 100));
      },
    ],
  });
  void start();
  await seen(4);
  t.deepEqual(events.slice(2), ['watch deleted uid-a@30', 'watch added uid-c@100']);
  t.is(reflector.stats().stale, 4);
});

test('three watches in a row that end at once make the reflector list anew', async (t) => {
  const { seen, watched, lists, watches, start } = await reflecting(t, {
    lists: [({ json }) => json(200, listOf(5)), ({ json }) => json(200, listOf(9, pod('a', 9)))],
    watches: [
      ({ response }) => void response.end(),
      ({ response }) => void response.end(),
      ({ response }) => void response.end(),
      stay,
    ],
  });
  void start();
  await seen(1);
  t.is(lists.length, 2);
  await watched(4);
  t.deepEqual(
    watches.map((query) => query.get('resourceVersion')),
    ['5', '5', '5', '9'],
  );
});

test('a list now and then finds what a watch that looks healthy has missed', async (t) => {
  const { seen, watched, advance, events, start } = await reflecting(
    t,
    {
      lists: [
        ({ json }) => json(200, listOf(5, pod('a', 1), pod('b', 2))),
        ({ json }) => json(500, status(500, 'InternalError')),
        ({ json }) => json(200, listOf(9, pod('b', 8), pod('c', 9))),
      ],
      watches: [stay],
    },
    { relistEveryMs: 60 },
  );
  void start();
  await watched(1);
  await advance(60);
  // The watch goes on meanwhile.
  await watched(2);
  await advance(60);
  await seen(5);
  t.deepEqual(events.slice(2), ['list updated uid-b@8 was 2', 'list added uid-c@9', 'list deleted uid-a@1']);
});

const compare = (left: string, right: string) => {
  const order = compareResourceVersions(left, right);
  return order === undefined ? undefined : Math.sign(order);
};

test('resource versions are compared as numbers of any size, and not at all where they are none', (t) => {
  t.is(compare('9', '10'), -1);
  t.is(compare('99999999999999999999', '99999999999999999998'), 1);
  t.is(compare('7', '7'), 0);
  t.is(compare('a', '7'), undefined);
  t.is(compare('07', '7'), undefined);
});
