import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import type { AlicloudCloud } from '../../src/cloud/alicloud/vpc.ts';
import * as the from '../controllers/podeip/situation.ts';
import { refusal, rpcServer } from './rpc-server.ts';
import type { Script } from './rpc-server.ts';
import {
  allocation,
  at,
  calls,
  cloud,
  eipPage,
  eni,
  faultOf,
  half,
  isRead,
  raw,
  server,
  timedCloud,
  unmapped,
  wireEip,
} from './alicloud-fixture.ts';
import { isUnreadable, OURS, allocationID, BOUND, doneAbout, toldOf, refused, reading, tagsOf } from './odd-answers.ts';

/*
 * Bad answers of the cloud, by their number in the list of bad inputs: what the real adapter makes of the bytes, and
 * where an answer can be read and is strange, what is done about it.
 */

test.after.always(() => server.close());

const row = (number: number, title: string, check: (t: ExecutionContext) => Promise<void>): void =>
  test.serial(`${number}: ${title}`, check);

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

/** A page with this in the binding of its list. */
const listed = (EipAddresses: unknown) => ({ RequestId: 'REQ-1', TotalCount: 1, EipAddresses });

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

row(127, 'an EIP where a list of them belongs, or any other thing, cannot be read', async (t) => {
  await isUnreadable(t, {
    'an object for the list': listed({ EipAddress: wireEip('eip-1') }),
    'a text for the list': listed({ EipAddress: 'eip-1' }),
    'a number for the list': listed({ EipAddress: 1 }),
    'the list one level too high': listed([wireEip('eip-1')]),
    'a text for the whole': listed('eip-1'),
    'no list at all': listed({}),
    'null for the list': listed({ EipAddress: null }),
    'a list in the list': listed({ EipAddress: [[wireEip('eip-1')]] }),
    'a number in the list': listed({ EipAddress: [1] }),
    'a null in the list': listed({ EipAddress: [null] }),
  });
  const interfaces: Readonly<Record<string, unknown>> = {
    missing: undefined,
    'a list': [eni('eni-1')],
    'an object for the list': { NetworkInterfaceSet: eni('eni-1') },
    'a null in the list': { NetworkInterfaceSet: [null] },
    'addresses that are no list': { NetworkInterfaceSet: [eni('eni-1', { PrivateIpSets: { PrivateIpSet: 'x' } })] },
  };
  for (const [say, NetworkInterfaceSets] of Object.entries(interfaces)) {
    server.play(() => ({ RequestId: 'REQ-1', NetworkInterfaceSets }));
    const fault = await faultOf(cloud.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }));
    t.like(fault, { kind: 'later', code: 'UnreadableAnswer' }, `interfaces: ${say}`);
  }
});

row(128, 'a count that is none cannot be read, and one that contradicts its list is not believed', async (t) => {
  const counts = [undefined, null, -1, 1.5, '', 'one', '-1', [], {}, true];
  await isUnreadable(
    t,
    Object.fromEntries(
      counts.map((TotalCount) => [JSON.stringify(TotalCount) ?? 'none', { ...eipPage([]), TotalCount }]),
    ),
  );
  server.play(raw(200, '{"RequestId":"REQ-1","TotalCount":1e999,"EipAddresses":{"EipAddress":[]}}'));
  t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, '1e999');
  for (const count of [0, 2, 99, 2 ** 53]) {
    server.play(() => eipPage([wireEip('eip-1')], count));
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'InconsistentPages' }, String(count));
  }
  server.play(() => eipPage([wireEip('eip-1')], '1'));
  t.is((await cloud.describeEip('eip-1'))?.allocationId, 'eip-1', 'the right number as a text is read');
});

row(129, 'pages that repeat, skip or never end give no list', async (t) => {
  const tags = [{ key: 'owner', value: 'knative-eip' }];
  const first = Array.from({ length: 100 }, (_, n) => wireEip(`eip-${n}`));
  const pages: Readonly<Record<string, (page: number) => object>> = {
    'the first page again': () => eipPage(first, 150),
    'an empty second page': (page) => eipPage(page === 1 ? first : [], 150),
    'a count that grows from page to page': (page) => eipPage(page === 1 ? first : [wireEip('eip-x')], 100 + page),
    'fewer at first than are counted, and none after that': (page) => eipPage(page === 1 ? first.slice(1) : [], 100),
    'more than are counted': () => eipPage(first, 99),
  };
  for (const [say, page] of Object.entries(pages)) {
    server.play(({ query }) => page(Number(query['PageNumber'])));
    t.like(await faultOf(cloud.findEips(tags)), { kind: 'later', code: 'InconsistentPages' }, say);
    t.true(server.requests.length <= 6, `${say}: ${server.requests.length} requests`);
  }
  let endlessly = 0;
  server.play(() => ({
    RequestId: 'REQ-1',
    NetworkInterfaceSets: { NetworkInterfaceSet: [eni('eni-1', { VpcId: 'vpc-2' })] },
    NextToken: `more-${(endlessly += 1)}`,
  }));
  const endless = await faultOf(cloud.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }));
  t.like(endless, { kind: 'later', code: 'InconsistentPages' });
  t.is(server.requests.length, 10);
});

row(130, 'the same EIP twice in one answer is not believed, whatever the count says', async (t) => {
  for (const total of [1, 2]) {
    server.play(() => eipPage([wireEip('eip-1'), wireEip('eip-1', BOUND)], total));
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'InconsistentPages' });
    t.like(await faultOf(cloud.findEips([{ key: 'owner', value: 'knative-eip' }])), { code: 'InconsistentPages' });
  }
});

