import { once } from 'node:events';
import { connect as connectPlainly, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createKube } from '../../src/kube/client.ts';
import type { ContainerGroup } from '../../src/cloud/container-groups.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { PortForwarding } from '../../src/virtualnode/streaming/port-forward.ts';
import type { ClientStream } from '../../src/virtualnode/streaming/client-stream.ts';
import { SpdyConnection } from '../../src/virtualnode/streaming/spdy-connection.ts';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/virtualnode/streaming/spdy-frame.ts';
import { HeaderCompression } from '../../src/virtualnode/streaming/spdy-headers.ts';
import { ManualClock, settled } from '../harness/clock.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'uid-1', creationTimestamp: null },
  spec: {
    nodeName: 'virtual-1',
    containers: [
      { name: 'main', image: 'nginx' },
      { name: 'waiting', image: 'nginx' },
    ],
  },
};

/** An API server with one pod; `good` may create nodes/proxy, `weak` is known and may only read it. */
const transport: KubeTransport = ({ path, body = '{}' }) => {
  const { spec } = JSON.parse(body) as {
    spec?: { token?: string; user?: string; resourceAttributes?: { verb: string } };
  };
  const answer = path.endsWith('/tokenreviews')
    ? { status: { authenticated: ['good', 'weak'].includes(spec?.token ?? ''), user: { username: spec?.token } } }
    : path.endsWith('/subjectaccessreviews')
      ? { status: { allowed: spec?.user === 'good' || spec?.resourceAttributes?.verb === 'get' } }
      : path.endsWith('/pods/web')
        ? POD
        : undefined;
  const text = JSON.stringify(
    answer
      ? { metadata: { creationTimestamp: null }, ...answer }
      : {
          apiVersion: 'v1',
          kind: 'Status',
          status: 'Failure',
          code: 404,
          reason: 'NotFound',
          details: { name: 'none' },
        },
  );
  return Promise.resolve({
    status: answer ? (body === '{}' ? 200 : 201) : 404,
    header: () => undefined,
    text: () => Promise.resolve(text),
    lines: () => (async function* () {})(),
  });
};

const state = (name: string, now: 'Running' | 'Waiting') => ({
  name,
  image: '',
  ready: true,
  restartCount: 0,
  currentState: { state: now, ...(now === 'Waiting' && { reason: 'ImagePullBackOff' }) },
});
const GROUP: ContainerGroup = {
  containerGroupId: 'eci-1',
  containerGroupName: 'web',
  status: 'Running',
  tags: new Map(),
  events: [],
  containers: [state('main', 'Running'), state('waiting', 'Waiting')],
  initContainers: [],
};

const serve = () =>
  serveKubelet(
    {
      kube: createKube({ transport, clock, qps: 0 }),
      containerGroups: {
        describeContainerGroups: () => Promise.resolve([GROUP]),
        describeContainerLog: () => Promise.resolve(''),
        describeContainerGroupMetrics: () => Promise.resolve([]),
        // Nobody listens there.
        execContainerCommand: () => Promise.resolve({ webSocketUri: 'ws://127.0.0.1:1/exec/?s=secret' }),
      },
      clock,
      random,
      log: silentLog,
    },
    { nodeName: 'virtual-1', clusterUid: 'c', listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
  );

const EXEC = '/exec/default/web/main?command=true&output=1';

/** Sends the head of a request, and resolves to the head of the answer, the rest and the socket. */
const ask = async (
  port: number,
  path: string,
  { token = 'good', headers = {}, method = 'POST' }: { token?: string; headers?: object; method?: string } = {},
): Promise<{ head: string; rest: Buffer; socket: TLSSocket }> => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const all = {
    host: 'kubelet',
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
    authorization: `Bearer ${token}`,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  let received = Buffer.alloc(0);
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    received = Buffer.concat([received, piece as Buffer]);
    const end = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(received.toString('latin1'))?.[1] ?? 0);
    if (end >= 0 && received.length >= end + 4 + length)
      return { head: received.subarray(0, end).toString(), rest: received.subarray(end + 4), socket };
  }
  throw new Error(`no answer: ${received.toString()}`);
};

/** The handshake of a WebSocket (RFC 6455, 4.1). */
const webSocket = (headers: object) => ({
  method: 'GET',
  headers: {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
  },
});

