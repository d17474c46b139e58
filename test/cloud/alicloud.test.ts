import { inspect } from 'node:util';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { createCloud } from '../../src/cloud/alicloud/cloud.ts';
import type { AlicloudCloud, CloudSettings } from '../../src/cloud/alicloud/cloud.ts';
import { createContainerGroups } from '../../src/cloud/alicloud/eci.ts';
import { parseEndpoint } from '../../src/cloud/alicloud/endpoint.ts';
import type { UnmappedAnswer } from '../../src/cloud/alicloud/faults.ts';
import { assembleCloud } from '../../src/cloud/assemble.ts';
import { createCredentials, SigningCredentials } from '../../src/cloud/credentials.ts';
import { CALL_TIMEOUT_MS } from '../../src/cloud/deadline.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { Secret } from '../../src/cloud/secret.ts';
import type { AllocateEip, Binding, PackageMembership } from '../../src/cloud/port.ts';
import { fakeClock } from './fake-clock.ts';
import { refusal, scriptedServer } from './scripted-server.ts';
import type { Script, WireRequest } from './scripted-server.ts';

// One server and one client for all: importing the SDK takes most of this file's time.
const server = await scriptedServer(() => ({}));
test.after.always(() => server.close());

const AK = 'LTAI5tPlantedKeyId12';
const SK = 'plantedSecretAccessKey0123456789';
const TOKEN = 'CAIplantedSecurityToken==';

const unmapped: UnmappedAnswer[] = [];
const settings: CloudSettings = {
  region: 'cn-beijing',
  endpoints: { vpc: `http://${server.host}`, ecs: `http://${server.host}`, eci: `http://${server.host}/` },
  clock: systemClock,
  credentials: createCredentials(
    { accessKeyId: AK, accessKeySecret: new Secret(SK), securityToken: new Secret(TOKEN), env: {} },
    systemClock,
  ),
  unmapped: (answer) => unmapped.push(answer),
};
const cloud = createCloud(settings);

const allocation: AllocateEip = {
  clientToken: 'e1-token',
  bandwidthMbps: 7,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  tags: [
    { key: 'owner', value: 'knative-eip' },
    { key: 'pod', value: 'a b*/~' },
  ],
};
const binding: Binding = {
  allocationId: 'eip-1',
  networkInterfaceId: 'eni-1',
  privateIpAddress: '10.0.0.7',
  clientToken: 't-2',
};
const membership: PackageMembership = { allocationId: 'eip-1', bandwidthPackageId: 'cbwp-1', clientToken: 't-3' };

const wireEip = (id: string, more: object = {}) => ({
  AllocationId: id,
  IpAddress: '47.0.0.1',
  Status: 'Available',
  InstanceId: '',
  InstanceType: '',
  PrivateIpAddress: '',
  Bandwidth: '5',
  InternetChargeType: 'PayByTraffic',
  ChargeType: 'PostPaid',
  ISP: 'BGP',
  Name: '',
  ServiceManaged: 0,
  DeletionProtection: false,
  OperationLocks: { LockReason: [] },
  Tags: { Tag: [{ Key: 'owner', Value: 'knative-eip' }] },
  ...more,
});
const eipPage = (eips: object[], total: unknown = eips.length) => ({
  RequestId: 'REQ-1',
  TotalCount: total,
  PageNumber: 1,
  PageSize: 100,
  EipAddresses: { EipAddress: eips },
});

const eni = (id: string, more: object = {}) => ({
  NetworkInterfaceId: id,
  Status: 'InUse',
  VpcId: 'vpc-1',
  InstanceId: 'i-1',
  PrivateIpAddress: '10.0.0.1',
  PrivateIpSets: {
    PrivateIpSet: [{ PrivateIpAddress: '10.0.0.1', Primary: true }, { PrivateIpAddress: '10.0.0.7' }],
  },
  ...more,
});

