import { duplexPair } from 'node:stream';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { SpdyConnection } from '../../src/virtualnode/streaming/spdy-connection.ts';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/virtualnode/streaming/spdy-frame.ts';
import { HeaderCompression } from '../../src/virtualnode/streaming/spdy-headers.ts';

test('a stream that ends before its reply is sent is answered first, and reset then', async (t) => {
  const [ours, theirs] = duplexPair();
  const connection = new SpdyConnection(ours, {
    clock: systemClock,
    mostStreams: 2,
    onStream: (stream) => {
      stream.destroy();
      return true;
    },
    onData: () => undefined,
  });
  const served = connection.serve(Buffer.alloc(0));
  const compression = new HeaderCompression();
  const block = await compression.compress(new Map([['streamtype', 'data']]));
  theirs.write(encodeFrame({ type: 'syn-stream', streamId: 1, fin: false, block }));
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for await (const piece of theirs) {
    frames.push(...decoder.push(piece as Buffer));
    if (frames.length >= 2) break;
  }
  t.deepEqual(
    frames.map((frame) => ('streamId' in frame ? [frame.type, frame.streamId] : [frame.type])),
    [
      ['syn-reply', 1],
      ['rst-stream', 1],
    ],
  );
  compression.close();
  connection.close();
  t.is(await served, undefined);
});
