import { once } from 'node:events';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect, type Socket, type TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';
import { systemClock } from '../../src/lib/clock.ts';
import { serve, serveTls } from '../../src/web/http-server.ts';
import type { Serving } from '../../src/web/listen.ts';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { ManualClock } from '../harness/clock.ts';

/*
 * Whoever holds connections open, or floods a port, keeps nobody else from it. Every address of 127.0.0.0/8 is a
 * client's here.
 */

const authority = await renew(undefined, ['127.0.0.1'], Date.now());
const ca = bundleOf(authority);
/** Answers at once. */
const ready = () => new Koa().use((ctx) => void (ctx.body = 'ok'));
const where = { address: '127.0.0.1:0', key: 'webhook.address' };

const portOf = ({ url }: Serving): number => Number(new URL(url).port);

/** An open connection that sends `text` and nothing more. */
const hold = async (server: Serving, localAddress: string, text = ''): Promise<Socket> => {
  const socket = connect({ port: portOf(server), host: '127.0.0.1', localAddress });
  // A reset is what many of them are here for.
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
};

/** The same, after the handshake; a connection that is closed in it counts as one. */
const holdTls = async (server: Serving, localAddress: string): Promise<Socket> => {
  const options: ConnectionOptions & TcpSocketConnectOpts = {
    port: portOf(server),
    host: '127.0.0.1',
    ca,
    localAddress,
  };
  const socket = connectTls(options);
  socket.on('error', () => undefined).resume();
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
  return socket;
};

/** The status of an answer to a new connection of this address; what was wrong where there is none. */
const ask = (server: Serving, localAddress: string, path = '/'): Promise<number | string> =>
  new Promise((resolve) => {
    const options = { port: portOf(server), host: '127.0.0.1', path, localAddress, agent: false };
    const got = (response: { statusCode?: number | undefined; resume(): void }) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    };
    const asked = server.url.startsWith('https:') ? requestTls({ ...options, ca }, got) : request(options, got);
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });

/** Resolves as soon as no more than `most` of them are open. */
const closedDownTo = async (sockets: readonly Socket[], most: number): Promise<Socket[]> => {
  for (;;) {
    const open = sockets.filter(({ closed }) => !closed);
    if (open.length <= most) return open;
    await Promise.race(open.map((socket) => once(socket, 'close')));
  }
};

/** The first bytes of a handshake. */
const BEGUN = '\u0016\u0003\u0001';
/** Eight handshakes that have begun and never end: what comes after them from the same address waits. */
const stall = async (server: Serving) => {
  const stalled: Socket[] = [];
  for (let index = 0; index < 8; index += 1) stalled.push(await hold(server, '127.0.0.3', BEGUN));
  return stalled;
};

const releasing = async (server: Serving, sockets: readonly Socket[]) => {
  for (const socket of sockets) socket.destroy();
  await server.close();
};

const isAnswered = async (t: ExecutionContext, server: Serving, addresses: readonly string[]) => {
  for (const address of addresses)
    for (let attempt = 0; attempt < 6; attempt += 1) t.is(await ask(server, address), 200, address);
};

test('300 idle connections of one pod leave it with its share, and everybody is answered', async (t) => {
  const server = await serve(ready(), '127.0.0.1:0', systemClock);
  const sockets: Socket[] = [];
  for (let index = 0; index < 300; index += 1) sockets.push(await hold(server, '127.0.0.3'));
  await isAnswered(t, server, ['127.0.0.1', '127.0.0.3']);
  const open = await closedDownTo(sockets, 64);
  t.true(
    open.every((socket) => sockets.indexOf(socket) >= 236),
    'the oldest have given way',
  );
  await releasing(server, sockets);
});

test('idle connections of forty addresses keep nobody out', async (t) => {
  const server = await serve(ready(), '127.0.0.1:0', systemClock);
  const sockets: Socket[] = [];
  for (let index = 0; index < 400; index += 1)
    sockets.push(await hold(server, `127.0.1.${1 + (index % 40)}`, index % 2 === 0 ? '' : 'GET / HT'));
  await isAnswered(t, server, ['127.0.0.1', '127.0.1.7']);
  await closedDownTo(sockets, 256);
  await releasing(server, sockets);
});

