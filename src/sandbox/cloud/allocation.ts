import type { Account, Call, Deed } from './cloud-account.ts';
import type { EipRecord } from './eips.ts';
import { missing, refusal } from './refusal.ts';
import { tagsOfRequest } from './tagging.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

/** VPC API reference, AllocateEipAddress, ISP: where BGP (Multi-ISP) Pro lines exist. */
const bgpProRegions: ReadonlySet<string> = new Set([
  'cn-hongkong',
  'ap-southeast-1',
  'ap-northeast-1',
  'ap-southeast-3',
  'ap-southeast-6',
  'ap-southeast-5',
  'ap-southeast-7',
]);

const whitelistedLines: ReadonlySet<string> = new Set([
  'ChinaTelecom',
  'ChinaUnicom',
  'ChinaMobile',
  'ChinaTelecom_L2',
  'ChinaUnicom_L2',
  'ChinaMobile_L2',
  'BGP_FinanceCloud',
]);

/** How long a paid order takes until its EIP exists, milliseconds. An estimate. */
const ORDER_MS = 5000;

const oneOf = <T extends string>(parameters: Parameters, name: string, values: readonly [T, ...T[]]): T => {
  const given = parameters.get(name) ?? values[0];
  const value = values.find((known) => known === given);
  if (value === undefined) throw refusal('InvalidParameter', `${name} must be ${values.join(' or ')}, not "${given}".`);
  return value;
};

/**
 * Most Mbit/s: subscription 1000, by bandwidth 500, by traffic 200 (VPC API reference, AllocateEipAddress, Bandwidth).
 */
const mostBandwidth = (chargeType: string, internetChargeType: string): number =>
  chargeType === 'PrePaid' ? 1000 : internetChargeType === 'PayByBandwidth' ? 500 : 200;

const readBandwidth = (text: string, most: number): number => {
  const mbps = Number(text);
  if (!/^\d+$/.test(text) || mbps < 1 || mbps > most)
    throw refusal('InvalidBandwidth.Malformed', `Bandwidth must be from 1 to ${most}, not "${text}".`);
  return mbps;
};

/** Name: at most 128, Description: at most 256 characters, neither may start with http:// or https://. */
const readText = (parameters: Parameters, name: string, most: number): string => {
  const text = parameters.get(name) ?? '';
  if (text.length > most || /^https?:\/\//.test(text))
    throw refusal(
      'InvalidParameter',
      `${name} may have ${most} characters and may not start with http:// or https://.`,
    );
  return text;
};

const readIsp = (parameters: Parameters, { settings }: Account): string => {
  const isp = parameters.get('ISP') ?? 'BGP';
  if (isp === 'BGP_PRO' && !bgpProRegions.has(settings.regionId))
    throw refusal('InvalidRegion.NotSupport', `ISP BGP_PRO does not exist in ${settings.regionId}.`);
  const allowed =
    isp === 'BGP' || isp === 'BGP_PRO' || (whitelistedLines.has(isp) && settings.whitelistedIsps.includes(isp));
  if (!allowed) throw refusal('IllegalParam.Isp', `Isp: [${isp}].`);
  return isp;
};

const readProtection = (parameters: Parameters): readonly string[] => {
  const types = parameters.list('SecurityProtectionTypes');
  if (types.length > 1 || types.some((type) => type !== 'AntiDDoS_Enhanced'))
    throw refusal('InvalidParameter', 'SecurityProtectionTypes may only be AntiDDoS_Enhanced.');
  return types;
};

/** An EIP that nobody has shaped: what AllocateEipAddress makes without any parameter. */
export const plainEip = (allocationId: string, ipAddress: string, allocatedAt: number): EipRecord => ({
  allocationId,
  ipAddress,
  allocatedAt,
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByBandwidth',
  chargeType: 'PostPaid',
  isp: 'BGP',
  name: '',
  description: '',
  resourceGroupId: 'rg-default',
  publicIpAddressPoolId: '',
  segmentInstanceId: '',
  securityProtectionTypes: [],
  tags: new Map(),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
});

/** What the parameters of AllocateEipAddress ask for. @throws Refusal */
const readWanted = (account: Account, parameters: Parameters) => {
  const chargeType = oneOf(parameters, 'InstanceChargeType', ['PostPaid', 'PrePaid']);
  // The API's default is PayByBandwidth, unlike that of the pod annotation (AllocateEipAddress, InternetChargeType).
  const internetChargeType = oneOf(parameters, 'InternetChargeType', ['PayByBandwidth', 'PayByTraffic']);
  if (chargeType === 'PrePaid' && internetChargeType !== 'PayByBandwidth')
    throw refusal('InvalidParameter', 'InternetChargeType must be PayByBandwidth for InstanceChargeType PrePaid.');
  if (chargeType === 'PrePaid' && !parameters.has('Period')) throw missing('Period');
  oneOf(parameters, 'Netmode', ['public']);
  const resourceGroupId = parameters.get('ResourceGroupId') ?? 'rg-default';
  if (!resourceGroupId.startsWith('rg-')) throw refusal('InvalidResourceGroupId');
  return {
    chargeType,
    internetChargeType,
    resourceGroupId,
    bandwidthMbps: readBandwidth(parameters.get('Bandwidth') ?? '5', mostBandwidth(chargeType, internetChargeType)),
    isp: readIsp(parameters, account),
    name: readText(parameters, 'Name', 128),
    description: readText(parameters, 'Description', 256),
    securityProtectionTypes: readProtection(parameters),
    publicIpAddressPoolId: parameters.get('PublicIpAddressPoolId') ?? '',
    tags: account.is('tagsIgnored') ? new Map<string, string>() : tagsOfRequest(parameters),
  };
};

/** @throws Refusal when the pool does not exist or is empty */
const checkPool = (account: Account, poolId: string): void => {
  if (poolId === '') return;
  const left = account.pools.get(poolId);
  if (left === undefined) throw refusal('ResourceNotFound.PublicIpAddressPool');
  if (left <= 0) throw refusal('ResourceNotEnough.PublicIpAddressPool');
};

/**
 * A new allocation ID and address, or those of an EIP released in the last seven days that the call names.
 * @throws Refusal
 */
const takeIdentity = (account: Account, { parameters, at }: Call): Pick<EipRecord, 'allocationId' | 'ipAddress'> => {
  const ipAddress = parameters.get('IpAddress');
  const instanceId = parameters.get('InstanceId');
  if (ipAddress !== undefined && instanceId !== undefined)
    throw refusal('InvalidParameter', 'Specify only one of IpAddress and InstanceId.');
  if (ipAddress !== undefined || instanceId !== undefined)
    return account.addresses.retake({ ipAddress, allocationId: instanceId }, at);
  const allocationId = account.newId('eip');
  return { allocationId, ipAddress: account.addresses.take(allocationId) };
};

/** AllocateEipAddress. A subscription is an order: its EIP exists only some seconds after it has been paid. */
export const allocateEipAddress = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  parameters.required('RegionId');
  const wanted = readWanted(account, parameters);
  const subscription = wanted.chargeType === 'PrePaid';
  if (!subscription && account.eips.counted >= account.quota) throw refusal('QuotaExceeded.Eip');
  const poolId = wanted.publicIpAddressPoolId;
  checkPool(account, poolId);
  const order = { OrderId: Math.floor(account.random.next() * 1e15) };
  if (subscription && !parameters.boolean('AutoPay')) return order;

  const { allocationId, ipAddress } = takeIdentity(account, call);
  const create = (then: number): void => {
    const eip = { ...plainEip(allocationId, ipAddress, account.wallTime(then)), ...wanted };
    if (poolId !== '') account.pools.set(poolId, (account.pools.get(poolId) ?? 0) - 1);
    account.eips.put(eip, then);
    account.record({ ...call, at: then }, eip);
  };
  if (subscription) {
    account.eventQueue.at(at + ORDER_MS, create);
    return order;
  }
  create(at);
  return { AllocationId: allocationId, EipAddress: ipAddress, ResourceGroupId: wanted.resourceGroupId };
};

