import { isIP, isIPv4 } from 'node:net';
import type * as Vpc from '@alicloud/vpc20160428';
import { noteRequest } from '../../lib/requests.ts';
import type { BandwidthPackage, Eip, NetworkInterface } from '../port.ts';
import { UnreadableAnswer } from './to-fault.ts';
import { plainRequestId } from './redact.ts';

/*
 * Reading answers. What decides about money and reachability (IDs, addresses, states, bindings, tags, counts) must be
 * as the API reference has it, or the whole answer counts as unreadable: an EIP that is silently left out would look
 * released. Texts that only describe are taken as they are.
 */

/** Whether it is an object and no list. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What kind of value it is. Not the value: nobody knows what a broken answer holds. */
const shape = (value: unknown): string => {
  if (value === '') return 'empty';
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  return value === undefined || value === null ? 'missing' : `of type ${Array.isArray(value) ? 'list' : typeof value}`;
};

/** An answer that is not as the API reference has it; `what` is the field. */
export const bad = (what: string, value: unknown): UnreadableAnswer =>
  new UnreadableAnswer(`the answer cannot be read: ${what} is ${shape(value)}`);

/** "" and what is not a string become undefined. */
export const optional = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** A text that only describes; what is none becomes "". */
export const textOfAnswer = (value: unknown): string => (typeof value === 'string' ? value : '');

/** An ID as the provider forms them, `eip-…`. @throws UnreadableAnswer */
export const resourceId = (what: string, value: unknown): string => {
  if (typeof value === 'string' && /^[a-z]{1,30}-[\w-]{1,120}$/iu.test(value)) return value;
  throw bad(what, value);
};

/** An IP address. @throws UnreadableAnswer */
export const address = (what: string, value: unknown): string => {
  if (typeof value === 'string' && isIP(value) !== 0) return value;
  throw bad(what, value);
};

/** The address of an EIP, which is IPv4 (VPC API reference, AllocateEipAddress). @throws UnreadableAnswer */
const eipAddress = (what: string, value: unknown): string => {
  if (typeof value === 'string' && isIPv4(value)) return value;
  throw bad(what, value);
};

/** A word such as a state: short and printable, whatever it says. */
export const wordOfAnswer = (what: string, value: unknown): string => {
  if (typeof value === 'string' && /^[\w.-]{1,64}$/u.test(value)) return value;
  throw bad(what, value);
};

/**
 * What an EIP is bound to: old ECS instances have no hyphen in their IDs, and an IpAddress binding names an address.
 */
const instanceId = (value: unknown): string => {
  if (typeof value === 'string' && /^[\w.:-]{1,128}$/u.test(value)) return value;
  throw bad('InstanceId', value);
};

/** The SDK's typed answers, as far as they have in common. */
interface TypedAnswer<B> {
  statusCode?: number;
  body?: B;
}

/**
 * The body of a success: status 200 and a request ID, which every answer of the API has. A proxy's redirect or empty
 * object is not taken for a success.
 */
export const bodyOf = <B extends { requestId?: string }>(answer: TypedAnswer<B>): B => {
  if (answer.statusCode !== 200)
    throw new UnreadableAnswer(`the answer has the HTTP status ${Number(answer.statusCode)}`);
  const requestId = plainRequestId(answer.body?.requestId);
  if (answer.body === undefined || requestId === undefined) {
    throw bad('RequestId', answer.body?.requestId);
  }
  noteRequest(requestId);
  return answer.body;
};

/** AllocateEipAddress. */
export const readAllocation = (
  body: Vpc.AllocateEipAddressResponseBody,
): { allocationId: string; ipAddress: string } => ({
  allocationId: resourceId('AllocationId', body.allocationId),
  ipAddress: eipAddress('EipAddress', body.eipAddress),
});

/** Tags, each key once. @throws UnreadableAnswer */
export const tagsOfAnswer = (tags: unknown): ReadonlyMap<string, string> => {
  const read = new Map<string, string>();
  if (tags === undefined) return read;
  if (!Array.isArray(tags)) throw bad('Tags.Tag', tags);
  for (const tag of tags as unknown[]) {
    if (!isRecord(tag) || typeof tag['key'] !== 'string') throw bad('a tag’s Key', isRecord(tag) ? tag['key'] : tag);
    const value = textOfAnswer(tag['value']);
    if ((read.get(tag['key']) ?? value) !== value)
      throw new UnreadableAnswer('the answer cannot be read: a tag is there twice, with different values');
    read.set(tag['key'], value);
  }
  return read;
};

