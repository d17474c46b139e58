import type { Account, Call } from './cloud-account.ts';
import { describedInstance } from './binding.ts';
import type { EipRecord } from './eips.ts';
import { refusal } from './refusal.ts';
import { carriesTags } from './tagging.ts';
import { cloudTimestamp } from './timestamp.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

/** A comma list of at most 50 (VPC API reference, DescribeEipAddresses, AllocationId and EipAddress). */
const readSet = (parameters: Parameters, name: string): ReadonlySet<string> | undefined => {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const values = new Set(text.split(',').map((value) => value.trim()));
  if (values.size > 50) throw refusal('InvalidParameter', `${name} may name 50, not ${values.size}.`);
  return values;
};

type Filter = (eip: EipRecord) => boolean;

/** The parameters that must equal a field, where they are given. */
const equalities: Readonly<Record<string, (eip: EipRecord, account: Account) => string | undefined>> = {
  Status: (eip) => eip.status,
  AssociatedInstanceId: (eip, account) => eip.binding && describedInstance(account, eip.binding).instanceId,
  AssociatedInstanceType: (eip, account) => eip.binding && describedInstance(account, eip.binding).instanceType,
  ChargeType: (eip) => eip.chargeType,
  ISP: (eip) => eip.isp,
  EipName: (eip) => eip.name,
  ResourceGroupId: (eip) => eip.resourceGroupId,
  PublicIpAddressPoolId: (eip) => eip.publicIpAddressPoolId,
  SegmentInstanceId: (eip) => eip.segmentInstanceId,
  ServiceManaged: (eip) => String(eip.serviceManaged),
};

const readFilters = (account: Account, parameters: Parameters) => {
  const filters: Filter[] = [];
  const ids = readSet(parameters, 'AllocationId');
  if (ids) filters.push((eip) => ids.has(eip.allocationId));
  const addresses = readSet(parameters, 'EipAddress');
  if (addresses) filters.push((eip) => addresses.has(eip.ipAddress));
  for (const [name, field] of Object.entries(equalities)) {
    const value = parameters.get(name);
    if (value !== undefined) filters.push((eip) => field(eip, account) === value);
  }
  const lock = parameters.get('LockReason');
  if (lock !== undefined) filters.push((eip) => eip.lockReasons.includes(lock));
  const tags = parameters.tags();
  if (tags.length > 20) throw refusal('NumberExceed.Tags');
  if (tags.some(({ key }) => key === '')) throw refusal('InvalidTagKey.Malformed');
  return { filters, tags };
};

/** DescribeEipAddresses: newest first, PageSize 10 by default and 100 at most, with the lag that the account has. */
export const describeEipAddresses = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const number = parameters.integer('PageNumber', { min: 1, max: 1e9, fallback: 1 });
  const size = parameters.integer('PageSize', { min: 1, max: 100, fallback: 10 });
  const { filters, tags } = readFilters(account, parameters);
  const seen = tags.length > 0 ? account.readTagged(at, (its) => carriesTags(its, tags)) : [...account.readEips(at)];
  const found = seen.filter((eip) => filters.every((passes) => passes(eip))).toReversed();
  return {
    PageNumber: number,
    PageSize: size,
    TotalCount: found.length,
    EipAddresses: {
      EipAddress: found.slice((number - 1) * size, number * size).map((eip) => describe(eip, account)),
    },
  };
};

/** An EIP in the spelling of the API. Whatever there is not is an empty string there, never absent. */
const describe = (eip: EipRecord, account: Account) => {
  const { settings, packages } = account;
  const bound = eip.binding && describedInstance(account, eip.binding);
  const joined = eip.bandwidthPackage && eip.bandwidthPackage.status !== 'BINDING' ? eip.bandwidthPackage.id : '';
  const shared = packages.get(joined);
  return {
    AllocationId: eip.allocationId,
    AllocationTime: cloudTimestamp(eip.allocatedAt),
    Bandwidth: String(shared?.bandwidthMbps ?? eip.bandwidthMbps),
    BandwidthPackageBandwidth: shared ? String(shared.bandwidthMbps) : '',
    BandwidthPackageId: joined,
    BandwidthPackageType: shared ? 'CommonBandwidthPackage' : '',
    BusinessStatus: eip.lockReasons.length > 0 ? 'OperationLock' : 'Normal',
    ChargeType: eip.chargeType,
    DeletionProtection: eip.deletionProtection,
    Description: eip.description,
    EipBandwidth: String(eip.bandwidthMbps),
    ExpiredTime: '',
    HDMonitorStatus: 'OFF',
    HasReservationData: 'false',
    ISP: eip.isp,
    InstanceId: bound?.instanceId ?? '',
    InstanceRegionId: eip.binding ? settings.regionId : '',
    InstanceType: bound?.instanceType ?? '',
    InternetChargeType: eip.internetChargeType,
    IpAddress: eip.ipAddress,
    // Also of an EIP that is not bound (an answer of 2019).
    Mode: eip.binding?.mode ?? 'NAT',
    Name: eip.name,
    Netmode: 'public',
    OperationLocks: { LockReason: eip.lockReasons.map((LockReason) => ({ LockReason })) },
    // Empty for the primary address of an interface (AliyunContainerService/terway, pkg/aliyun/eip.go).
    PrivateIpAddress: !eip.binding || eip.binding.primary ? '' : eip.binding.privateIpAddress,
    PublicIpAddressPoolId: eip.publicIpAddressPoolId,
    RegionId: settings.regionId,
    ResourceGroupId: eip.resourceGroupId,
    SecondLimited: false,
    SecurityProtectionTypes: { SecurityProtectionType: eip.securityProtectionTypes },
    SegmentInstanceId: eip.segmentInstanceId,
    ServiceManaged: eip.serviceManaged ? 1 : 0,
    Status: eip.status,
    Tags: { Tag: [...eip.tags].map(([Key, Value]) => ({ Key, Value })) },
    VpcId: '',
    Zone: '',
  };
};
