import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { refusal } from './rpc-server.ts';
import { cloud, eipPage, eni, faultOf, server, settings, wireEip } from './alicloud-fixture.ts';

test.after.always(() => server.close());

test.serial('describing reads every field, and an EIP that is not listed is undefined', async (t) => {
  server.play(() =>
    eipPage([
      wireEip('eip-1', {
        Status: 'InUse',
        InstanceId: 'eni-1',
        InstanceType: 'NetworkInterface',
        PrivateIpAddress: '10.0.0.7',
        Bandwidth: '200',
        Name: 'n',
        Description: 'd',
        BandwidthPackageId: 'cbwp-1',
        ResourceGroupId: 'rg-1',
        SegmentInstanceId: 'eipsg-1',
        ServiceManaged: 1,
        DeletionProtection: true,
        OperationLocks: { LockReason: [{ LockReason: 'financial' }] },
        AllocationTime: '2026-11-20T10:00:00Z',
      }),
    ]),
  );
  t.deepEqual(await cloud.describeEip('eip-1'), {
    allocationId: 'eip-1',
    ipAddress: '47.0.0.1',
    status: 'InUse',
    instanceId: 'eni-1',
    instanceType: 'NetworkInterface',
    privateIpAddress: '10.0.0.7',
    bandwidthMbps: 200,
    packageBandwidthMbps: undefined,
    internetChargeType: 'PayByTraffic',
    chargeType: 'PostPaid',
    isp: 'BGP',
    name: 'n',
    description: 'd',
    bandwidthPackageId: 'cbwp-1',
    resourceGroupId: 'rg-1',
    publicIpAddressPoolId: undefined,
    segmentInstanceId: 'eipsg-1',
    tags: new Map([['owner', 'knative-eip']]),
    serviceManaged: true,
    deletionProtection: true,
    lockReasons: ['financial'],
    allocationTime: '2026-11-20T10:00:00Z',
  });
  t.deepEqual(server.requests[0]?.query, {
    RegionId: 'cn-beijing',
    AllocationId: 'eip-1',
    PageNumber: '1',
    PageSize: '100',
  });
  t.is(await cloud.describeEip('eip-2'), undefined);
  t.deepEqual([...(await cloud.describeEips(['eip-2'])).keys()], []);
  server.play(() => eipPage([wireEip('eip-1')]));
  const available = await cloud.describeEip('eip-1');
  t.is(available?.instanceId, undefined);
  t.is(available?.privateIpAddress, '');
  // Of an EIP in a package the API may show what the package has as `Bandwidth`, or what the EIP has.
  for (const Bandwidth of ['800', '5']) {
    server.play(() => eipPage([wireEip('eip-1', { Bandwidth, EipBandwidth: '5', BandwidthPackageBandwidth: '800' })]));
    t.like(await cloud.describeEip('eip-1'), { bandwidthMbps: 5, packageBandwidthMbps: 800 });
  }
});

test.serial('finding reads all pages, and drops EIPs without the tags when the API ignores the filter', async (t) => {
  const all = Array.from({ length: 150 }, (_, n) => wireEip(`eip-${n}`, n === 140 ? { Tags: { Tag: [] } } : {}));
  server.play(({ query }) => {
    const from = (Number(query['PageNumber']) - 1) * 100;
    return eipPage(all.slice(from, from + 100), '150');
  });
  const found = await cloud.findEips([{ key: 'owner', value: 'knative-eip' }]);
  t.is(found.length, 149);
  t.false(found.some(({ allocationId }) => allocationId === 'eip-140'));
  t.is(server.requests.length, 2);
  t.like(server.requests[1]?.query, {
    PageNumber: '2',
    PageSize: '100',
    'Tag.1.Key': 'owner',
    'Tag.1.Value': 'knative-eip',
  });
});

test.serial('finding repeats a pass in which the list changed, and gives up for now after three', async (t) => {
  const tags = [{ key: 'owner', value: 'knative-eip' }];
  const all = Array.from({ length: 101 }, (_, n) => wireEip(`eip-${n}`));
  let requests = 0;
  // In the first pass page 2 repeats an EIP of page 1 and skips another.
  server.play(({ query }) => {
    requests += 1;
    if (query['PageNumber'] === '1') return eipPage(all.slice(0, 100), 101);
    return eipPage(requests === 2 ? [wireEip('eip-0')] : [wireEip('eip-100')], 101);
  });
  t.is((await cloud.findEips(tags)).length, 101);
  t.is(requests, 4);

  server.play(({ query }) =>
    eipPage(all.slice(0, query['PageNumber'] === '1' ? 100 : 1), 100 + Number(query['PageNumber'])),
  );
  t.like(await faultOf(cloud.findEips(tags)), { kind: 'later', code: 'InconsistentPages' });
  t.is(server.requests.length, 6);
  t.like(await faultOf(cloud.findEips([])), { kind: 'refused' });
});

