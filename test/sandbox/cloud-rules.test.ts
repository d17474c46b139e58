import test from 'ava';
import { bench } from './cloud-bench.ts';
import { eni, second, outcome } from './cloud-outcome.ts';

test('AllocateEipAddress takes what the API reference allows and refuses the rest with its codes', async (t) => {
  const at = bench({ quota: 1000 });
  const cases: readonly [string, Record<string, string>, string][] = [
    ['nothing at all', {}, 'OK'],
    ['500 by bandwidth, which is the default', { Bandwidth: '500' }, 'OK'],
    ['501 by bandwidth', { Bandwidth: '501' }, 'InvalidBandwidth.Malformed'],
    ['200 by traffic', { Bandwidth: '200', InternetChargeType: 'PayByTraffic' }, 'OK'],
    ['201 by traffic', { Bandwidth: '201', InternetChargeType: 'PayByTraffic' }, 'InvalidBandwidth.Malformed'],
    ['zero', { Bandwidth: '0' }, 'InvalidBandwidth.Malformed'],
    ['a unit', { Bandwidth: '5M' }, 'InvalidBandwidth.Malformed'],
    ['an unknown metering method', { InternetChargeType: 'Free' }, 'InvalidParameter'],
    ['an unknown line', { ISP: 'Carrier' }, 'IllegalParam.Isp'],
    ['a line that needs a whitelist', { ISP: 'ChinaMobile' }, 'IllegalParam.Isp'],
    ['BGP_PRO where there is none', { ISP: 'BGP_PRO' }, 'InvalidRegion.NotSupport'],
    ['another region', { RegionId: 'cn-nowhere' }, 'InvalidRegionId.NotFound'],
    ['no region', { RegionId: '' }, 'MissingRegionId'],
    ['a name of 128', { Name: 'n'.repeat(128) }, 'OK'],
    ['a name of 129', { Name: 'n'.repeat(129) }, 'InvalidParameter'],
    ['a name that is an address', { Name: 'http://x' }, 'InvalidParameter'],
    ['a description of 257', { Description: 'd'.repeat(257) }, 'InvalidParameter'],
    ['a tag', { 'Tag.1.Key': 'k', 'Tag.1.Value': 'v' }, 'OK'],
    ['a tag without a key', { 'Tag.1.Value': 'v' }, 'InvalidTagKey.Malformed'],
    ['a reserved tag', { 'Tag.1.Key': 'acs:x' }, 'InvalidTagKey.Malformed'],
    ['a link in a tag', { 'Tag.1.Key': 'k', 'Tag.1.Value': 'see https://x' }, 'InvalidTagValue.Malformed'],
    ['a key twice', { 'Tag.1.Key': 'k', 'Tag.2.Key': 'k' }, 'Duplicate.TagKey'],
    [
      '21 tags',
      Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`Tag.${n + 1}.Key`, `k${n}`])),
      'NumberExceed.Tags',
    ],
    ['protection', { 'SecurityProtectionTypes.1': 'AntiDDoS_Enhanced' }, 'OK'],
    ['unknown protection', { 'SecurityProtectionTypes.1': 'Shield' }, 'InvalidParameter'],
    ['a pool that is not', { PublicIpAddressPoolId: 'pippool-1' }, 'ResourceNotFound.PublicIpAddressPool'],
    ['a resource group that is none', { ResourceGroupId: 'group' }, 'InvalidResourceGroupId'],
    [
      'a subscription by traffic',
      { InstanceChargeType: 'PrePaid', InternetChargeType: 'PayByTraffic', Period: '1' },
      'InvalidParameter',
    ],
    ['a subscription without period', { InstanceChargeType: 'PrePaid' }, 'MissingPeriod'],
    ['a long token', { ClientToken: 'x'.repeat(65) }, 'InvalidClientToken.Malformed'],
    ['a token that is not ASCII', { ClientToken: 'é' }, 'InvalidClientToken.Malformed'],
  ];
  for (const [title, parameters, code] of cases) {
    const before = at.cloud.eips().length;
    t.is(await outcome(at, 'AllocateEipAddress', parameters), code, title);
    t.is(at.cloud.eips().length - before, code === 'OK' ? 1 : 0, `${title}: EIPs`);
  }
  t.like(at.cloud.eips()[0], { internetChargeType: 'PayByBandwidth', bandwidthMbps: 5, isp: 'BGP' });

  const pro = bench({ regionId: 'cn-hongkong', whitelistedIsps: ['ChinaMobile'] });
  t.is(await outcome(pro, 'AllocateEipAddress', { ISP: 'BGP_PRO' }), 'OK');
  t.is(await outcome(pro, 'AllocateEipAddress', { ISP: 'ChinaMobile' }), 'OK');
});