test('a flood of requests, 150 connections at a time, keeps nobody out', async (t) => {
  const server = await serve(ready(), '127.0.0.1:0', systemClock);
  const over = new AbortController();
  const flood = Array.from({ length: 150 }, async () => {
    while (!over.signal.aborted) await ask(server, '127.0.0.3');
  });
  for (let answered = 0; answered < 20; answered += 1) t.is(await ask(server, '127.0.0.1'), 200);
  over.abort();
  await Promise.all(flood);
  await server.close();
});

test('what is being answered is never cut off; one address more than its share of answers is refused', async (t) => {
  const go = Promise.withResolvers<void>();
  let begun = 0;
  const all = Promise.withResolvers<void>();
  const app = new Koa().use(async (ctx) => {
    ctx.body = 'done';
    if (ctx.path !== '/slow') return;
    begun += 1;
    if (begun === 64) all.resolve();
    await go.promise;
  });
  const server = await serve(app, '127.0.0.1:0', systemClock);
  const slow = Array.from({ length: 64 }, () => ask(server, '127.0.0.3', '/slow'));
  await all.promise;
  t.is(await ask(server, '127.0.0.3'), 'ECONNRESET');
  t.is(await ask(server, '127.0.0.1'), 200);
  go.resolve();
  t.deepEqual(
    await Promise.all(slow),
    Array.from({ length: 64 }, () => 200),
  );
  await server.close();
});

test('over TLS those give way that do not end their handshake, and those that ended it and say nothing', async (t) => {
  const server = await serveTls(ready(), where, { certificate: authority.leaf }, systemClock);
  const sockets: Socket[] = [];
  for (let index = 0; index < 300; index += 1) sockets.push(await hold(server, '127.0.0.3'));
  await isAnswered(t, server, ['127.0.0.1', '127.0.0.3']);
  for (let index = 0; index < 100; index += 1) sockets.push(await holdTls(server, '127.0.0.4'));
  await isAnswered(t, server, ['127.0.0.1', '127.0.0.4']);
  await closedDownTo(sockets, 128);
  await releasing(server, sockets);
});

test('handshakes of a flood wait for their turn, and so does nobody else', async (t) => {
  const server = await serveTls(ready(), where, { certificate: authority.leaf, connections: 'many' }, systemClock);
  // Eight that begin and never end hold up their own address, where two hundred more have sent all that they have to.
  const stalled = await stall(server);
  const waiting = Array.from({ length: 200 }, () => ask(server, '127.0.0.3'));
  t.is(await ask(server, '127.0.0.1'), 200);
  for (const socket of stalled) socket.destroy();
  t.deepEqual(new Set(await Promise.all(waiting)), new Set([200]), 'none of them is lost');
  await server.close();
});

test('a reset before the handshake, of a connection that is silent or waits for its turn, ends nothing but itself', async (t) => {
  const server = await serveTls(ready(), where, { certificate: authority.leaf }, systemClock);
  const stalled = await stall(server);
  for (const text of ['', BEGUN]) {
    const reset: Socket[] = [];
    for (let index = 0; index < 8; index += 1) reset.push(await hold(server, '127.0.0.3', text));
    // That another one is answered says that the server has read what they sent.
    t.is(await ask(server, '127.0.0.1'), 200);
    for (const socket of reset) socket.resetAndDestroy();
    await isAnswered(t, server, ['127.0.0.1']);
  }
  await releasing(server, stalled);
});

test('a connection that waits for its handshake has as long as a handshake has', async (t) => {
  const clock = new ManualClock();
  const server = await serveTls(ready(), where, { certificate: authority.leaf }, clock);
  const stalled = await stall(server);
  const waiting = [await hold(server, '127.0.0.3'), await hold(server, '127.0.0.3', BEGUN)];
  t.is(await ask(server, '127.0.0.1'), 200);
  await clock.advance(29_999);
  t.is(await ask(server, '127.0.0.1'), 200);
  t.is(waiting.filter(({ closed }) => closed).length, 0);
  await clock.advance(1);
  t.deepEqual(await closedDownTo(waiting, 0), []);
  t.is(stalled.filter(({ closed }) => closed).length, 0, 'those of the server itself go by its own limit');
  await releasing(server, stalled);
});

