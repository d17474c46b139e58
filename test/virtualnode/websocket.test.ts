import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import type { ClientStream } from '../../src/virtualnode/streaming/client-stream.ts';
import { commandChannels } from '../../src/virtualnode/streaming/remote-command.ts';
import { openWebSocket, WebSocketChannels } from '../../src/virtualnode/streaming/websocket-channels.ts';
import { ManualClock } from '../harness/clock.ts';

const OPTIONS = { stdin: true, stdout: true, stderr: false, tty: false };
const [STDIN, STDOUT, END] = [0, 1, 255];

/** A client of exec, which speaks this protocol, and the other end of its connection. */
const connected = async (t: ExecutionContext, protocol: string, outlives = false) => {
  const clock = new ManualClock();
  const streams = new Map<string, ClientStream>();
  const opened = Promise.withResolvers<WebSocketChannels>();
  const onStream = (stream: ClientStream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!['stdin', 'stdout', 'error'].includes(type)) return false;
    streams.set(type, stream);
    if (type !== 'stdin') stream.resume();
    return true;
  };
  const server = createServer().on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void openWebSocket(request, { socket, head }, protocol).then((webSocket) => {
      const channels = commandChannels(OPTIONS);
      const parts = { clock, protocol, channels, onStream, onData: () => undefined, outlives };
      opened.resolve(new WebSocketChannels(webSocket, parts));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, [protocol]);
  const heard: Buffer[] = [];
  client.on('message', (message) => void heard.push(message));
  const left = new Promise<number>((resolve) => client.on('close', resolve));
  client.on('error', () => undefined);
  const isOpen = new Promise<void>((resolve) => client.on('open', () => resolve()));
  const channels = await opened.promise;
  await isOpen;
  const stream = (type: string): ClientStream => {
    const found = streams.get(type);
    if (!found) throw new Error(`there is no ${type}`);
    return found;
  };
  const say = (...message: readonly number[]) => client.send(Buffer.from(message), () => undefined);
  return { clock, client, channels, stream, say, heard, left };
};

test('with v5 a client ends one channel and goes on; the connection ends when all is said', async (t) => {
  const { channels, stream, say, heard, left } = await connected(t, 'v5.channel.k8s.io');
  say(STDIN, 104, 105);
  // What nobody asked for, nobody has and nobody knows is passed over.
  for (const channel of [STDOUT, 2, 9, END]) say(channel, 1, 2);
  say();
  say(END, STDIN);
  t.is(await text(stream('stdin')), 'hi');
  stream('stdout').write('out');
  for (const type of ['stdin', 'stdout', 'error']) stream(type).end();
  t.is(await left, 1000);
  t.is(await channels.serve(), undefined);
  t.deepEqual(
    heard.map((message) => [message[0], message.subarray(1).toString()]),
    [
      [STDOUT, ''],
      [STDOUT, 'out'],
    ],
  );
});

test('before v5 the goodbye of a client ends its input, and what it has begun goes on for a minute', async (t) => {
  const { clock, client, channels, stream, say } = await connected(t, 'v4.channel.k8s.io', true);
  // 255 is no word of this protocol.
  say(END, STDIN);
  say(STDIN, 104, 105);
  client.close();
  t.is(await text(stream('stdin')), 'hi');
  t.true(await new Promise<boolean>((resolve) => stream('stdout').write('to nobody', (error) => resolve(!error))));
  const ended = channels.serve();
  await clock.advance(60_000);
  t.is(await ended, undefined);
  t.true(stream('stdout').destroyed);
  t.is(clock.pending(), 0);
});

test('a client that breaks off has nothing more done for it, and one that says too much is told of', async (t) => {
  const gone = await connected(t, 'v4.channel.k8s.io', true);
  gone.client.terminate();
  t.is(await gone.channels.serve(), undefined);
  t.true(gone.stream('stdin').destroyed);
  t.is(gone.clock.pending(), 0);
  const loud = await connected(t, 'v4.channel.k8s.io');
  loud.client.send(Buffer.alloc(1_048_577), () => undefined);
  t.regex((await loud.channels.serve())?.message ?? '', /payload size/i);
  t.is(await loud.left, 1009);
});

test('a client that has left before its handshake is answered holds nothing', async (t) => {
  const upgraded = Promise.withResolvers<{ readonly request: IncomingMessage; readonly socket: Socket }>();
  const server = createServer().on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined);
    upgraded.resolve({ request, socket });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write(
    'GET / HTTP/1.1\r\nhost: k\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n',
  );
  const { request, socket } = await upgraded.promise;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  client.resetAndDestroy();
  await closed;
  // What waits for nothing outside comes before the next turn of the event loop.
  const settled = openWebSocket(request, { socket, head: Buffer.alloc(0) }, 'v4.channel.k8s.io').then(
    () => 'open',
    (error: unknown) => String(error),
  );
  t.regex(await Promise.race([settled, setImmediate('it is waited for')]), /has left before its handshake/);
});
