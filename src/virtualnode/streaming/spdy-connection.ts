import { Duplex } from 'node:stream';
import { encodeFrame, FrameDecoder, RST, SpdyError, type Frame } from './spdy-frame.ts';
import { HeaderCompression, type Headers } from './spdy-headers.ts';

/** Bytes of one stream that were received and not read yet; above that, nothing more of the connection is read. */
const RECEIVE_AHEAD = 262_144;
/** A piece of data that is sent in one frame, bytes. */
const PIECE = 32_768;

/** What a connection does with what it is told. */
interface SpdyParts {
  /** Streams that may be open at once. */
  readonly mostStreams: number;
  /** Of a new stream; false refuses it. */
  readonly onStream: (stream: SpdyStream) => boolean;
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
export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #parts: SpdyParts;
  readonly #compression = new HeaderCompression();
  readonly #streams = new Map<number, SpdyStream>();
  #lastStreamId = 0;

  constructor(socket: Duplex, parts: SpdyParts) {
    this.#socket = socket;
    this.#parts = parts;
    // It may come while nothing more is read.
    socket.once('close', () => this.close());
  }

  /** Serves the connection until it ends. Resolves to what the peer did wrong, if that ended it; never rejects. */
  async serve(first: Buffer): Promise<SpdyError | undefined> {
    const decoder = new FrameDecoder();
    try {
      for (const frame of decoder.push(first)) await this.#take(frame);
      for await (const piece of this.#socket.iterator({ destroyOnReturn: false }))
        for (const frame of decoder.push(piece as Buffer)) await this.#take(frame);
      return undefined;
    } catch (error) {
      if (!(error instanceof SpdyError)) return undefined;
      // It is told why, before the connection is closed.
      await new Promise((resolve) =>
        this.#send({ type: 'goaway', lastStreamId: this.#lastStreamId, status: 1 }, resolve),
      );
      return error;
    } finally {
      this.close();
    }
  }

  /** Ends the connection and all streams at once. */
  close(): void {
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#compression.close();
    this.#socket.destroy();
  }

  /** Calls back once the bytes are with the system. */
  #send(frame: Frame, done?: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) done?.(new Error('The connection has ended.'));
    else this.#socket.write(encodeFrame(frame), done);
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
        if (frame.id % 2 === 1) this.#send(frame);
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
    const stream = new SpdyStream(headers, {
      write: (data, done) => {
        this.#parts.onData();
        this.#send({ type: 'data', streamId, fin: false, data }, done);
      },
      finish: (done) => this.#send({ type: 'data', streamId, fin: true, data: Buffer.alloc(0) }, done),
      gone: (isWhole) => {
        this.#streams.delete(streamId);
        if (!isWhole && !this.#socket.destroyed) this.#send({ type: 'rst-stream', streamId, status: RST.cancel });
      },
    });
    if (this.#streams.size >= this.#parts.mostStreams || !this.#parts.onStream(stream)) {
      stream.refuse();
      this.#send({ type: 'rst-stream', streamId, status: RST.refusedStream });
      return;
    }
    this.#streams.set(streamId, stream);
    this.#send({ type: 'syn-reply', streamId, fin: false, block: await this.#compression.compress(new Map()) });
    stream.open();
    if (fin) stream.receive(null);
  }

  async #data({ streamId, fin, data }: Frame & { type: 'data' }): Promise<void> {
    const stream = this.#streams.get(streamId);
    // Of a stream that has ended here, which the peer does not know yet.
    if (!stream || stream.destroyed) return;
    this.#parts.onData();
    const isFull = data.length > 0 && !stream.receive(data);
    if (fin) stream.receive(null);
    else if (isFull) await stream.room();
  }
}

/** How a stream reaches its connection. */
interface StreamWire {
  readonly write: (data: Buffer, done: (error?: Error | null) => void) => void;
  readonly finish: (done: (error?: Error | null) => void) => void;
  /** @param isWhole whether both sides had finished */
  readonly gone: (isWhole: boolean) => void;
}

/** One stream of a connection. What is written waits until the peer has heard that there is one. */
export class SpdyStream extends Duplex {
  readonly headers: Headers;
  readonly #wire: StreamWire;
  /** What waits until the peer has heard of the stream: null, nothing; undefined, it has heard. */
  #waiting: (() => void) | undefined | null = null;
  #room: (() => void) | undefined;
  #isRefused = false;

  constructor(headers: Headers, wire: StreamWire) {
    super({ readableHighWaterMark: RECEIVE_AHEAD, writableHighWaterMark: PIECE });
    this.headers = headers;
    this.#wire = wire;
    // A stream that breaks off is seen by who reads it; without a listener it would end the process.
    this.on('error', () => undefined);
  }

  open(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  #whenOpen(then: () => void): void {
    if (this.#waiting === undefined) then();
    else this.#waiting = then;
  }

  refuse(): void {
    this.#isRefused = true;
    this.destroy();
  }

  /** False if it has as much as may wait. Null: the peer has finished. */
  receive(data: Buffer | null): boolean {
    return this.readableEnded || this.push(data);
  }

  /** Resolves when there is room again, or the stream has ended. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      if (this.destroyed) resolve();
      else this.#room = resolve;
    });
  }

  #makeRoom(): void {
    this.#room?.();
    this.#room = undefined;
  }

  override _read(): void {
    this.#makeRoom();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const next = (at: number) => {
      const piece = chunk.subarray(at, at + PIECE);
      this.#wire.write(piece, (error) => {
        if (error || at + PIECE >= chunk.length) done(error);
        else next(at + PIECE);
      });
    };
    this.#whenOpen(() => next(0));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#wire.finish(done));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#makeRoom();
    this.#waiting = undefined;
    if (!this.#isRefused) this.#wire.gone(this.readableEnded && this.writableFinished);
    done(error);
  }
}
