import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import { parseApiEndpoint } from '../../src/cloud/alicloud/endpoint.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { OPEN } from '../../src/cloud/fence.ts';
import {
  AK,
  TOKEN,
  allocation,
  calls,
  cloud,
  eipPage,
  faultOf,
  server,
  settings,
  wireEip,
} from './alicloud-fixture.ts';

test.after.always(() => server.close());

test.serial('each mutating function sends exactly its documented parameters, signed with the STS token', async (t) => {
  const region = { RegionId: 'cn-beijing' };
  const bound = {
    ...region,
    AllocationId: 'eip-1',
    InstanceId: 'eni-1',
    InstanceType: 'NetworkInterface',
    PrivateIpAddress: '10.0.0.7',
    ClientToken: 't-2',
  };
  const expected: Record<string, object> = {
    AllocateEipAddress: {
      ...region,
      ClientToken: 'e1-token',
      Bandwidth: '7',
      InternetChargeType: 'PayByTraffic',
      InstanceChargeType: 'PostPaid',
      ISP: 'BGP',
      'Tag.1.Key': 'owner',
      'Tag.1.Value': 'knative-eip',
      'Tag.2.Key': 'pod',
      'Tag.2.Value': 'a b*/~',
    },
    AssociateEipAddress: bound,
    UnassociateEipAddress: bound,
    ReleaseEipAddress: { ...region, AllocationId: 'eip-1' },
    AddCommonBandwidthPackageIp: {
      ...region,
      BandwidthPackageId: 'cbwp-1',
      IpInstanceId: 'eip-1',
      IpType: 'EIP',
      ClientToken: 't-3',
    },
    RemoveCommonBandwidthPackageIp: {
      ...region,
      BandwidthPackageId: 'cbwp-1',
      IpInstanceId: 'eip-1',
      ClientToken: 't-3',
    },
    // No client token: setting the same tags twice is setting them once.
    TagResources: {
      ...region,
      ResourceType: 'EIP',
      'ResourceId.1': 'eip-1',
      'Tag.1.Key': 'owner',
      'Tag.1.Value': 'knative-eip',
      'Tag.2.Key': 'pod',
      'Tag.2.Value': 'a b*/~',
    },
  };
  server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' }));
  for (const [action, query] of Object.entries(expected)) {
    await calls[action]?.(cloud);
    const sent = server.requests.at(-1);
    t.is(sent?.action, action);
    t.is(sent?.version, '2016-04-28');
    t.is(sent?.method, 'POST');
    t.is(sent?.headers['x-acs-security-token'], TOKEN);
    t.regex(String(sent?.headers.authorization), new RegExp(`Credential=${AK},`));
    t.deepEqual(sent?.query, query as Record<string, string>, action);
  }
  t.deepEqual(await cloud.allocateEip(allocation), { allocationId: 'eip-1', ipAddress: '47.0.0.1' });
});

test.serial(
  'an EIP is taken off an ECS instance by the instance’s ID and type, and off no address where none is known',
  async (t) => {
    server.play(() => ({ RequestId: 'REQ-1' }));
    const binding = {
      allocationId: 'eip-1',
      networkInterfaceId: 'i-1',
      instanceType: 'EcsInstance',
      clientToken: 't-4',
    } as const;
    await cloud.unassociateEip({ ...binding, privateIpAddress: '' });
    await cloud.unassociateEip({ ...binding, privateIpAddress: '10.0.0.1' });
    const wire = {
      RegionId: 'cn-beijing',
      AllocationId: 'eip-1',
      InstanceId: 'i-1',
      InstanceType: 'EcsInstance',
      ClientToken: 't-4',
    };
    t.deepEqual(
      server.requests.map(({ action, query }) => [action, query]),
      [
        ['UnassociateEipAddress', wire],
        ['UnassociateEipAddress', { ...wire, PrivateIpAddress: '10.0.0.1' }],
      ],
    );
  },
);

