import { systemClock } from '../../src/lib/clock.ts';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import type { AlicloudCloud, CloudSettings } from '../../src/cloud/alicloud/vpc.ts';
import type { UnmappedAnswer } from '../../src/cloud/alicloud/to-fault.ts';
import { createCredentials } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { SecretText } from '../../src/config/secret.ts';
import type { AllocateEip, Binding, PackageMembership } from '../../src/cloud/port.ts';
import { rpcServer } from './rpc-server.ts';
import type { Script } from './rpc-server.ts';
import { ManualClock, settled } from '../harness/clock.ts';

/** One server and one client for a whole test file: importing the SDK takes most of its time. */
export const server = await rpcServer(() => ({}));

export const AK = 'LTAI5tPlantedKeyId12';
export const SK = 'plantedSecretAccessKey0123456789';
export const TOKEN = 'CAIplantedSecurityToken==';

/**
 * How long a call may take: the first one of a file loads the SDK, which takes a busy machine longer than the product
 * waits. Milliseconds.
 */
const PATIENCE_MS = 300_000;

export const unmapped: UnmappedAnswer[] = [];
export const settings: CloudSettings = {
  region: 'cn-beijing',
  endpoints: { vpc: `http://${server.host}`, ecs: `http://${server.host}`, eci: `http://${server.host}/` },
  clock: systemClock,
  callTimeoutMs: PATIENCE_MS,
  credentials: createCredentials(
    { accessKeyId: AK, accessKeySecret: new SecretText(SK), securityToken: new SecretText(TOKEN), env: {} },
    systemClock,
  ),
  unmapped: (answer) => unmapped.push(answer),
};
export const cloud = createCloud(settings);

export const allocation: AllocateEip = {
  clientToken: 'e1-token',
  bandwidthMbps: 7,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  tags: [
    { key: 'owner', value: 'knative-eip' },
    { key: 'pod', value: 'a b*/~' },
  ],
};
export const binding: Binding = {
  allocationId: 'eip-1',
  networkInterfaceId: 'eni-1',
  privateIpAddress: '10.0.0.7',
  clientToken: 't-2',
};
export const membership: PackageMembership = {
  allocationId: 'eip-1',
  bandwidthPackageId: 'cbwp-1',
  clientToken: 't-3',
};

export const wireEip = (id: string, more: object = {}) => ({
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
export const eipPage = (eips: object[], total: unknown = eips.length) => ({
  RequestId: 'REQ-1',
  TotalCount: total,
  PageNumber: 1,
  PageSize: 100,
  EipAddresses: { EipAddress: eips },
});

export const eni = (id: string, more: object = {}) => ({
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

export const raw =
  (status: number, body: string, type = 'application/json'): Script =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
    return undefined;
  };

export const at = (vpc: string) => createCloud({ ...settings, endpoints: { vpc } });

export const silent: Script = () => undefined;

export const half: Script = (_request, response) => {
  response.writeHead(200);
  response.write('{"Req');
  return undefined;
};

export const faultOf = async (call: Promise<unknown>): Promise<CloudFault> => {
  try {
    await call;
  } catch (error) {
    if (error instanceof CloudFault) return error;
    throw error;
  }
  throw new Error('the call succeeded');
};

/** As many turns as what the server has written takes to be read, and more. */
const TURNS = 50;

/** A client in whose calls no time passes but where the test says so. */
export const timedCloud = () => {
  const clock = new ManualClock(0);
  const on = createCloud({ ...settings, clock });
  return {
    cloud: on,
    /** The fault of a call whose time is up once the server has got it and has answered as far as it does. */
    outOfTime: async (call: (on: AlicloudCloud) => Promise<unknown>): Promise<CloudFault> => {
      const fault = faultOf(call(on));
      await server.isAsked();
      for (let turn = 0; turn < TURNS; turn += 1) await settled();
      await clock.advance(PATIENCE_MS);
      return fault;
    },
  };
};

/** Every function of the port, to be called with something sensible. */
export const calls: Record<string, (on: AlicloudCloud) => Promise<unknown>> = {
  AllocateEipAddress: (on) => on.allocateEip(allocation),
  AssociateEipAddress: (on) => on.associateEip(binding),
  UnassociateEipAddress: (on) => on.unassociateEip(binding),
  ReleaseEipAddress: (on) => on.releaseEip('eip-1'),
  AddCommonBandwidthPackageIp: (on) => on.joinBandwidthPackage(membership),
  RemoveCommonBandwidthPackageIp: (on) => on.leaveBandwidthPackage(membership),
  TagResources: (on) => on.tagEip('eip-1', allocation.tags),
  UnTagResources: (on) => on.untagEip('eip-1', ['a']),
  DescribeEipAddresses: (on) => on.describeEip('eip-1'),
  DescribeNetworkInterfaces: (on) => on.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }),
};
export const isRead = (action: string) => action.startsWith('Describe');
