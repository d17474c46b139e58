import type { Account, Call } from './cloud-account.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** DescribeNatGateways: by VPC, PageSize 10 by default and 50 at most. */
export const describeNatGateways = (account: Account, { parameters }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const vpcId = parameters.get('VpcId');
  const number = parameters.integer('PageNumber', { min: 1, max: 1e9, fallback: 1 });
  const size = parameters.integer('PageSize', { min: 1, max: 50, fallback: 10 });
  const found = account.natGateways.filter((each) => vpcId === undefined || each.vpcId === vpcId);
  return {
    PageNumber: number,
    PageSize: size,
    TotalCount: found.length,
    NatGateways: {
      NatGateway: found.slice((number - 1) * size, number * size).map((each) => ({
        NatGatewayId: each.natGatewayId,
        VpcId: each.vpcId,
        RegionId: account.settings.regionId,
        NetworkType: 'internet',
        Status: 'Available',
        SnatTableIds: { SnatTableId: [each.snatTableId] },
      })),
    },
  };
};

/** DescribeSnatTableEntries: of one table. */
export const describeSnatTableEntries = (account: Account, { parameters }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const table = parameters.get('SnatTableId');
  const entries = account.natGateways
    .filter(({ snatTableId }) => snatTableId === table)
    .flatMap(({ snatEntries }) =>
      Array.from({ length: snatEntries }, (_, index) => ({ SnatEntryId: `snat-${index}` })),
    );
  return { TotalCount: entries.length, SnatTableEntries: { SnatTableEntry: entries } };
};