const raw =
  (status: number, body: string, type = 'application/json'): Script =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
    return undefined;
  };

const at = (vpc: string) => createCloud({ ...settings, endpoints: { vpc } });

const silent: Script = () => undefined;

const half: Script = (_request, response) => {
  response.writeHead(200);
  response.write('{"Req');
  return undefined;
};

const faultOf = async (call: Promise<unknown>): Promise<CloudFault> => {
  try {
    await call;
  } catch (error) {
    if (error instanceof CloudFault) return error;
    throw error;
  }
  throw new Error('the call succeeded');
};

/** Every function of the port, to be called with something sensible. */
const calls: Record<string, (on: AlicloudCloud) => Promise<unknown>> = {
  AllocateEipAddress: (on) => on.allocateEip(allocation),
  AssociateEipAddress: (on) => on.associateEip(binding),
  UnassociateEipAddress: (on) => on.unassociateEip(binding),
  ReleaseEipAddress: (on) => on.releaseEip('eip-1'),
  AddCommonBandwidthPackageIp: (on) => on.joinBandwidthPackage(membership),
  RemoveCommonBandwidthPackageIp: (on) => on.leaveBandwidthPackage(membership),
  DescribeEipAddresses: (on) => on.describeEip('eip-1'),
  DescribeNetworkInterfaces: (on) => on.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }),
};
const isRead = (action: string) => action.startsWith('Describe');

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
  };
  server.play(() => ({ RequestId: 'REQ-1', AllocationId: 'eip-1', EipAddress: '47.0.0.1' }));
  for (const [action, query] of Object.entries(expected)) {
    await calls[action]?.(cloud);
    const sent = server.requests.at(-1);
    t.is(sent?.action, action);
    t.is(sent?.version, '2016-04-28');
    t.is(sent?.request.method, 'POST');
    t.is(sent?.request.headers['x-acs-security-token'], TOKEN);
    t.regex(String(sent?.request.headers.authorization), new RegExp(`Credential=${AK},`));
    t.deepEqual(sent?.query, query as Record<string, string>, action);
  }
  t.deepEqual(await cloud.allocateEip(allocation), { allocationId: 'eip-1', ipAddress: '47.0.0.1' });
});

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

