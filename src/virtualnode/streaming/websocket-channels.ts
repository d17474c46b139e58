import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../kubelet-refusal.ts';
import { ClientStream, RECEIVE_AHEAD, type ClientConnection } from './client-stream.ts';
import type { Headers } from './spdy-headers.ts';

/**
 * The protocols of a kubelet's WebSocket (k8s.io/streaming pkg/httpstream/wsstream/conn.go). Each message begins with
 * the number of its channel: a byte, or with base64 a digit before the data in base64. From v4 on a command's end is
 * JSON, and with v5 a message `255, channel` ends a channel, as nothing does before.
 */
export const CHANNEL_PROTOCOLS: readonly string[] = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
  // Of clients that ask for none.
  '',
];

/** In front of the number of a channel that the client ends. */
const END_OF_CHANNEL = 255;
const DIGIT = 0x30;
/** Longest message that is taken, bytes; as of a frame of SPDY. */
const LONGEST_MESSAGE = 1_048_576;
/** How often the client is asked whether it is there. */
const PING_MS = 30_000;
/** How long what a client has begun may go on after it has left, milliseconds. */
const OUTLIVES_MS = 60_000;
/** RFC 6455, 7.1.5: nobody has said goodbye. */
const BROKEN_OFF = 1006;

/** One channel of a connection, as the query of its request has it. */
export interface Channel {
  readonly headers: Headers;
  /** What the client is sent there at once. */
  readonly greeting?: Buffer | undefined;
}

interface ChannelsParts {
  readonly clock: Clock;
  readonly protocol: string;
  /** By their numbers. */
  readonly channels: readonly Channel[];
  /** Of each channel, the last one first; false leaves it unused. */
  readonly onStream: (stream: ClientStream) => boolean;
  /** Data went one way or the other. */
  readonly onData: () => void;
  /**
   * Whether a client that says goodbye has only ended its input: before v5 it has no other way to, and what it has sent
   * is still worked on.
   */
  readonly outlives: boolean;
}

/**
 * Answers the handshake, which has been looked at (stream-request.ts). Rejects with a Refusal if the client has left
 * before it could be.
 */
export const openWebSocket = (
  request: IncomingMessage,
  { socket, head }: { readonly socket: Duplex; readonly head: Buffer },
  protocol: string,
): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const left = new Refusal(400, 'the client has left before its handshake was answered');
    // While it was found out what the client may do: `close` does not come again, and ws says nothing of such a socket.
    if (socket.destroyed || !socket.readable || !socket.writable) {
      socket.destroy();
      reject(left);
      return;
    }
    socket.once('close', () => reject(left));
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: LONGEST_MESSAGE,
      perMessageDeflate: false,
      handleProtocols: () => protocol,
    });
    server.handleUpgrade(request, socket, head, resolve);
  });

/** The end of a WebSocket that is asked: all its channels are open from the beginning. */
export class WebSocketChannels implements ClientConnection {
  readonly #socket: WebSocket;
  readonly #parts: ChannelsParts;
  readonly #isBase64: boolean;
  /** By number; undefined for what nobody uses. */
  readonly #streams: readonly (ClientStream | undefined)[];
  readonly #ended = Promise.withResolvers<Error | undefined>();
  #stopWaiting: (() => void) | undefined;
  #fault: Error | undefined;
  #unread = 0;
  /** Everything was said, so that nothing that comes matters. */
  #isOver = false;
  #hasLeft = false;

  constructor(socket: WebSocket, parts: ChannelsParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#isBase64 = parts.protocol.includes('base64');
    socket.on('message', (message) => this.#take(message));
    // What the library calls a fault of the peer; others are of the network.
    socket.on('error', (error) => {
      if ('code' in error && String(error.code).startsWith('WS_ERR')) this.#fault = error;
    });
    socket.on('close', (code) => this.#left(code));
    for (const [number, { greeting }] of parts.channels.entries())
      if (greeting) socket.send(this.#message(number, greeting), () => undefined);
    const open = parts.channels.map(({ headers }, number) => this.#open(number, headers));
    // The channel of data comes before that of its errors, and is of no use without it.
    const used = open.toReversed().map((stream) => (parts.onStream(stream) ? stream : stream.refuse()));
    this.#streams = used.toReversed().map((stream) => stream ?? undefined);
    for (const stream of this.#streams) stream?.open();
    this.#pingLater();
    void this.#saidAll().then(() => this.#finish());
  }

  serve(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  close(): void {
    // A close by the protocol would wait behind what is not read.
    this.#socket.resume();
    this.#socket.terminate();
    this.#end();
  }

  #pingLater(): void {
    this.#stopWaiting = this.#parts.clock.timer(PING_MS, () => {
      this.#socket.ping();
      this.#pingLater();
    });
  }

  #open(number: number, headers: Headers): ClientStream {
    const stream: ClientStream = new ClientStream(headers, {
      write: (data, done) => {
        this.#parts.onData();
        if (this.#hasLeft) done();
        else this.#socket.send(this.#message(number, data), done);
      },
      // Nothing tells the client so but the end of the connection, so that it cannot know that it is to end its side.
      finish: (done) => {
        stream.finishReceiving();
        done();
      },
      gone: () => undefined,
      held: (change) => {
        this.#unread += change;
        if (this.#unread >= RECEIVE_AHEAD && !this.#isOver) this.#socket.pause();
        else this.#socket.resume();
      },
    });
    return stream;
  }

  #message(number: number, data: Buffer): Buffer | string {
    if (this.#isBase64) return String.fromCharCode(DIGIT + number) + data.toString('base64');
    return Buffer.concat([Buffer.of(number), data]);
  }

  /** A text is the same bytes: clients in Python send what they have as a string. */
  #take(message: Buffer): void {
    const first = message[0];
    if (first === undefined || this.#isOver) return;
    if (first === END_OF_CHANNEL && this.#parts.protocol.startsWith('v5.')) {
      this.#streams[message[1] ?? END_OF_CHANNEL]?.finishReceiving();
      return;
    }
    const stream = this.#streams[this.#isBase64 ? first - DIGIT : first];
    const data = message.subarray(1);
    this.#parts.onData();
    stream?.receive(this.#isBase64 ? Buffer.from(data.toString('latin1'), 'base64') : data);
  }

  /** Resolves when nobody here writes to any channel any more. */
  async #saidAll(): Promise<void> {
    await Promise.all(
      this.#streams.map(
        (stream) =>
          new Promise<void>((resolve) => {
            if (!stream) resolve();
            stream?.once('finish', resolve).once('close', resolve);
          }),
      ),
    );
  }

  #finish(): void {
    this.#isOver = true;
    if (this.#hasLeft) this.#end();
    else {
      // Its own goodbye is behind what it has sent.
      this.#socket.resume();
      this.#socket.close(1000);
    }
  }

  #left(code: number): void {
    this.#hasLeft = true;
    this.#stopWaiting?.();
    if (!this.#parts.outlives || this.#isOver || code === BROKEN_OFF) {
      this.#end();
      return;
    }
    for (const stream of this.#streams) stream?.finishReceiving();
    this.#stopWaiting = this.#parts.clock.timer(OUTLIVES_MS, () => this.#end());
  }

  #end(): void {
    this.#isOver = true;
    this.#stopWaiting?.();
    for (const stream of this.#streams) stream?.destroy();
    this.#ended.resolve(this.#fault);
  }
}
