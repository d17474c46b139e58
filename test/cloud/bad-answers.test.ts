import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import type { AllocateEip, Eip } from '../../src/cloud/port.ts';
import { Tracker } from '../../src/controllers/podeip/tracker.ts';
import { decide } from '../../src/controllers/podeip/decide.ts';
import type { ObservedState, Settings } from '../../src/controllers/podeip/observation.ts';
import type { Step } from '../../src/controllers/podeip/step.ts';
import * as the from '../controllers/podeip/situation.ts';
import { refusal, scriptedServer } from './scripted-server.ts';
import type { Script } from './scripted-server.ts';
import {
  allocation,
  at,
  binding,
  calls,
  cloud,
  eipPage,
  eni,
  faultOf,
  half,
  isRead,
  raw,
  server,
  settings,
  unmapped,
  wireEip,
} from './alicloud-fixture.ts';
import { ManualClock } from '../harness/clock.ts';

/*
 * Bad answers of the cloud, by their number in the list of bad inputs, whose bindings are in
 * test/controllers/podeip/bad-podeips.test.ts: what the real adapter makes of the bytes, and where an answer can be
 * read and is strange, what is done about it.
 */

test.after.always(() => server.close());

const row = (number: number, title: string, check: (t: ExecutionContext) => Promise<void>): void =>
  test.serial(`${number}: ${title}`, check);

/** All calls get the answer: a read is asked again later, of a change nobody knows whether it has happened. */
const isNoAnswer = async (t: ExecutionContext, answers: Readonly<Record<string, Script>>, on = cloud) => {
  for (const [say, answer] of Object.entries(answers))
    for (const [action, call] of Object.entries(calls)) {
      server.play(answer);
      const fault = await faultOf(call(on));
      t.is(fault.kind, isRead(action) ? 'later' : 'unknown', `${say}, ${action}: ${fault.message}`);
      t.true(fault.message.length < 2_000, `${say}, ${action}: a message of ${fault.message.length} characters`);
      t.is(server.requests.length, 1, `${say}, ${action}: asked once`);
    }
};

/** DescribeEipAddresses cannot be read. */
const isUnreadable = async (t: ExecutionContext, pages: Readonly<Record<string, object>>) => {
  for (const [say, page] of Object.entries(pages)) {
    server.play(() => page);
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, say);
  }
};

/** What the adapter reads of an EIP. */
const reading = async (more: object = {}): Promise<Eip | null> => {
  server.play(() => eipPage([wireEip('eip-1', more)]));
  return (await cloud.describeEip('eip-1')) ?? null;
};

const tagsOf = (tags: Readonly<Record<string, string>>) => ({
  Tags: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
});
const OURS = tagsOf({ [TAG_CLUSTER_UID]: 'cluster', [TAG_PODEIP_UID]: 'podeip' });
const NOBODYS = tagsOf({});
const allocationID = 'eip-1';
const bindings = [the.binding];
const BOUND = { Status: 'InUse', InstanceId: 'eni-1', InstanceType: 'NetworkInterface', PrivateIpAddress: '10.0.0.2' };
const GONE_FOR_LONG = { ...the.quiet, missingMs: 60_000 };

/** What is done about an EIP that was bought for a pod, once the cloud describes it so. */
const doneAbout = async (
  more: object,
  seen: Partial<ObservedState> = {},
  situation: Partial<Settings> = {},
): Promise<Step> =>
  decide(
    the.seen({
      podEip: the.podEip({ allocationID, bindings }),
      interfaces: [the.eni()],
      eip: await reading(more),
      ...seen,
    }),
    { ...the.settings, ...situation },
  );

/** What a pod is told that names an existing EIP which the cloud describes so. */
const toldOf = async (more: object, situation: Partial<Settings> = {}): Promise<Step> =>
  decide(
    the.seen({
      pod: the.pod({ annotations: the.EXISTING }),
      podEip: the.podEip({ request: the.existing }),
      competitors: [],
      namespace: null,
      eip: await reading({ ...NOBODYS, ...more }),
    }),
    { ...the.settings, ...situation },
  );

