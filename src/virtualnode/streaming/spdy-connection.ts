import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import { ClientStream, RECEIVE_AHEAD, type ClientConnection } from './client-stream.ts';
import { encodeFrame, FrameDecoder, RST, SpdyError, type Frame } from './spdy-frame.ts';
import { HeaderCompression, type Headers } from './spdy-headers.ts';

/** Answers that the system has not taken yet; as long as there are so many, nothing more is read. */
const MOST_ANSWERS = 64;
/** Bytes that the system has not taken yet, at which a connection ends: twice what its streams can come to. */
const MOST_UNSENT = 8_388_608;
/** How often the peer is asked whether it is there: one that has gone is not seen as long as nothing is read. */
const PING_MS = 30_000;
/** How long a peer may take to read why the connection is closed. */
const FAREWELL_MS = 5_000;

/** What a connection does with what it is told. */
interface SpdyParts {
  readonly clock: Clock;
  /** Streams that may be open at once. */
  readonly mostStreams: number;
  /** Of a new stream; false refuses it. */
  readonly onStream: (stream: ClientStream) => boolean;
  /** Data went one way or the other. */
  readonly onData: () => void;
}

/**
 * The end of a SPDY/3.1 connection that is asked: the peer opens the streams.
 *
 * There is no flow control, because the peer has none: moby/spdystream, with which API servers speak to kubelets, knows
 * WINDOW_UPDATE and does nothing by it, so that a window would never open again. What is not read is held back by TCP:
 * of all streams together, as at the other end.
 */
export class SpdyConnection implements ClientConnection {
  readonly #socket: Duplex;
  readonly #parts: SpdyParts;
  readonly #compression = new HeaderCompression();
  readonly #streams = new Map<number, ClientStream>();
  #lastStreamId = 0;
  #lastPing = 0;
  #isClosing = false;
  #stopPinging: (() => void) | undefined;
  /** Bytes of all streams that wait to be read, and answers that wait to be sent. */
  #unread = 0;
  #unsentAnswers = 0;
  /** Goes on with reading, if it waits for room. */
  #goOn: (() => void) | undefined;

  constructor(socket: Duplex, parts: SpdyParts) {
    this.#socket = socket;
    this.#parts = parts;
    // It may come while nothing more is read.
    socket.once('close', () => this.close());
  }

  /** Serves the connection until it ends. Resolves to what the peer did wrong, if that ended it; never rejects. */
  async serve(first: Buffer): Promise<SpdyError | undefined> {
    const decoder = new FrameDecoder();
    this.#pingLater();
    try {
      await this.#takeAll(decoder.push(first));
      for await (const piece of this.#socket.iterator({ destroyOnReturn: false }))
        await this.#takeAll(decoder.push(piece as Buffer));
      return undefined;
    } catch (error) {
      // Of a connection that has ended meanwhile, frames cannot be read either.
      if (!(error instanceof SpdyError) || this.#socket.destroyed) return undefined;
      await this.#sayFarewell();
      return error;
    } finally {
      this.#stopPinging?.();
      this.close();
    }
  }

  /** The peer is told that it was wrong, before the connection is closed; if it reads. */
  #sayFarewell(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.timer(FAREWELL_MS, resolve);
      this.#send({ type: 'goaway', lastStreamId: this.#lastStreamId, status: 1 }, () => {
        cancel();
        resolve();
      });
    });
  }

  /** The system answers what is sent to a peer that has gone with a reset, which closes the socket. */
  #pingLater(): void {
    this.#stopPinging = this.#parts.clock.timer(PING_MS, () => {
      // 2.6.5: those of a server are even.
      this.#lastPing += 2;
      this.#send({ type: 'ping', id: this.#lastPing });
      if (!this.#socket.destroyed) this.#pingLater();
    });
  }

  /** Ends the connection and all streams at once. */
  close(): void {
    // What the streams say when they end may be what is too much.
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#compression.close();
    this.#socket.destroy();
    this.#goOn?.();
  }

  /** Calls back once the bytes are with the system. */
  #send(frame: Frame, done?: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) done?.(new Error('The connection has ended.'));
    else this.#socket.write(encodeFrame(frame), done);
    if (this.#socket.writableLength > MOST_UNSENT) this.close();
  }

  /** Sends what the peer has caused: who does not read the answers is not read from. */
  #answer(frame: Frame): void {
    this.#unsentAnswers += 1;
    this.#send(frame, () => {
      this.#unsentAnswers -= 1;
      this.#goOn?.();
    });
  }

  get #isFull(): boolean {
    return this.#unread >= RECEIVE_AHEAD || this.#unsentAnswers >= MOST_ANSWERS;
  }

  async #takeAll(frames: readonly Frame[]): Promise<void> {
    for (const frame of frames) {
      await this.#take(frame);
      while (this.#isFull && !this.#socket.destroyed)
        await new Promise<void>((resolve) => {
          this.#goOn = resolve;
        });
    }
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'syn-stream':
        return this.#open(frame.streamId, frame.fin, await this.#compression.decompress(frame.block));
      case 'headers':
      case 'syn-reply':
        // They say nothing here, but the compression goes on after them.
        await this.#compression.decompress(frame.block);
        return;
      case 'data':
        return this.#data(frame);
      case 'rst-stream':
        this.#streams.get(frame.streamId)?.destroy();
        this.#streams.delete(frame.streamId);
        return;
      case 'ping':
        // 2.6.5: those of a client are odd; an even one would be the answer to one of ours.
        if (frame.id % 2 === 1) this.#answer(frame);
        return;
      case 'goaway':
      case 'settings':
      case 'window-update':
        return;
    }
  }

  async #open(streamId: number, fin: boolean, headers: Headers): Promise<void> {
    // 2.3.2: odd, and always more than the last one.
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId)
      throw new SpdyError(`stream ${streamId} after ${this.#lastStreamId}`);
    this.#lastStreamId = streamId;
    const reset = () => this.#answer({ type: 'rst-stream', streamId, status: RST.cancel });
    let hasReplied = false;
    const stream = new ClientStream(headers, {
      write: (data, done) => {
        this.#parts.onData();
        this.#send({ type: 'data', streamId, fin: false, data }, done);
      },
      finish: (done) => this.#send({ type: 'data', streamId, fin: true, data: Buffer.alloc(0) }, done),
      gone: (isWhole) => {
        this.#streams.delete(streamId);
        if (!isWhole && hasReplied && !this.#socket.destroyed) reset();
      },
      held: (change) => {
        this.#unread += change;
        this.#goOn?.();
      },
    });
    if (this.#streams.size >= this.#parts.mostStreams || !this.#parts.onStream(stream)) {
      stream.refuse();
      this.#answer({ type: 'rst-stream', streamId, status: RST.refusedStream });
      return;
    }
    this.#streams.set(streamId, stream);
    this.#answer({ type: 'syn-reply', streamId, fin: false, block: await this.#compression.compress(new Map()) });
    hasReplied = true;
    // It may have ended meanwhile, as where a port refuses. A peer that is told so before the reply takes the stream
    // for refused, and does not read why on the other one.
    if (stream.destroyed) return reset();
    stream.open();
    if (fin) stream.finishReceiving();
  }

  #data({ streamId, fin, data }: Frame & { type: 'data' }): void {
    const stream = this.#streams.get(streamId);
    // Of a stream that has ended here, which the peer does not know yet.
    if (!stream || stream.destroyed) return;
    this.#parts.onData();
    stream.receive(data);
    if (fin) stream.finishReceiving();
  }
}
