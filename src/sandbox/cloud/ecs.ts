import type { Account, Call } from './cloud-account.ts';
import type { InterfaceRecord } from './interfaces.ts';
import { refusal } from './refusal.ts';
import type { CloudAnswer, Parameters } from './wire.ts';

/** At most 100 (ECS API reference, DescribeNetworkInterfaces, PrivateIpAddress.N and NetworkInterfaceId.N). */
const readList = (parameters: Parameters, name: string): readonly string[] => {
  const values = parameters.list(name);
  if (values.length > 100) throw refusal('InvalidParameter', `${name} may name 100, not ${values.length}.`);
  return values;
};

const equalities: Readonly<Record<string, (eni: InterfaceRecord) => string>> = {
  VpcId: (eni) => eni.vpcId,
  VSwitchId: (eni) => eni.vSwitchId,
  InstanceId: (eni) => eni.instanceId,
  PrimaryIpAddress: (eni) => eni.primaryIp,
  Status: (eni) => eni.status,
  Type: (eni) => eni.type,
};

const candidates = (account: Account, parameters: Parameters): readonly InterfaceRecord[] => {
  const addresses = readList(parameters, 'PrivateIpAddress');
  const ids = readList(parameters, 'NetworkInterfaceId');
  const found =
    addresses.length > 0
      ? [...new Set(addresses.flatMap((address) => account.interfaces.holding(address)))]
      : [...account.interfaces.all()];
  return ids.length > 0 ? found.filter((eni) => ids.includes(eni.networkInterfaceId)) : found;
};

/**
 * DescribeNetworkInterfaces: all that fit, by pages of MaxResults (10 to 500, 10 by default) and NextToken, or by the
 * older PageNumber and PageSize.
 */
export const describeNetworkInterfaces = (account: Account, { parameters }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const filters = Object.entries(equalities).flatMap(([name, field]) => {
    const value = parameters.get(name);
    return value === undefined ? [] : [(eni: InterfaceRecord) => field(eni) === value];
  });
  const found = candidates(account, parameters).filter((eni) => filters.every((passes) => passes(eni)));
  const describeAll = (some: readonly InterfaceRecord[]) => ({
    NetworkInterfaceSet: some.map((eni) => describe(account, eni)),
  });

  if (parameters.has('PageNumber') || parameters.has('PageSize')) {
    const number = parameters.integer('PageNumber', { min: 1, max: 1e9, fallback: 1 });
    const size = parameters.integer('PageSize', { min: 1, max: 100, fallback: 10 });
    const page = found.slice((number - 1) * size, number * size);
    return { PageNumber: number, PageSize: size, TotalCount: found.length, NetworkInterfaceSets: describeAll(page) };
  }
  const most = parameters.integer('MaxResults', { min: 10, max: 500, fallback: 10 });
  const skip = Number(parameters.get('NextToken') ?? 0);
  if (!Number.isInteger(skip) || skip < 0) throw refusal('InvalidParameter.NextToken');
  return {
    TotalCount: found.length,
    NextToken: found.length > skip + most ? String(skip + most) : '',
    NetworkInterfaceSets: describeAll(found.slice(skip, skip + most)),
  };
};

const describe = (account: Account, eni: InterfaceRecord) => ({
  NetworkInterfaceId: eni.networkInterfaceId,
  Status: eni.status,
  Type: eni.type,
  VpcId: eni.vpcId,
  VSwitchId: eni.vSwitchId,
  InstanceId: eni.instanceId,
  PrivateIpAddress: eni.primaryIp,
  ServiceManaged: false,
  Tags: { Tag: [] },
  PrivateIpSets: {
    PrivateIpSet: eni.privateIps.map((privateIp) => {
      const eip = account.eips.boundTo(eni.networkInterfaceId, privateIp)[0];
      return {
        PrivateIpAddress: privateIp,
        Primary: privateIp === eni.primaryIp,
        ...(eip && { AssociatedPublicIp: { AllocationId: eip.allocationId, PublicIpAddress: eip.ipAddress } }),
      };
    }),
  },
});