test.serial('finding interfaces always names the VPC and compares again what comes', async (t) => {
  server.play(({ query }) => ({
    RequestId: 'REQ-1',
    NetworkInterfaceSets: {
      NetworkInterfaceSet:
        query['NextToken'] === undefined
          ? [eni('eni-1'), eni('eni-2', { VpcId: 'vpc-2' })]
          : [eni('eni-3', { PrivateIpSets: { PrivateIpSet: [] } })],
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

test.serial('a container group’s interface comes from ECI', async (t) => {
  const groups = createContainerGroups(settings);
  server.play(() => ({
    RequestId: 'REQ-1',
    TotalCount: 1,
    ContainerGroups: [{ ContainerGroupId: 'eci-1', EniInstanceId: 'eni-9' }],
  }));
  t.is(await groups.findContainerGroupInterface('eci-1'), 'eni-9');
  t.is(await groups.findContainerGroupInterface('eci-2'), undefined);
  t.like(server.requests[0], { action: 'DescribeContainerGroups', version: '2018-08-08' });
  t.like(server.requests[0]?.query, { RegionId: 'cn-beijing', ContainerGroupIds: '["eci-1"]' });
  server.play(refusal(403, 'NoPermission', { Message: `no, ${SK}` }));
  const fault = await faultOf(groups.findContainerGroupInterface('eci-1'));
  t.like(fault, { kind: 'misconfigured', code: 'NoPermission', status: 403, requestId: 'REQ-1' });
  t.true(fault.message.includes('eci:DescribeContainerGroups'));
});

test.serial('answers that make no sense are unknown for mutations and later for reads, in every form', async (t) => {
  const nonsense: Record<string, Script> = {
    'HTML with 200': raw(200, '<html>secret page</html>', 'text/html'),
    'HTML with 502': raw(502, '<html>Bad Gateway</html>', 'text/html'),
    'an empty body': raw(200, ''),
    'no content': raw(204, ''),
    'cut JSON': raw(200, '{"RequestId":"REQ-1","Alloc'),
    'an array': raw(200, '[]'),
    null: raw(200, 'null'),
    'an empty object': raw(200, '{}'),
    'an empty object with 500': raw(500, '{}'),
    'a redirect with JSON': raw(302, '{"RequestId":"REQ-1","AllocationId":"eip-1","EipAddress":"47.0.0.1"}'),
    'null with 400': raw(400, 'null'),
    'XML without an error': raw(400, '<a/>', 'text/xml;charset=utf-8'),
    'a reset connection': (request) => {
      request.request.socket.destroy();
      return undefined;
    },
    'a reset after the headers': (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"RequestId"', () => request.request.socket.destroy());
      return undefined;
    },
  };
  for (const [name, script] of Object.entries(nonsense)) {
    for (const [action, call] of Object.entries(calls)) {
      server.play(script);
      const fault = await faultOf(call(cloud));
      t.is(fault.kind, isRead(action) ? 'later' : 'unknown', `${name}, ${action}: ${fault.message}`);
      t.false(fault.message.includes('secret page'));
    }
  }
});

test.serial('an answer whose deciding fields are wrong is not taken for an answer', async (t) => {
  const eips: Record<string, object> = {
    'no allocation ID': wireEip(''),
    'a number for an allocation ID': { ...wireEip('x'), AllocationId: 12 },
    'no allocation ID at all': { ...wireEip('x'), AllocationId: null },
    'no address': wireEip('eip-1', { IpAddress: 'pending' }),
    'no state': wireEip('eip-1', { Status: '' }),
    'a state with control characters': wireEip('eip-1', { Status: 'In\u0000Use' }),
    'a private address that is none': wireEip('eip-1', { PrivateIpAddress: 'eni' }),
    'a tag without a key': wireEip('eip-1', { Tags: { Tag: [{ Value: 'x' }] } }),
    'a tag twice': wireEip('eip-1', {
      Tags: {
        Tag: [
          { Key: 'a', Value: '1' },
          { Key: 'a', Value: '2' },
        ],
      },
    }),
    'tags that are no list': wireEip('eip-1', { Tags: { Tag: {} } }),
  };
  for (const [name, eip] of Object.entries(eips)) {
    server.play(() => eipPage([eip]));
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, name);
  }
  const pages: Record<string, object> = {
    'no count': eipPage([], null),
    'a negative count': eipPage([], -1),
    'a count of words': eipPage([], 'many'),
    'a count without a list': { RequestId: 'REQ-1', TotalCount: 1 },
    'an object for a list': { RequestId: 'REQ-1', TotalCount: 1, EipAddresses: { EipAddress: wireEip('eip-1') } },
    'a null in the list': { RequestId: 'REQ-1', TotalCount: 1, EipAddresses: { EipAddress: [null] } },
    'more than were asked for': eipPage([wireEip('eip-2')], 500),
    'the same EIP twice': eipPage([wireEip('eip-1'), wireEip('eip-1')]),
    'the same EIP twice, counted once': eipPage([wireEip('eip-1'), wireEip('eip-1')], 1),
  };
  for (const [name, page] of Object.entries(pages)) {
    server.play(() => page);
    t.is((await faultOf(cloud.describeEip('eip-1'))).kind, 'later', name);
  }
  server.play(() => ({ RequestId: 'REQ-1', EipAddress: '47.0.0.1' }));
  t.like(await faultOf(cloud.allocateEip(allocation)), { kind: 'unknown', code: 'UnreadableAnswer' });
});

test.serial('errors become faults with kind, code, status and request ID', async (t) => {
  const cases: [string, Script, Partial<CloudFault>][] = [
    [
      'ReleaseEipAddress',
      refusal(404, 'InvalidAllocationId.NotFound'),
      { kind: 'gone', status: 404, requestId: 'REQ-1' },
    ],
    ['AssociateEipAddress', refusal(400, 'IncorrectEipStatus'), { kind: 'later' }],
    ['AssociateEipAddress', refusal(400, 'InvalidAssociation.Duplicated'), { kind: 'already' }],
    ['AllocateEipAddress', refusal(400, 'QuotaExceeded.Eip'), { kind: 'quota', code: 'QuotaExceeded.Eip' }],
    [
      'AllocateEipAddress',
      refusal(400, 'IdempotentParameterMismatch'),
      { kind: 'refused', code: 'IdempotentParameterMismatch' },
    ],
    ['AllocateEipAddress', refusal(500, 'InternalError'), { kind: 'unknown', status: 500 }],
    ['DescribeEipAddresses', refusal(503, 'ServiceUnavailable'), { kind: 'later', status: 503 }],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling.User', {}, { 'x-acs-retry-after': '1500' }),
      { kind: 'throttled', code: 'Throttling.User', retryAfterMs: 1500 },
    ],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling', {}, { 'x-acs-retry-after': '-1' }),
      { kind: 'throttled', retryAfterMs: undefined },
    ],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling', {}, { 'x-acs-retry-after': '1e9999999999' }),
      { kind: 'throttled', retryAfterMs: 1 },
    ],
    ['AllocateEipAddress', refusal(429, undefined as unknown as string), { kind: 'throttled', code: 'HTTP429' }],
    ['AllocateEipAddress', refusal(403, 'Forbbiden'), { kind: 'misconfigured', code: 'Forbbiden' }],
  ];
  for (const [action, script, expected] of cases) {
    server.play(script);
    t.like(await faultOf(calls[action]?.(cloud) ?? Promise.resolve()), { action, ...expected });
  }
  server.play((_request, response) => {
    response.writeHead(400, { 'content-type': 'text/xml;charset=utf-8' });
    response.end('<?xml version="1.0"?><Error><RequestId>REQ-2</RequestId><Code>TaskConflict</Code></Error>');
    return undefined;
  });
  t.like(await faultOf(cloud.releaseEip('eip-1')), { kind: 'later', code: 'TaskConflict', requestId: 'REQ-2' });
});

test.serial('leaving a package that the EIP is not in is success', async (t) => {
  server.play(refusal(400, 'OperationUnsupported.IpNotInCbwp'));
  await t.notThrowsAsync(cloud.leaveBandwidthPackage(membership));
  t.is((await faultOf(cloud.joinBandwidthPackage(membership))).kind, 'later');
});

test.serial('an unknown code is counted, and a missing permission names the RAM action', async (t) => {
  unmapped.length = 0;
  server.play(refusal(400, 'Brand.NewCode'));
  t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'later');
  server.play(refusal(404, 'Something.NotFound'));
  t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'later');
  t.deepEqual(unmapped, [
    { action: 'ReleaseEipAddress', code: 'Brand.NewCode', status: 400 },
    { action: 'ReleaseEipAddress', code: 'Something.NotFound', status: 404 },
  ]);
  server.play(refusal(403, 'NoPermission', { AccessDeniedDetail: { AuthAction: 'vpc:AssociateEipAddress' } }));
  const fault = await faultOf(cloud.associateEip(binding));
  t.is(fault.kind, 'misconfigured');
  t.true(fault.message.includes('Grant the RAM action vpc:AssociateEipAddress.'));
});