test('the quota, an address pool and a subscription bound what an account gets', async (t) => {
  const at = bench({ quota: 2 });
  at.cloud.world.addAddressPool('pippool-1', 1);
  const fromPool = { PublicIpAddressPoolId: 'pippool-1' };
  t.is(await outcome(at, 'AllocateEipAddress', fromPool), 'OK');
  t.is(await outcome(at, 'AllocateEipAddress', fromPool), 'ResourceNotEnough.PublicIpAddressPool');
  at.cloud.world.addEip({ serviceManaged: true });
  const second = await at.allocate();
  t.is(await outcome(at, 'AllocateEipAddress', {}), 'QuotaExceeded.Eip');
  at.cloud.setQuota(3);
  t.is(await outcome(at, 'AllocateEipAddress', {}), 'OK');
  t.is(await outcome(at, 'ReleaseEipAddress', { AllocationId: second }), 'OK');
  t.is(await outcome(at, 'AllocateEipAddress', {}), 'OK');

  const ordered = await at.call('AllocateEipAddress', { InstanceChargeType: 'PrePaid', Period: '1', AutoPay: 'true' });
  t.is(typeof ordered.body['OrderId'], 'number');
  t.is(at.cloud.eips().length, 4);
  await at.clock.advance(10_000);
  const subscription = at.cloud.eips().at(-1)!;
  t.is(subscription.chargeType, 'PrePaid');
  const release = { AllocationId: subscription.allocationId };
  t.is(await outcome(at, 'ReleaseEipAddress', release), 'Forbidden.ChargeTypeIsPrepaid');
});

test('a released address can be had again by its name for seven days', async (t) => {
  const at = bench();
  const allocationId = await at.allocate();
  const ipAddress = at.cloud.eips()[0]!.ipAddress;
  t.is(await outcome(at, 'AllocateEipAddress', { IpAddress: ipAddress }), 'Ip.Allocated');
  await at.call('ReleaseEipAddress', { AllocationId: allocationId });
  const again = await at.call('AllocateEipAddress', { IpAddress: ipAddress });
  t.like(again.body, { AllocationId: allocationId, EipAddress: ipAddress });
  await at.call('ReleaseEipAddress', { AllocationId: allocationId });
  await at.clock.advance(8 * 24 * 3_600_000);
  t.is(await outcome(at, 'AllocateEipAddress', { IpAddress: ipAddress }), 'OperationFailed.AllocateUnfamiliarIp');
});

test('a client token replays its result, refuses other parameters, and is forgotten', async (t) => {
  const at = bench({ tokenLifetimeMs: 60_000 });
  const first = await at.call('AllocateEipAddress', { ClientToken: 'a', Bandwidth: '5' });
  const again = await at.call('AllocateEipAddress', { Bandwidth: '5', ClientToken: 'a' });
  t.is(again.body['AllocationId'], first.body['AllocationId']);
  t.not(again.body['RequestId'], first.body['RequestId']);
  t.is(await outcome(at, 'AllocateEipAddress', { ClientToken: 'a', Bandwidth: '6' }), 'IdempotentParameterMismatch');
  t.is(at.cloud.eips().length, 1);
  await at.clock.advance(60_000);
  const later = await at.call('AllocateEipAddress', { ClientToken: 'a', Bandwidth: '6' });
  t.not(later.body['AllocationId'], first.body['AllocationId']);
  t.is(at.cloud.eips().length, 2);

  at.cloud.setQuota(2);
  t.is(await outcome(at, 'AllocateEipAddress', { ClientToken: 'b' }), 'QuotaExceeded.Eip');
  at.cloud.setQuota(3);
  t.is(await outcome(at, 'AllocateEipAddress', { ClientToken: 'b' }), 'OK', 'a refused call leaves its token free');

  // A replay answers success although the world has moved on: it says what was, not what is.
  const bind = { AllocationId: String(later.body['AllocationId']), ...second, ClientToken: 'c' };
  t.is(await outcome(at, 'AssociateEipAddress', bind), 'OK');
  at.cloud.world.human.unassociate(bind.AllocationId);
  t.is(await outcome(at, 'AssociateEipAddress', bind), 'OK');
  t.is(at.cloud.eips()[1]?.status, 'Available');
});