test('streams are refused with a Status that says why, and asked about with the verb create', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const refused = async (path: string, more?: Parameters<typeof ask>[2]) => {
    const { rest, socket } = await ask(endpoint.port, path, more);
    socket.destroy();
    const { kind, code, message } = JSON.parse(rest.toString()) as { kind: string; code: number; message: string };
    t.is(kind, 'Status');
    return `${code} ${message}`;
  };
  t.regex(await refused(EXEC, { token: 'nobody' }), /^401 /);
  t.regex(await refused(EXEC, { token: 'weak' }), /^403 .*verb=create, .*\[proxy\]/);
  // To read is not to run commands, by GET neither.
  t.regex(await refused(EXEC, { token: 'weak', method: 'GET' }), /^403 /);
  t.regex(await refused(EXEC, { method: 'PUT' }), /^405 /);
  t.regex(await refused(EXEC, { headers: { upgrade: 'h2c' } }), /^400 .*speaks SPDY\/3\.1 and WebSocket, not "h2c"/);
  t.regex(await refused(EXEC, { headers: { upgrade: 'websocket' } }), /^405 /);
  t.regex(await refused(EXEC, { ...webSocket({}), token: 'weak' }), /^403 .*verb=create/);
  t.regex(await refused(EXEC, webSocket({ 'sec-websocket-key': 'short' })), /^400 .*no handshake of WebSocket 13/);
  t.regex(await refused(EXEC, webSocket({ 'sec-websocket-version': '8' })), /^400 .*no handshake of WebSocket 13/);
  const unknown = webSocket({ 'sec-websocket-protocol': 'v9.channel.k8s.io' });
  t.regex(await refused(EXEC, unknown), /^403 .*client supports \[v9\.channel/);
  for (const [query, words] of [
    ['', /^400 query parameter "port" is required/],
    ['?port=80,http', /^400 unable to parse "http" as a port/],
    ['?port=65536', /^400 unable to parse "65536" as a port/],
    [`?port=${Array(65).fill('80').join(',')}`, /^400 .*names 65 ports, and 64 are the most/],
  ] as const)
    t.regex(await refused(`/portForward/default/web${query}`, webSocket({})), words);
  const protocol = { 'x-stream-protocol-version': 'v1.channel.k8s.io, v9.channel.k8s.io' };
  t.regex(await refused(EXEC, { headers: protocol }), /^403 .*client supports \[v1\.channel\.k8s\.io, v9/);
  for (const path of ['/run/default/web/main', '/exec/default/web', '/exec/default/web/uid-1/main/x', '/exec//a', '/%'])
    t.regex(await refused(path), /^40[04] /, path);
  t.regex(await refused('/exec/default/web/main?command=true'), /^400 you must specify at least 1 of stdin/);
  t.regex(await refused('/exec/default/web/main?output=1'), /^400 there is no command/);
  t.regex(await refused('/exec/default/none/main?command=true&output=1'), /^404 pod does not exist/);
  t.regex(await refused('/exec/default/web/uid-2/main?command=true&output=1'), /^404 pod does not exist/);
  t.regex(await refused('/exec/default/web/other?command=true&output=1'), /^404 container not found \("other"\)/);
  t.regex(
    await refused('/exec/default/web/waiting?command=true&output=1'),
    /^400 container "waiting" in pod "web" is not running: it is Waiting \(ImagePullBackOff\)/,
  );
});

const isRefused = (id: number) => (frame: Frame) =>
  frame.type === 'rst-stream' && frame.streamId === id && frame.status === 3;

/** A client that has been let in. */
const client = async (port: number) => {
  const { head, rest, socket } = await ask(port, EXEC);
  const compression = new HeaderCompression();
  const decoder = new FrameDecoder();
  const frames: Frame[] = [...decoder.push(rest)];
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => void frames.push(...decoder.push(piece)));
  const closed = once(socket, 'close');
  const open = async (streamId: number, streamtype: string) =>
    socket.write(
      encodeFrame({
        type: 'syn-stream',
        streamId,
        fin: false,
        block: await compression.compress(new Map([['streamtype', streamtype]])),
      }),
    );
  const seen = async (fits: (frame: Frame) => boolean): Promise<Frame> => {
    for (;;) {
      const found = frames.find(fits);
      if (found) return found;
      if (socket.destroyed) throw new Error(`closed; seen ${JSON.stringify(frames)}`);
      await Promise.race([once(socket, 'data'), closed]);
    }
  };
  return { head, socket, open, seen, frames, closed };
};