test.serial('allocating passes on what is optional', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' }));
  await cloud.allocateEip({
    ...allocation,
    tags: [],
    name: 'ns/pod',
    description: '',
    publicIpAddressPoolId: 'pippool-1',
    resourceGroupId: 'rg-1',
    securityProtectionTypes: ['AntiDDoS_Enhanced'],
  });
  t.like(server.requests[0]?.query, {
    Name: 'ns/pod',
    Description: '',
    PublicIpAddressPoolId: 'pippool-1',
    ResourceGroupId: 'rg-1',
    'SecurityProtectionTypes.1': 'AntiDDoS_Enhanced',
  });
});

test.serial('the assembled cloud folds, fences, counts and drains', async (t) => {
  let leading = true;
  const seen: string[] = [];
  const assembled = assembleCloud({
    region: 'cn-beijing',
    endpoints: { vpc: server.host.replace(/^/u, 'http://') },
    credentials: settings.credentials,
    clock: systemClock,
    callTimeoutMs: settings.callTimeoutMs,
    mayMutate: () => (leading ? OPEN : { kind: 'leadershipUncertain' }),
    onCall: ({ action, outcome }) => seen.push(`${action} ${outcome}`),
  });
  await assembled.warmUp();
  server.play(({ query }) => eipPage((query['AllocationId'] ?? '').split(',').map((id) => wireEip(id))));
  const eips = await Promise.all(['eip-1', 'eip-2', 'eip-1'].map((id) => assembled.cloud.describeEip(id)));
  t.deepEqual(
    eips.map((eip) => eip?.allocationId),
    ['eip-1', 'eip-2', 'eip-1'],
  );
  t.deepEqual(
    server.requests.map(({ query }) => query['AllocationId']),
    ['eip-1,eip-2'],
  );
  leading = false;
  t.like(await faultOf(assembled.cloud.releaseEip('eip-1')), { kind: 'later', code: 'LeadershipUncertain' });
  t.is(server.requests.length, 1);
  leading = true;
  server.play(() => ({ RequestId: 'REQ-1' }));
  const release = assembled.cloud.releaseEip('eip-1');
  await new Promise(setImmediate);
  t.is(assembled.inFlight(), 1);
  await assembled.idle();
  await release;
  t.deepEqual(seen, ['DescribeEipAddresses success', 'ReleaseEipAddress success']);
});

test.serial('a callApi in process stands in for the network, without credentials', async (t) => {
  const queries: Readonly<Record<string, string>>[] = [];
  const inProcess = createCloud({
    region: 'cn-beijing',
    clock: systemClock,
    callApi: (params, request) => {
      queries.push(request.query);
      if (params.action === 'ReleaseEipAddress') {
        return Promise.reject(
          Object.assign(new Error('no'), { code: 'IncorrectEipStatus', statusCode: 400, data: { RequestId: 'R' } }),
        );
      }
      const body = { RequestId: 'R', AllocationId: 'eip-7', EipAddress: '47.0.0.7', NetworkInterfaceSets: {} };
      return Promise.resolve({ headers: {}, statusCode: 200, body });
    },
  });
  await inProcess.warmUp();
  t.deepEqual(await inProcess.allocateEip(allocation), { allocationId: 'eip-7', ipAddress: '47.0.0.7' });
  t.is(queries[0]?.['Tag.1.Key'], 'owner');
  t.is((await faultOf(inProcess.releaseEip('eip-7'))).kind, 'later');
  t.deepEqual(await inProcess.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.1' }), []);
});

test('endpoint settings are split into protocol and host, or refused', (t) => {
  t.deepEqual(parseApiEndpoint('http://127.0.0.1:8080/'), { host: '127.0.0.1:8080', protocol: 'HTTP' });
  t.deepEqual(parseApiEndpoint('HTTPS://vpc.aliyuncs.com'), { host: 'vpc.aliyuncs.com', protocol: 'HTTPS' });
  t.deepEqual(parseApiEndpoint('vpc-vpc.cn-beijing.aliyuncs.com'), {
    host: 'vpc-vpc.cn-beijing.aliyuncs.com',
    protocol: 'HTTPS',
  });
  for (const bad of ['', 'ftp://x', 'http://u:p@x', 'x/path', 'x?y', 'a b', '-x']) {
    t.throws(() => parseApiEndpoint(bad), { instanceOf: RangeError }, bad);
  }
});