const readEip = (eip: Vpc.DescribeEipAddressesResponseBodyEipAddressesEipAddress): Eip => {
  // In a bandwidth package `Bandwidth` may be that of the package.
  const bandwidth = Number(optional(eip.eipBandwidth) ?? eip.bandwidth);
  const packageBandwidth = Number(optional(eip.bandwidthPackageBandwidth) ?? NaN);
  const privateIpAddress = eip.privateIpAddress;
  return {
    allocationId: resourceId('AllocationId', eip.allocationId),
    ipAddress: eipAddress('IpAddress', eip.ipAddress),
    status: wordOfAnswer('Status', eip.status),
    instanceId: optional(eip.instanceId) === undefined ? undefined : instanceId(eip.instanceId),
    instanceType: optional(eip.instanceType) === undefined ? undefined : wordOfAnswer('InstanceType', eip.instanceType),
    privateIpAddress:
      privateIpAddress === undefined || privateIpAddress === ''
        ? privateIpAddress
        : address('PrivateIpAddress', privateIpAddress),
    bandwidthMbps: Number.isFinite(bandwidth) ? bandwidth : 0,
    packageBandwidthMbps: Number.isFinite(packageBandwidth) ? packageBandwidth : undefined,
    internetChargeType: textOfAnswer(eip.internetChargeType),
    chargeType: textOfAnswer(eip.chargeType),
    isp: textOfAnswer(eip.ISP),
    name: optional(eip.name),
    description: optional(eip.description),
    bandwidthPackageId: optional(eip.bandwidthPackageId),
    resourceGroupId: optional(eip.resourceGroupId),
    publicIpAddressPoolId: optional(eip.publicIpAddressPoolId),
    segmentInstanceId: optional(eip.segmentInstanceId),
    tags: tagsOfAnswer(eip.tags?.tag),
    // Whatever is not plainly "no" keeps our hands off it.
    serviceManaged: (eip.serviceManaged ?? 0) !== 0,
    deletionProtection: eip.deletionProtection === true,
    lockReasons: (eip.operationLocks?.lockReason ?? [])
      .map(({ lockReason }) => textOfAnswer(lockReason))
      .filter((r) => r !== ''),
    allocationTime: optional(eip.allocationTime),
  };
};

/** One page of DescribeEipAddresses; `total` counts all pages. */
export const readEips = (body: Vpc.DescribeEipAddressesResponseBody): { eips: Eip[]; total: number } => {
  const { totalCount, eipAddresses } = body;
  if (typeof totalCount !== 'number' || !Number.isInteger(totalCount) || totalCount < 0)
    throw bad('TotalCount', totalCount);
  const list = eipAddresses?.eipAddress;
  if (list === undefined && totalCount !== 0) throw bad('EipAddresses.EipAddress', list);
  return { eips: (list ?? []).map(readEip), total: totalCount };
};

/** A list of objects. @throws UnreadableAnswer */
export const records = (what: string, value: unknown): Record<string, unknown>[] => {
  if (!Array.isArray(value)) throw bad(what, value);
  return (value as unknown[]).map((element) => {
    if (!isRecord(element)) throw bad(`an element of ${what}`, element);
    return element;
  });
};

const inner = (what: string, value: unknown, name: string): Record<string, unknown>[] => {
  if (!isRecord(value)) throw bad(what, value);
  return records(`${what}.${name}`, value[name] ?? []);
};

const readNetworkInterface = (eni: Record<string, unknown>): NetworkInterface => {
  const primaryIpAddress = address('PrivateIpAddress', eni['PrivateIpAddress']);
  const more = inner('PrivateIpSets', eni['PrivateIpSets'] ?? {}, 'PrivateIpSet').map((set) =>
    address('PrivateIpSet.PrivateIpAddress', set['PrivateIpAddress']),
  );
  const prefixes = inner('Ipv4PrefixSets', eni['Ipv4PrefixSets'] ?? {}, 'Ipv4PrefixSet').map((set) =>
    textOfAnswer(set['Ipv4Prefix']),
  );
  return {
    networkInterfaceId: resourceId('NetworkInterfaceId', eni['NetworkInterfaceId']),
    status: wordOfAnswer('Status', eni['Status']),
    vpcId: resourceId('VpcId', eni['VpcId']),
    instanceId: optional(eni['InstanceId']),
    primaryIpAddress,
    privateIpAddresses: [...new Set([primaryIpAddress, ...more])],
    ...(prefixes.length > 0 && { prefixes }),
  };
};

/** One page of ECS DescribeNetworkInterfaces, as the generic client gives it. */
export const readNetworkInterfaces = (
  answer: unknown,
): { networkInterfaces: NetworkInterface[]; nextToken: string | undefined } => {
  if (!isRecord(answer) || answer['statusCode'] !== 200) {
    throw new UnreadableAnswer(`the answer has the HTTP status ${Number(isRecord(answer) ? answer['statusCode'] : 0)}`);
  }
  const body = answer['body'];
  if (!isRecord(body)) throw bad('the body', body);
  return {
    networkInterfaces: inner('NetworkInterfaceSets', body['NetworkInterfaceSets'], 'NetworkInterfaceSet').map(
      readNetworkInterface,
    ),
    nextToken: optional(body['NextToken']),
  };
};

/** A page of DescribeCommonBandwidthPackages; `total` counts all pages. */
export const readBandwidthPackages = (
  body: Vpc.DescribeCommonBandwidthPackagesResponseBody,
): { packages: BandwidthPackage[]; total: number } => {
  const { totalCount, commonBandwidthPackages } = body;
  if (typeof totalCount !== 'number' || !Number.isInteger(totalCount) || totalCount < 0)
    throw bad('TotalCount', totalCount);
  const packages = (commonBandwidthPackages?.commonBandwidthPackage ?? []).map((each) => ({
    bandwidthPackageId: resourceId('BandwidthPackageId', each.bandwidthPackageId),
    isp: textOfAnswer(each.ISP),
    businessStatus: textOfAnswer(each.businessStatus),
  }));
  return { packages, total: totalCount };
};
