import test from 'ava';
import { bench } from './cloud-bench.ts';
import { second, outcome } from './cloud-outcome.ts';

const slow = {
  transitions: {
    associate: { minMs: 2000, maxMs: 2000 },
    unassociate: { minMs: 2000, maxMs: 2000 },
    bandwidthPackage: { minMs: 2000, maxMs: 2000 },
  },
};

test('an EIP in transition refuses everything but queries, and comes out of it by itself', async (t) => {
  const at = bench(slow);
  at.cloud.world.addBandwidthPackage('cbwp-1');
  const AllocationId = await at.allocate();
  const member = { BandwidthPackageId: 'cbwp-1', IpInstanceId: AllocationId };
  const all = async () =>
    Promise.all([
      outcome(at, 'AssociateEipAddress', { AllocationId, ...second }),
      outcome(at, 'UnassociateEipAddress', { AllocationId, ...second }),
      outcome(at, 'ReleaseEipAddress', { AllocationId }),
      outcome(at, 'ModifyEipAddressAttribute', { AllocationId, Name: 'x' }),
      outcome(at, 'AddCommonBandwidthPackageIp', member),
    ]);
  const busy = [
    'IncorrectEipStatus',
    'IncorrectEipStatus',
    'IncorrectEipStatus',
    'IncorrectEipStatus',
    'IncorrectStatus.Eip',
  ];

  t.is(await outcome(at, 'AssociateEipAddress', { AllocationId, ...second }), 'OK');
  t.like(await at.describe(AllocationId), { Status: 'Associating', InstanceId: 'eni-1', PrivateIpAddress: '10.0.0.2' });
  t.deepEqual(await all(), busy);
  await at.clock.advance(1999);
  t.is((await at.describe(AllocationId))?.['Status'], 'Associating');
  await at.clock.advance(1);
  t.is((await at.describe(AllocationId))?.['Status'], 'InUse');
  t.is(await outcome(at, 'AssociateEipAddress', { AllocationId, ...second }), 'IncorrectEipStatus');
  t.is(await outcome(at, 'ReleaseEipAddress', { AllocationId }), 'IncorrectEipStatus');

  t.is(await outcome(at, 'UnassociateEipAddress', { AllocationId, ...second }), 'OK');
  t.is((await at.describe(AllocationId))?.['Status'], 'Unassociating');
  t.deepEqual(await all(), busy);
  await at.clock.advance(2000);
  t.like(await at.describe(AllocationId), {
    Status: 'Available',
    InstanceId: '',
    InstanceType: '',
    PrivateIpAddress: '',
  });

  t.is(await outcome(at, 'AddCommonBandwidthPackageIp', member), 'OK');
  t.is((await at.describe(AllocationId))?.['BandwidthPackageId'], '');
  t.deepEqual(await all(), ['TaskConflict', 'TaskConflict', 'TaskConflict', 'TaskConflict', 'TaskConflict']);
  await at.clock.advance(2000);
  t.is((await at.describe(AllocationId))?.['BandwidthPackageId'], 'cbwp-1');
});

test('DescribeEipAddresses filters, counts and pages, newest first', async (t) => {
  const at = bench({ quota: 100 });
  for (let n = 0; n < 25; n++)
    await at.allocate({
      Name: `n${n}`,
      'Tag.1.Key': 'parity',
      'Tag.1.Value': n % 2 ? 'odd' : 'even',
      'Tag.2.Key': 't',
    });
  const names = async (parameters: Record<string, string>) => {
    const { body } = await at.call('DescribeEipAddresses', parameters);
    const { EipAddress } = body['EipAddresses'] as { EipAddress: { Name: string }[] };
    return [body['TotalCount'], ...EipAddress.map(({ Name }) => Name)];
  };
  t.deepEqual(await names({}), [25, ...Array.from({ length: 10 }, (_, n) => `n${24 - n}`)]);
  t.deepEqual(await names({ PageNumber: '3' }), [25, 'n4', 'n3', 'n2', 'n1', 'n0']);
  t.deepEqual(await names({ PageNumber: '4' }), [25]);
  t.is((await names({ PageSize: '100', 'Tag.1.Key': 'parity', 'Tag.1.Value': 'odd' })).length, 13);
  t.deepEqual(await names({ 'Tag.1.Key': 'parity', 'Tag.1.Value': 'odd', 'Tag.2.Key': 'missing' }), [0]);
  t.is((await names({ PageSize: '100', 'Tag.1.Key': 'parity' }))[0], 25, 'a key without a value matches any');
  const [one, two] = at.cloud.eips();
  t.deepEqual(await names({ AllocationId: `${one!.allocationId},${two!.allocationId},eip-0` }), [2, 'n1', 'n0']);
  t.deepEqual(await names({ EipAddress: one!.ipAddress }), [1, 'n0']);
  await at.call('AssociateEipAddress', { AllocationId: two!.allocationId, ...second });
  t.deepEqual(await names({ AssociatedInstanceType: 'NetworkInterface', AssociatedInstanceId: 'eni-1' }), [1, 'n1']);
  t.is((await names({ Status: 'Available' }))[0], 24);
  const ids = Array.from({ length: 51 }, (_, n) => `eip-${n}`).join(',');
  t.is(await outcome(at, 'DescribeEipAddresses', { AllocationId: ids }), 'InvalidParameter');
  t.is(await outcome(at, 'DescribeEipAddresses', { PageSize: '101' }), 'InvalidParameter');
  t.is(await outcome(at, 'DescribeEipAddresses', { RegionId: '' }), 'MissingRegionId');
});

