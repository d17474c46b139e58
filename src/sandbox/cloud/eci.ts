import type { Account, Call } from './account.ts';
import type { ContainerGroupRecord } from './records.ts';
import { refusal } from './refusal.ts';
import { carriesTags } from './tagging.ts';
import { timestamp } from './timestamp.ts';
import type { Answer, Parameters } from './wire.ts';

/** A JSON array of at most 20 (ECI API reference, DescribeContainerGroups, ContainerGroupIds). */
const readIds = (parameters: Parameters): readonly string[] | undefined => {
  const text = parameters.get('ContainerGroupIds');
  if (text === undefined) return undefined;
  let ids: unknown;
  try {
    ids = JSON.parse(text);
  } catch {
    ids = undefined;
  }
  if (!Array.isArray(ids) || ids.length > 20)
    throw refusal('InvalidParameter', `ContainerGroupIds must be a JSON array of at most 20 IDs, not "${text}".`);
  return ids.map(String);
};

/** DescribeContainerGroups: 20 at most, paged with NextToken. Shows the public address, not the EIP's allocation ID. */
export const describeContainerGroups = (account: Account, { parameters }: Call): Answer => {
  parameters.required('RegionId');
  const ids = readIds(parameters);
  const name = parameters.get('ContainerGroupName');
  const status = parameters.get('Status');
  const zone = parameters.get('ZoneId');
  const tags = parameters.tags();
  const most = parameters.integer('Limit', { min: 1, max: 20, fallback: 20 });
  const skip = Number(parameters.get('NextToken') ?? 0);
  if (!Number.isInteger(skip) || skip < 0) throw refusal('InvalidParameter.NextToken');
  const found = [...account.containerGroups.values()].filter(
    (group) =>
      (ids === undefined || ids.includes(group.containerGroupId)) &&
      (name === undefined || group.containerGroupName === name) &&
      (status === undefined || group.status === status) &&
      (zone === undefined || group.zoneId === zone) &&
      carriesTags(group.tags, tags),
  );
  return {
    TotalCount: found.length,
    NextToken: found.length > skip + most ? String(skip + most) : '',
    ContainerGroups: found.slice(skip, skip + most).map((group) => describe(account, group)),
  };
};

const describe = (account: Account, group: ContainerGroupRecord) => {
  const eni = account.interfaces.get(group.eniInstanceId);
  const eip = account.eips.boundTo(group.eniInstanceId).find(({ binding }) => binding?.primary);
  return {
    ContainerGroupId: group.containerGroupId,
    ContainerGroupName: group.containerGroupName,
    RegionId: account.settings.regionId,
    ZoneId: group.zoneId,
    Status: group.status,
    CreationTime: timestamp(group.createdAt),
    EniInstanceId: group.eniInstanceId,
    IntranetIp: eni?.primaryIp ?? '',
    InternetIp: eip?.ipAddress ?? '',
    VpcId: eni?.vpcId ?? '',
    VSwitchId: eni?.vSwitchId ?? '',
    Tags: [...group.tags].map(([Key, Value]) => ({ Key, Value })),
    Containers: [],
    InitContainers: [],
    Volumes: [],
    Events: [],
  };
};