/** The fault that an error answer to this action becomes. */
const refused = async (action: string, code: string, status = 400) => {
  server.play(refusal(status, code));
  const call = calls[action];
  if (!call) throw new Error(`there is no action ${action}`);
  return faultOf(call(cloud));
};

/** A page with this in the binding of its list. */
const listed = (EipAddresses: unknown) => ({ RequestId: 'REQ-1', TotalCount: 1, EipAddresses });

const xml = (status: number, body: string) => raw(status, body, 'text/xml;charset=utf-8');

/** The connection breaks in the middle of the body. */
const reset: Script = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"RequestId":"REQ-1"', () => request.request.socket.destroy());
  return undefined;
};

/** The body ends before its announced length. */
const short: Script = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000', connection: 'close' });
  response.socket?.end('{"RequestId":"REQ-1"}');
  return undefined;
};

// Annotations whose values only the cloud can check.

row(27, 'an EIP of another region is not listed, and the pod is told so', async (t) => {
  server.play(() => eipPage([]));
  t.is(await cloud.describeEip('eip-1'), undefined);
  const pod = the.pod({ annotations: the.EXISTING });
  const podEip = the.podEip({ request: the.existing });
  t.like(decide(the.seen({ pod, podEip, eip: null }), the.settings), { do: 'Fail', reason: 'EipNotFound' });
  for (const action of ['AssociateEipAddress', 'UnassociateEipAddress', 'ReleaseEipAddress'])
    t.is((await refused(action, 'InvalidAllocationId.NotFound', 404)).kind, 'gone', action);
});

row(28, 'an EIP of a NAT gateway or a load balancer is taken by nobody, robbing or not', async (t) => {
  for (const InstanceType of ['Nat', 'SlbInstance', 'HaVip', 'IpAddress', 'Ngw2'])
    for (const allowEipRob of [false, true]) {
      const step = await toldOf({ Status: 'InUse', InstanceId: 'ngw-1', InstanceType }, { allowEipRob });
      t.like(step, { do: 'Fail', reason: 'EipInUse' }, InstanceType);
    }
});

row(29, 'an EIP that a cloud service manages is nobody’s to name, however that is written', async (t) => {
  for (const ServiceManaged of [1, 2, -1, '1'])
    t.like(await toldOf({ ServiceManaged }), { do: 'Fail', reason: 'EipReserved' }, String(ServiceManaged));
  await isUnreadable(t, {
    'a word': eipPage([wireEip('eip-1', { ServiceManaged: 'yes' })]),
    true: eipPage([wireEip('eip-1', { ServiceManaged: true })]),
  });
});

