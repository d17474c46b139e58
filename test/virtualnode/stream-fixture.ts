import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { encodeFrame, FrameDecoder, type Frame } from '../../src/virtualnode/streaming/spdy-frame.ts';
import { HeaderCompression } from '../../src/virtualnode/streaming/spdy-headers.ts';

export const EXEC = '/exec/default/web/main?command=true&output=1';

/** Sends the head of a request, and resolves to the head of the answer, the rest and the socket. */
export const ask = async (
  port: number,
  path: string,
  { token = 'good', headers = {}, method = 'POST' }: { token?: string; headers?: object; method?: string } = {},
): Promise<{ head: string; rest: Buffer; socket: TLSSocket }> => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const all = {
    host: 'kubelet',
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
    authorization: `Bearer ${token}`,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  let received = Buffer.alloc(0);
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    received = Buffer.concat([received, piece as Buffer]);
    const end = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(received.toString('latin1'))?.[1] ?? 0);
    if (end >= 0 && received.length >= end + 4 + length)
      return { head: received.subarray(0, end).toString(), rest: received.subarray(end + 4), socket };
  }
  throw new Error(`no answer: ${received.toString()}`);
};

/** A client that has been let in. */
export const client = async (port: number) => {
  const { head, rest, socket } = await ask(port, EXEC);
  const compression = new HeaderCompression();
  const decoder = new FrameDecoder();
  const frames: Frame[] = [...decoder.push(rest)];
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => void frames.push(...decoder.push(piece)));
  const closed = once(socket, 'close');
  const open = async (streamId: number, streamtype: string) =>
    socket.write(
      encodeFrame({
        type: 'syn-stream',
        streamId,
        fin: false,
        block: await compression.compress(new Map([['streamtype', streamtype]])),
      }),
    );
  const seen = async (fits: (frame: Frame) => boolean): Promise<Frame> => {
    for (;;) {
      const found = frames.find(fits);
      if (found) return found;
      if (socket.destroyed) throw new Error(`closed; seen ${JSON.stringify(frames)}`);
      await Promise.race([once(socket, 'data'), closed]);
    }
  };
  return { head, socket, open, seen, frames, closed };
};
