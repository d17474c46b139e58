import { once } from 'node:events';
import { connect as connectPlainly, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { PortForwarding } from '../../src/virtualnode/streaming/port-forward.ts';
import type { ClientStream } from '../../src/virtualnode/streaming/client-stream.ts';
import { SpdyConnection } from '../../src/virtualnode/streaming/spdy-connection.ts';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/virtualnode/streaming/spdy-frame.ts';
import { HeaderCompression } from '../../src/virtualnode/streaming/spdy-headers.ts';
import { ManualClock, settled } from '../harness/clock.ts';

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
