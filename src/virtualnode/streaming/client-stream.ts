import { Duplex } from 'node:stream';
import type { Headers } from './spdy-headers.ts';

/**
 * Bytes that were received and not read yet, of all streams of a connection together; above that, nothing more of the
 * connection is read.
 */
export const RECEIVE_AHEAD = 262_144;
/** What a piece that waits costs beside its bytes, in bytes: one of a single byte is an object all the same. */
const PIECE_COST = 512;
/** A piece of data that is sent in one frame or message, or handed on as one, bytes. */
const PIECE = 32_768;

/** A connection of a client, by whichever protocol it speaks. */
export interface ClientConnection {
  /**
   * Serves it until it ends. Resolves to what the peer did wrong, if that ended it; never rejects.
   *
   * @param first what has come behind the request, where the connection has no other way to it
   */
  serve(first: Buffer): Promise<Error | undefined>;
  /** Ends the connection and all streams at once. */
  close(): void;
}

/** How a stream reaches its connection. */
interface StreamWire {
  readonly write: (data: Buffer, done: (error?: Error | null) => void) => void;
  readonly finish: (done: (error?: Error | null) => void) => void;
  /** @param isWhole whether both sides had finished */
  readonly gone: (isWhole: boolean) => void;
  /** @param change how many bytes more wait to be read */
  readonly held: (change: number) => void;
}

/** One stream of a connection. What is written waits until the peer has heard that there is one. */
export class ClientStream extends Duplex {
  readonly headers: Headers;
  readonly #wire: StreamWire;
  /** What waits until the peer has heard of the stream: null, nothing; undefined, it has heard. */
  #waiting: (() => void) | undefined | null = null;
  /** What was received and is not asked for yet; null is the end. */
  readonly #received: (Buffer | null)[] = [];
  #isAskedFor = false;
  #hasFinished = false;
  #isRefused = false;

  constructor(headers: Headers, wire: StreamWire) {
    // Nothing waits where it is not counted.
    super({ readableHighWaterMark: 1, writableHighWaterMark: PIECE });
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

  /** Nobody here wants it. */
  refuse(): undefined {
    this.#isRefused = true;
    this.destroy();
  }

  receive(data: Buffer): void {
    if (this.#hasFinished || this.destroyed) return;
    for (let at = 0; at < data.length; at += PIECE) {
      // A copy: a part would keep all that came with it from the system.
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, data.length - at));
      data.copy(piece, 0, at);
      this.#received.push(piece);
      this.#wire.held(costOf(piece));
    }
    this.#handOn();
  }

  /** The peer sends nothing more. */
  finishReceiving(): void {
    if (this.#hasFinished || this.destroyed) return;
    this.#hasFinished = true;
    this.#received.push(null);
    this.#handOn();
  }

  #handOn(): void {
    const [next] = this.#received;
    if (!this.#isAskedFor || next === undefined) return;
    this.#isAskedFor = false;
    this.#received.shift();
    this.#wire.held(-costOf(next));
    this.push(next);
  }

  override _read(): void {
    this.#isAskedFor = true;
    this.#handOn();
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
    this.#wire.held(-this.#received.reduce((sum, piece) => sum + costOf(piece), 0));
    this.#received.length = 0;
    this.#waiting = undefined;
    if (!this.#isRefused) this.#wire.gone(this.readableEnded && this.writableFinished);
    done(error);
  }
}

const costOf = (piece: Buffer | null): number => (piece ? piece.length + PIECE_COST : 0);
