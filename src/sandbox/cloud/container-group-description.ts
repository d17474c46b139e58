import type { Account, Call } from './cloud-account.ts';
import type { ContainerGroupRecord, ContainerRecord } from './records.ts';
import { refusal } from './refusal.ts';
import type { CloudRefusal } from './refusal.ts';
import { carriesTags } from './tagging.ts';
import { cloudTimestamp } from './timestamp.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

/** The refusal of a container group that is not there. */
export const gone = (account: Account, id: string): CloudRefusal =>
  refusal(account.is('goneCodes') ? 'InvalidParameter.NotFound' : 'InvalidContainerGroupId.NotFound', `"${id}".`);

/** A JSON array of at most 20 (ECI API reference, DescribeContainerGroups, ContainerGroupIds). */
export const readIds = (account: Account, parameters: Parameters): readonly string[] | undefined => {
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
  if (account.is('goneCodes'))
    for (const id of ids.map(String)) if (!account.containerGroups.has(id)) throw gone(account, id);
  return ids.map(String);
};

/** The groups that the parameters of both lists choose, one page of them. */
const select = (
  account: Account,
  { parameters, at }: Pick<Call, 'parameters' | 'at'>,
  largest: number,
  also: (group: ContainerGroupRecord) => boolean = () => true,
) => {
  parameters.required('RegionId');
  const ids = readIds(account, parameters);
  const name = parameters.get('ContainerGroupName');
  const status = parameters.get('Status');
  const zone = parameters.get('ZoneId');
  const vSwitch = parameters.get('VSwitchId');
  const tags = parameters.tags();
  const most = parameters.integer('Limit', { min: 1, max: largest, fallback: largest });
  const skip = Number(parameters.get('NextToken') ?? 0);
  if (!Number.isInteger(skip) || skip < 0) throw refusal('InvalidParameter.NextToken');
  const found = [...account.readContainerGroups(at)].filter(
    (group) =>
      (ids === undefined || ids.includes(group.containerGroupId)) &&
      (name === undefined || group.containerGroupName === name) &&
      (status === undefined || group.status === status) &&
      (zone === undefined || group.zoneId === zone) &&
      (vSwitch === undefined || group.vSwitchId === vSwitch) &&
      carriesTags(group.tags, tags) &&
      also(group),
  );
  return {
    TotalCount: found.length,
    NextToken: found.length > skip + most ? String(skip + most) : '',
    page: found.slice(skip, skip + most),
  };
};

/** DescribeContainerGroups: 20 at most, paged with NextToken. Shows the public address, not the EIP's allocation ID. */
export const describeContainerGroups = (account: Account, call: Call): CloudAnswer => {
  const { page, ...counts } = select(account, call, 20);
  return { ...counts, ContainerGroups: page.map((group) => describe(account, group)) };
};

/** Whether the instance has a place, hence an address that it shows. */
const isPlaced = ({ status }: ContainerGroupRecord): boolean => status !== 'Scheduling' && status !== 'ScheduleFailed';

const time = (at: number | undefined): string | undefined => (at === undefined ? undefined : cloudTimestamp(at));

const describeContainer = (container: ContainerRecord) => ({
  Name: container.name,
  Image: container.image,
  Ready: container.ready,
  RestartCount: container.restartCount,
  CurrentState: {
    State: container.state,
    Reason: container.reason,
    Message: container.message,
    StartTime: time(container.startedAt),
    FinishTime: time(container.finishedAt),
    ExitCode: container.exitCode,
  },
});

const describe = (account: Account, group: ContainerGroupRecord) => {
  const eip = account.eips.boundTo(group.eniInstanceId).find(({ binding }) => binding?.primary);
  const placed = isPlaced(group);
  return {
    ContainerGroupId: group.containerGroupId,
    ContainerGroupName: group.containerGroupName,
    RegionId: account.settings.regionId,
    ZoneId: group.zoneId,
    Status: group.status,
    CreationTime: cloudTimestamp(group.createdAt),
    EniInstanceId: placed ? group.eniInstanceId : '',
    IntranetIp: placed ? group.intranetIp : '',
    InternetIp: placed && account.catchUp() >= (group.addressShownAt ?? 0) ? (eip?.ipAddress ?? '') : '',
    VpcId: group.vpcId,
    VSwitchId: group.vSwitchId,
    SecurityGroupId: group.securityGroupId,
    RestartPolicy: group.restartPolicy,
    Cpu: group.cpu,
    Memory: group.memory,
    Tags: [...group.tags].map(([Key, Value]) => ({ Key, Value })),
    Containers: group.containers.map(describeContainer),
    InitContainers: group.initContainers.map(describeContainer),
    Volumes: [],
    Events: group.events.map(({ type = 'Normal', reason, message, at }) => ({
      Type: type,
      Reason: reason,
      Message: message,
      Count: 1,
      Name: group.containerGroupName,
      FirstTimestamp: cloudTimestamp(at),
      LastTimestamp: cloudTimestamp(at),
    })),
  };
};

