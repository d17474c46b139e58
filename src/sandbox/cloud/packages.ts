import type { Account, Call } from './cloud-account.ts';
import type { BandwidthPackageRecord } from './records.ts';
import { refuseUnlessIdle } from './allocation.ts';
import { refusal } from './refusal.ts';
import { cloudTimestamp } from './timestamp.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

const packageOf = (account: Account, parameters: Parameters): BandwidthPackageRecord => {
  const found = account.packages.get(parameters.required('BandwidthPackageId'));
  if (!found) throw refusal('InvalidBandwidthPackageId.NotFound');
  return found;
};

/**
 * AddCommonBandwidthPackageIp: asynchronous, BINDING and then BINDED. Same line type only; subscriptions cannot join.
 */
export const addCommonBandwidthPackageIp = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  parameters.required('RegionId');
  const { bandwidthPackageId: id, isp, capacity, financialLocked } = packageOf(account, parameters);
  const eip = account.eips.get(parameters.required('IpInstanceId'));
  if (!eip) throw refusal('InvalidIpInstanceId.NotFound');
  if ((parameters.get('IpType') ?? 'EIP') !== 'EIP') throw refusal('OperationUnsupported.IpType');
  if (financialLocked) throw refusal('BandwidthPackageId.InvalidBizStatus');
  if (eip.chargeType === 'PrePaid') throw refusal('IpInstanceId.ChargeType.NotSupport');
  if (eip.isp !== isp) throw refusal('InvalidParameter.Isp', `The EIP has ${eip.isp}, the package ${isp}.`);
  if (eip.status !== 'Available' && eip.status !== 'InUse') throw refusal('IncorrectStatus.Eip');
  refuseUnlessIdle(eip);
  if (eip.bandwidthPackage) throw refusal('IpInstanceId.AlreadyInBandwidthPackage');
  if (account.eips.inPackage(id).length >= capacity) throw refusal('IpInstanceId.QuotaExceeded');
  const joining = { ...eip, bandwidthPackage: { id, status: 'BINDING' } } as const;
  account.begin(joining, account.settings.transitions.bandwidthPackage, at, (then) => ({
    ...then,
    bandwidthPackage: { id, status: 'BINDED' },
  }));
  account.record(call, joining);
  return {};
};

/** RemoveCommonBandwidthPackageIp: asynchronous, UNBINDING and then gone from the package. */
export const removeCommonBandwidthPackageIp = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  parameters.required('RegionId');
  const { bandwidthPackageId: id } = packageOf(account, parameters);
  const eip = account.eips.get(parameters.required('IpInstanceId'));
  if (eip?.bandwidthPackage?.id !== id) throw refusal('OperationUnsupported.IpNotInCbwp');
  if (eip.status !== 'Available' && eip.status !== 'InUse') throw refusal('IncorrectStatus.Eip');
  if (eip.bandwidthPackage.status !== 'BINDED') throw refusal('IncorrectStatus.Eip');
  refuseUnlessIdle(eip);
  const leaving = { ...eip, bandwidthPackage: { id, status: 'UNBINDING' } } as const;
  account.begin(leaving, account.settings.transitions.bandwidthPackage, at, (then) => ({
    ...then,
    bandwidthPackage: undefined,
  }));
  account.record(call, leaving);
  return {};
};

/** DescribeCommonBandwidthPackages: by ID or name, PageSize 10 by default and 50 at most. Never lags. */
export const describeCommonBandwidthPackages = (account: Account, { parameters }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const id = parameters.get('BandwidthPackageId');
  const name = parameters.get('Name');
  const number = parameters.integer('PageNumber', { min: 1, max: 1e9, fallback: 1 });
  const size = parameters.integer('PageSize', { min: 1, max: 50, fallback: 10 });
  const found = [...account.packages.values()].filter(
    (candidate) =>
      (id === undefined || candidate.bandwidthPackageId === id) && (name === undefined || candidate.name === name),
  );
  return {
    PageNumber: number,
    PageSize: size,
    TotalCount: found.length,
    CommonBandwidthPackages: {
      CommonBandwidthPackage: found.slice((number - 1) * size, number * size).map((one) => describe(account, one)),
    },
  };
};

const describe = (account: Account, one: BandwidthPackageRecord) => ({
  BandwidthPackageId: one.bandwidthPackageId,
  Name: one.name,
  ISP: one.isp,
  Bandwidth: String(one.bandwidthMbps),
  InternetChargeType: one.internetChargeType,
  InstanceChargeType: 'PostPaid',
  BusinessStatus: one.financialLocked ? 'FinancialLocked' : 'Normal',
  Status: 'Available',
  CreationTime: cloudTimestamp(one.createdAt),
  RegionId: account.settings.regionId,
  PublicIpAddresses: {
    PublicIpAddresse: account.eips.inPackage(one.bandwidthPackageId).map((eip) => ({
      AllocationId: eip.allocationId,
      IpAddress: eip.ipAddress,
      BandwidthPackageIpRelationStatus: eip.bandwidthPackage?.status,
    })),
  },
});
