import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../api/annotations.ts';
import type { EipCreationParameters } from '../cloud/container-groups.ts';
import type { NewEip } from '../request/request.ts';
import type { CloudCall } from './explanation.ts';

/** Members that are undefined or empty are not sent. */
const sent = (parameters: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(parameters).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );

/** The call that buys an EIP (VPC API 2016-04-28, AllocateEipAddress), as the controller makes it. */
export const allocationCalls = (request: NewEip, region: string | undefined, namespace: string): CloudCall => ({
  action: 'AllocateEipAddress',
  parameters: sent({
    RegionId: region ?? '<region>',
    Bandwidth: String(request.bandwidthMbps),
    InternetChargeType: request.internetChargeType,
    InstanceChargeType: 'PostPaid',
    ISP: request.isp,
    Name: request.name,
    Description: request.description,
    PublicIpAddressPoolId: request.publicIpAddressPoolId,
    ResourceGroupId: request.resourceGroupId,
    SecurityProtectionTypes: request.securityProtectionTypes,
    Tag: [
      ...request.tags.map(([Key, Value]) => ({ Key, Value })),
      { Key: TAG_CLUSTER_UID, Value: '<UID of kube-system>' },
      { Key: TAG_PODEIP_UID, Value: '<UID of the PodEIP>' },
      { Key: TAG_CLUSTER_ID, Value: '<clusterID>' },
      { Key: TAG_POD, Value: `${namespace}/<pod>` },
    ],
    ClientToken: '<by PodEIP and request>',
  }),
});

export const joining = (bandwidthPackageId: string, region: string | undefined): CloudCall => ({
  action: 'AddCommonBandwidthPackageIp',
  parameters: {
    RegionId: region ?? '<region>',
    BandwidthPackageId: bandwidthPackageId,
    IpInstanceId: '<AllocationId>',
    IpType: 'EIP',
  },
});

export const association = (allocationId: string | undefined, region: string | undefined): CloudCall => ({
  action: 'AssociateEipAddress',
  parameters: {
    RegionId: region ?? '<region>',
    AllocationId: allocationId ?? '<AllocationId>',
    InstanceType: 'NetworkInterface',
    InstanceId: '<network interface of the pod>',
    PrivateIpAddress: '<address of the pod>',
  },
});

/** The part of ECI's call that is about the address (ECI API 2018-08-08, CreateContainerGroup). */
export const instance = (eip: EipCreationParameters, region: string | undefined): CloudCall => ({
  action: 'CreateContainerGroup',
  parameters: {
    RegionId: region ?? '<region>',
    ...Object.fromEntries(
      Object.entries(eip)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [`${name.charAt(0).toUpperCase()}${name.slice(1)}`, value]),
    ),
  },
});
