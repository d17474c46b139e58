import test from 'ava';
import type { ExecutionContext } from 'ava';
import { NAMESPACE, POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeCall } from '../../src/kube/client.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube } from '../../src/kube/port.ts';
import { createRateLimit } from '../../src/kube/ratelimit.ts';
import { patchUnchanged, removeFinalizer } from '../../src/kube/write.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { scriptedApi } from './scripted-api.ts';
import { ManualClock, settled } from '../harness/clock.ts';

const REF = { namespace: 'default', name: 'web-1' };
const POD_1 = { apiVersion: 'v1', kind: 'Pod', metadata: { ...REF, uid: 'u1', resourceVersion: '7' }, spec: {} };

const statusOf = (code: number, reason: string, more: object = {}) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  code,
  reason,
  message: `about web-1: ${reason}`,
  ...more,
});

const faultOf = async (call: Promise<unknown>): Promise<KubeFault> => {
  try {
    await call;
  } catch (error) {
    if (error instanceof KubeFault) return error;
    throw error;
  }
  throw new Error('The call should have failed.');
};

test('each answer of the API server becomes a fault of the kind that callers decide by', async (t) => {
  const cases: [status: number, body: unknown, kind: string, reason?: string][] = [
    [400, statusOf(400, 'BadRequest'), 'invalid', 'BadRequest'],
    [401, statusOf(401, 'Unauthorized'), 'forbidden', 'Unauthorized'],
    [403, statusOf(403, 'Forbidden'), 'forbidden', 'Forbidden'],
    [404, statusOf(404, 'NotFound', { details: { name: 'web-1' } }), 'notFound', 'NotFound'],
    [409, statusOf(409, 'Conflict'), 'conflict', 'Conflict'],
    [409, statusOf(409, 'AlreadyExists'), 'exists', 'AlreadyExists'],
    [410, statusOf(410, 'Expired'), 'expired', 'Expired'],
    [415, statusOf(415, 'UnsupportedMediaType'), 'invalid', 'UnsupportedMediaType'],
    [422, statusOf(422, 'Invalid'), 'invalid', 'Invalid'],
    [429, statusOf(429, 'TooManyRequests'), 'throttled', 'TooManyRequests'],
    [500, statusOf(500, 'InternalError'), 'unavailable', 'InternalError'],
    [502, '<html>\nBad Gateway</html>', 'unavailable'],
    [503, 'upstream connect error', 'unavailable'],
    [504, statusOf(504, 'Timeout'), 'unavailable', 'Timeout'],
  ];
  let answer: [number, unknown] = [200, {}];
  const { connection } = await scriptedApi(t, ({ json }) => json(...answer));
  const kube = createKube({ transport: connection.calls, clock, qps: 0 });
  for (const [status, body, kind, reason] of cases) {
    answer = [status, body];
    const fault = await faultOf(kube.replace(POD, REF, POD_1));
    t.deepEqual([fault.kind, fault.status, fault.reason], [kind, status, reason] as never);
    t.notRegex(fault.message, /[\r\n]/);
    if (status === 401) t.regex(fault.message, /does not know who asks \(401\): renew the token.*\(about web-1: /);
    else if (reason !== undefined) t.is(fault.message, `about web-1: ${reason}`);
  }
  answer = [200, '<html>login</html>'];
  t.is((await faultOf(kube.get(POD, REF))).kind, 'unavailable', 'an answer that is no object is not believed');
});

test('Retry-After is understood as seconds, as a date and in the details of a Status', async (t) => {
  const manual = new ManualClock(1_700_000_000_000);
  let answer: [number, unknown, Record<string, string>] = [
    429,
    statusOf(429, 'TooManyRequests'),
    { 'retry-after': '7' },
  ];
  const { connection } = await scriptedApi(t, ({ json }) => json(...answer));
  const kube = createKube({ transport: connection.calls, clock: manual, qps: 0 });
  t.is((await faultOf(kube.get(POD, REF))).retryAfterMs, 7000);
  answer[2] = { 'retry-after': new Date(manual.now() + 3000).toUTCString() };
  t.is((await faultOf(kube.get(POD, REF))).retryAfterMs, 3000);
  answer = [500, statusOf(500, 'ServerTimeout', { details: { retryAfterSeconds: 2 } }), {}];
  t.is((await faultOf(kube.get(POD, REF))).retryAfterMs, 2000);
});

test('a missing object is undefined, a missing kind is a fault', async (t) => {
  let answer: unknown = statusOf(404, 'NotFound', { details: { name: 'web-1', kind: 'pods' } });
  const { connection } = await scriptedApi(t, ({ json }) => json(404, answer));
  const kube = createKube({ transport: connection.calls, clock, qps: 0 });
  t.is(await kube.get(POD, REF), undefined);
  for (answer of ['404 page not found', statusOf(404, 'NotFound', { details: {} })])
    t.is((await faultOf(kube.get(PODEIP, REF))).kind, 'notFound');
  answer = statusOf(404, 'NotFound', { details: {}, message: 'the server could not find the requested resource' });
  t.is(
    (await faultOf(kube.list(PODEIP))).message,
    'the server could not find the requested resource: podeips.alibabacloud.com (v1beta1)',
  );
});

test('calls go to the right path with the right content type and body', async (t) => {
  const seen: (string | undefined)[][] = [];
  const { connection } = await scriptedApi(t, ({ method, path, query, headers, body, json }) => {
    seen.push([method, path, headers['content-type'], body, ...query.toString().split('&').filter(Boolean)]);
    json(200, POD_1);
  });
  const kube = createKube({ transport: connection.calls, clock, qps: 0 });
  await kube.get(NAMESPACE, { name: 'a b' });
  await kube.create(PODEIP, { metadata: { namespace: 'n', name: 'e' } });
  await kube.replace(POD, REF, { a: 1 });
  await kube.patch(POD, REF, { type: 'json', body: [] });
  await kube.patch(POD, REF, { type: 'merge', body: {}, subresource: 'status' });
  await kube.patch(POD, REF, { type: 'strategic', body: {} });
  await kube.patch(POD, REF, { type: 'merge', body: {}, fieldManager: 'a b' });
  await kube.delete(POD, REF, { uid: 'u1', resourceVersion: '7' });
  const pod = '/api/v1/namespaces/default/pods/web-1';
  const deletion = '{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u1","resourceVersion":"7"}}';
  t.deepEqual(seen, [
    ['GET', '/api/v1/namespaces/a%20b', undefined, ''],
    [
      'POST',
      '/apis/alibabacloud.com/v1beta1/namespaces/n/podeips',
      'application/json',
      '{"metadata":{"namespace":"n","name":"e"}}',
    ],
    ['PUT', pod, 'application/json', '{"a":1}'],
    ['PATCH', pod, 'application/json-patch+json', '[]'],
    ['PATCH', `${pod}/status`, 'application/merge-patch+json', '{}'],
    ['PATCH', pod, 'application/strategic-merge-patch+json', '{}'],
    ['PATCH', pod, 'application/merge-patch+json', '{}', 'fieldManager=a+b'],
    ['DELETE', pod, 'application/json', deletion],
  ]);
});

test('an object without a usable name is never mistaken for its collection', async (t) => {
  const { connection } = await scriptedApi(t, () => t.fail('Nothing may be sent.'));
  const kube = createKube({ transport: connection.calls, clock, qps: 0 });
  for (const name of ['', '.', '..', 'a/b'])
    t.is((await faultOf(kube.delete(POD, { namespace: 'default', name }, { uid: 'u' }))).kind, 'invalid');
  t.is((await faultOf(kube.delete(POD, { name: 'web-1' }, { uid: 'u' }))).kind, 'invalid');
  t.is((await faultOf(kube.get(NAMESPACE, { namespace: 'x', name: 'y' }))).kind, 'invalid');
  t.is((await faultOf(kube.create(POD, { metadata: { name: 'x' } }))).kind, 'invalid');
});

const page = (from: number, token?: string) => ({
  metadata: { resourceVersion: '9', continue: token },
  items: from < 0 ? null : [{ metadata: { name: `n${from}` } }],
});

test('a list reads all pages from a quorum and starts anew when a page token expires', async (t) => {
  const queries: string[] = [];
  let expire = true;
  const { connection } = await scriptedApi(t, ({ query, json }) => {
    queries.push(query.toString());
    const token = query.get('continue');
    if (token === null) return json(200, page(1, 'two'));
    if (token === 'three') return json(200, page(-1));
    if (!expire) return json(200, page(2, 'three'));
    expire = false;
    return json(410, statusOf(410, 'Expired'));
  });
  const calls: KubeCall[] = [];
  const kube = createKube({ transport: connection.calls, clock, qps: 0, observe: (call) => calls.push(call) });
  const namespaces = await kube.list(NAMESPACE, { labelSelector: 'a=b' });
  t.deepEqual(
    namespaces.map(({ kind, apiVersion, metadata }) => [apiVersion, kind, metadata.name]),
    [
      ['v1', 'Namespace', 'n1'],
      ['v1', 'Namespace', 'n2'],
    ],
  );
  const first = 'limit=500&labelSelector=a%3Db';
  t.deepEqual(queries, [first, `${first}&continue=two`, first, `${first}&continue=two`, `${first}&continue=three`]);
  t.deepEqual(
    calls.map(({ verb, resource, outcome }) => [verb, resource, outcome]),
    [['list', 'namespaces', 'ok']],
  );
});

test('a call without an answer ends at its timeout, an aborted one at once with the reason of the signal', async (t) => {
  const arrived: (() => void)[] = [];
  const { connection } = await scriptedApi(t, () => arrived.shift()?.());
  const manual = new ManualClock(1_700_000_000_000);
  const kube = createKube({ transport: connection.calls, clock: manual, timeoutMs: 5000, qps: 0 });
  const begin = async (signal?: AbortSignal) => {
    const sent = Promise.withResolvers<void>();
    arrived.push(sent.resolve);
    const call = kube.get(POD, REF, signal);
    call.catch(() => undefined);
    await sent.promise;
    return { call };
  };
  const slow = await begin();
  await manual.advance(5000);
  const fault = await faultOf(slow.call);
  t.is(fault.kind, 'unavailable');
  t.regex(fault.message, /within 5000 ms/);

  const stop = new AbortController();
  const stopped = await begin(stop.signal);
  const why = new Error('shutting down');
  stop.abort(why);
  t.is(await t.throwsAsync(stopped.call), why);
});

test('a network error is one line without the address book of its cause', async (t) => {
  const { connection, url } = await scriptedApi(t, ({ response }) => void response.destroy());
  const kube = createKube({ transport: connection.calls, clock, qps: 0 });
  const fault = await faultOf(kube.get(POD, REF));
  t.is(fault.kind, 'unavailable');
  t.is(fault.cause, undefined);
  t.regex(fault.message, /^The API server cannot be reached: UND_ERR_SOCKET: other side closed$/);
  t.notRegex(fault.message, new RegExp(url));
});

test('the token bucket lets a burst through, then the rate, in order; an aborted wait gives its turn back', async (t) => {
  const manual = new ManualClock(1_700_000_000_000);
  const limit = createRateLimit(manual, { qps: 10, burst: 2 });
  const passed: number[] = [];
  const stop = new AbortController();
  const takes = [0, 1, 2, 3, 4].map((n) =>
    limit.take(n === 3 ? stop.signal : undefined).then(
      () => passed.push(n),
      () => undefined,
    ),
  );
  await settled();
  t.deepEqual(passed, [0, 1]);
  stop.abort(new Error('stop'));
  await manual.advance(100);
  t.deepEqual(passed, [0, 1, 2]);
  await manual.advance(200);
  t.deepEqual(passed, [0, 1, 2, 4]);
  await Promise.all(takes);
  t.true(limit.tryTake(), 'the turn of the aborted one is there again');
  t.false(limit.tryTake());
});

const refusing = async (t: ExecutionContext, answer: [number, unknown]) => {
  const sent: { type: string | undefined; body: unknown }[] = [];
  const { connection } = await scriptedApi(t, ({ headers, body, json }) => {
    sent.push({ type: headers['content-type'], body: JSON.parse(body) });
    json(...answer);
  });
  const kube: Kube = createKube({ transport: connection.calls, clock, qps: 0 });
  return { kube, sent };
};

test('removing a finalizer tests object and entry, so that nobody else’s can go', async (t) => {
  const object = { ...POD_1, metadata: { ...POD_1.metadata, finalizers: ['other', 'ours'] } };
  const { kube, sent } = await refusing(t, [422, statusOf(422, 'Invalid')]);
  t.is((await faultOf(removeFinalizer(kube, POD, object, 'ours'))).kind, 'conflict');
  t.deepEqual(sent[0], {
    type: 'application/json-patch+json',
    body: [
      { op: 'test', path: '/metadata/uid', value: 'u1' },
      { op: 'test', path: '/metadata/finalizers/1', value: 'ours' },
      { op: 'remove', path: '/metadata/finalizers/1' },
    ],
  });
  await removeFinalizer(kube, POD, object, 'not there');
  t.is(sent.length, 1);
  const gone = await refusing(t, [404, statusOf(404, 'NotFound', { details: { name: 'web-1' } })]);
  await t.notThrowsAsync(removeFinalizer(gone.kube, POD, object, 'ours'));
});

test('a guarded merge patch carries UID and resource version', async (t) => {
  const { kube, sent } = await refusing(t, [
    422,
    { ...statusOf(422, 'Invalid'), message: 'metadata.uid: field is immutable' },
  ]);
  const fault = await faultOf(patchUnchanged(kube, POD, POD_1, { metadata: { labels: { a: 'b' } }, spec: { x: 1 } }));
  t.is(fault.kind, 'conflict');
  t.deepEqual(sent[0], {
    type: 'application/merge-patch+json',
    body: { metadata: { labels: { a: 'b' }, uid: 'u1', resourceVersion: '7' }, spec: { x: 1 } },
  });
});
