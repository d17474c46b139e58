import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import type { AlicloudCloud } from '../../src/cloud/alicloud/vpc.ts';
import { refusal, rpcServer } from './rpc-server.ts';
import type { Script } from './rpc-server.ts';
import {
  allocation,
  at,
  calls,
  cloud,
  eipPage,
  faultOf,
  half,
  isRead,
  raw,
  server,
  timedCloud,
  wireEip,
} from './alicloud-fixture.ts';
import { row } from './bad-answer-fixture.ts';

/*
 * Bad answers of the cloud, by their number in the list of bad inputs: what the real adapter makes of the bytes, and
 * where an answer can be read and is strange, what is done about it.
 */

test.after.always(() => server.close());

/** All calls get the answer: a read is asked again later, of a change nobody knows whether it has happened. */
const isNoAnswer = async (
  t: ExecutionContext,
  answers: Readonly<Record<string, Script>>,
  ask = (call: (on: AlicloudCloud) => Promise<unknown>) => faultOf(call(cloud)),
) => {
  for (const [say, answer] of Object.entries(answers))
    for (const [action, call] of Object.entries(calls)) {
      server.play(answer);
      const fault = await ask(call);
      t.is(fault.kind, isRead(action) ? 'later' : 'unknown', `${say}, ${action}: ${fault.message}`);
      t.true(fault.message.length < 2_000, `${say}, ${action}: a message of ${fault.message.length} characters`);
      t.is(server.requests.length, 1, `${say}, ${action}: asked once`);
    }
};

const xml = (status: number, body: string) => raw(status, body, 'text/xml;charset=utf-8');

/** The connection breaks in the middle of the body. */
const reset: Script = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"RequestId":"REQ-1"', () => request.hangUp());
  return undefined;
};

/** The body ends before its announced length. */
const short: Script = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000', connection: 'close' });
  response.socket?.end('{"RequestId":"REQ-1"}');
  return undefined;
};

row(122, 'HTML with 200 is no answer', (t) =>
  isNoAnswer(t, {
    'as HTML': raw(200, '<html><body>Sign in</body></html>', 'text/html'),
    'as JSON': raw(200, '<!doctype html>'),
  }),
);

row(123, 'an empty body is no answer', (t) =>
  isNoAnswer(t, { empty: raw(200, ''), blank: raw(200, ' \n'), 'a byte order mark': raw(200, '\ufeff') }),
);

row(124, 'a status of success without content is no answer', (t) =>
  isNoAnswer(t, { '204': raw(204, ''), '202': raw(202, '{"RequestId":"REQ-1"}'), '299': raw(299, '{}') }),
);

row(125, 'truncated JSON is no answer, wherever it was cut', (t) => {
  const whole = JSON.stringify({ ...eipPage([]), AllocationId: 'eip-1', EipAddress: '47.0.0.1' });
  const cuts = [1, 2, 13, 40, whole.length - 1];
  return isNoAnswer(
    t,
    Object.fromEntries(cuts.map((length) => [`cut at ${length}`, raw(200, whole.slice(0, length))])),
  );
});

row(126, 'JSON that is no object is no answer', (t) =>
  isNoAnswer(
    t,
    Object.fromEntries(
      ['[]', '[{"RequestId":"REQ-1"}]', 'null', 'true', '0', '1e999', '"REQ-1"', '{}'].map((body) => [
        body,
        raw(200, body),
      ]),
    ),
  ),
);

row(137, 'a code that is only in the message is not guessed from it', async (t) => {
  const Message = 'InvalidAllocationId.NotFound: the specified EIP does not exist. QuotaExceeded.Eip';
  const said = (status: number, more: object = {}) =>
    raw(status, JSON.stringify({ RequestId: 'REQ-1', Message, ...more }));
  for (const more of [{}, { Code: '' }, { Code: null }, { Code: 404 }, { Code: { Code: 'x' } }, { Code: Message }]) {
    server.play(said(400, more));
    t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'unrecognized', JSON.stringify(more));
    server.play(said(500, more));
    t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'unknown', JSON.stringify(more));
  }
  // As the message of a success it says nothing; what was bought must be there.
  server.play(said(200));
  t.like(await faultOf(cloud.allocateEip(allocation)), { kind: 'unknown', code: 'UnreadableAnswer' });
  t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' });
});