/**
 * DescribeContainerGroupStatus: 200 at most, those that changed in the last `SinceSecond` seconds where it is given.
 */
export const describeContainerGroupStatus = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  const since = parameters.integer('SinceSecond', { min: 1, max: 1e9 });
  const oldest = since === undefined ? -Infinity : account.wallTime(at) - since * 1000;
  const { page, ...counts } = select(account, call, 200, ({ changedAt }) => changedAt >= oldest);
  return { ...counts, Data: page.map(describeStatus) };
};

const phases: Readonly<Record<string, string>> = {
  Scheduling: 'Pending',
  Pending: 'Pending',
  Succeeded: 'Succeeded',
  Failed: 'Failed',
  ScheduleFailed: 'Failed',
  Expired: 'Failed',
};

const podState = (container: ContainerRecord) => {
  if (container.state === 'Waiting') return { Waiting: { Reason: container.reason, Message: container.message } };
  // The SDK knows this field by no other name.
  if (container.state === 'Running') return { Running: { StartedAtstartedAt: time(container.startedAt) } };
  return {
    Terminated: {
      Reason: container.reason,
      ExitCode: container.exitCode,
      StartedAt: time(container.startedAt),
      FinishedAt: time(container.finishedAt),
    },
  };
};

const describeStatus = (group: ContainerGroupRecord) => {
  const isReady = group.containers.length > 0 && group.containers.every(({ ready }) => ready);
  return {
    ContainerGroupId: group.containerGroupId,
    Name: group.containerGroupName,
    Namespace: '',
    uuid: '',
    Status: group.status,
    PodStatus: {
      Phase: phases[group.status] ?? 'Running',
      PodIp: isPlaced(group) ? group.intranetIp : '',
      StartTime: cloudTimestamp(group.createdAt),
      Conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: isReady ? 'True' : 'False' })),
      ContainerStatuses: group.containers.map((container) => ({
        Name: container.name,
        Image: container.image,
        Ready: container.ready,
        RestartCount: container.restartCount,
        State: podState(container),
      })),
    },
  };
};

/** DescribeContainerLog: the last `Tail` lines (500, at most 2,000), at most `LimitBytes` (1 MiB). */
export const describeContainerLog = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const id = parameters.required('ContainerGroupId');
  const name = parameters.required('ContainerName');
  const group = account.containerGroups.get(id);
  if (!group) throw gone(account, id);
  if (![...group.containers, ...group.initContainers].some((container) => container.name === name))
    throw refusal('InvalidParameter', `ContainerName: "${name}".`);
  const tail = parameters.integer('Tail', { min: 1, max: 2000, fallback: 500 });
  const most = parameters.integer('LimitBytes', { min: 1, max: 1_048_576, fallback: 1_048_576 });
  const since = parameters.integer('SinceSeconds', { min: 1, max: 1e9 });
  const start = parameters.get('StartTime');
  const oldest = since === undefined ? Date.parse(start ?? '1970-01-01') : account.wallTime(at) - since * 1000;
  if (Number.isNaN(oldest)) throw refusal('InvalidParameter', `StartTime: "${start}".`);
  const stamped = parameters.boolean('Timestamps');
  // The embedded cloud's containers never restart, so that there is no output of an earlier run.
  const lines = parameters.boolean('LastTime') ? [] : (account.containerLogs.get(`${id}/${name}`) ?? []);
  const text = lines
    .filter((line) => line.at >= oldest)
    .slice(-tail)
    .map((line) => `${stamped ? `${cloudTimestamp(line.at)} ` : ''}${line.text}\n`)
    .join('');
  return { ContainerName: name, Content: Buffer.from(text).subarray(0, most).toString() };
};