test('a second call with the token of one under way is told so', async (t) => {
  const at = bench({ latency: 'realistic', readLag: { maxMs: 0 } });
  const [first, again] = [
    at.call('AllocateEipAddress', { ClientToken: 'a' }),
    at.call('AllocateEipAddress', { ClientToken: 'a' }),
  ];
  await at.clock.advance(60_000);
  t.is((await first).status, 200);
  t.is((await again).code, 'LastTokenProcessing');
  t.is(at.cloud.eips().length, 1);
});

test('AssociateEipAddress checks the EIP, the interface, the private address and who is there already', async (t) => {
  const at = bench();
  const { world } = at.cloud;
  const AllocationId = await at.allocate();
  const bind = (parameters: Record<string, string>) =>
    outcome(at, 'AssociateEipAddress', { AllocationId, ...second, ...parameters });
  t.is(await bind({ AllocationId: '' }), 'MissingAllocationId');
  t.is(await bind({ AllocationId: 'eip-0' }), 'InvalidAllocationId.NotFound');
  t.is(await bind({ InstanceId: '' }), 'MissingInstanceId');
  t.is(await bind({ InstanceId: 'eni-0' }), 'InvalidInstanId.NotFound');
  t.is(await bind({ InstanceType: 'EciInstance' }), 'InvalidInstanceType.ValueNotSupported');
  t.is(await bind({ InstanceType: '' }), 'InvalidInstanId.NotFound', 'without a type, it is an ECS instance');
  t.is(await bind({ PrivateIpAddress: '10.9.9.9' }), 'InvalidParameter.EniInstanceId');
  t.is(await bind({ Mode: 'Some' }), 'IllegalParam.Mode');
  world.setNetworkInterfaceStatus('eni-1', 'Attaching');
  t.is(await bind({}), 'InvalidStatus.EniStatusNotSupport');
  world.setNetworkInterfaceStatus('eni-1', 'InUse');
  world.human.change(AllocationId, { lockReasons: ['financial'] });
  t.is(await bind({}), 'Forbidden.FinancialLocked');
  world.human.change(AllocationId, { lockReasons: ['security'] });
  t.is(await bind({}), 'InvalidEIPStatus.BizDisabled');
  world.human.change(AllocationId, { lockReasons: [], serviceManaged: true });
  t.is(await bind({}), 'Forbidden');
  world.human.change(AllocationId, { serviceManaged: false });
  t.is(await bind({}), 'OK');

  const other = await at.allocate();
  t.is(await bind({ AllocationId: other }), 'InvalidAssociation.Duplicated');
  t.is(await bind({ AllocationId: other, PrivateIpAddress: '10.0.0.3', Mode: 'BINDED' }), 'Mode.Conflict');
  const mixed = { AllocationId: other, PrivateIpAddress: '10.0.0.3', Mode: 'MULTI_BINDED' };
  t.is(await bind(mixed), 'OperationFailed.EipBindModeConflict');
  t.is(await bind({ AllocationId: other, PrivateIpAddress: '' }), 'OK', 'the primary address');
  t.is((await at.describe(other))?.['PrivateIpAddress'], '', 'the primary address is described as empty');
  t.is(at.cloud.eips()[1]?.binding?.privateIpAddress, '10.0.0.1');
  t.is((await at.describe(await at.allocate()))?.['Mode'], 'NAT', 'also of one that is not bound');

  world.addNetworkInterface({
    networkInterfaceId: 'eni-2',
    vpcId: 'vpc-1',
    instanceId: '',
    primaryIp: '10.0.0.9',
    status: 'Available',
  });
  const loose = { AllocationId: await at.allocate(), InstanceId: 'eni-2', PrivateIpAddress: '10.0.0.9' };
  t.is(await bind(loose), 'OK', 'an interface that is attached to nothing');
});

