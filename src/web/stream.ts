import { PassThrough } from 'node:stream';
import type { Clock } from '../lib/clock.ts';
import { jsonOf } from './legible-json.ts';
import type { Route } from './route.ts';
import type { ShownAddress, Status } from './overview.ts';

/** The number of streams at once. Each is a connection; further pages poll every few seconds instead. */
export const MOST_STREAMS = 32;
/** Changes of one interval are sent together; milliseconds. */
const EVERY_MS = 1_000;
/** A stream is ended when its reader is so many bytes behind; the page starts again when it reads again. */
const MOST_BEHIND = 8 * 1024 * 1024;
/** After so many intervals without news a comment is sent, because proxies close idle connections. */
const QUIET_ROUNDS = 15;

interface Reader {
  readonly out: PassThrough;
  overview: string;
  quiet: number;
}

/**
 * `/api/stream`: server-sent events (HTML standard, "Server-sent events"). First `all` with every address, then
 * `changed` with `{ changed, gone }`, and `overview` whenever it differs from the last one. No timer runs while there
 * is no reader.
 */
export const streamRoute = (status: Status, clock: Clock, signal: AbortSignal): Route => {
  const readers = new Set<Reader>();
  const dirty = new Set<string>();
  let stop: (() => void) | undefined;
  let cancel: (() => void) | undefined;

  const say = ({ out }: Reader, event: string, json: string) => {
    if (out.writableLength > MOST_BEHIND) out.destroy();
    else out.write(`event: ${event}\ndata: ${json}\n\n`);
  };

  const round = () => {
    cancel = clock.timer(EVERY_MS, round);
    const changed: ShownAddress[] = [];
    const gone: string[] = [];
    for (const key of dirty) {
      const address = status.address(key);
      if (address) changed.push(address);
      else gone.push(key);
    }
    dirty.clear();
    const news = changed.length + gone.length > 0 ? jsonOf({ changed, gone }) : undefined;
    const overview = jsonOf(status.overview());
    for (const reader of readers) {
      reader.quiet += 1;
      if (news === undefined && overview === reader.overview) {
        if (reader.quiet >= QUIET_ROUNDS) reader.out.write(': still here\n\n');
        if (reader.quiet >= QUIET_ROUNDS) reader.quiet = 0;
        continue;
      }
      reader.quiet = 0;
      if (news !== undefined) say(reader, 'changed', news);
      if (overview !== reader.overview) say(reader, 'overview', overview);
      reader.overview = overview;
    }
  };

  const begin = () => {
    stop = status.subscribe((key) => dirty.add(key));
    // A new reader starts with everything, so that pending changes need not be sent to it.
    dirty.clear();
    cancel = clock.timer(EVERY_MS, round);
  };

  const leave = (reader: Reader) => {
    readers.delete(reader);
    if (readers.size > 0) return;
    stop?.();
    cancel?.();
    stop = undefined;
    cancel = undefined;
  };

  signal.addEventListener('abort', () => [...readers].forEach(({ out }) => out.end()), { once: true });

  return (ctx) => {
    if (signal.aborted || readers.size >= MOST_STREAMS) {
      ctx.status = 503;
      ctx.set('Retry-After', '5');
      ctx.body = signal.aborted ? 'Stopping\n' : 'Too many pages watch already\n';
      return;
    }
    ctx.set('Content-Type', 'text/event-stream; charset=utf-8');
    // Without this, nginx buffers the answer.
    ctx.set('X-Accel-Buffering', 'no');
    ctx.status = 200;
    if (ctx.method === 'HEAD') return;
    const reader: Reader = { out: new PassThrough(), overview: '', quiet: 0 };
    if (!stop) begin();
    readers.add(reader);
    reader.out.on('close', () => leave(reader));
    ctx.res.on('close', () => reader.out.destroy());
    reader.overview = jsonOf(status.overview());
    say(reader, 'overview', reader.overview);
    say(reader, 'all', jsonOf([...status.addresses()]));
    ctx.body = reader.out;
  };
};