/**
 * Nothing but queries while an asynchronous operation is under way, and nothing at all on a locked EIP.
 * @throws Refusal
 */
export const refuseUnlessIdle = (eip: EipRecord): void => {
  if (eip.serviceManaged) throw refusal('Forbidden', 'The EIP is managed by another cloud service.');
  if (eip.lockReasons.includes('financial')) throw refusal('Forbidden.FinancialLocked');
  if (eip.lockReasons.length > 0) throw refusal('InvalidEIPStatus.BizDisabled');
  if (eip.status !== 'Available' && eip.status !== 'InUse') throw refusal('IncorrectEipStatus');
  if (eip.task !== undefined) throw refusal('TaskConflict');
};

/**
 * ReleaseEipAddress: an Available pay-as-you-go EIP, at once or after being Releasing for a while. No error is
 * documented for an EIP that is still in a bandwidth package, so it leaves the package with its end.
 */
export const releaseEipAddress = (account: Account, call: Call): CloudAnswer => {
  const eip = account.eip(call.parameters.required('AllocationId'));
  if (eip.chargeType === 'PrePaid') throw refusal('Forbidden.ChargeTypeIsPrepaid');
  if (eip.deletionProtection) throw refusal('InvalidOperation.DeletionProtection');
  if (eip.segmentInstanceId !== '') throw refusal('Forbidden.ReleaseSegmentEip');
  refuseUnlessIdle(eip);
  if (eip.status !== 'Available') throw refusal('IncorrectEipStatus');
  if (account.is('asynchronousRelease')) {
    account.record(call, eip);
    account.endAfter({ ...eip, status: 'Releasing' }, account.settings.transitions.release, call.at, (at) =>
      remove(account, eip, at),
    );
  } else releaseAtOnce(account, eip, call);
  return {};
};

/** The end of an EIP, whatever state it is in. */
export const releaseAtOnce = (account: Account, eip: EipRecord, deed: Deed): void => {
  account.record(deed, eip);
  remove(account, eip, deed.at);
};

const remove = (account: Account, eip: EipRecord, at: number): void => {
  account.eips.remove(eip.allocationId, at);
  account.addresses.release(eip.ipAddress, eip.allocationId, at);
};

/** ModifyEipAddressAttribute: bandwidth, name and description of a pay-as-you-go EIP. */
export const modifyEipAddressAttribute = (account: Account, call: Call): CloudAnswer => {
  const { parameters } = call;
  const eip = account.eip(parameters.required('AllocationId'));
  refuseUnlessIdle(eip);
  const bandwidth = parameters.get('Bandwidth');
  const most = mostBandwidth('PostPaid', eip.internetChargeType);
  const modified = {
    ...eip,
    ...(bandwidth === undefined ? {} : { bandwidthMbps: readBandwidth(bandwidth, most) }),
    ...(parameters.has('Name') ? { name: readText(parameters, 'Name', 128) } : {}),
    ...(parameters.has('Description') ? { description: readText(parameters, 'Description', 256) } : {}),
  };
  account.eips.put(modified, call.at);
  account.record(call, modified);
  return {};
};
