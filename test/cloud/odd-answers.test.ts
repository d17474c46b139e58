import test from 'ava';
import * as the from '../controllers/podeip/situation.ts';
import { allocation, cloud, eipPage, eni, faultOf, raw, server, unmapped, wireEip } from './alicloud-fixture.ts';
import { isUnreadable, OURS, allocationID, BOUND, doneAbout, toldOf, refused, reading, tagsOf } from './odd-answers.ts';
import { row } from './bad-answer-fixture.ts';

test.after.always(() => server.close());

/** A page with this in the binding of its list. */
const listed = (EipAddresses: unknown) => ({ RequestId: 'REQ-1', TotalCount: 1, EipAddresses });

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
