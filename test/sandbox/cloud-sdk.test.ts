import Eci, { DescribeContainerGroupsRequest } from '@alicloud/eci20180808';
import { Config as EciConfig } from '@alicloud/openapi-client';
import OpenApi, { $OpenApiUtil } from '@alicloud/openapi-core';
import Vpc, * as vpc from '@alicloud/vpc20160428';
import { RuntimeOptions } from '@darabonba/typescript';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { CloudOptions, EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import type { CloudServer } from '../../src/sandbox/cloud/serve-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';

const regionId = 'cn-hangzhou';
const started: CloudServer[] = [];
test.after.always(async () => {
  await Promise.all(started.map((server) => server.close()));
});

const listening = async (options: Partial<CloudOptions> = {}): Promise<{ cloud: EmbeddedCloud; port: number }> => {
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom, ...options });
  const server = await serveCloud(cloud);
  started.push(server);
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: 'vpc-1',
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
    privateIps: ['10.0.0.2'],
  });
  return { cloud, port: server.port };
};

/** A machine that does much else at the time lets a test wait; the SDK's 3 s are too few then. */
const PATIENCE_MS = 300_000;
const settings = (port: number, credential: object = sandboxCredential) => ({
  ...credential,
  regionId,
  endpoint: `127.0.0.1:${port}`,
  protocol: 'HTTP',
  readTimeout: PATIENCE_MS,
});
const vpcClient = (port: number, credential?: object) =>
  new Vpc.default(new $OpenApiUtil.Config(settings(port, credential)));
const eciClient = (port: number) => new Eci.default(new EciConfig(settings(port)));
const genericClient = (port: number) => new OpenApi.default(new $OpenApiUtil.Config(settings(port)));
const ecsCall = (action: string, version = '2014-05-26') =>
  new $OpenApiUtil.Params({
    action,
    version,
    protocol: 'HTTPS',
    method: 'POST',
    authType: 'AK',
    style: 'RPC',
    pathname: '/',
    reqBodyType: 'formData',
    bodyType: 'json',
  });

type Thrown = Error & { code?: string; statusCode?: number; data?: { RequestId?: string } };
const thrownBy = async (call: Promise<unknown>): Promise<Thrown> => {
  try {
    await call;
  } catch (error) {
    return error as Thrown;
  }
  throw new Error('The call was expected to fail, and did not.');
};

