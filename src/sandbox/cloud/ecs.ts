import { removeInterface } from './binding.ts';
import type { Account, Call } from './cloud-account.ts';
import type { InterfaceRecord } from './interfaces.ts';
import { refusal } from './refusal.ts';
import { carriesTags, tagsOfRequest } from './tagging.ts';
import { takeAddress } from './private-addresses.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

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
  NetworkInterfaceName: (eni) => eni.name ?? '',
};

const byAddress = (account: Account, address: string): readonly InterfaceRecord[] => {
  const holders = account.interfaces.holding(address);
  return account.is('primaryFilterOnly') ? holders.filter(({ primaryIp }) => primaryIp !== address) : holders;
};

const candidates = (account: Account, parameters: Parameters): readonly InterfaceRecord[] => {
  const addresses = readList(parameters, 'PrivateIpAddress');
  const ids = readList(parameters, 'NetworkInterfaceId');
  const found =
    addresses.length > 0
      ? [...new Set(addresses.flatMap((address) => byAddress(account, address)))]
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
  const instanceId = parameters.get('InstanceId');
  const isThere = ({ instanceId: its }: InterfaceRecord): boolean => its === instanceId;
  if (instanceId !== undefined && account.is('goneCodes') && ![...account.interfaces.all()].some(isThere))
    throw refusal('InvalidEcsId.NotFound', `InstanceId: "${instanceId}".`);
  const tags = parameters.tags();
  const found = candidates(account, parameters).filter(
    (eni) => filters.every((passes) => passes(eni)) && carriesTags(eni.tags ?? new Map<string, string>(), tags),
  );
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
  NetworkInterfaceName: eni.name ?? '',
  Tags: { Tag: [...(eni.tags ?? [])].map(([TagKey, TagValue]) => ({ TagKey, TagValue })) },
  Ipv4PrefixSets: { Ipv4PrefixSet: (eni.prefixes ?? []).map((Ipv4Prefix) => ({ Ipv4Prefix })) },
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

/**
 * CreateNetworkInterface: attached to nothing, with so many secondary addresses. It can be used at once; the real one
 * is Creating for a moment.
 */
export const createNetworkInterface = (account: Account, call: Call): CloudAnswer => {
  const { parameters } = call;
  parameters.required('RegionId');
  const vSwitchId = parameters.required('VSwitchId');
  const count = parameters.integer('SecondaryPrivateIpAddressCount', { min: 1, max: 49 }) ?? 0;
  const tags = tagsOfRequest(parameters);
  const { vSwitch, address } = takeAddress(account, [vSwitchId]);
  const privateIps = [address];
  while (privateIps.length <= count) privateIps.push(takeAddress(account, [vSwitchId]).address);
  const eni: InterfaceRecord = {
    networkInterfaceId: account.newId('eni'),
    name: parameters.get('NetworkInterfaceName') ?? '',
    tags,
    vpcId: vSwitch.vpcId,
    vSwitchId,
    instanceId: '',
    status: 'Available',
    type: 'Secondary',
    primaryIp: address,
    privateIps,
  };
  account.interfaces.put(eni);
  return { ...describe(account, eni), NetworkInterfaceName: eni.name };
};

/** DeleteNetworkInterface: one that is attached to nothing. The cloud ends the bindings of the EIPs on it. */
export const deleteNetworkInterface = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  parameters.required('RegionId');
  const id = parameters.required('NetworkInterfaceId');
  const eni = account.interfaces.get(id);
  if (!eni) throw refusal('InvalidEniId.NotFound', `NetworkInterfaceId: "${id}".`);
  if (eni.instanceId !== '') throw refusal('InvalidOperation.InvalidEniState', `Status: ${eni.status}.`);
  removeInterface(account, id, { action: 'UnassociateEipAddress', caller: 'cloud', at });
  return {};
};