test.serial('an EIP is found by its public address, and by nothing that is not one', async (t) => {
  server.play(() =>
    eipPage([wireEip('eip-1', { IpAddress: '47.0.0.1' }), wireEip('eip-2', { IpAddress: '47.0.0.2' })], 2),
  );
  t.is(
    (await cloud.findEipsByAddress(['47.0.0.2'])).get('47.0.0.2')?.allocationId,
    'eip-2',
    'also where the API ignores the filter',
  );
  t.is(server.requests[0]?.query['EipAddress'], '47.0.0.2');
  t.is((await cloud.findEipsByAddress(['47.0.0.3'])).size, 0);
  t.like(await faultOf(cloud.findEipsByAddress(['47.0.0.2,47.0.0.1'])), { kind: 'refused' });
  t.is(server.requests.length, 2);
  t.deepEqual([...(await cloud.findEipsByAddress(['47.0.0.1', '47.0.0.9'])).keys()], ['47.0.0.1']);
  t.is(server.requests[2]?.query['EipAddress'], '47.0.0.1,47.0.0.9');
});

test.serial('finding interfaces always names the VPC and compares again what comes', async (t) => {
  server.play(({ query }) => ({
    RequestId: 'REQ-1',
    NetworkInterfaceSets: {
      NetworkInterfaceSet:
        query['NextToken'] === undefined
          ? [eni('eni-2', { VpcId: 'vpc-2' }), eni('eni-3', { PrivateIpSets: { PrivateIpSet: [] } })]
          : [eni('eni-1')],
    },
    NextToken: query['NextToken'] === undefined ? 'more' : '',
  }));
  const found = await cloud.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' });
  t.deepEqual(found, [
    {
      networkInterfaceId: 'eni-1',
      status: 'InUse',
      vpcId: 'vpc-1',
      instanceId: 'i-1',
      primaryIpAddress: '10.0.0.1',
      privateIpAddresses: ['10.0.0.1', '10.0.0.7'],
    },
  ]);
  t.is(server.requests[0]?.action, 'DescribeNetworkInterfaces');
  t.is(server.requests[0]?.version, '2014-05-26');
  t.deepEqual(server.requests[1]?.query, {
    RegionId: 'cn-beijing',
    VpcId: 'vpc-1',
    'PrivateIpAddress.1': '10.0.0.7',
    MaxResults: '100',
    NextToken: 'more',
  });
});

