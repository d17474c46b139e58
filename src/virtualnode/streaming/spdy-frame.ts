/**
 * Frames of SPDY/3.1, as far as Kubernetes uses them: pure functions between bytes and frames. Source:
 * draft-mbelshe-httpbis-spdy-00, section 2.6; what API servers send is moby/spdystream's (spdy/types.go, read.go).
 */

/** A frame. Header blocks are as they travel: compressed. */
export type Frame =
  | { readonly type: 'data'; readonly streamId: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly type: 'syn-stream'; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'syn-reply'; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'headers'; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'rst-stream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'window-update'; readonly streamId: number; readonly delta: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway'; readonly lastStreamId: number; readonly status: number }
  /** Nothing in it concerns a server without flow control. */
  | { readonly type: 'settings' };

/** Statuses of RST_STREAM (2.6.3). */
export const RST = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

/** What a peer sends is no SPDY/3.1, or more than is taken: the connection ends. */
export class SpdyError extends Error {}

/** Longest payload of a data frame that is taken, bytes. spdystream writes what it is given: 32 KiB by io.Copy. */
export const LONGEST_DATA = 1_048_576;
/** Longest payload of any other frame, bytes. A stream of Kubernetes has three headers of some twenty bytes. */
export const LONGEST_CONTROL = 16_384;

const VERSION = 3;
const HEADER_BYTES = 8;
const FIN = 1;
const ID_BITS = 0x7fff_ffff;
const CODES = {
  'syn-stream': 1,
  'syn-reply': 2,
  'rst-stream': 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  'window-update': 9,
} as const;

const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, n) => bytes.writeUInt32BE(value, 4 * n));
  return bytes;
};

const control = (type: keyof typeof CODES, flags: number, payload: readonly Buffer[]): Buffer => {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([
    words((0x8000_0000 | (VERSION << 16) | CODES[type]) >>> 0, (flags << 24) | length),
    ...payload,
  ]);
};

/** The bytes of a frame. */
export const encodeFrame = (frame: Frame): Buffer => {
  switch (frame.type) {
    case 'data':
      return Buffer.concat([words(frame.streamId, ((frame.fin ? FIN : 0) << 24) | frame.data.length), frame.data]);
    case 'syn-stream':
      // No associated stream, the highest priority, no credential slot.
      return control(frame.type, frame.fin ? FIN : 0, [words(frame.streamId, 0), Buffer.alloc(2), frame.block]);
    case 'syn-reply':
    case 'headers':
      return control(frame.type, frame.fin ? FIN : 0, [words(frame.streamId), frame.block]);
    case 'rst-stream':
      return control(frame.type, 0, [words(frame.streamId, frame.status)]);
    case 'window-update':
      return control(frame.type, 0, [words(frame.streamId, frame.delta)]);
    case 'ping':
      return control(frame.type, 0, [words(frame.id)]);
    case 'goaway':
      return control(frame.type, 0, [words(frame.lastStreamId, frame.status)]);
    case 'settings':
      return control(frame.type, 0, [words(0)]);
  }
};

/** Shortest payload of each control frame, by its code. */
const SHORTEST: Readonly<Record<number, number>> = {
  [CODES['syn-stream']]: 10,
  [CODES['syn-reply']]: 4,
  [CODES['rst-stream']]: 8,
  [CODES.settings]: 4,
  [CODES.ping]: 4,
  [CODES.goaway]: 8,
  [CODES.headers]: 4,
  [CODES['window-update']]: 8,
};

/** One control frame; undefined for one that means nothing here. @throws SpdyError */
const decodeControl = (code: number, flags: number, payload: Buffer): Frame | undefined => {
  const shortest = SHORTEST[code];
  // 2.6: frames of a kind that is not known are ignored.
  if (shortest === undefined) return undefined;
  if (payload.length < shortest)
    throw new SpdyError(`a control frame of type ${code} has ${payload.length} bytes, not ${shortest} at least`);
  const first = payload.readUInt32BE(0);
  const streamId = first & ID_BITS;
  const second = payload.length >= 8 ? payload.readUInt32BE(4) : 0;
  const fin = (flags & FIN) !== 0;
  switch (code) {
    case CODES['syn-stream']:
      return { type: 'syn-stream', streamId, fin, block: payload.subarray(10) };
    case CODES['syn-reply']:
      return { type: 'syn-reply', streamId, fin, block: payload.subarray(4) };
    case CODES.headers:
      return { type: 'headers', streamId, fin, block: payload.subarray(4) };
    case CODES['rst-stream']:
      return { type: 'rst-stream', streamId, status: second };
    case CODES['window-update']:
      return { type: 'window-update', streamId, delta: second & ID_BITS };
    case CODES.ping:
      return { type: 'ping', id: first };
    case CODES.goaway:
      return { type: 'goaway', lastStreamId: streamId, status: second };
    default:
      return { type: 'settings' };
  }
};

/** Cuts a stream of bytes into frames. Holds at most one frame that is not complete. */
export class FrameDecoder {
  #parts: Buffer[] = [];
  #held = 0;
  /** How many bytes it takes until something can be said. */
  #needed = HEADER_BYTES;

  /** The frames that are complete with this piece. @throws SpdyError; nothing may be pushed after that */
  push(piece: Buffer): Frame[] {
    this.#parts.push(piece);
    this.#held += piece.length;
    const frames: Frame[] = [];
    // Joined only when it is worth it: a long frame in small pieces would be copied again for each of them.
    while (this.#held >= this.#needed) {
      const all = this.#parts.length === 1 && this.#parts[0] ? this.#parts[0] : Buffer.concat(this.#parts);
      const length = lengthOf(all);
      this.#needed = HEADER_BYTES + length;
      if (all.length < this.#needed) {
        this.#parts = [all];
        break;
      }
      const frame = decode(all.subarray(0, this.#needed));
      if (frame) frames.push(frame);
      const rest = all.subarray(this.#needed);
      this.#parts = rest.length === 0 ? [] : [rest];
      this.#held = rest.length;
      this.#needed = HEADER_BYTES;
    }
    return frames;
  }
}

/** The payload's length, by the first eight bytes of a frame. @throws SpdyError for one that is not taken */
const lengthOf = (bytes: Buffer): number => {
  const length = bytes.readUInt32BE(4) & 0xff_ffff;
  const isControl = (bytes.readUInt8(0) & 0x80) !== 0;
  const longest = isControl ? LONGEST_CONTROL : LONGEST_DATA;
  if (length > longest) throw new SpdyError(`a frame of ${length} bytes; ${longest} are taken`);
  if (isControl && (bytes.readUInt16BE(0) & 0x7fff) !== VERSION)
    throw new SpdyError(`a frame of SPDY version ${bytes.readUInt16BE(0) & 0x7fff}; there is only ${VERSION}`);
  return length;
};

const decode = (bytes: Buffer): Frame | undefined => {
  const payload = bytes.subarray(HEADER_BYTES);
  const flags = bytes.readUInt8(4);
  if ((bytes.readUInt8(0) & 0x80) !== 0) return decodeControl(bytes.readUInt16BE(2), flags, payload);
  return { type: 'data', streamId: bytes.readUInt32BE(0), fin: (flags & FIN) !== 0, data: payload };
};
