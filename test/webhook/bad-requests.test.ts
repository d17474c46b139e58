import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { ReviewError } from '../../src/webhook/review.ts';
import { KEYS } from '../../src/api/annotations.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Kube } from '../../src/kube/port.ts';
import { createReviewApp } from '../../src/webhook/server.ts';
import { serve } from '../../src/web/http-server.ts';
import { settings } from '../rules/manifests.ts';

/* Requests to the webhooks that are odd as HTTP or as text, by their number in the list of bad inputs. */

const silent: Kube = new Proxy({} as Kube, { get: () => () => Promise.resolve(undefined) });
const reviewers = createReviewers({
  kube: silent,
  clock,
  log: silentLog,
  settings,
  provider: 'add-on',
  onConflict: 'refuse',
});
const app = createReviewApp(reviewers, (error): error is ReviewError => error instanceof ReviewError, silentLog);
const http = await serve(app, '127.0.0.1:0', clock);
test.after.always(() => http.close());

const row = (number: number, title: string, check: (t: ExecutionContext) => Promise<void>): void =>
  test(`${number}: ${title}`, check);

/** A review that is refused for its bandwidth; with what else the annotations say. */
const reviewOf = (name = 'web'): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'CREATE',
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'default',
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, annotations: { [KEYS.withEip[1]]: 'true', [KEYS.bandwidth[1]]: '0' } },
        spec: { containers: [{ name: 'c', image: 'i' }] },
      },
    },
  });
const GOOD = reviewOf();
const REFUSED = /InvalidBandwidth/;

const head = (lines: readonly string[], protocol = 'HTTP/1.1'): string =>
  [`POST /validate/workloads ${protocol}`, 'Host: a', 'Content-Type: application/json', ...lines, '', ''].join('\r\n');
const sized = (body: string | Buffer): string => `Content-Length: ${Buffer.byteLength(body)}`;

/** Everything that the server says over one connection until it is closed. */
const talk = async (...parts: readonly (string | Buffer)[]): Promise<string> => {
  const { hostname, port } = new URL(http.url);
  const socket = connect(Number(port), hostname);
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => (said += text));
  // A reset is an end, too.
  socket.on('error', () => undefined);
  socket.end(Buffer.concat(parts.map((part) => Buffer.from(part))));
  await once(socket, 'close');
  return said;
};
const CLOSE = 'Connection: close';

/** The next one is answered. */
const isAlive = async (t: ExecutionContext) => t.regex(await talk(head([sized(GOOD), CLOSE]), GOOD), REFUSED);

row(115, 'a body that is packed, in pieces, or of another length than it says is read or refused', async (t) => {
  const packed = gzipSync(GOOD);
  t.regex(await talk(head([sized(packed), 'Content-Encoding: gzip', CLOSE]), packed), /^HTTP\/1\.1 400 .*not JSON/s);
  const pieces = [GOOD.slice(0, 10), GOOD.slice(10)].map((it) => `${it.length.toString(16)}\r\n${it}\r\n`);
  t.regex(await talk(head(['Transfer-Encoding: chunked', CLOSE]), ...pieces, '0\r\n\r\n'), REFUSED);
  const twice = ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', CLOSE];
  t.regex(await talk(head(twice), ...pieces, '0\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.regex(await talk(head(['Transfer-Encoding: chunked', sized(GOOD), CLOSE]), ...pieces), /^HTTP\/1\.1 400 /);
  t.regex(await talk(head(['Transfer-Encoding: chunked', CLOSE]), 'zz\r\n'), /^HTTP\/1\.1 400 |^$/);
  t.regex(await talk(head(['Content-Length: 10', CLOSE]), GOOD), /^HTTP\/1\.1 400 /);
  t.regex(await talk(head(['Content-Length: -1', CLOSE]), GOOD), /^HTTP\/1\.1 400 /);
  t.regex(await talk(head([sized(GOOD), 'Content-Length: 1', CLOSE]), GOOD), /^HTTP\/1\.1 400 /);
  t.notRegex(await talk(head(['Content-Length: 100000', CLOSE]), GOOD), /^HTTP\/1\.1 200/);
  t.regex(await talk(head(['Content-Length: 99999999999', CLOSE]), GOOD), /^HTTP\/1\.1 413 /);
  await isAlive(t);
});

row(116, 'old HTTP, two requests at once and 100-continue are answered', async (t) => {
  t.regex(await talk(head([sized(GOOD)], 'HTTP/1.0'), GOOD), REFUSED);
  const both = await talk(head([sized(GOOD)]), GOOD, head([sized(GOOD), CLOSE]), GOOD);
  t.is(both.split('HTTP/1.1 200').length - 1, 2);
  t.regex(await talk(head([sized(GOOD), 'Expect: 100-continue', CLOSE]), GOOD), /^HTTP\/1\.1 100 .*InvalidBandwidth/s);
  t.regex(await talk(head([sized(GOOD), 'Expect: the-best', CLOSE]), GOOD), /^HTTP\/1\.1 417 /);
  t.regex(await talk(head([sized(GOOD), CLOSE], 'HTTP/9.9'), GOOD), /^HTTP\/1\.1 400 /);
  await isAlive(t);
});

row(117, 'text that is not UTF-8 is refused as a whole, or has its bad bytes replaced', async (t) => {
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(GOOD)]);
  const wide = Buffer.from(`\ufeff${GOOD}`, 'utf16le');
  for (const body of [marked, wide, Buffer.from([0xff, 0xfe, 0x00]), Buffer.from([0xc0, 0x80])])
    t.regex(await talk(head([sized(body), CLOSE]), body), /^HTTP\/1\.1 400 .*not JSON/s);
  // Within a text: a lone continuation byte, an overlong slash, a surrogate, a code point that there is not.
  for (const bytes of [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
    const [before = '', after = ''] = reviewOf('<>').split('<>');
    const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
    t.regex(await talk(head([sized(body), CLOSE]), body), REFUSED);
  }
  await isAlive(t);
});

test('who sends a great part of a body and then nothing is told that it made room for others, and let go', async (t) => {
  const { hostname, port } = new URL(http.url);
  const ends = Array.from({ length: 2 }, (_, n) => {
    const socket = connect(Number(port), hostname);
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => (said += text));
    socket.on('error', () => undefined);
    socket.write(head(['Content-Length: 37000000']));
    // 68 MB together, which is more than may be received at once. None of them ever sends the rest.
    socket.write(Buffer.alloc(34_000_000 + n, ' '));
    return { socket, said: once(socket, 'close').then(() => said) };
  });
  const first = await Promise.race(ends.map(({ said }) => said));
  t.regex(first, /^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n[^]*too much is being received at once/i);
  for (const { socket } of ends) socket.destroy();
  await isAlive(t);
});