row(30, 'a subscription is attached as any other, and what was bought and became one is not released', async (t) => {
  t.like(await toldOf({ ChargeType: 'PrePaid' }), { do: 'Record' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  t.like(await doneAbout({ ...OURS, ChargeType: 'PrePaid' }, { podEip }), { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('ReleaseEipAddress', 'Forbidden.ChargeTypeIsPrepaid')).kind, 'refused');
});

row(31, 'an EIP of a contiguous group is attached as any other, and not released alone', async (t) => {
  t.like(await toldOf({ SegmentInstanceId: 'eipsg-1' }), { do: 'Record' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  const step = await doneAbout({ ...OURS, SegmentInstanceId: 'eipsg-1' }, { podEip });
  t.like(step, { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('ReleaseEipAddress', 'Forbidden.ReleaseSegmentEip')).kind, 'refused');
});

row(32, 'a locked EIP is said, whoever’s it is, and what stands for a lock is read in any number', async (t) => {
  const OperationLocks = { LockReason: [{ LockReason: 'financial' }, { LockReason: 'security' }, {}] };
  t.deepEqual((await reading({ OperationLocks }))?.lockReasons, ['financial', 'security']);
  t.like(await doneAbout({ ...OURS, OperationLocks }), { do: 'Fail', reason: 'EipLocked' });
  const podEip = the.podEip({ allocationID, isEnding: true });
  t.like(await doneAbout({ ...OURS, OperationLocks }, { podEip }), { do: 'Fail', reason: 'ReleaseBlocked' });
  t.is((await refused('AssociateEipAddress', 'Forbidden.FinancialLocked')).kind, 'quota');
});

row(36, 'a line type that the region has not is refused, by each of its codes', async (t) => {
  for (const code of ['InvalidRegion.NotSupport', 'IllegalParam.Isp', 'COMMODITY_NO_EXIST'])
    t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
});

row(40, 'a bandwidth package of another region, or a subscription’s, is refused', async (t) => {
  for (const code of [
    'InvalidBandwidthPackageId.NotFound',
    'IpInstanceId.ChargeType.NotSupport',
    'IpInstanceId.InvalidIpInternetChargeType',
  ])
    t.like(await refused('AddCommonBandwidthPackageIp', code), { kind: 'refused', code });
});

row(42, 'an address pool and a bandwidth package that do not fit are refused, and taken where they do', async (t) => {
  for (const code of ['Mismatch.IpAndPublicIpAddressPool', 'ResourceNotFound.PublicIpAddressPool'])
    t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
  const request = { ...the.fresh, publicIpAddressPoolId: 'pippool-1', bandwidthPackageId: 'cbwp-1' };
  const podEip = the.podEip({ allocationID, request });
  t.like(await doneAbout(OURS, { podEip }), { do: 'JoinBandwidthPackage', bandwidthPackageId: 'cbwp-1' });
  t.is((await refused('AddCommonBandwidthPackageIp', 'IpInstanceId.ChargeType.NotSupport')).kind, 'refused');
});

row(43, 'a resource group that does not exist is refused', async (t) => {
  const code = 'InvalidResourceGroupId';
  t.like(await refused('AllocateEipAddress', code), { kind: 'refused', code });
});

// Answers of the cloud.

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
  server.play(() => ({ RequestId: 'REQ-1', NetworkInterfaceSets: { NetworkInterfaceSet: [] }, NextToken: 'more' }));
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
    t.is(await cloud.findEipByAddress('47.0.0.1'), undefined);
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
      t.like(await refused('ReleaseEipAddress', code), { kind: 'later', code });
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
    t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'later', JSON.stringify(more));
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
  await isNoAnswer(
    t,
    { 'half a body, and then nothing': half, 'shorter than it says': short },
    createCloud({ ...settings, callTimeoutMs: 200 }),
  );
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
  const elsewhere = await scriptedServer(() => eipPage([wireEip('eip-1')]));
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
    const secure = await scriptedServer(() => ({ RequestId: 'REQ-1' }), authority.leaf);
    const on = at(`https://${secure.host}`);
    for (const action of ['DescribeEipAddresses', 'ReleaseEipAddress'] as const)
      t.like(await faultOf(calls[action]?.(on) ?? Promise.resolve()), { kind: 'misconfigured', code }, action);
    t.is(secure.requests.length, 0, `${code}: nothing was sent`);
    await secure.close();
  }
});

row(145, 'an EIP that is handed out twice stays with the one whose tags it has', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' }));
  const twice: readonly AllocateEip[] = [allocation, { ...allocation, clientToken: 'e1-another', bandwidthMbps: 9 }];
  for (const request of twice) t.is((await cloud.allocateEip(request)).allocationId, 'eip-1');
  const another = tagsOf({ [TAG_CLUSTER_UID]: 'cluster', [TAG_PODEIP_UID]: 'another' });
  for (const more of [{}, BOUND]) {
    t.like(await doneAbout({ ...another, ...more }), { do: 'Fail', reason: 'EipNotOurs' });
    const podEip = the.podEip({ allocationID, bindings, isEnding: true });
    t.like(await doneAbout({ ...another, ...more }, { podEip }), { do: 'RemoveFinalizer' });
  }
});