test('a command that cannot be run says so on the error stream, without the secret address', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const { head, socket, open, seen, frames, closed } = await client(endpoint.port);
  t.regex(head, /^HTTP\/1\.1 101 [\s\S]*X-Stream-Protocol-Version: v4\.channel\.k8s\.io/);
  socket.write(encodeFrame({ type: 'ping', id: 1 }));
  await seen(({ type }) => type === 'ping');
  await open(1, 'error');
  // Neither a stream that was not asked for, nor one for the second time.
  await open(3, 'stdin');
  await open(5, 'error');
  await seen(isRefused(3));
  await seen(isRefused(5));
  await open(7, 'stdout');
  const told = await seen((frame) => frame.type === 'data' && frame.streamId === 1 && frame.data.length > 0);
  const { status, message } = JSON.parse(told.type === 'data' ? told.data.toString() : '') as Record<string, string>;
  t.is(status, 'Failure');
  t.regex(message ?? '', /the WebSocket of the cloud cannot be opened/);
  t.notRegex(message ?? '', /secret/);
  for (const id of [1, 7]) await seen((frame) => frame.type === 'data' && frame.streamId === id && frame.fin);
  t.is(frames.filter(({ type }) => type === 'syn-reply').length, 2);
  socket.end();
  await closed;
});

test('a client that breaks the protocol, and the end of the endpoint, end a session', async (t) => {
  const endpoint = await serve();
  const wrong = await client(endpoint.port);
  wrong.socket.write(Buffer.from('800200060000000400000001', 'hex'));
  await wrong.closed;
  t.deepEqual(wrong.frames, [{ type: 'goaway', lastStreamId: 0, status: 1 }]);
  const waiting = await client(endpoint.port);
  await endpoint.close();
  await waiting.closed;
  t.pass();
});

test('there are 48 sessions at most, the one after that is told so, and a log can still be read', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const clients = [];
  for (let n = 0; n < 48; n += 1) clients.push(await client(endpoint.port));
  for (const { head } of clients) t.regex(head, / 101 /);
  const { head, rest, socket } = await ask(endpoint.port, EXEC);
  socket.destroy();
  t.regex(head, /^HTTP\/1\.1 429 /);
  t.regex(rest.toString(), /48 sessions already/);
  const logs = await ask(endpoint.port, '/containerLogs/default/web/main', {
    method: 'GET',
    headers: { connection: 'close', upgrade: '' },
  });
  t.regex(logs.head, /^HTTP\/1\.1 200 /);
  logs.socket.destroy();
  // Who leaves makes room.
  clients[0]?.socket.destroy();
  for (;;) {
    const next = await ask(endpoint.port, EXEC);
    next.socket.destroy();
    if (/ 101 /.test(next.head)) break;
  }
  for (const { socket: other } of clients) other.destroy();
});

/** Both ends of a connection. */
const pair = async (t: ExecutionContext): Promise<{ readonly near: Socket; readonly far: Socket }> => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connectPlainly((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  for (const end of [near, far]) end.setNoDelay(true).on('error', () => undefined);
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
};

/** Encodes what a client opens and says, in the order of the wire. */
const writer = () => {
  const compression = new HeaderCompression();
  return {
    opened: async (streamId: number, headers: Readonly<Record<string, string>>) =>
      encodeFrame({
        type: 'syn-stream',
        streamId,
        fin: false,
        block: await compression.compress(new Map(Object.entries(headers))),
      }),
    said: (streamId: number, data = Buffer.alloc(0), fin = false) => encodeFrame({ type: 'data', streamId, fin, data }),
  };
};

const EVERYTHING = { mostStreams: 128, onStream: () => true, onData: () => undefined };

test('port-forward takes connection after connection, each with an error stream that the client finishes at once', async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.teardown(() => echo.close());
  const { near, far } = await pair(t);
  const forwarding = new PortForwarding({ address: '127.0.0.1', name: 'pod web' }, clock);
  const onStream = (stream: ClientStream) => forwarding.take(stream);
  void new SpdyConnection(near, { ...EVERYTHING, clock, onStream }).serve(Buffer.alloc(0));
  const decoder = new FrameDecoder();
  const ended = new Map<number, (how: string) => void>();
  far.on('data', (piece: Buffer) => {
    for (const frame of decoder.push(piece)) {
      if (frame.type === 'data' && frame.fin) ended.get(frame.streamId)?.('finished');
      if (frame.type === 'rst-stream') ended.get(frame.streamId)?.(`reset with ${frame.status}`);
    }
  });
  const { opened, said } = writer();
  const port = String((echo.address() as AddressInfo).port);
  for (let n = 0; n < 200; n += 1) {
    const [errors, data] = [4 * n + 1, 4 * n + 3];
    const { promise, resolve } = Promise.withResolvers<string>();
    ended.set(data, resolve);
    far.write(await opened(errors, { streamtype: 'error', port, requestid: String(n) }));
    far.write(said(errors, undefined, true));
    far.write(await opened(data, { streamtype: 'data', port, requestid: String(n) }));
    far.write(said(data, Buffer.from('hello'), true));
    t.is(await promise, 'finished', `connection ${n}`);
  }
});

