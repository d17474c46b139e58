import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { CHANGES, changeSchema, type EipChange, type ChangeKind } from '../../src/cloudevents/change.ts';
import { eventOf, messageOf, type EventMode } from '../../src/cloudevents/event.ts';
import { createSender } from '../../src/cloudevents/sender.ts';
import { retryAfterMs, type Sink } from '../../src/cloudevents/sink.ts';
import { receive, type Answer } from './receiver.ts';
import { ManualClock } from '../harness/clock.ts';
import { scriptedServer } from '../harness/scripted-server.ts';

const about = {
  namespace: 'default',
  pod: 'hello-00001-deployment-x',
  podUID: 'pod-uid',
  podEIPUID: '0b5f5d5e-3d0e-4b8b-8f39-6d3b1f3f0c11',
  service: 'hello',
  revision: 'hello-00001',
  managedBy: 'Controller',
  allocationType: 'Auto',
} as const;

const eip = { allocationID: 'eip-1', address: '203.0.113.1' };
const place = { networkInterfaceID: 'eni-1', privateIPAddress: '10.0.0.2' };
const why = { reason: 'CloudRefused', message: 'the cloud said: "nein, größer" (100 %)' };

const DATA = {
  allocated: { ...about, ...eip },
  associated: { ...about, ...eip, ...place },
  disassociated: { ...about, ...eip, ...place, reason: 'HandedOver' },
  released: { ...about, ...eip },
  failed: { ...about, ...why },
  conflict: { ...about, ...why },
  drift: { ...about, ...eip, ...why },
} as const satisfies Record<ChangeKind, EipChange['data']>;

const changeOf = (kind: ChangeKind, sequence = 7): EipChange => ({
  kind,
  sequence,
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
  data: DATA[kind],
});

const context = { clusterId: 'c1', regionId: 'cn-hangzhou', extensions: { team: 'Straße "5" 100%', cluster: 'prod' } };
const message = (mode: EventMode = 'binary', kind: ChangeKind = 'associated') =>
  messageOf(eventOf(changeOf(kind), context), mode);
const never = new AbortController().signal;

const sinkAt = (url: string, more: Partial<Sink> = {}): Sink => ({
  url: new URL(url),
  timeoutMs: 10_000,
  caCertificates: undefined,
  token: undefined,
  ...more,
});

for (const mode of ['binary', 'structured'] as const)
  test(`the CloudEvents SDK reads every ${mode} event as it was meant`, async (t) => {
    const sink = await receive(() => ({ status: 202 }));
    const sender = createSender(sinkAt(sink.url), new ManualClock());
    for (const kind of CHANGES) t.deepEqual(await sender.send(message(mode, kind), never), { is: 'delivered' });
    t.deepEqual(sink.unreadable, []);
    for (const [index, kind] of CHANGES.entries()) {
      const event = sink.taken[index]!;
      t.like(event, {
        specversion: '1.0',
        id: `${about.podEIPUID}-0000000007`,
        type: `com.alibabacloud.knative-eip.eip.${kind}.v1`,
        source: `/clusters/c1/namespaces/default/podeips/${about.pod}/${about.podEIPUID}`,
        subject: `/api/v1/namespaces/default/pods/${about.pod}`,
        time: '2026-01-02T03:04:05.000Z',
        datacontenttype: 'application/json',
        dataschema: `tag:alibabacloud.com,2026:knative-eip/eip.${kind}.v1`,
        sequence: '0000000007',
        service: 'hello',
        region: 'cn-hangzhou',
        cluster: 'prod',
        // Headers carry it encoded; the SDK hands it out as it came.
        team: mode === 'binary' ? 'Stra%C3%9Fe%20%225%22%20100%25' : context.extensions.team,
      });
      t.deepEqual(event.data, DATA[kind]);
    }
    sender.close();
    await sink.close();
  });

test('headers hold printable ASCII only, and decode to what was meant', (t) => {
  const { headers } = message();
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith('ce-')) t.regex(value, /^[\x21\x23-\x7E]*$/, name);
  t.is(decodeURIComponent(headers['ce-team'] ?? ''), context.extensions.team);
});

test('the schemas that are published are those that the events follow', (t) => {
  for (const kind of CHANGES) {
    const file = new URL(`../../knative/cloudevents/eip.${kind}.v1.schema.json`, import.meta.url);
    t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(changeSchema(kind))), kind);
  }
});

const documents = (file: string) =>
  parseAllDocuments(readFileSync(new URL(`../../knative/${file}`, import.meta.url), 'utf8')).map(
    (document) => document.toJS() as { kind: string; metadata: { namespace: string }; spec: object },
  );