row(
  131,
  'EIPs that were not asked for are dropped: of other tags, other IDs, another address, another VPC',
  async (t) => {
    const other = wireEip('eip-2', { ...tagsOf({ owner: 'somebody' }), IpAddress: '47.0.0.2' });
    server.play(() => eipPage([other, wireEip('eip-1')]));
    const found = await cloud.findEips([{ key: 'owner', value: 'knative-eip' }]);
    t.deepEqual(
      found.map(({ allocationId }) => allocationId),
      ['eip-1'],
    );
    server.play(() => eipPage([other]));
    t.is(await cloud.describeEip('eip-1'), undefined);
    t.is((await cloud.findEipsByAddress(['47.0.0.1'])).size, 0);
    server.play(() => ({
      RequestId: 'REQ-1',
      NetworkInterfaceSets: {
        NetworkInterfaceSet: [eni('eni-1', { VpcId: 'vpc-2' }), eni('eni-2', { PrivateIpSets: {} })],
      },
    }));
    t.deepEqual(await cloud.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }), []);
  },
);

row(132, 'an allocation ID that is none is never taken for one', async (t) => {
  for (const AllocationId of [
    '',
    null,
    12,
    true,
    [],
    {},
    'eip',
    'eip-',
    'eip-1,eip-2',
    ' eip-1',
    `eip-${'x'.repeat(200)}`,
  ]) {
    const say = JSON.stringify(AllocationId).slice(0, 40);
    server.play(() => eipPage([{ ...wireEip('x'), AllocationId }]));
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, say);
    server.play(() => ({ RequestId: 'REQ-1', AllocationId, EipAddress: '47.0.0.1' }));
    t.like(await faultOf(cloud.allocateEip(allocation)), { kind: 'unknown', code: 'UnreadableAnswer' }, say);
  }
});

row(
  133,
  'an address that is none, or IPv6, is never published; a private one is, as private regions have them',
  async (t) => {
    for (const address of [
      '',
      null,
      47,
      'pending',
      '256.0.0.1',
      '47.0.0.1/32',
      ' 47.0.0.1',
      '047.0.0.1',
      '2001:db8::1',
      '::1',
    ]) {
      const say = JSON.stringify(address);
      server.play(() => eipPage([wireEip('eip-1', { IpAddress: address })]));
      t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, say);
      server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: address }));
      t.like(await faultOf(cloud.allocateEip(allocation)), { kind: 'unknown', code: 'UnreadableAnswer' }, say);
    }
    t.is((await reading({ IpAddress: '10.1.2.3' }))?.ipAddress, '10.1.2.3');
  },
);

row(134, 'a state that nobody knows is waited out; what is no word cannot be read', async (t) => {
  for (const Status of ['available', 'INUSE', 'inUse', 'Binding', 'Frozen', 'Error', 'x'.repeat(64)]) {
    t.like(await doneAbout({ ...OURS, Status }), { do: 'Wait', reason: 'InTransition' }, Status);
    t.like(await toldOf({ Status }), { do: 'Wait', reason: 'InTransition' }, Status);
    const podEip = the.podEip({ allocationID, isEnding: true });
    t.like(await doneAbout({ ...OURS, Status }, { podEip }), { do: 'Wait', reason: 'InTransition' }, Status);
  }
  for (const Status of ['', null, 'In Use', 'In\u0000Use', 'InUse\n', 'x'.repeat(65)])
    await isUnreadable(t, { [String(Status)]: eipPage([wireEip('eip-1', { Status })]) });
});

row(
  135,
  'bound to our interface at another address is elsewhere; "" is the primary address and no other',
  async (t) => {
    const elsewhere = { ...OURS, ...BOUND, PrivateIpAddress: '10.0.0.99' };
    t.like(await doneAbout(elsewhere), { do: 'Fail', reason: 'EipBoundElsewhere' });
    t.like(await doneAbout({ ...OURS, ...BOUND, PrivateIpAddress: '' }), { do: 'Fail', reason: 'EipBoundElsewhere' });
    const primary = the.podEip({ allocationID, bindings: [{ ...the.binding, isPrimary: true }] });
    const step = await doneAbout({ ...OURS, ...BOUND, PrivateIpAddress: '' }, { podEip: primary });
    t.like(step, { do: 'Publish', ipAddress: '47.0.0.1' });
    t.like(await doneAbout({ ...OURS, ...BOUND, InstanceType: 'EcsInstance' }), { reason: 'EipBoundElsewhere' });
    t.like(await doneAbout({ ...OURS, ...BOUND, InstanceId: '' }), { reason: 'EipBoundElsewhere' });
    await isUnreadable(t, {
      'an address that is none': eipPage([wireEip('eip-1', { ...BOUND, PrivateIpAddress: 'eth0' })]),
      'an instance that is none': eipPage([wireEip('eip-1', { ...BOUND, InstanceId: 'eni 1\n' })]),
    });
  },
);

row(
  136,
  'the API’s own misspellings are known, and a code that nobody knows changes nothing and is counted',
  async (t) => {
    t.is((await refused('AllocateEipAddress', 'Forbbiden', 403)).kind, 'misconfigured');
    t.is((await refused('AssociateEipAddress', 'InvalidInstanId.NotFound', 404)).kind, 'gone');
    t.is((await refused('AssociateEipAddress', 'OperationFailed.DistibuteLock')).kind, 'later');
    unmapped.length = 0;
    for (const code of [
      'Brand.New',
      'invalidparameter',
      'QUOTAEXCEEDED.EIP',
      'Eip.NotFound',
      '__proto__',
      'constructor',
    ])
      t.like(await refused('ReleaseEipAddress', code), { kind: 'unrecognized', code });
    t.is(unmapped.length, 6);
    t.is((await refused('ReleaseEipAddress', 'Brand.New', 500)).kind, 'unknown');
    t.is((await refused('DescribeEipAddresses', 'Brand.New', 500)).kind, 'later');
  },
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