test('a client that resets its stream when the instance has closed is told of no fault', async (t) => {
  const instance = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined).end('bye');
  }).listen(0, '127.0.0.1');
  await once(instance, 'listening');
  t.teardown(() => instance.close());
  const { near, far } = await pair(t);
  const forwarding = new PortForwarding({ address: '127.0.0.1', name: 'pod web' }, clock);
  const onStream = (stream: ClientStream) => forwarding.take(stream);
  void new SpdyConnection(near, { ...EVERYTHING, clock, onStream }).serve(Buffer.alloc(0));
  const { opened, said } = writer();
  const port = String((instance.address() as AddressInfo).port);
  far.write(await opened(1, { streamtype: 'error', port, requestid: '0' }));
  far.write(said(1, undefined, true));
  far.write(await opened(3, { streamtype: 'data', port, requestid: '0' }));
  const decoder = new FrameDecoder();
  const heard = { 1: '', 3: '' };
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  far.on('data', (piece: Buffer) => {
    for (const frame of decoder.push(piece)) {
      if (frame.type !== 'data') continue;
      heard[frame.streamId as 1 | 3] += `${frame.data.toString()}${frame.fin ? '.' : ''}`;
      if (frame.streamId === 3 && frame.fin) far.write(encodeFrame({ type: 'rst-stream', streamId: 3, status: 5 }));
      if (frame.streamId === 1 && frame.fin) tell();
    }
  });
  await told;
  t.deepEqual(heard, { 1: '.', 3: 'bye.' });
});

/** A connection whose peer sends what it is given and, as long as it is told so, reads nothing. */
class Peer extends Duplex {
  isReading = false;
  #taken: (() => void) | undefined;

  override _read(): void {
    // It is pushed.
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.isReading) done();
    else this.#taken = done;
  }

  readOn(): void {
    this.isReading = true;
    this.#taken?.();
  }
}

/** Everything that can happen has, with compressions, which are in other threads. */
const atRest = async (seen: () => unknown): Promise<void> => {
  for (let [before, same] = [seen(), 0]; same < 50; same += 1) {
    await settled();
    if (before !== seen()) [before, same] = [seen(), 0];
  }
};

test('who does not read the answers is not read from', async (t) => {
  const ping = encodeFrame({ type: 'ping', id: 1 });
  const peer = new Peer();
  void new SpdyConnection(peer, { ...EVERYTHING, clock }).serve(Buffer.concat(Array<Buffer>(10_000).fill(ping)));
  await atRest(() => peer.writableLength);
  t.true(peer.writableLength <= 64 * ping.length, `${peer.writableLength} bytes wait`);
  t.false(peer.destroyed);
  peer.readOn();
  await atRest(() => peer.writableLength);
  t.is(peer.writableLength, 0);
  peer.destroy();

  const seen: ClientStream[] = [];
  const onStream = (stream: ClientStream) => seen.push(stream) === 0;
  const { opened } = writer();
  const streams: Buffer[] = [];
  for (let n = 0; n < 500; n += 1) streams.push(await opened(2 * n + 1, { streamtype: 'error' }));
  const other = new Peer();
  const connection = new SpdyConnection(other, { ...EVERYTHING, clock, onStream });
  const serving = connection.serve(Buffer.concat(streams));
  // The 64th answer is the last one.
  while (seen.length < 64) await settled();
  await clock.sleep(50);
  t.is(seen.length, 64);
  connection.close();
  t.is(await serving, undefined);
});