test('the samples of a SinkBinding and of Triggers name what there is', (t) => {
  const [binding] = documents('sinkbinding.yaml');
  const [broker, ...triggers] = documents('broker-trigger.yaml');
  t.like(binding?.spec, {
    subject: { kind: 'Deployment', namespace: 'knative-eip-system', name: 'knative-eip' },
    sink: { ref: { kind: broker?.kind, ...broker?.metadata } },
  });
  const types = JSON.stringify(triggers).matchAll(/com\.alibabacloud[a-z0-9.-]+/g);
  const known = new Set(CHANGES.map((kind) => eventOf(changeOf(kind), context).type));
  for (const [type] of types) t.true(known.has(type), type);
});

const STATUSES: readonly (readonly [status: number, is: 'delivered' | 'later' | 'refused'])[] = [
  ...[200, 202, 204].map((status) => [status, 'delivered'] as const),
  ...[307, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504, 599].map((status) => [status, 'later'] as const),
  ...[400, 405, 410, 413, 415, 422].map((status) => [status, 'refused'] as const),
];

test('each status means what Knative’s data-plane contract says; 401 and 403 are tried again, too', async (t) => {
  let answer: Answer = { status: 202 };
  const sink = await receive(() => answer);
  const sender = createSender(sinkAt(sink.url), new ManualClock());
  for (const [status, is] of STATUSES) {
    answer = { status, headers: status === 307 ? { location: `${sink.url}/elsewhere` } : {} };
    t.is((await sender.send(message(), never)).is, is, String(status));
  }
  t.is(sink.requests(), STATUSES.length, 'no redirect is followed');
  answer = { status: 429, headers: { 'retry-after': '7' } };
  t.deepEqual(await sender.send(message(), never), { is: 'later', why: '429', afterMs: 7_000 });
  answer = { status: 0 };
  t.deepEqual(await sender.send(message(), never), { is: 'later', why: 'ECONNRESET', afterMs: undefined });
  await sink.close();
  t.deepEqual(await sender.send(message(), never), { is: 'later', why: 'ECONNREFUSED', afterMs: undefined });
  sender.close();
});

test('Retry-After is seconds or a date, and never more than ten minutes', (t) => {
  const now = Date.UTC(2026, 0, 1);
  t.is(retryAfterMs(undefined, now), undefined);
  t.is(retryAfterMs('3', now), 3_000);
  t.is(retryAfterMs(new Date(now + 5_000).toUTCString(), now), 5_000);
  t.is(retryAfterMs(new Date(now - 5_000).toUTCString(), now), 0);
  t.is(retryAfterMs('86400', now), 600_000);
  t.is(retryAfterMs('soon', now), undefined);
});

test('a sink that does not answer is given up after the time-out, and a sender that is stopped at once', async (t) => {
  const clock = new ManualClock();
  let asked = Promise.withResolvers<void>();
  const sink = await receive(() => {
    asked.resolve();
    return { status: 100 };
  });
  const sender = createSender(sinkAt(sink.url, { timeoutMs: 3_000 }), clock);
  const sending = sender.send(message(), never);
  await asked.promise;
  await clock.advance(3_000);
  t.deepEqual(await sending, { is: 'later', why: 'timeout', afterMs: undefined });

  asked = Promise.withResolvers<void>();
  const stop = new AbortController();
  const stopped = sender.send(message(), stop.signal);
  await asked.promise;
  stop.abort(new Error('stopping'));
  await t.throwsAsync(stopped, { message: 'stopping' });
  sender.close();
  await sink.close();
});

test('the token is read anew each time, and is missed only where it was asked for', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'token-'));
  const file = join(folder, 'token');
  const tokens: (string | undefined)[] = [];
  const sink = await receive((_, { authorization }) => {
    tokens.push(authorization);
    return { status: 202 };
  });
  const sender = createSender(sinkAt(sink.url, { token: { file, isRequired: true } }), new ManualClock());
  const lenient = createSender(sinkAt(sink.url, { token: { file, isRequired: false } }), new ManualClock());
  t.deepEqual(await sender.send(message(), never), { is: 'later', why: 'token', afterMs: undefined });
  await lenient.send(message(), never);
  for (const token of ['first', 'second']) {
    writeFileSync(file, `${token}\n`);
    await sender.send(message(), never);
  }
  t.deepEqual(tokens, [undefined, 'Bearer first', 'Bearer second']);
  sender.close();
  lenient.close();
  await sink.close();
  rmSync(folder, { recursive: true });
});

test('a sink with a certificate of its own is trusted by the CA that was given, and by no other', async (t) => {
  const authority = await renew(undefined, ['localhost', '127.0.0.1'], Date.now());
  const server = await scriptedServer(({ response }) => void response.writeHead(202).end(), authority.leaf);
  const url = `${server.url}/`;
  const trusting = createSender(sinkAt(url, { caCertificates: bundleOf(authority) }), new ManualClock());
  const doubting = createSender(sinkAt(url), new ManualClock());
  t.deepEqual(await trusting.send(message(), never), { is: 'delivered' });
  const refused = await doubting.send(message(), never);
  t.is(refused.is, 'later');
  t.regex('why' in refused ? refused.why : '', /CERT|VERIFY|SIGNED/);
  trusting.close();
  doubting.close();
  await server.close();
});