test('the unmodified SDKs take an EIP through its whole life over HTTP', async (t) => {
  const { cloud, port } = await listening();
  const client = vpcClient(port);
  cloud.world.addBandwidthPackage('cbwp-1');
  cloud.world.addContainerGroup({ containerGroupName: 'pod', eniInstanceId: 'eni-1' });

  const { body: allocated } = await client.allocateEipAddress(
    new vpc.AllocateEipAddressRequest({
      regionId,
      bandwidth: '10',
      internetChargeType: 'PayByTraffic',
      ISP: 'BGP',
      name: "ns/pod name*~!'()",
      description: '中文 +&=',
      securityProtectionTypes: ['AntiDDoS_Enhanced'],
      clientToken: 'token-1',
      tag: [
        { key: 'k1', value: 'v 1' },
        { key: 'k2', value: '' },
      ],
    }),
  );
  const allocationId = allocated?.allocationId ?? '';
  t.is(allocated?.eipAddress, '203.0.113.1');

  const member = { regionId, bandwidthPackageId: 'cbwp-1', ipInstanceId: allocationId };
  await client.addCommonBandwidthPackageIp(new vpc.AddCommonBandwidthPackageIpRequest(member));
  const binding = { regionId, allocationId, instanceId: 'eni-1', instanceType: 'NetworkInterface' };
  const bound = { ...binding, privateIpAddress: '10.0.0.1' };
  await client.associateEipAddress(new vpc.AssociateEipAddressRequest(bound));

  const describe = async () =>
    (
      await client.describeEipAddresses(
        new vpc.DescribeEipAddressesRequest({ regionId, tag: [{ key: 'k1', value: 'v 1' }], pageSize: 100 }),
      )
    ).body;
  const listed = await describe();
  t.is(listed?.totalCount, 1);
  const eip = listed?.eipAddresses?.eipAddress?.[0];
  t.like(eip, {
    allocationId,
    status: 'InUse',
    instanceId: 'eni-1',
    instanceType: 'NetworkInterface',
    privateIpAddress: '',
    bandwidthPackageId: 'cbwp-1',
    name: "ns/pod name*~!'()",
    description: '中文 +&=',
    eipBandwidth: '10',
    serviceManaged: 0,
  });
  t.deepEqual(
    eip?.tags?.tag?.map(({ key, value }) => [key, value]),
    [
      ['k1', 'v 1'],
      ['k2', ''],
    ],
  );
  t.deepEqual(eip?.securityProtectionTypes?.securityProtectionType, ['AntiDDoS_Enhanced']);

  const ecs = (await genericClient(port).callApi(
    ecsCall('DescribeNetworkInterfaces'),
    new $OpenApiUtil.OpenApiRequest({
      query: { RegionId: regionId, VpcId: 'vpc-1', 'PrivateIpAddress.1': '10.0.0.2' },
    }),
    new RuntimeOptions({}),
  )) as { body: { NetworkInterfaceSets: { NetworkInterfaceSet: Record<string, unknown>[] } } };
  t.like(ecs.body.NetworkInterfaceSets.NetworkInterfaceSet, {
    0: {
      NetworkInterfaceId: 'eni-1',
      PrivateIpAddress: '10.0.0.1',
      PrivateIpSets: {
        PrivateIpSet: [
          {
            PrivateIpAddress: '10.0.0.1',
            Primary: true,
            AssociatedPublicIp: { AllocationId: allocationId, PublicIpAddress: '203.0.113.1' },
          },
          { PrivateIpAddress: '10.0.0.2', Primary: false },
        ],
      },
    },
  });
  const groups = await eciClient(port).describeContainerGroups(new DescribeContainerGroupsRequest({ regionId }));
  t.like(groups.body.containerGroups?.[0], { eniInstanceId: 'eni-1', internetIp: '203.0.113.1', status: 'Running' });

  await client.tagResources(
    new vpc.TagResourcesRequest({
      regionId,
      resourceType: 'EIP',
      resourceId: [allocationId],
      tag: [{ key: 'k3', value: 'v3' }],
    }),
  );
  const tags = await client.listTagResources(
    new vpc.ListTagResourcesRequest({ regionId, resourceType: 'EIP', resourceId: [allocationId] }),
  );
  t.deepEqual(
    tags.body?.tagResources?.tagResource?.map(({ tagKey }) => tagKey),
    ['k1', 'k2', 'k3'],
  );
  const packages = await client.describeCommonBandwidthPackages(
    new vpc.DescribeCommonBandwidthPackagesRequest({ regionId, bandwidthPackageId: 'cbwp-1' }),
  );
  t.like(packages.body?.commonBandwidthPackages?.commonBandwidthPackage?.[0]?.publicIpAddresses?.publicIpAddresse, {
    0: { allocationId, bandwidthPackageIpRelationStatus: 'BINDED' },
  });

  await client.unassociateEipAddress(new vpc.UnassociateEipAddressRequest(bound));
  await client.removeCommonBandwidthPackageIp(new vpc.RemoveCommonBandwidthPackageIpRequest(member));
  await client.releaseEipAddress(new vpc.ReleaseEipAddressRequest({ regionId, allocationId }));
  t.is((await describe())?.totalCount, 0);
  t.deepEqual(cloud.eips(), []);
  t.deepEqual(
    cloud
      .ledger()
      .map(({ action, caller, binding: at, clientToken }) => [
        action,
        caller === sandboxCredential.accessKeyId,
        at?.privateIpAddress,
        clientToken,
      ]),
    [
      ['AllocateEipAddress', true, undefined, 'token-1'],
      ['AddCommonBandwidthPackageIp', true, undefined, undefined],
      ['AssociateEipAddress', true, '10.0.0.1', undefined],
      ['TagResources', true, '10.0.0.1', undefined],
      ['UnassociateEipAddress', true, '10.0.0.1', undefined],
      ['RemoveCommonBandwidthPackageIp', true, undefined, undefined],
      ['ReleaseEipAddress', true, undefined, undefined],
    ],
  );
  t.deepEqual(cloud.calls()['DescribeEipAddresses'], { OK: 2 });
});

