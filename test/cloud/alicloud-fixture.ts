import { systemClock } from '../../src/lib/clock.ts';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import type { AlicloudCloud, CloudSettings } from '../../src/cloud/alicloud/vpc.ts';
import type { UnmappedAnswer } from '../../src/cloud/alicloud/to-fault.ts';
import { createCredentials } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { SecretText } from '../../src/config/secret.ts';
import type { AllocateEip, Binding, PackageMembership } from '../../src/cloud/port.ts';
import { scriptedServer } from './scripted-server.ts';
import type { Script } from './scripted-server.ts';

/** One server and one client for a whole test file: importing the SDK takes most of its time. */
export const server = await scriptedServer(() => ({}));

export const AK = 'LTAI5tPlantedKeyId12';
export const SK = 'plantedSecretAccessKey0123456789';
export const TOKEN = 'CAIplantedSecurityToken==';

export const unmapped: UnmappedAnswer[] = [];
export const settings: CloudSettings = {
  region: 'cn-beijing',
  endpoints: { vpc: `http://${server.host}`, ecs: `http://${server.host}`, eci: `http://${server.host}/` },
  clock: systemClock,
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

/** Every function of the port, to be called with something sensible. */
export const calls: Record<string, (on: AlicloudCloud) => Promise<unknown>> = {
  AllocateEipAddress: (on) => on.allocateEip(allocation),
  AssociateEipAddress: (on) => on.associateEip(binding),
  UnassociateEipAddress: (on) => on.unassociateEip(binding),
  ReleaseEipAddress: (on) => on.releaseEip('eip-1'),
  AddCommonBandwidthPackageIp: (on) => on.joinBandwidthPackage(membership),
  RemoveCommonBandwidthPackageIp: (on) => on.leaveBandwidthPackage(membership),
  TagResources: (on) => on.tagEip('eip-1', allocation.tags),
  DescribeEipAddresses: (on) => on.describeEip('eip-1'),
  DescribeNetworkInterfaces: (on) => on.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' }),
};
export const isRead = (action: string) => action.startsWith('Describe');