test('tags are put on, listed by page, and taken off', async (t) => {
  const at = bench();
  const id = await at.allocate({ 'Tag.1.Key': 'a', 'Tag.1.Value': '1' });
  const resource = { ResourceType: 'eip', 'ResourceId.1': id };
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`Tag.${n + 1}.Key`, `k${n}`]));
  t.is(await outcome(at, 'TagResources', { ...resource, ...many }), 'QuotaExceed.TagsPerResource');
  t.is(
    await outcome(at, 'TagResources', { ...resource, 'ResourceId.2': 'eip-0', 'Tag.1.Key': 'x' }),
    'InvalidResourceId.NotFound',
  );
  t.is(await outcome(at, 'TagResources', { ...resource, ResourceType: 'VPC' }), 'InvalidResourceType.NotFound');
  t.is(await outcome(at, 'TagResources', resource), 'MissingTag');
  const more = { 'Tag.1.Key': 'b', 'Tag.1.Value': '2', 'Tag.2.Key': 'a', 'Tag.2.Value': '3' };
  t.is(await outcome(at, 'TagResources', { ...resource, ...more }), 'OK');

  const page = await at.call('ListTagResources', { ResourceType: 'EIP', 'Tag.1.Key': 'a', MaxResults: '1' });
  t.like(page.body, {
    NextToken: '1',
    TagResources: { TagResource: [{ ResourceId: id, ResourceType: 'EIP', TagKey: 'a', TagValue: '3' }] },
  });
  const next = await at.call('ListTagResources', { ...resource, MaxResults: '1', NextToken: '1' });
  t.like(next.body, {
    NextToken: '',
    TagResources: { TagResource: [{ ResourceId: id, ResourceType: 'EIP', TagKey: 'b', TagValue: '2' }] },
  });
  t.is(await outcome(at, 'ListTagResources', { ResourceType: 'EIP' }), 'MissingParameter.ResourceIdOrTag');

  t.is(await outcome(at, 'UnTagResources', { ...resource, 'TagKey.1': 'a' }), 'OK');
  t.deepEqual([...at.cloud.eips()[0]!.tags], [['b', '2']]);
  t.is(await outcome(at, 'UnTagResources', { ...resource, All: 'true' }), 'OK');
  t.is(at.cloud.eips()[0]!.tags.size, 0);
});

test('ModifyEipAddressAttribute changes name, description and bandwidth within the range of the metering method', async (t) => {
  const at = bench();
  const AllocationId = await at.allocate();
  const modify = (parameters: Record<string, string>) =>
    outcome(at, 'ModifyEipAddressAttribute', { AllocationId, ...parameters });
  t.is(await modify({ Bandwidth: '201' }), 'InvalidBandwidth.Malformed');
  t.is(await modify({ Bandwidth: '100', Name: 'new', Description: '' }), 'OK');
  t.like(await at.describe(AllocationId), { EipBandwidth: '100', Name: 'new' });
});

test('DescribeNetworkInterfaces finds by address within the VPC, and pages', async (t) => {
  const at = bench();
  for (let n = 0; n < 24; n++)
    at.cloud.world.addNetworkInterface({
      networkInterfaceId: `eni-other-${n}`,
      vpcId: 'vpc-2',
      instanceId: 'i-2',
      primaryIp: n === 0 ? '10.0.0.2' : `10.1.0.${n}`,
    });
  const ids = async (parameters: Record<string, string>) => {
    const { body } = await at.call('DescribeNetworkInterfaces', parameters);
    const sets = body['NetworkInterfaceSets'] as { NetworkInterfaceSet: { NetworkInterfaceId: string }[] };
    return sets.NetworkInterfaceSet.map(({ NetworkInterfaceId }) => NetworkInterfaceId);
  };
  t.deepEqual(await ids({ 'PrivateIpAddress.1': '10.0.0.2' }), ['eni-1', 'eni-other-0']);
  t.deepEqual(await ids({ 'PrivateIpAddress.1': '10.0.0.2', VpcId: 'vpc-1' }), ['eni-1']);
  t.deepEqual(await ids({ 'NetworkInterfaceId.1': 'eni-other-3', 'NetworkInterfaceId.2': 'eni-1' }), [
    'eni-1',
    'eni-other-3',
  ]);
  t.is((await ids({ MaxResults: '20' })).length, 20);
  t.is((await ids({ MaxResults: '20', NextToken: '20' })).length, 5);
  t.is((await ids({ PageSize: '10', PageNumber: '3' })).length, 5);
  at.cloud.world.removePrivateIp('eni-1', '10.0.0.2');
  t.deepEqual(await ids({ 'PrivateIpAddress.1': '10.0.0.2', VpcId: 'vpc-1' }), []);
  at.cloud.world.addPrivateIp('eni-1', '10.0.0.9');
  t.deepEqual(await ids({ 'PrivateIpAddress.1': '10.0.0.9' }), ['eni-1']);
});

test('DescribeContainerGroups finds instances by ID, name and tag', async (t) => {
  const at = bench();
  const id = at.cloud.world.addContainerGroup({ containerGroupName: 'one', eniInstanceId: 'eni-1', tags: { a: 'b' } });
  const total = async (parameters: Record<string, string>) =>
    (await at.call('DescribeContainerGroups', parameters)).body['TotalCount'];
  t.is(await total({ ContainerGroupIds: JSON.stringify([id, 'eci-0']) }), 1);
  t.is(await total({ ContainerGroupName: 'two' }), 0);
  t.is(await total({ 'Tag.1.Key': 'a', 'Tag.1.Value': 'b', Status: 'Running' }), 1);
  t.is(await outcome(at, 'DescribeContainerGroups', { ContainerGroupIds: id }), 'InvalidParameter');
  at.cloud.world.removeContainerGroup(id);
  t.is(await total({}), 0);
});
