import { readFileSync } from 'node:fs';
import Eci, * as eci from '@alicloud/eci20180808';
import { Config as EciConfig } from '@alicloud/openapi-client';
import OpenApi, { $OpenApiUtil } from '@alicloud/openapi-core';
import Vpc, * as vpc from '@alicloud/vpc20160428';
import { RuntimeOptions } from '@darabonba/typescript';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CLOUD_READINGS, READINGS, type CloudReading } from '../../src/cloud/readings.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';

const regionId = 'cn-hangzhou';
const AN_EIP = { regionId, internetChargeType: 'PayByTraffic' };

/** A machine that does much else at the time lets a test wait; the SDK's 3 s are too few then. */
const PATIENCE_MS = 300_000;

/** An embedded cloud that listens, in virtual time, and the SDKs' own clients of it. */
const listening = async (t: ExecutionContext, readings: readonly CloudReading[]) => {
  // Requests are signed with the real time.
  const clock = new ManualClock(Date.now());
  const cloud = createSandboxCloud({ clock, random: seeded(3), readings });
  const server = await serveCloud(cloud);
  t.teardown(() => server.close());
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/24' });
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: 'vpc-1',
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
    privateIps: ['10.0.0.2'],
  });
  const settings = {
    ...sandboxCredential,
    regionId,
    endpoint: `127.0.0.1:${server.port}`,
    protocol: 'HTTP',
    readTimeout: PATIENCE_MS,
  };
  const vpcClient = new Vpc.default(new $OpenApiUtil.Config(settings));
  const eciClient = new Eci.default(new EciConfig(settings));
  const generic = new OpenApi.default(new $OpenApiUtil.Config(settings));
  const params = new $OpenApiUtil.Params({
    action: 'DescribeNetworkInterfaces',
    version: '2014-05-26',
    protocol: 'HTTPS',
    method: 'POST',
    authType: 'AK',
    style: 'RPC',
    pathname: '/',
    reqBodyType: 'formData',
    bodyType: 'json',
  });
  return {
    cloud,
    clock,
    vpc: vpcClient,
    eci: eciClient,
    allocate: async (more: object = {}) => {
      const { body } = await vpcClient.allocateEipAddress(new vpc.AllocateEipAddressRequest({ ...AN_EIP, ...more }));
      return body?.allocationId ?? '';
    },
    describe: async (where: object) => {
      const { body } = await vpcClient.describeEipAddresses(
        new vpc.DescribeEipAddressesRequest({ regionId, ...where }),
      );
      return body?.eipAddresses?.eipAddress ?? [];
    },
    create: async () => {
      const { body } = await eciClient.createContainerGroup(
        new eci.CreateContainerGroupRequest({
          regionId,
          containerGroupName: 'ns-pod',
          securityGroupId: 'sg-1',
          vSwitchId: 'vsw-1',
          container: [new eci.CreateContainerGroupRequestContainer({ name: 'main', image: 'nginx' })],
          autoCreateEip: true,
        }),
      );
      return body?.containerGroupId ?? '';
    },
    group: async (id: string) => {
      const { body } = await eciClient.describeContainerGroups(
        new eci.DescribeContainerGroupsRequest({ regionId, containerGroupIds: JSON.stringify([id]) }),
      );
      return body?.containerGroups?.[0];
    },
    interfaces: async (query: Readonly<Record<string, string>>) => {
      const request = new $OpenApiUtil.OpenApiRequest({ query: { RegionId: regionId, ...query } });
      const { body } = (await generic.callApi(params, request, new RuntimeOptions({ readTimeout: PATIENCE_MS }))) as {
        body: Answer;
      };
      return body.NetworkInterfaceSets.NetworkInterfaceSet;
    },
  };
};
type Listening = Awaited<ReturnType<typeof listening>>;

interface Answer {
  readonly NetworkInterfaceSets: {
    readonly NetworkInterfaceSet: readonly {
      readonly NetworkInterfaceId: string;
      readonly PrivateIpSets: { readonly PrivateIpSet: readonly { readonly PrivateIpAddress: string }[] };
      readonly Ipv4PrefixSets: { readonly Ipv4PrefixSet: readonly { readonly Ipv4Prefix: string }[] };
    }[];
  };
}

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'OK';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
};

const tag = [{ key: 'owner', value: 'us' }];
const associate = (allocationId: string, to: object) =>
  new vpc.AssociateEipAddressRequest({ regionId, allocationId, instanceType: 'NetworkInterface', ...to });

/** What is seen of each reading; the same is asked where it is off, and another answer is given. */
const SEEN: Readonly<
  Record<
    CloudReading,
    { readonly see: (at: Listening) => Promise<unknown>; readonly on: unknown; readonly off: unknown }
  >