test('the gateway refuses strangers, forged signatures, wrong tokens, stale requests and repeated nonces', async (t) => {
  const temporary = { accessKeyId: 'STS.1', accessKeySecret: 'secret', securityToken: 'token' };
  const { cloud, port } = await listening({ credentials: [sandboxCredential, temporary] });
  const codeFor = async (credential: object) => {
    const request = new vpc.DescribeEipAddressesRequest({ regionId });
    const client = vpcClient(port, credential);
    const error = await thrownBy(client.describeEipAddresses(request));
    return [error.code, error.statusCode];
  };
  t.deepEqual(await codeFor({ accessKeyId: 'nobody', accessKeySecret: 'x' }), ['InvalidAccessKeyId.NotFound', 404]);
  t.deepEqual(await codeFor({ ...sandboxCredential, accessKeySecret: 'x' }), ['SignatureDoesNotMatch', 400]);
  t.deepEqual(await codeFor({ ...temporary, securityToken: 'other' }), [
    'InvalidSecurityToken.MismatchWithAccessKey',
    400,
  ]);
  t.deepEqual(await codeFor({ ...temporary, securityToken: undefined }), ['MissingSecurityToken', 400]);
  await t.notThrowsAsync(
    vpcClient(port, temporary).describeEipAddresses(new vpc.DescribeEipAddressesRequest({ regionId })),
  );
  t.is(cloud.calls()['DescribeEipAddresses']?.['SignatureDoesNotMatch'], 1);

  // One genuine request, caught on its way, and then tampered with, repeated and delayed.
  let caught: Parameters<EmbeddedCloud['handle']>[0] | undefined;
  const hour = 3_600_000;
  let skew = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + skew };
  const target = createSandboxCloud({ clock, random: systemRandom });
  const server = await serveCloud({
    ...target,
    handle: (request) => {
      caught = request;
      return target.handle(request);
    },
  });
  started.push(server);
  await vpcClient(server.port).allocateEipAddress(new vpc.AllocateEipAddressRequest({ regionId, bandwidth: '5' }));
  const codeOf = async (request: NonNullable<typeof caught>) =>
    (JSON.parse((await target.handle(request)).body) as { Code: string }).Code;
  t.is(await codeOf(caught!), 'SignatureNonceUsed');
  t.is(await codeOf({ ...caught!, path: caught!.path.replace('Bandwidth=5', 'Bandwidth=9') }), 'SignatureDoesNotMatch');
  t.is(await codeOf({ ...caught!, body: 'Bandwidth=9' }), 'SignatureDoesNotMatch');
  t.is(await codeOf({ ...caught!, headers: {} }), 'MissingAccessKeyId');
  skew = hour;
  t.is(await codeOf(caught!), 'InvalidTimeStamp.Expired');
  t.is(target.eips().length, 1);
});