test.serial('what cannot be sent is refused, and what is aborted is not sent', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  t.is((await faultOf(cloud.describeEip('eip-1,eip-2'))).kind, 'refused');
  t.is((await faultOf(cloud.releaseEip('eip-1&Force=true'))).kind, 'refused');
  t.is((await faultOf(cloud.allocateEip({ ...allocation, clientToken: 'x'.repeat(65) }))).kind, 'refused');
  t.is((await faultOf(cloud.allocateEip({ ...allocation, name: 'a\ud800' }))).kind, 'refused');
  await t.throwsAsync(cloud.releaseEip('eip-1', AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  t.is(server.requests.length, 0);
});

test.serial('a host that refuses or does not exist is told apart from one that does not answer', async (t) => {
  t.like(await faultOf(at('http://127.0.0.1:1').releaseEip('eip-1')), { kind: 'later', code: 'ECONNREFUSED' });
  // The server speaks no TLS.
  t.is((await faultOf(at(`https://${server.host}`).describeEip('eip-1'))).kind, 'misconfigured');
  t.is((await faultOf(at(`https://${server.host}`).releaseEip('eip-1'))).kind, 'unknown');
});

test.serial('no call outlives its timeout, on a fresh and on a used connection, before and in the body', async (t) => {
  const quick = createCloud({ ...settings, callTimeoutMs: 150 });
  // Three calls, so that the connection has timers of earlier requests on it.
  server.play(() => ({ RequestId: 'REQ-1' }));
  await quick.releaseEip('eip-1');
  for (const script of [silent, half]) {
    server.play(script);
    const mutation = await faultOf(quick.releaseEip('eip-1'));
    t.is(mutation.kind, 'unknown');
    t.is((await faultOf(quick.describeEip('eip-1'))).kind, 'later');
  }
});

test.serial('no secret reaches a fault, wherever it was planted', async (t) => {
  const planted = [AK, SK, TOKEN, 'STS.NTplantedOtherKey', 'hunter2', 'eyJplanted.eyJplanted.sig'];
  const text =
    `Specified token ${TOKEN} and secret ${SK} of ${AK} and STS.NTplantedOtherKey in ` +
    `https://user:hunter2@example.com/?Signature=hunter2&x=1 POST /?SecurityToken=hunter2 ` +
    `Authorization: Bearer eyJplanted.eyJplanted.sig password=hunter2 "AccessKeySecret":"hunter2" x-acs-security-token:hunter2`;
  const everywhere = (status: number, code: string): Script =>
    refusal(status, code, {
      Message: text,
      Recommend: text,
      HostId: text,
      Description: text,
      AccessDeniedDetail: { AuthAction: text, EncodedDiagnosticMessage: text },
      RequestId: text,
      Data: { nested: text },
    });
  const scripts: Script[] = [
    everywhere(400, 'SignatureDoesNotMatch'),
    everywhere(400, 'IncompleteSignature'),
    everywhere(403, 'NoPermission'),
    everywhere(400, 'IncorrectEipStatus'),
    everywhere(400, text),
    everywhere(500, 'InternalError'),
    everywhere(400, 'Throttling'),
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(text);
      return undefined;
    },
    () => ({
      RequestId: text,
      AllocationId: text,
      EipAddress: text,
      TotalCount: 1,
      EipAddresses: { EipAddress: [text] },
    }),
    () => eipPage([wireEip(text, { Status: text })]),
    (request: WireRequest) => {
      request.request.socket.destroy();
      return undefined;
    },
    () => undefined,
  ];
  const quick = createCloud({ ...settings, callTimeoutMs: 250 });
  const named: AllocateEip = { ...allocation, name: 'hunter2', description: SK };
  for (const [n, script] of scripts.entries()) {
    server.play(script);
    for (const call of [() => quick.allocateEip(named), () => quick.describeEip('eip-1')]) {
      const fault = await faultOf(call());
      const shown = [fault.message, fault.stack, JSON.stringify(fault), inspect(fault, { depth: 9, showHidden: true })];
      for (const secret of planted)
        t.false(shown.join('\n').includes(secret), `script ${n}: ${secret} in ${fault.message}`);
      t.is(fault.cause, undefined);
      t.false(/[\p{Cc}]/u.test(fault.message));
    }
  }
  t.false(inspect(settings.credentials, { depth: 9, showHidden: true }).includes(SK));
  t.false(JSON.stringify(await settings.credentials?.get()).includes(SK));
});

