import { listAt, tagsIn, textAt } from './answer-fields.ts';

/** An EIP as DescribeEipAddresses shows it; '' is what the API leaves empty. */
export interface EipSeen {
  readonly allocationId: string;
  readonly ipAddress: string;
  readonly status: string;
  readonly instanceId: string;
  readonly instanceType: string;
  readonly privateIp: string;
  readonly packageId: string;
  readonly name: string;
  readonly description: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly isManaged: boolean;
  readonly chargeType: string;
  readonly meteredBy: string;
  readonly bandwidth: string;
}

export const eipsIn = (body: unknown): readonly EipSeen[] =>
  listAt(body, 'EipAddresses', 'EipAddress').map((eip) => ({
    allocationId: textAt(eip, 'AllocationId'),
    ipAddress: textAt(eip, 'IpAddress'),
    status: textAt(eip, 'Status'),
    instanceId: textAt(eip, 'InstanceId'),
    instanceType: textAt(eip, 'InstanceType'),
    privateIp: textAt(eip, 'PrivateIpAddress'),
    packageId: textAt(eip, 'BandwidthPackageId'),
    name: textAt(eip, 'Name'),
    // The API spells it both ways.
    description: textAt(eip, 'Description') || textAt(eip, 'Descritpion'),
    tags: tagsIn(listAt(eip, 'Tags', 'Tag')),
    isManaged: textAt(eip, 'ServiceManaged') === '1',
    chargeType: textAt(eip, 'ChargeType'),
    meteredBy: textAt(eip, 'InternetChargeType'),
    bandwidth: textAt(eip, 'Bandwidth'),
  }));

export interface InterfaceSeen {
  readonly networkInterfaceId: string;
  readonly name: string;
  readonly status: string;
  /** Primary, Secondary, Trunk or Member. */
  readonly type: string;
  readonly vpcId: string;
  readonly primaryIp: string;
  /** The primary one too. */
  readonly privateIps: readonly string[];
  /** The EIP at each private address that has one. */
  readonly publicIps: ReadonlyMap<string, { readonly allocationId: string; readonly ipAddress: string }>;
  /** CIDR blocks. */
  readonly prefixes: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
}

export const interfacesIn = (body: unknown): readonly InterfaceSeen[] =>
  listAt(body, 'NetworkInterfaceSets', 'NetworkInterfaceSet').map((eni) => ({
    networkInterfaceId: textAt(eni, 'NetworkInterfaceId'),
    name: textAt(eni, 'NetworkInterfaceName'),
    status: textAt(eni, 'Status'),
    type: textAt(eni, 'Type'),
    vpcId: textAt(eni, 'VpcId'),
    primaryIp: textAt(eni, 'PrivateIpAddress'),
    privateIps: listAt(eni, 'PrivateIpSets', 'PrivateIpSet').map((ip) => textAt(ip, 'PrivateIpAddress')),
    publicIps: new Map(
      listAt(eni, 'PrivateIpSets', 'PrivateIpSet').flatMap((ip) => {
        const allocationId = textAt(ip, 'AssociatedPublicIp', 'AllocationId');
        const ipAddress = textAt(ip, 'AssociatedPublicIp', 'PublicIpAddress');
        return allocationId === '' && ipAddress === ''
          ? []
          : [[textAt(ip, 'PrivateIpAddress'), { allocationId, ipAddress }] as const];
      }),
    ),
    prefixes: listAt(eni, 'Ipv4PrefixSets', 'Ipv4PrefixSet').map((prefix) => textAt(prefix, 'Ipv4Prefix')),
    tags: tagsIn(listAt(eni, 'Tags', 'Tag')),
  }));

export interface GroupSeen {
  readonly containerGroupId: string;
  readonly name: string;
  readonly status: string;
  readonly networkInterfaceId: string;
  readonly privateIp: string;
  readonly publicIp: string;
  readonly tags: ReadonlyMap<string, string>;
}

export const groupsIn = (body: unknown): readonly GroupSeen[] =>
  listAt(body, 'ContainerGroups').map((group) => ({
    containerGroupId: textAt(group, 'ContainerGroupId'),
    name: textAt(group, 'ContainerGroupName'),
    status: textAt(group, 'Status'),
    networkInterfaceId: textAt(group, 'EniInstanceId'),
    privateIp: textAt(group, 'IntranetIp'),
    publicIp: textAt(group, 'InternetIp'),
    tags: tagsIn(listAt(group, 'Tags')),
  }));