row(138, 'an error in XML is read where it is one, and is no code where it is not', async (t) => {
  server.play(xml(400, '<?xml version="1.0"?><Error><RequestId>REQ-2</RequestId><Code>TaskConflict</Code></Error>'));
  t.like(await faultOf(cloud.releaseEip('eip-1')), { kind: 'later', code: 'TaskConflict', requestId: 'REQ-2' });
  const bomb = `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "${'x'.repeat(1_000)}">]><a>${'&b;'.repeat(10_000)}</a>`;
  await isNoAnswer(t, {
    'another document': xml(400, '<a/>'),
    'cut off': xml(400, '<Error><Code>Task'),
    'entities in numbers': xml(400, bomb),
    'with 200': xml(200, '<Error><Code>TaskConflict</Code></Error>'),
  });
});

row(139, '429 without a code is a throttle', async (t) => {
  for (const body of ['{}', '', '<html/>', '{"RequestId":"REQ-1","Message":"slow down"}'])
    for (const [action, call] of Object.entries(calls)) {
      server.play(raw(429, body));
      const fault = await faultOf(call(cloud));
      t.is(fault.kind, body.startsWith('{') ? 'throttled' : isRead(action) ? 'later' : 'unknown', `${action} ${body}`);
    }
});

row(140, 'how long to wait is a positive number of milliseconds up to five minutes, or nothing', async (t) => {
  const waits: readonly (readonly [said: string, ms: number | undefined])[] = [
    ['1500', 1_500],
    ['0', undefined],
    ['-1', undefined],
    ['1000000000', 300_000],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['soon', undefined],
    ['', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
  ];
  for (const [said, ms] of waits) {
    server.play(refusal(400, 'Throttling.User', {}, { 'x-acs-retry-after': said }));
    const fault = await faultOf(cloud.releaseEip('eip-1'));
    t.is(fault.kind, 'throttled', said);
    t.is(fault.retryAfterMs, ms, said);
  }
});

row(141, 'a connection that breaks or stalls in the answer gives none, in time', async (t) => {
  await isNoAnswer(t, { 'a reset in the body': reset });
  await isNoAnswer(t, { 'shorter than it says': short });
  await isNoAnswer(t, { 'half a body, and then nothing': half }, timedCloud().outOfTime);
});

row(142, 'a body of 10 MiB is read or refused like a small one, and is in no message', async (t) => {
  const much = 'x'.repeat(10 * 1024 * 1024);
  await isNoAnswer(t, { HTML: raw(200, `<html>${much}`, 'text/html'), 'a text': raw(200, JSON.stringify(much)) });
  server.play(() => ({ ...eipPage([wireEip('eip-1', { Description: 'd' })]), Padding: much }));
  t.is((await cloud.describeEip('eip-1'))?.allocationId, 'eip-1');
  server.play(refusal(400, 'TaskConflict', { Message: much }));
  const fault = await faultOf(cloud.releaseEip('eip-1'));
  t.is(fault.kind, 'later');
  t.true(fault.message.length < 2_000);
});

row(143, 'a redirect is not followed, wherever it leads and whatever it carries', async (t) => {
  const elsewhere = await rpcServer(() => eipPage([wireEip('eip-1')]));
  t.teardown(elsewhere.close);
  const to =
    (status: number, body = ''): Script =>
    (_request, response) => {
      response.writeHead(status, { location: `http://${elsewhere.host}/`, 'content-type': 'application/json' });
      response.end(body);
      return undefined;
    };
  const success = JSON.stringify({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' });
  await isNoAnswer(t, {
    ...Object.fromEntries([301, 302, 303, 307, 308].map((status) => [String(status), to(status)])),
    'with the answer in it': to(302, success),
  });
  t.is(elsewhere.requests.length, 0);
});

row(144, 'a certificate of nobody, of another host or of last month is not talked to', async (t) => {
  const MONTH_MS = 30 * 86_400_000;
  const now = Date.now();
  const trusted = getCACertificates('default');
  t.teardown(() => setDefaultCACertificates(trusted));
  const cases: readonly (readonly [code: string, hosts: readonly string[], made: number, isTrusted: boolean])[] = [
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', ['127.0.0.1'], now, false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', ['vpc.example.com'], now, true],
    ['CERT_HAS_EXPIRED', ['127.0.0.1'], now - MONTH_MS, true],
  ];
  for (const [code, hosts, made, isTrusted] of cases) {
    const authority = await renew(undefined, hosts, made);
    setDefaultCACertificates(isTrusted ? [...trusted, bundleOf(authority)] : trusted);
    const secure = await rpcServer(() => ({ RequestId: 'REQ-1' }), authority.leaf);
    const on = at(`https://${secure.host}`);
    for (const action of ['DescribeEipAddresses', 'ReleaseEipAddress'] as const)
      t.like(await faultOf(calls[action]?.(on) ?? Promise.resolve()), { kind: 'misconfigured', code }, action);
    t.is(secure.requests.length, 0, `${code}: nothing was sent`);
    await secure.close();
  }
});