test('in process, callApi resolves and rejects as the SDKs do over HTTP', async (t) => {
  const { cloud, port } = await listening();
  const [remoteVpc, localVpc] = [vpcClient(port), vpcClient(port)];
  const [remoteEci, localEci] = [eciClient(port), eciClient(port)];
  localVpc.callApi = callApi(cloud, { host: `127.0.0.1:${port}` });
  localEci.callApi = callApi(cloud, { host: `127.0.0.1:${port}` });
  const vpcBoth = [remoteVpc, localVpc] as const;
  const eciBoth = [remoteEci, localEci] as const;

  cloud.world.addEip({ allocationId: 'eip-1', tags: { a: 'b' } });
  const bodies = await Promise.all(
    vpcBoth.map(async (client) => {
      const request = new vpc.DescribeEipAddressesRequest({ regionId, allocationId: 'eip-1' });
      return withoutId(JSON.stringify((await client.describeEipAddresses(request)).body));
    }),
  );
  t.is(bodies[0], bodies[1]);
  t.true(bodies[0]?.includes('eip-1'));

  const describeBoth = async (title: string, wanted: Partial<Thrown>) => {
    const vpcErrors = await inTurn(vpcBoth, (client) =>
      thrownBy(client.describeEipAddresses(new vpc.DescribeEipAddressesRequest({ regionId, pageSize: 20 }))),
    );
    t.deepEqual(shape(vpcErrors[1]!), shape(vpcErrors[0]!), `vpc: ${title}`);
    t.like(vpcErrors[1], wanted, title);
    const eciErrors = await inTurn(eciBoth, (client) =>
      thrownBy(client.describeContainerGroups(new DescribeContainerGroupsRequest({ regionId }))),
    );
    t.deepEqual(shape(eciErrors[1]!), shape(eciErrors[0]!), `eci: ${title}`);
  };
  const everything = (fault: Parameters<EmbeddedCloud['inject']>[0]['fault']) =>
    cloud.inject({ action: '*', times: 4, fault });

  everything({ effect: 'never', answer: { code: 'IncorrectEipStatus' } });
  await describeBoth('4xx', { name: 'ClientError', code: 'IncorrectEipStatus', statusCode: 400 });
  everything({ answer: { code: 'ServiceUnavailable' } });
  await describeBoth('5xx', { name: 'ServerError', code: 'ServiceUnavailable', statusCode: 503 });
  everything({ effect: 'never', answer: { code: 'Throttling.User', retryAfterMs: 1500 } });
  await describeBoth('throttled', { name: 'ThrottlingError', code: 'Throttling.User', statusCode: 400 });
  everything({ answer: 'drop' });
  await describeBoth('dropped', { code: 'ECONNRESET' });
  everything({ answer: { garbage: 'html' } });
  await describeBoth('HTML', { name: 'SyntaxError' });
  everything({ answer: { garbage: 'empty' } });
  await describeBoth('empty', { name: 'SyntaxError' });
  everything({ answer: { garbage: 'truncated' } });
  await describeBoth('truncated', { name: 'SyntaxError' });

  cloud.inject({ action: '*', times: 2, fault: { stallMs: 400 } });
  const runtime = new RuntimeOptions({ readTimeout: 50, connectTimeout: 1000 });
  const [late, lateInProcess] = await inTurn(vpcBoth, (client) =>
    thrownBy(client.describeEipAddressesWithOptions(new vpc.DescribeEipAddressesRequest({ regionId }), runtime)),
  );
  t.like(late, { name: 'RequestTimeoutError', code: undefined });
  t.deepEqual(shape(lateInProcess!), shape(late!));

  const unknown = await thrownBy(
    genericClient(port).callApi(
      ecsCall('DescribeVpcs', '2016-04-28'),
      new $OpenApiUtil.OpenApiRequest({ query: {} }),
      new RuntimeOptions({}),
    ),
  );
  t.like(unknown, { code: 'InvalidAction.NotFound', statusCode: 404 });
});

test('an effect survives a connection that drops, and two thousand parameters fit into the URL', async (t) => {
  const { cloud, port } = await listening();
  const client = vpcClient(port);
  cloud.inject({ action: 'AllocateEipAddress', fault: { answer: 'drop' } });
  const request = new vpc.AllocateEipAddressRequest({
    regionId,
    clientToken: 'once',
    internetChargeType: 'PayByTraffic',
  });
  t.is((await thrownBy(client.allocateEipAddress(request))).code, 'ECONNRESET');
  t.is(cloud.eips().length, 1);
  const again = await client.allocateEipAddress(request);
  t.is(again.body?.allocationId, cloud.eips()[0]?.allocationId);
  t.is(cloud.eips().length, 1);

  const generic = genericClient(port);
  const query = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`Ignored.${n}`, 'some longer value']));
  await t.notThrowsAsync(
    generic.callApi(
      ecsCall('DescribeNetworkInterfaces'),
      new $OpenApiUtil.OpenApiRequest({ query: { ...query, RegionId: regionId } }),
      new RuntimeOptions({}),
    ),
  );
});

const withoutId = (text: string): string => text.replaceAll(/[0-9A-F]{8}-[0-9A-F-]{27}/g, 'ID');

/** Everything of an error that a caller can go by. */
const shape = (error: Thrown) => ({
  name: error.name,
  message: withoutId(error.message),
  own: JSON.parse(withoutId(JSON.stringify(Object.fromEntries(Object.entries(error))))) as unknown,
});

/** One after the other, because faults are consumed in order. */
const inTurn = async <A, B>(subjects: readonly A[], act: (subject: A) => Promise<B>): Promise<readonly B[]> => {
  const results: B[] = [];
  for (const subject of subjects) results.push(await act(subject));
  return results;
};
