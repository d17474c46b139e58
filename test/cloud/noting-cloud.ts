import type { FoldableCloud } from '../../src/cloud/batch.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { CloudFaultKind } from '../../src/cloud/fault.ts';
import type { Eip } from '../../src/cloud/port.ts';

export const fault = (kind: CloudFaultKind, retryAfterMs?: number) =>
  new CloudFault({ kind, action: 'DescribeEipAddresses', code: 'X', message: 'x', retryAfterMs });

export const eip = (allocationId: string): Eip => ({
  allocationId,
  ipAddress: '47.0.0.1',
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: new Map(),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
});

/** A cloud that notes what is called; describes go to `describe`. */
export const notingCloud = (
  describe: FoldableCloud['describeEips'] = (ids) => Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
) => {
  const calls: string[] = [];
  const note = <T>(name: string, result: T) => {
    calls.push(name);
    return Promise.resolve(result);
  };
  const cloud: FoldableCloud = {
    allocateEip: () => note('allocateEip', { allocationId: 'eip-1', ipAddress: '47.0.0.1' }),
    describeEip: async (id, signal) => {
      calls.push(id);
      return (await describe([id], signal)).get(id);
    },
    describeEips: (ids, signal) => {
      calls.push(ids.join(','));
      return describe(ids, signal);
    },
    findEips: () => note('findEips', []),
    listFreeEips: () => note('listFreeEips', []),
    findEipsByAddress: () => note('findEipsByAddress', new Map<string, Eip>()),
    associateEip: () => note('associateEip', undefined),
    unassociateEip: () => note('unassociateEip', undefined),
    releaseEip: () => note('releaseEip', undefined),
    joinBandwidthPackage: () => note('joinBandwidthPackage', undefined),
    tagEip: () => note('tagEip', undefined),
    untagEip: () => note('untagEip', undefined),
    leaveBandwidthPackage: () => note('leaveBandwidthPackage', undefined),
    findBandwidthPackage: () => note('findBandwidthPackage', undefined),
    findNetworkInterfaces: () => note('findNetworkInterfaces', []),
    findNetworkInterfacesOfMany: () => note('findNetworkInterfacesOfMany', new Map()),
    networkInterfacesOf: () => note('networkInterfacesOf', []),
  };
  return { cloud, calls };
};

export const allocation = {
  clientToken: 't',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  tags: [],
} as const;