test('of all streams of a connection together no more is held than its limit, however small the pieces', async (t) => {
  for (const [pieces, length] of [
    [4, 65_536],
    [4_000, 1],
  ] as const) {
    const { opened, said } = writer();
    const sent: Buffer[] = [];
    for (let n = 0; n < 20; n += 1) sent.push(await opened(2 * n + 1, {}));
    for (let n = 0; n < 20; n += 1) sent.push(...Array<Buffer>(pieces).fill(said(2 * n + 1, Buffer.alloc(length, n))));
    const peer = new Peer();
    peer.readOn();
    const streams: ClientStream[] = [];
    const taken: number[] = [];
    const onData = () => void taken.push(length);
    const onStream = (stream: ClientStream) => streams.push(stream) > 0;
    void new SpdyConnection(peer, { ...EVERYTHING, clock, onStream, onData }).serve(Buffer.concat(sent));
    while (streams.length < 20 || taken.length === 0) await settled();
    await atRest(() => taken.length);
    t.true(taken.length * (length + 512) < 400_000, `${taken.length} frames of ${length} bytes were taken`);
    // Each gets all that is its own, once it is read.
    const got = streams.map(() => 0);
    for (const [n, stream] of streams.entries())
      stream.on('data', (data: Buffer) => {
        got[n] = (got[n] ?? 0) + data.length;
        t.true(data.every((byte) => byte === n));
      });
    await atRest(() => got.join());
    t.deepEqual(
      got,
      streams.map(() => pieces * length),
    );
    peer.destroy();
  }
});

test('a connection ends when more than its limit waits to be sent', async (t) => {
  const { opened } = writer();
  const sent: Buffer[] = [];
  for (let n = 0; n < 300; n += 1) sent.push(await opened(2 * n + 1, {}));
  const peer = new Peer();
  peer.readOn();
  const streams: ClientStream[] = [];
  const onStream = (stream: ClientStream) => streams.push(stream) > 0;
  const serving = new SpdyConnection(peer, { ...EVERYTHING, mostStreams: 300, clock, onStream }).serve(
    Buffer.concat(sent),
  );
  while (streams.length < 300) await settled();
  peer.isReading = false;
  for (const stream of streams) stream.write(Buffer.alloc(32_768));
  t.true(peer.destroyed);
  t.is(await serving, undefined);
});

test('a client that leaves while nothing is read from it is noticed by a PING', async (t) => {
  const time = new ManualClock();
  const { near, far } = await pair(t);
  const { opened, said } = writer();
  const decoder = new FrameDecoder();
  const pings: Frame[] = [];
  far.on('data', (piece: Buffer) => pings.push(...decoder.push(piece).filter(({ type }) => type === 'ping')));
  const serving = new SpdyConnection(near, { ...EVERYTHING, clock: time }).serve(Buffer.alloc(0));
  far.write(await opened(1, { streamtype: 'stdin' }));
  for (let n = 0; n < 20; n += 1) far.write(said(1, Buffer.alloc(32_768)));
  await time.advance(30_000);
  while (pings.length === 0) await once(far, 'data');
  t.deepEqual(pings, [{ type: 'ping', id: 2 }]);
  far.destroy();
  await once(far, 'close');
  // The reset comes by the network.
  for (let n = 0; n < 100 && time.pending() > 0; n += 1) {
    await time.advance(30_000);
    await clock.sleep(20);
  }
  t.is(time.pending(), 0);
  t.is(await serving, undefined);
});

test('a client that only leaves has done nothing wrong', async (t) => {
  const { near } = await pair(t);
  const { opened } = writer();
  // It is gone before its headers are decompressed.
  const serving = new SpdyConnection(near, { ...EVERYTHING, clock }).serve(await opened(1, {}));
  near.destroy();
  t.is(await serving, undefined);
});

test('who breaks the protocol and does not read why is not waited for', async (t) => {
  const time = new ManualClock();
  const serving = new SpdyConnection(new Peer(), { ...EVERYTHING, clock: time }).serve(
    Buffer.from('800200060000000400000001', 'hex'),
  );
  await time.advance(5_000);
  t.regex((await serving)?.message ?? '', /version 2/);
  t.is(time.pending(), 0);
});
