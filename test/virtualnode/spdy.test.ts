import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import test from 'ava';
import * as fc from 'fast-check';
import {
  encodeFrame,
  FrameDecoder,
  LONGEST_CONTROL,
  LONGEST_DATA,
  SpdyError,
  type Frame,
} from '../../src/virtualnode/streaming/spdy-frame.ts';
import {
  decodeHeaders,
  DICTIONARY,
  encodeHeaders,
  HeaderCompression,
} from '../../src/virtualnode/streaming/spdy-headers.ts';

const block = Buffer.from('a header block');
const data = Buffer.from('some data');
const ID = 0x7fff_ffff;

/** Every frame, with every flag that it knows. */
const FRAMES: readonly Frame[] = [
  { type: 'data', streamId: 1, fin: false, data },
  { type: 'data', streamId: ID, fin: true, data: Buffer.alloc(0) },
  ...(['syn-stream', 'syn-reply', 'headers'] as const).flatMap((type) =>
    [false, true].map((fin): Frame => ({ type, streamId: 3, fin, block })),
  ),
  { type: 'rst-stream', streamId: 5, status: 3 },
  { type: 'window-update', streamId: 5, delta: ID },
  { type: 'ping', id: 0xffff_ffff },
  { type: 'goaway', lastStreamId: 7, status: 1 },
  { type: 'settings' },
];
const ALL = Buffer.concat(FRAMES.map(encodeFrame));

test('every frame is read as it was written, however its bytes arrive', (t) => {
  for (const frame of FRAMES) t.deepEqual(new FrameDecoder().push(encodeFrame(frame)), [frame], frame.type);
  const decoder = new FrameDecoder();
  const bytewise = Array.from(ALL, (byte) => decoder.push(Buffer.of(byte))).flat();
  t.deepEqual(bytewise, FRAMES);
  fc.assert(
    fc.property(fc.array(fc.nat(ALL.length)), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), ALL.length];
      const pieces = new FrameDecoder();
      t.deepEqual(
        at.slice(1).flatMap((end, n) => pieces.push(ALL.subarray(at[n], end))),
        FRAMES,
      );
    }),
    { numRuns: 50 },
  );
});

const hex = (frame: Frame) => encodeFrame(frame).toString('hex');

test('the bytes are those of the specification', (t) => {
  t.is(hex({ type: 'ping', id: 1 }), '800300060000000400000001');
  t.is(hex({ type: 'rst-stream', streamId: 1, status: 5 }), '80030003000000080000000100000005');
  t.is(hex({ type: 'data', streamId: 1, fin: true, data: Buffer.from('a') }), '000000010100000161');
  t.is(hex({ type: 'syn-reply', streamId: 1, fin: false, block: Buffer.of(9) }), '80030002000000050000000109');
});

test('a frame of a kind that nobody knows is passed over', (t) => {
  const unknown = Buffer.from('8003000b0000000400000001', 'hex');
  const decoder = new FrameDecoder();
  t.deepEqual(decoder.push(Buffer.concat([unknown, encodeFrame({ type: 'ping', id: 1 })])), [{ type: 'ping', id: 1 }]);
});

/** The first eight bytes of a frame. */
const head = (first: string, length: number) => Buffer.from(first + length.toString(16).padStart(8, '0'), 'hex');

test('no length that a peer states is believed beyond its limit, before its bytes come', (t) => {
  const refused = (bytes: Buffer, words: RegExp) =>
    t.throws(() => new FrameDecoder().push(bytes), { instanceOf: SpdyError, message: words });
  refused(head('00000001', LONGEST_DATA + 1), /1048577 bytes; 1048576/);
  t.deepEqual(new FrameDecoder().push(head('00000001', LONGEST_DATA)), []);
  for (const type of [1, 2, 3, 4, 6, 7, 8, 9])
    refused(head(`8003000${type}`, LONGEST_CONTROL + 1), /16385 bytes; 16384/);
  refused(head('80020006', 4), /version 2/);
  // Too short for what its kind has.
  for (const [type, length] of [
    [1, 9],
    [2, 3],
    [3, 7],
    [4, 3],
    [6, 3],
    [7, 7],
    [8, 3],
    [9, 7],
  ] as const)
    refused(Buffer.concat([head(`8003000${type}`, length), Buffer.alloc(length)]), /has \d bytes, not \d+ at least/);
});

test('nothing that is sent makes the decoder fail otherwise', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        new FrameDecoder().push(Buffer.from(bytes));
      } catch (error) {
        t.true(error instanceof SpdyError);
      }
    }),
  );
});

test('header blocks are compressed with the dictionary of SPDY/3, each after the one before', async (t) => {
  // The dictionary of the specification, as moby/spdystream has it.
  t.is(DICTIONARY.length, 1_423);
  const digest = createHash('sha256').update(DICTIONARY).digest('hex');
  t.is(digest, '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02');
  const [sender, receiver] = [new HeaderCompression(), new HeaderCompression()];
  const sent = [
    new Map(),
    new Map([['streamtype', 'error']]),
    new Map([
      ['streamtype', 'data'],
      ['port', '8080'],
      ['requestid', '0'],
    ]),
    new Map([['long', 'x'.repeat(60_000)]]),
    new Map([['streamtype', 'stdin']]),
  ] as Map<string, string>[];
  for (const headers of sent) t.deepEqual(await receiver.decompress(await sender.compress(headers)), headers);
  sender.close();
  receiver.close();
});

test('a header block is read no further than its limits', async (t) => {
  const bomb = new HeaderCompression();
  const many = deflateSync(Buffer.alloc(10_000_000), { dictionary: DICTIONARY });
  t.true(many.length < LONGEST_CONTROL);
  await t.throwsAsync(bomb.decompress(many), { instanceOf: SpdyError, message: /more than 65536 bytes/ });
  await t.throwsAsync(bomb.decompress(many), { instanceOf: SpdyError });
  const garbage = new HeaderCompression();
  await t.throwsAsync(garbage.decompress(Buffer.from('no zlib')), { instanceOf: SpdyError, message: /decompressed/ });
  const whole = encodeHeaders(
    new Map([
      ['a', 'b'],
      ['c', 'd'],
    ]),
  );
  for (let end = 0; end < whole.length; end += 1)
    t.throws(() => decodeHeaders(whole.subarray(0, end)), { instanceOf: SpdyError }, `${end} bytes`);
  t.throws(() => decodeHeaders(Buffer.from('00000041', 'hex')), { message: /65 headers; 64/ });
  t.throws(() => decodeHeaders(Buffer.from('00000001ffffffff', 'hex')), { message: /4294967295/ });
  // Several values of one name are one text with zeros in it.
  t.deepEqual(decodeHeaders(encodeHeaders(new Map([['A', 'b\0c']]))), new Map([['a', 'b']]));
});
