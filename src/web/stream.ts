import { PassThrough } from 'node:stream';
import type { Clock } from '../lib/clock.ts';
import { jsonOf } from './legible-json.ts';
import type { Route } from './route.ts';
import type { OverviewNews, Status, SummaryNews } from './overview.ts';

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
  quiet: number;
}

/** What is there of `keys`, and which of them are gone. */
const newsOf = <T>(keys: Iterable<string>, get: (key: string) => T | undefined) => {
  const changed: T[] = [];
  const gone: string[] = [];
  for (const key of keys) {
    const it = get(key);
    if (it) changed.push(it);
    else gone.push(key);
  }
  return changed.length + gone.length > 0 ? { changed, gone } : undefined;
};

/** Compares the summary with how it was last, part by part. */
const followSummary = (status: Status): (() => SummaryNews) => {
  const partsOf = () =>
    Object.entries(status.summary()).map(([part, value]) => [part, value, jsonOf(value ?? null)] as const);
  const known = new Map(partsOf().map(([part, , json]) => [part, json]));
  return () => {
    const news = partsOf().filter(([part, , json]) => known.get(part) !== json);
    for (const [part, , json] of news) known.set(part, json);
    return Object.fromEntries(news.map(([part, value]) => [part, value ?? null])) as SummaryNews;
  };
};

/**
 * `/api/stream`: server-sent events (HTML standard, "Server-sent events"). First `overview` and `all` with everything,
 * then what has changed, once a second: `news` of the overview ({@link OverviewNews}), and `changed` with the addresses
 * `{ changed, gone }`. What is sent for a change does not depend on how much there is. No timer runs while there is no
 * reader.
 */
export const streamRoute = (status: Status, clock: Clock, signal: AbortSignal): Route => {
  const readers = new Set<Reader>();
  const dirty = { address: new Set<string>(), service: new Set<string>(), findings: new Set<string>() };
  let summaryNews: (() => SummaryNews) | undefined;
  let stop: (() => void) | undefined;
  let cancel: (() => void) | undefined;

  const say = ({ out }: Reader, event: string, json: string) => {
    if (out.writableLength > MOST_BEHIND) out.destroy();
    else out.write(`event: ${event}\ndata: ${json}\n\n`);
  };

  const forget = () => {
    for (const keys of Object.values(dirty)) keys.clear();
  };

  const overviewNews = (): OverviewNews | undefined => {
    const services = newsOf(dirty.service, (key) => status.service(key));
    const about = [...dirty.findings].map((object) => [object, status.findingsAbout(object)] as const);
    const news = {
      ...summaryNews?.(),
      ...(services && { services }),
      ...(about.length > 0 && { findings: Object.fromEntries(about) }),
    };
    return Object.keys(news).length > 0 ? news : undefined;
  };

  /** Tells every reader what has changed since they were told last. */
  const tell = () => {
    const events = [
      ['changed', newsOf(dirty.address, (key) => status.address(key))],
      ['news', overviewNews()],
    ] as const;
    forget();
    const news = events.flatMap(([event, body]) => (body ? [[event, jsonOf(body)] as const] : []));
    if (news.length === 0) return;
    for (const reader of readers) {
      reader.quiet = 0;
      for (const [event, json] of news) say(reader, event, json);
    }
  };

  const round = () => {
    cancel = clock.timer(EVERY_MS, round);
    for (const reader of readers) reader.quiet += 1;
    tell();
    for (const reader of readers) {
      if (reader.quiet < QUIET_ROUNDS) continue;
      reader.out.write(': still here\n\n');
      reader.quiet = 0;
    }
  };

  const begin = () => {
    stop = status.subscribe((what, key) => dirty[what].add(key));
    // A new reader starts with everything, so that pending changes need not be sent to it.
    forget();
    summaryNews = followSummary(status);
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
    const reader: Reader = { out: new PassThrough(), quiet: 0 };
    // What is told is compared with what all readers were told last, and this one starts with how it is now.
    if (stop) tell();
    else begin();
    readers.add(reader);
    reader.out.on('close', () => leave(reader));
    ctx.res.on('close', () => reader.out.destroy());
    say(reader, 'overview', jsonOf(status.overview()));
    say(reader, 'all', jsonOf([...status.addresses()]));
    ctx.body = reader.out;
  };
};