test.serial('a page that carries a token although nothing comes after it ends the look-up', async (t) => {
  let tokens = 0;
  const page = (...interfaces: readonly object[]) => ({
    RequestId: 'REQ-1',
    NetworkInterfaceSets: { NetworkInterfaceSet: interfaces },
    NextToken: `more-${(tokens += 1)}`,
  });
  const where = { vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' };
  server.play(() => page(eni('eni-1')));
  t.is((await cloud.findNetworkInterfaces(where)).length, 1);
  t.is(server.requests.length, 1);
  server.play(() => page());
  t.deepEqual(await cloud.findNetworkInterfaces(where), []);
  t.is(server.requests.length, 4, 'two pages by either filter');
  // An instance that ECS does not know: an empty list is as good as the code.
  server.play(() => page());
  t.deepEqual(await cloud.networkInterfacesOf('i-other'), []);
  server.play(refusal(404, 'InvalidEcsId.NotFound'));
  t.deepEqual(await cloud.networkInterfacesOf('i-other'), []);
});

test.serial('many addresses are looked up in one call; who holds one of them is told for each', async (t) => {
  const addresses = ['10.0.0.7', '10.0.0.8', '10.0.0.9', '10.0.0.7'];
  server.play(({ query }) => ({
    RequestId: 'REQ-1',
    NetworkInterfaceSets: {
      NetworkInterfaceSet:
        query['PrimaryIpAddress'] === '10.0.0.9'
          ? [eni('eni-9', { PrivateIpSets: { PrivateIpSet: [{ PrivateIpAddress: '10.0.0.9', Primary: true }] } })]
          : query['NextToken'] === undefined
            ? [eni('eni-7'), eni('eni-other', { VpcId: 'vpc-2' })]
            : [eni('eni-8', { PrivateIpSets: { PrivateIpSet: [{ PrivateIpAddress: '10.0.0.8', Primary: false }] } })],
    },
    NextToken: query['NextToken'] === undefined && query['PrimaryIpAddress'] === undefined ? 'more' : '',
  }));
  const found = await cloud.findNetworkInterfacesOfMany({ vpcId: 'vpc-1', privateIpAddresses: addresses });
  t.deepEqual(
    [...found].map(([address, interfaces]) => [address, interfaces.map((it) => it.networkInterfaceId)]),
    [
      ['10.0.0.7', ['eni-7']],
      ['10.0.0.8', ['eni-8']],
      ['10.0.0.9', ['eni-9']],
    ],
  );
  t.is(server.requests.length, 3, 'two pages, since not all were on the first, and one primary address');
  t.like(server.requests[0]?.query, {
    VpcId: 'vpc-1',
    'PrivateIpAddress.1': '10.0.0.7',
    'PrivateIpAddress.3': '10.0.0.9',
  });
  t.false(Object.hasOwn(server.requests[0]?.query ?? {}, 'PrivateIpAddress.4'), 'each once');
  const tooMany = Array.from({ length: 101 }, (_, index) => `10.0.1.${index}`);
  t.like(await faultOf(cloud.findNetworkInterfacesOfMany({ vpcId: 'vpc-1', privateIpAddresses: tooMany })), {
    kind: 'refused',
  });
  t.is((await cloud.findNetworkInterfacesOfMany({ vpcId: 'vpc-1', privateIpAddresses: [] })).size, 0);
  t.is(server.requests.length, 3);
});

const packagePage = (total: number, ...packages: object[]) => ({
  RequestId: 'R',
  TotalCount: total,
  CommonBandwidthPackages: { CommonBandwidthPackage: packages },
});

test.serial('a bandwidth package is looked up by its ID, and one among others counts for nothing', async (t) => {
  const one = { BandwidthPackageId: 'cbwp-1', ISP: 'BGP', BusinessStatus: 'Normal', Status: 'Available' };
  server.play(() => packagePage(1, one));
  t.deepEqual(await cloud.findBandwidthPackage('cbwp-1'), {
    bandwidthPackageId: 'cbwp-1',
    isp: 'BGP',
    businessStatus: 'Normal',
  });
  t.is(server.requests[0]?.action, 'DescribeCommonBandwidthPackages');
  t.like(server.requests[0]?.query, { RegionId: 'cn-beijing', BandwidthPackageId: 'cbwp-1' });
  server.play(() => packagePage(0));
  t.is(await cloud.findBandwidthPackage('cbwp-1'), undefined);
  server.play(() => packagePage(120, { ...one, BandwidthPackageId: 'cbwp-2' }));
  await t.throwsAsync(() => cloud.findBandwidthPackage('cbwp-1'), { message: /counts 120 packages/ });
});

test.serial('one EIP that cannot be read fails alone, with its ID, by whatever field', async (t) => {
  const spoilt: readonly (readonly [field: string, item: object])[] = [
    ['IpAddress', wireEip('eip-2', { IpAddress: 'none' })],
    ['AllocationId', wireEip('eip-2', { AllocationId: '' })],
    ['Tags.Tag', wireEip('eip-2', { Tags: { Tag: {} } })],
  ];
  for (const [field, item] of spoilt) {
    const { cloud: folding } = assembleCloud({
      region: 'cn-beijing',
      endpoints: { vpc: server.host.replace(/^/u, 'http://') },
      credentials: settings.credentials,
      clock: systemClock,
      callTimeoutMs: settings.callTimeoutMs,
    });
    server.play(({ query }) =>
      eipPage((query['AllocationId'] ?? '').split(',').map((id) => (id === 'eip-2' ? item : wireEip(id)))),
    );
    const [one, two, three] = await Promise.allSettled(
      ['eip-1', 'eip-2', 'eip-3'].map((id) => folding.describeEip(id)),
    );
    t.like(one, { status: 'fulfilled', value: { allocationId: 'eip-1' } }, field);
    t.like(two, { status: 'rejected', reason: { kind: 'later', code: 'UnreadableAnswer' } }, field);
    t.regex(two?.status === 'rejected' ? String(two.reason) : '', /: eip-2: DescribeEipAddresses: the answer /, field);
    t.like(three, { status: 'fulfilled', value: { allocationId: 'eip-3' } }, field);
    t.is(server.requests.length, 4, field);
  }
});