> = {
  tagsIgnored: {
    see: async (at) => {
      const allocationId = await at.allocate({ tag });
      const [before] = await at.describe({ allocationId });
      await at.vpc.tagResources(
        new vpc.TagResourcesRequest({ regionId, resourceType: 'EIP', resourceId: [allocationId], tag }),
      );
      const [after] = await at.describe({ allocationId });
      return [before?.tags?.tag?.length, after?.tags?.tag?.length];
    },
    on: [0, 1],
    off: [1, 1],
  },
  tokensRememberRefusals: {
    see: async (at) => {
      const clientToken = 'token-1';
      at.cloud.setQuota(0);
      const first = await codeOf(at.allocate({ clientToken }));
      at.cloud.setQuota(1);
      const second = await codeOf(at.allocate({ clientToken }));
      at.cloud.setQuota(2);
      at.cloud.inject({
        action: 'AllocateEipAddress',
        fault: { effect: 'never', answer: { code: 'OperationConflict' } },
      });
      const [third, fourth] = [
        await codeOf(at.allocate({ clientToken: 'token-2' })),
        await codeOf(at.allocate({ clientToken: 'token-2' })),
      ];
      await at.clock.advance(600_000);
      return [first, second, third, fourth, await codeOf(at.allocate({ clientToken: 'token-2' }))];
    },
    on: ['QuotaExceeded.Eip', 'QuotaExceeded.Eip', 'OperationConflict', 'OperationConflict', 'OK'],
    off: ['QuotaExceeded.Eip', 'OK', 'OperationConflict', 'OK', 'QuotaExceeded.Eip'],
  },
  eciSpelling: {
    see: async (at) => {
      await at.create();
      const [group] = at.cloud.containerGroups();
      const [eip] = at.cloud.eips();
      const { allocationId = '' } = eip ?? {};
      const { eniInstanceId = '', containerGroupId = '' } = group ?? {};
      const [shown] = await at.describe({ allocationId });
      const listed = await at.describe({
        associatedInstanceId: containerGroupId,
        associatedInstanceType: 'EcsInstance',
      });
      const unbind = (to: object) =>
        codeOf(at.vpc.unassociateEipAddress(new vpc.UnassociateEipAddressRequest({ regionId, allocationId, ...to })));
      return [
        shown?.instanceType,
        shown?.instanceId === eniInstanceId,
        shown?.instanceId === containerGroupId,
        shown?.privateIpAddress,
        listed.length,
        await unbind({ instanceId: eniInstanceId, instanceType: 'NetworkInterface' }),
        await codeOf(
          at.vpc.associateEipAddress(
            associate(allocationId, { instanceId: containerGroupId, instanceType: 'EcsInstance' }),
          ),
        ),
        await unbind({ instanceId: containerGroupId, instanceType: 'EcsInstance' }),
      ];
    },
    on: ['EcsInstance', false, true, '', 1, 'InvalidBindInstance.NotFound', 'IncorrectEipStatus', 'OK'],
    off: ['NetworkInterface', true, false, '', 0, 'OK', 'InvalidInstanId.NotFound', 'IncorrectEipStatus'],
  },
  asynchronousRelease: {
    see: async (at) => {
      const allocationId = await at.allocate();
      const release = () =>
        codeOf(at.vpc.releaseEipAddress(new vpc.ReleaseEipAddressRequest({ regionId, allocationId })));
      const first = await release();
      const [shown] = await at.describe({ allocationId });
      const second = await release();
      await at.clock.advance(3_000);
      return [first, shown?.status, second, (await at.describe({ allocationId })).length, await release()];
    },
    on: ['OK', 'Releasing', 'IncorrectEipStatus', 0, 'InvalidAllocationId.NotFound'],
    off: ['OK', undefined, 'InvalidAllocationId.NotFound', 0, 'InvalidAllocationId.NotFound'],
  },
  tagFilterLag: {
    see: async (at) => {
      await at.clock.advance(60_000);
      const allocationId = await at.allocate({ tag });
      const byTag = async () => (await at.describe({ tag })).length;
      const counts = [(await at.describe({ allocationId })).length, await byTag()];
      const { body } = await at.vpc.listTagResources(
        new vpc.ListTagResourcesRequest({ regionId, resourceType: 'EIP', resourceId: [allocationId] }),
      );
      await at.clock.advance(5_000);
      return [...counts, body?.tagResources?.tagResource?.length, await byTag()];
    },
    on: [1, 0, 0, 1],
    off: [1, 1, 1, 1],
  },
  readLag: {
    see: async (at) => {
      await at.clock.advance(60_000);
      const allocationId = await at.allocate();
      await at.clock.advance(1_500);
      const seen: number[] = [];
      for (let times = 0; times < 40; times += 1) seen.push((await at.describe({ allocationId })).length);
      await at.clock.advance(1_500);
      return [
        seen.includes(0),
        seen.includes(1),
        seen.lastIndexOf(0) > seen.indexOf(1),
        (await at.describe({ allocationId })).length,
      ];
    },
    on: [true, true, true, 1],
    off: [false, true, false, 1],
  },
  lateInstanceAddress: {
    see: async (at) => {
      const id = await at.create();
      const first = await at.group(id);
      await at.clock.advance(30_000);
      return [first?.status, first?.internetIp, (await at.group(id))?.internetIp];
    },
    on: ['Running', '', '203.0.113.1'],
    off: ['Running', '203.0.113.1', '203.0.113.1'],
  },
  goneCodes: {
    see: async (at) => {
      const containerGroupId = 'eci-none';
      return [
        await codeOf(at.group(containerGroupId)),
        await codeOf(at.eci.deleteContainerGroup(new eci.DeleteContainerGroupRequest({ regionId, containerGroupId }))),
        await codeOf(
          at.eci.describeContainerLog(
            new eci.DescribeContainerLogRequest({ regionId, containerGroupId, containerName: 'main' }),
          ),
        ),
        await codeOf(at.interfaces({ InstanceId: 'i-none' })),
        await codeOf(at.interfaces({ InstanceId: 'i-1' })),
      ];
    },
    on: [
      'InvalidParameter.NotFound',
      'InvalidParameter.NotFound',
      'InvalidParameter.NotFound',
      'InvalidEcsId.NotFound',
      'OK',
    ],
    off: ['OK', 'InvalidContainerGroupId.NotFound', 'InvalidContainerGroupId.NotFound', 'OK', 'OK'],
  },
  primaryFilterOnly: {
    see: async (at) =>
      Promise.all(
        [
          { 'PrivateIpAddress.1': '10.0.0.1' },
          { 'PrivateIpAddress.1': '10.0.0.2' },
          { PrimaryIpAddress: '10.0.0.1' },
          { PrimaryIpAddress: '10.0.0.2' },
        ].map(async (query) => (await at.interfaces(query)).length),
      ),
    on: [0, 1, 1, 0],
    off: [1, 1, 1, 0],
  },
  noInterface: {
    see: async (at) =>
      Promise.all(
        [
          { 'PrivateIpAddress.1': '10.0.0.1' },
          { 'PrivateIpAddress.1': '10.0.0.2' },
          { PrimaryIpAddress: '10.0.0.1' },
          { 'NetworkInterfaceId.1': 'eni-1' },
          { VpcId: 'vpc-1' },
        ].map(async (query) => (await at.interfaces(query)).length),
      ),
    on: [1, 0, 1, 1, 1],
    off: [1, 1, 1, 1, 1],
  },
  prefixMode: {
    see: async (at) => {
      at.cloud.world.addPrivateIp('eni-1', '10.0.0.21');
      const [eni] = await at.interfaces({ 'NetworkInterfaceId.1': 'eni-1' });
      const allocationId = await at.allocate();
      return [
        eni?.PrivateIpSets.PrivateIpSet.map(({ PrivateIpAddress }) => PrivateIpAddress),
        eni?.Ipv4PrefixSets.Ipv4PrefixSet.map(({ Ipv4Prefix }) => Ipv4Prefix),
        (await at.interfaces({ 'PrivateIpAddress.1': '10.0.0.21' })).length,
        await codeOf(
          at.vpc.associateEipAddress(associate(allocationId, { instanceId: 'eni-1', privateIpAddress: '10.0.0.21' })),
        ),
      ];
    },
    on: [['10.0.0.1'], ['10.0.0.0/28', '10.0.0.16/28'], 0, 'UnsupportedFeature.EipBindPrefixIp'],
    off: [['10.0.0.1', '10.0.0.2', '10.0.0.21'], [], 1, 'OK'],
  },
};

for (const reading of CLOUD_READINGS)
  test(`the reading ${reading} changes this over HTTP, and nothing where it is off`, async (t) => {
    const { see, on, off } = SEEN[reading];
    t.deepEqual(await see(await listening(t, [])), off);
    t.deepEqual(await see(await listening(t, [reading])), on);
  });

test('a pod has an address of an overlay network or one out of a prefix, not both', (t) => {
  const readings: readonly CloudReading[] = ['noInterface', 'prefixMode'];
  t.throws(() => createSandboxCloud({ clock: new ManualClock(), random: seeded(1), readings }), {
    instanceOf: RangeError,
    message: /exclude each other/,
  });
});

test('the page of readings has each of them, in the words of the table', (t) => {
  const page = readFileSync(new URL('../../docs/cloud-readings.md', import.meta.url), 'utf8');
  for (const [name, { means, otherwise, source }] of Object.entries(READINGS))
    for (const text of [`\`${name}\``, means, otherwise, source]) t.true(page.includes(text), `${name}: ${text}`);
});