test('UnassociateEipAddress undoes exactly the binding that it names', async (t) => {
  const at = bench();
  const AllocationId = await at.allocate();
  const unbind = (parameters: Record<string, string>) =>
    outcome(at, 'UnassociateEipAddress', { AllocationId, ...parameters });
  t.is(await unbind(second), 'IncorrectEipStatus');
  await at.call('AssociateEipAddress', { AllocationId, ...second });
  for (const wrong of [
    { ...second, PrivateIpAddress: '10.0.0.3' },
    { ...second, InstanceId: 'eni-2' },
    { ...second, InstanceType: 'EcsInstance' },
    { InstanceId: 'eni-1' },
    { PrivateIpAddress: '10.0.0.1' },
  ])
    t.is(await unbind(wrong), 'InvalidBindInstance.NotFound', JSON.stringify(wrong));
  t.is(at.cloud.eips()[0]?.status, 'InUse');
  t.is(await unbind({ ...second, AllocationId: 'eip-0' }), 'InvalidAllocationId.NotFound');
  t.is(await unbind(second), 'OK');
  t.is(at.cloud.eips()[0]?.status, 'Available');
  await at.call('AssociateEipAddress', { AllocationId, ...eni, PrivateIpAddress: '10.0.0.1' });
  t.is(await unbind({}), 'OK', 'what is not named is not compared');
});

test('ReleaseEipAddress spares what is protected, bought for long, part of a segment or gone', async (t) => {
  const at = bench();
  const { world } = at.cloud;
  const release = (properties: Parameters<typeof world.addEip>[0]) =>
    outcome(at, 'ReleaseEipAddress', { AllocationId: world.addEip(properties).allocationId });
  t.is(await release({ deletionProtection: true }), 'InvalidOperation.DeletionProtection');
  t.is(await release({ chargeType: 'PrePaid' }), 'Forbidden.ChargeTypeIsPrepaid');
  t.is(await release({ segmentInstanceId: 'eipsg-1' }), 'Forbidden.ReleaseSegmentEip');
  t.is(await release({ serviceManaged: true }), 'Forbidden');
  const AllocationId = await at.allocate();
  t.is(await outcome(at, 'ReleaseEipAddress', { AllocationId }), 'OK');
  t.is(await outcome(at, 'ReleaseEipAddress', { AllocationId }), 'InvalidAllocationId.NotFound');
  t.is(at.cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress').length, 1);
});

test('a bandwidth package takes EIPs of its line up to its capacity, and lets go of them', async (t) => {
  const at = bench();
  const { world } = at.cloud;
  world.addBandwidthPackage('cbwp-1', { capacity: 1, bandwidthMbps: 50 });
  world.addBandwidthPackage('cbwp-pro', { isp: 'BGP_PRO' });
  world.addBandwidthPackage('cbwp-locked', { financialLocked: true });
  const mine = await at.allocate();
  const join = (id: string, BandwidthPackageId = 'cbwp-1') =>
    outcome(at, 'AddCommonBandwidthPackageIp', { BandwidthPackageId, IpInstanceId: id });
  const leave = (id: string, BandwidthPackageId = 'cbwp-1') =>
    outcome(at, 'RemoveCommonBandwidthPackageIp', { BandwidthPackageId, IpInstanceId: id });
  t.is(await join(mine, 'cbwp-0'), 'InvalidBandwidthPackageId.NotFound');
  t.is(await join('eip-0'), 'InvalidIpInstanceId.NotFound');
  t.is(await join(mine, 'cbwp-pro'), 'InvalidParameter.Isp');
  t.is(await join(mine, 'cbwp-locked'), 'BandwidthPackageId.InvalidBizStatus');
  t.is(await join(world.addEip({ chargeType: 'PrePaid' }).allocationId), 'IpInstanceId.ChargeType.NotSupport');
  t.is(await leave(mine), 'OperationUnsupported.IpNotInCbwp');
  t.is(await join(mine), 'OK');
  t.like(await at.describe(mine), { BandwidthPackageId: 'cbwp-1', Bandwidth: '50', EipBandwidth: '5' });
  t.is(await join(mine), 'IpInstanceId.AlreadyInBandwidthPackage');
  t.is(await join(await at.allocate()), 'IpInstanceId.QuotaExceeded');
  t.is(await leave(mine, 'cbwp-pro'), 'OperationUnsupported.IpNotInCbwp');
  t.is(await leave(mine), 'OK');
  t.is((await at.describe(mine))?.['BandwidthPackageId'], '');
});
