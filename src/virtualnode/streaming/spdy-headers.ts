import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { DICTIONARY_TEXT, DICTIONARY_WORDS } from './spdy-dictionary.ts';
import { SpdyError } from './spdy-frame.ts';

const length32 = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

const prefixed = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([length32(bytes.length), bytes]);
};

/** What both ends begin to compress with: words, each behind its length, and a text. */
export const DICTIONARY: Buffer = Buffer.concat([...DICTIONARY_WORDS.map(prefixed), Buffer.from(DICTIONARY_TEXT)]);

export type Headers = ReadonlyMap<string, string>;

/** A stream of Kubernetes has at most four headers; more than these are not read. */
const MOST_HEADERS = 64;
/** Longest header block, bytes, as it is before compression: few compressed bytes may be many. */
const LONGEST_BLOCK = 65_536;

/** The block of name/value pairs, before compression. */
export const encodeHeaders = (headers: Headers): Buffer =>
  Buffer.concat([
    length32(headers.size),
    ...[...headers].flatMap(([name, value]) => [prefixed(name.toLowerCase()), prefixed(value)]),
  ]);

/** Names in lower case. Of several values of one name the first counts. @throws SpdyError */
export const decodeHeaders = (block: Buffer): Headers => {
  let at = 0;
  const number = (what: string): number => {
    if (at + 4 > block.length) throw new SpdyError(`a header block ends before ${what}`);
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (what: string): string => {
    const length = number(`the length of ${what}`);
    if (length > block.length - at)
      throw new SpdyError(`a header block has ${block.length - at} bytes left for ${what} of ${length}`);
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const count = number('the number of headers');
  if (count > MOST_HEADERS) throw new SpdyError(`${count} headers; ${MOST_HEADERS} are taken`);
  const headers = new Map<string, string>();
  for (let n = 0; n < count; n += 1) {
    const name = text('a name').toLowerCase();
    const [value = ''] = text('a value').split('\0');
    if (!headers.has(name)) headers.set(name, value);
  }
  return headers;
};

/**
 * The two compressors of a connection. Each goes on where it was after the last block, so that blocks are to be given
 * one after the other, in the order of the wire.
 */
export class HeaderCompression {
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
  readonly #deflate: Deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });

  /** Rejects with a SpdyError; the connection is of no use after that. */
  async decompress(block: Buffer): Promise<Headers> {
    return decodeHeaders(await through(this.#inflate, block, LONGEST_BLOCK));
  }

  async compress(headers: Headers): Promise<Buffer> {
    return through(this.#deflate, encodeHeaders(headers), Infinity);
  }

  close(): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
  }
}

/** What comes out when this goes in. Stops as soon as that is more than `longest` bytes. */
const through = (codec: Inflate | Deflate, block: Buffer, longest: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const end = (error?: Error) => {
      codec.off('data', take).off('error', fail).off('close', closed);
      if (error) reject(error);
      else resolve(Buffer.concat(parts));
    };
    const take = (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length <= longest) return;
      codec.destroy();
      end(new SpdyError(`a header block of more than ${longest} bytes`));
    };
    const fail = (error: Error) => end(new SpdyError(`a header block cannot be decompressed: ${error.message}`));
    const closed = () => end(new SpdyError('a header block cannot be decompressed: the connection has ended'));
    if (codec.destroyed) return closed();
    codec.on('data', take).on('error', fail).on('close', closed);
    codec.write(block, (error) => {
      if (!error) end();
    });
  });