test.serial('the assembled cloud folds, fences, counts and drains', async (t) => {
  let leading = true;
  const seen: string[] = [];
  const assembled = assembleCloud({
    region: 'cn-beijing',
    endpoints: { vpc: server.host.replace(/^/u, 'http://') },
    credentials: settings.credentials,
    clock: systemClock,
    mayMutate: () => leading,
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

test.serial('a call that the SDK never ends is ended, and late credentials mean that nothing is sent', async (t) => {
  const { clock, advance, settle } = fakeClock();
  let sent = 0;
  const callApi = () => {
    sent += 1;
    return new Promise<never>(() => undefined);
  };
  const base = { region: 'cn-beijing', clock, callApi };
  const stuck = createCloud(base);
  await stuck.warmUp();
  const release = faultOf(stuck.releaseEip('eip-1'));
  const describe = faultOf(stuck.describeEip('eip-1'));
  await advance(CALL_TIMEOUT_MS);
  t.like(await release, { kind: 'unknown', code: 'RequestTimeout' });
  t.like(await describe, { kind: 'later', code: 'RequestTimeout' });
  t.is(sent, 2);

  const credentials = Promise.withResolvers<SigningCredentials>();
  const late = createCloud({
    ...base,
    credentials: {
      source: 'a slow one',
      get: () => credentials.promise,
      latest: () => undefined,
      discard: () => undefined,
    },
  });
  const unsent = faultOf(late.releaseEip('eip-1'));
  await advance(CALL_TIMEOUT_MS);
  credentials.resolve(
    new SigningCredentials({ accessKeyId: 'a', accessKeySecret: 'b', securityToken: '', providerName: 'test' }),
  );
  await settle();
  t.like(await unsent, { kind: 'later', code: 'CredentialsTimeout' });
  t.is(sent, 2);
});

test.serial('credentials that the cloud does not accept are not tried again', async (t) => {
  let discarded = 0;
  let code = 'InvalidSecurityToken.Expired';
  const signing = new SigningCredentials({
    accessKeyId: 'a',
    accessKeySecret: 'b',
    securityToken: '',
    providerName: '',
  });
  const refused = createCloud({
    region: 'cn-beijing',
    clock: systemClock,
    callApi: () => Promise.reject(Object.assign(new Error('no'), { code, statusCode: 400, data: {} })),
    credentials: {
      source: 'a test',
      get: () => Promise.resolve(signing),
      latest: () => signing,
      discard: () => {
        discarded += 1;
      },
    },
  });
  t.is((await faultOf(refused.releaseEip('eip-1'))).kind, 'misconfigured');
  t.is(discarded, 1);
  code = 'IncorrectEipStatus';
  await faultOf(refused.releaseEip('eip-1'));
  t.is(discarded, 1);
});

test('endpoint settings are split into protocol and host, or refused', (t) => {
  t.deepEqual(parseEndpoint('http://127.0.0.1:8080/'), { host: '127.0.0.1:8080', protocol: 'HTTP' });
  t.deepEqual(parseEndpoint('HTTPS://vpc.aliyuncs.com'), { host: 'vpc.aliyuncs.com', protocol: 'HTTPS' });
  t.deepEqual(parseEndpoint('vpc-vpc.cn-beijing.aliyuncs.com'), {
    host: 'vpc-vpc.cn-beijing.aliyuncs.com',
    protocol: 'HTTPS',
  });
  for (const bad of ['', 'ftp://x', 'http://u:p@x', 'x/path', 'x?y', 'a b', '-x']) {
    t.throws(() => parseEndpoint(bad), { instanceOf: RangeError }, bad);
  }
});