row(146, 'a token that is refused at its first use is followed by a new one, and by no second EIP', async (t) => {
  const fault = await refused('AllocateEipAddress', 'IdempotentParameterMismatch');
  t.like(fault, { kind: 'refused', code: 'IdempotentParameterMismatch' });
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, { next: () => 0, uuid: () => 'process' });
  const podEip = the.podEip({ generation: 3 });
  tracker.sending('podeip');
  tracker.failed('podeip', { do: 'Allocate', podEip, request: the.fresh, generation: 3 }, fault);
  const next = (tagged: readonly Eip[] | undefined): Step =>
    decide(the.seen({ podEip, tagged, memory: tracker.recall('podeip') }), the.settings);
  t.like(next(undefined), { do: 'ReadTaggedEips' });
  t.like(next([]), { do: 'Fail', reason: 'CloudRefused' });
  t.like(next([the.eip()]), { do: 'Record', allocationId: 'eip-1' }, 'what was bought with the token is found');
  await clock.advance(60_000);
  t.like(next([]), { do: 'Claim', generation: 4 });
});

row(147, 'nothing hangs on when an EIP was made, whatever is said about that', async (t) => {
  const wanted = await doneAbout({ ...OURS, ...BOUND });
  for (const AllocationTime of ['2999-01-01T00:00:00Z', 'yesterday', '', null, 0, Number.MAX_VALUE]) {
    const podEip = the.podEip({ allocationID, isEnding: true });
    t.deepEqual(await doneAbout({ ...OURS, ...BOUND, AllocationTime }), wanted, JSON.stringify(AllocationTime));
    t.like(await doneAbout({ ...OURS, AllocationTime }, { podEip }), { do: 'Release' });
  }
});

row(148, 'an EIP without its tags is waited for, and then left alone, never released', async (t) => {
  for (const tags of [NOBODYS, { Tags: null }, { Tags: {} }, { Tags: undefined }]) {
    t.like(await doneAbout(tags, { memory: the.justStarted }), { do: 'Wait', reason: 'EipNotVisibleYet' });
    t.like(await doneAbout(tags), { do: 'Fail', reason: 'EipNotOurs' });
    const podEip = the.podEip({ allocationID, isEnding: true });
    t.like(await doneAbout(tags, { podEip, memory: the.justStarted }), { do: 'Wait', reason: 'Settling' });
    t.like(await doneAbout(tags, { podEip }), { do: 'RemoveFinalizer' });
  }
});

row(149, 'an EIP that is still listed after its release keeps its finalizer until it is not', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  await t.notThrowsAsync(cloud.releaseEip('eip-1'));
  const podEip = the.podEip({ allocationID, isEnding: true });
  const released = { ...the.justStarted, accepted: 'Release', released: 'eip-1' } as const;
  t.like(await doneAbout(OURS, { podEip, memory: released }), { do: 'Wait', reason: 'Releasing' });
  t.like(await doneAbout({ ...OURS, Status: 'Releasing' }, { podEip }), { do: 'Wait', reason: 'InTransition' });
  // Sixty seconds on, as free as before: asked again, which does no harm.
  const later = { ...released, quietMs: 60_000 };
  t.like(await doneAbout(OURS, { podEip, memory: later }), { do: 'Release', allocationId: 'eip-1' });
  t.is((await refused('ReleaseEipAddress', 'InvalidAllocationId.NotFound', 404)).kind, 'gone');
  const last = { podEip, eip: null, memory: { ...GONE_FOR_LONG, released: 'eip-1' } };
  t.like(await doneAbout(OURS, { ...last, tagged: [the.eip()] }), { do: 'Wait', reason: 'Releasing' });
  t.like(await doneAbout(OURS, { ...last, tagged: [] }), { do: 'RemoveFinalizer' });
});

row(150, 'an EIP that was bound and is shown as free, and then as Error, is never published', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  await t.notThrowsAsync(cloud.associateEip(binding));
  const accepted = { ...the.justStarted, accepted: 'Associate' } as const;
  t.like(await doneAbout(OURS, { memory: accepted }), { do: 'Wait', reason: 'InTransition' });
  t.like(await doneAbout(OURS, { memory: { ...accepted, quietMs: 30_000 } }), { do: 'Associate' });
  t.like(await doneAbout({ ...OURS, Status: 'Error' }), { do: 'Wait', reason: 'InTransition' });
  const pod = the.pod({ isTold: true });
  const drifting = { ...the.quiet, driftMs: 30_000 };
  t.like(await doneAbout({ ...OURS, Status: 'Error' }, { pod, memory: drifting }), { do: 'Unpublish' });
});