test('who ends a connection before its handshake takes no place any more', async (t) => {
  const server = await serveTls(ready(), where, { certificate: authority.leaf }, new ManualClock());
  const silent = await hold(server, '127.0.0.3');
  silent.end();
  t.deepEqual(await closedDownTo([silent], 0), []);
  const stalled = await stall(server);
  const queued = await hold(server, '127.0.0.3', BEGUN);
  queued.end();
  t.is(await ask(server, '127.0.0.1'), 200);
  for (const socket of stalled) socket.destroy();
  t.deepEqual(await closedDownTo([queued], 0), [], 'as soon as it is its turn');
  await server.close();
});

test('closing a server closes what is silent, what waits and what is in its handshake', async (t) => {
  const server = await serveTls(ready(), where, { certificate: authority.leaf }, systemClock);
  const sockets = [...(await stall(server)), await hold(server, '127.0.0.3'), await hold(server, '127.0.0.3', BEGUN)];
  t.is(await ask(server, '127.0.0.1'), 200);
  await server.close();
  t.deepEqual(await closedDownTo(sockets, 0), []);
});

test('where an API server calls, one address has room for all that it does at once', async (t) => {
  const go = Promise.withResolvers<void>();
  let begun = 0;
  const all = Promise.withResolvers<void>();
  const app = new Koa().use(async (ctx) => {
    ctx.body = 'done';
    begun += 1;
    if (begun === 200) all.resolve();
    if (begun <= 200) await go.promise;
  });
  const server = await serveTls(app, where, { certificate: authority.leaf, connections: 'many' }, systemClock);
  const idle = await Promise.all(Array.from({ length: 300 }, () => hold(server, '127.0.0.3')));
  const reviews = Array.from({ length: 200 }, () => ask(server, '127.0.0.1'));
  await all.promise;
  t.is(await ask(server, '127.0.0.4'), 200);
  go.resolve();
  t.deepEqual(new Set(await Promise.all(reviews)), new Set([200]));
  await releasing(server, idle);
});

test('with an authority of clients, whoever has no certificate of it is not answered', async (t) => {
  const clients = await renew(undefined, ['kube-apiserver'], Date.now());
  const others = await renew(undefined, ['kube-apiserver'], Date.now());
  const options = { certificate: authority.leaf, clientCA: bundleOf(clients) };
  const server = await serveTls(ready(), where, options, systemClock);
  const get = (more: object) =>
    new Promise<number | undefined>((resolve) => {
      const asked = requestTls({
        port: portOf(server),
        host: '127.0.0.1',
        path: '/',
        ca,
        agent: false,
        ...more,
      });
      asked.on('response', ({ statusCode }) => resolve(statusCode)).on('error', () => resolve(undefined));
      asked.end();
    });
  t.is(await get({}), undefined);
  t.is(await get(others.leaf), undefined);
  // Made for servers; as a client it is refused, too.
  t.is(await get(clients.leaf), undefined);
  server.present((await renew(undefined, ['127.0.0.1'], Date.now())).leaf);
  t.is(await get({ rejectUnauthorized: false }), undefined, 'also after the certificate was replaced');
  await server.close();
});

test('a certificate that is made when it is wanted is made once, again where that failed, and not beside another', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let made = 0;
  const make = async () => {
    made += 1;
    if (made === 1) throw new Error('no luck');
    begun.resolve();
    await promise;
    return authority.leaf;
  };
  const server = await serveTls(ready(), where, { certificate: make }, systemClock);
  t.is(made, 0, 'nobody has asked');
  t.is(await ask(server, '127.0.0.1'), 'ECONNRESET');
  const waiting = [ask(server, '127.0.0.1'), ask(server, '127.0.0.3')];
  await begun.promise;
  resolve();
  t.deepEqual(await Promise.all(waiting), [200, 200]);
  t.is(await ask(server, '127.0.0.1'), 200);
  t.is(made, 2);
  await server.close();

  const mismatched = await serveTls(ready(), where, { certificate: make }, systemClock);
  const other = await renew(undefined, ['127.0.0.1'], Date.now());
  t.throws(() => mismatched.present({ ...authority.leaf, key: other.leaf.key }), { message: /key values mismatch/ });
  t.is(await ask(mismatched, '127.0.0.1'), 200, 'its own is made all the same');
  t.is(made, 3);
  await mismatched.close();

  const given = await serveTls(ready(), where, { certificate: make }, systemClock);
  given.present(authority.leaf);
  t.is(await ask(given, '127.0.0.1'), 200);
  t.is(made, 3);
  await given.close();
});
