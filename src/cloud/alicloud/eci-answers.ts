import type * as Eci from '@alicloud/eci20180808';
import type {
  ContainerGroup,
  ContainerGroupMetrics,
  ContainerGroupStatus,
  ContainerOfGroup,
  ContainerState,
  CpuUsage,
  MemoryUsage,
} from '../container-groups.ts';
import {
  address,
  bad,
  isRecord,
  optional,
  tagsOfAnswer,
  records,
  resourceId,
  textOfAnswer,
  wordOfAnswer,
} from './answers.ts';

/*
 * Reading ECI's answers, by the same rule as answers.ts: IDs, addresses, states and tags must be as the API reference
 * has them, or the whole answer counts as unreadable; the states of containers, which only describe, are taken
 * as they are.
 */

type Fields = Readonly<Record<string, unknown>>;

const fields = (value: unknown): Fields => (isRecord(value) ? value : {});

const whole = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
};

const optionalAddress = (what: string, value: unknown): string | undefined =>
  optional(value) === undefined ? undefined : address(what, value);

const optionalId = (what: string, value: unknown): string | undefined =>
  optional(value) === undefined ? undefined : resourceId(what, value);

/** A list that may be left out when it is empty. */
const list = (what: string, value: unknown): readonly Fields[] =>
  value === undefined || value === null ? [] : records(what, value);

const STATES = ['Waiting', 'Running', 'Terminated'] as const;

const readState = (value: unknown): ContainerState | undefined => {
  const given = fields(value);
  const state = STATES.find((known) => known === given['state']);
  if (state === undefined) return undefined;
  return {
    state,
    reason: optional(given['reason']),
    message: optional(given['message']),
    startTime: optional(given['startTime']),
    finishTime: optional(given['finishTime']),
    exitCode: whole(given['exitCode']),
    signal: whole(given['signal']),
  };
};

const readContainer = (given: Fields): ContainerOfGroup => ({
  name: textOfAnswer(given['name']),
  image: textOfAnswer(given['image']),
  ready: given['ready'] === true,
  restartCount: whole(given['restartCount']) ?? 0,
  currentState: readState(given['currentState']),
  previousState: readState(given['previousState']),
});

const readGroup = (given: Fields): ContainerGroup => ({
  containerGroupId: resourceId('ContainerGroupId', given['containerGroupId']),
  containerGroupName: textOfAnswer(given['containerGroupName']),
  status: wordOfAnswer('Status', given['status']),
  zoneId: optional(given['zoneId']),
  vSwitchId: optionalId('VSwitchId', given['vSwitchId']),
  vpcId: optionalId('VpcId', given['vpcId']),
  eniInstanceId: optionalId('EniInstanceId', given['eniInstanceId']),
  intranetIp: optionalAddress('IntranetIp', given['intranetIp']),
  ipv6Address: optionalAddress('Ipv6Address', given['ipv6Address']),
  internetIp: optionalAddress('InternetIp', given['internetIp']),
  creationTime: optional(given['creationTime']),
  tags: tagsOfAnswer(given['tags'] ?? undefined),
  events: list('Events', given['events']).map((event) => ({
    type: textOfAnswer(event['type']),
    reason: textOfAnswer(event['reason']),
    message: textOfAnswer(event['message']),
    count: whole(event['count']) ?? 1,
    lastTimestamp: optional(event['lastTimestamp']),
  })),
  containers: list('Containers', given['containers']).map(readContainer),
  initContainers: list('InitContainers', given['initContainers']).map(readContainer),
});

/** A page of a list, and where the next one begins. */
export interface GroupPage<T> {
  readonly items: readonly T[];
  readonly nextToken: string | undefined;
}

/** One page of DescribeContainerGroups. */
export const readContainerGroups = (body: Eci.DescribeContainerGroupsResponseBody): GroupPage<ContainerGroup> => ({
  items: records('ContainerGroups', body.containerGroups).map(readGroup),
  nextToken: optional(body.nextToken),
});

/**
 * Kubernetes' ContainerState in the spelling of the SDK, which gives the start of a running container a name
 * of its own.
 */
const readPodState = (value: unknown): ContainerState | undefined => {
  const given = fields(value);
  if (isRecord(given['running'])) {
    const { startedAtstartedAt, startedAt } = given['running'];
    return { state: 'Running', startTime: optional(startedAtstartedAt) ?? optional(startedAt) };
  }
  if (isRecord(given['terminated'])) {
    const { startedAt, finishedAt, ...ended } = given['terminated'];
    return readState({ ...ended, state: 'Terminated', startTime: startedAt, finishTime: finishedAt });
  }
  return isRecord(given['waiting']) ? readState({ ...given['waiting'], state: 'Waiting' }) : undefined;
};

const readStatus = (given: Fields): ContainerGroupStatus => {
  const pod = fields(given['podStatus']);
  return {
    containerGroupId: resourceId('ContainerGroupId', given['containerGroupId']),
    name: optional(given['name']),
    namespace: optional(given['namespace']),
    uuid: optional(given['uuid']),
    status: wordOfAnswer('Status', given['status']),
    podStatus: {
      phase: optional(pod['phase']),
      podIp: optionalAddress('PodIp', pod['podIp']),
      conditions: list('Conditions', pod['conditions']).flatMap((condition) => {
        const [type, status, reason] = [condition['type'], condition['status'], optional(condition['reason'])];
        if (typeof type !== 'string' || typeof status !== 'string') return [];
        return [{ type, status, ...(reason !== undefined && { reason }) }];
      }),
      containers: list('ContainerStatuses', pod['containerStatuses']).map((container) => ({
        name: textOfAnswer(container['name']),
        image: textOfAnswer(container['image']),
        ready: container['ready'] === true,
        restartCount: whole(container['restartCount']) ?? 0,
        currentState: readPodState(container['state']),
        previousState: readPodState(container['lastState']),
      })),
    },
  };
};

/** One page of DescribeContainerGroupStatus. */
export const readContainerGroupStatus = (
  body: Eci.DescribeContainerGroupStatusResponseBody,
): GroupPage<ContainerGroupStatus> => ({
  items: records('Data', body.data).map(readStatus),
  nextToken: optional(body.nextToken),
});

/** A count or an amount, which describes; undefined where it is none. */
const amount = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
};

const readCpu = (given: Fields): CpuUsage => ({
  usageCoreNanoSeconds: amount(given['usageCoreNanoSeconds']),
  usageNanoCores: amount(given['usageNanoCores']),
});

const readMemory = (given: Fields): MemoryUsage => ({
  availableBytes: amount(given['availableBytes']),
  usageBytes: amount(given['usageBytes']),
  workingSetBytes: amount(given['workingSet']),
  rssBytes: amount(given['rss']),
  cacheBytes: amount(given['cache']),
});

const readRecord = (containerGroupId: string, given: Fields): ContainerGroupMetrics | undefined => {
  const at = Date.parse(textOfAnswer(given['timestamp']));
  if (Number.isNaN(at)) return undefined;
  return {
    containerGroupId,
    at,
    cpu: readCpu(fields(given['CPU'])),
    memory: readMemory(fields(given['memory'])),
    interfaces: list('Interfaces', fields(given['network'])['interfaces']).map((each) => ({
      name: textOfAnswer(each['name']),
      rxBytes: amount(each['rxBytes']),
      rxErrors: amount(each['rxErrors']),
      rxPackets: amount(each['rxPackets']),
      rxDrops: amount(each['rxDrops']),
      txBytes: amount(each['txBytes']),
      txErrors: amount(each['txErrors']),
      txPackets: amount(each['txPackets']),
      txDrops: amount(each['txDrops']),
    })),
    filesystems: list('Filesystem', given['filesystem']).map((each) => ({
      name: textOfAnswer(each['fsName']),
      capacityBytes: amount(each['capacity']),
      usedBytes: amount(each['usage']),
    })),
    containers: list('Containers', given['containers']).map((each) => ({
      name: textOfAnswer(each['name']),
      cpu: readCpu(fields(each['CPU'])),
      memory: readMemory(fields(each['memory'])),
    })),
  };
};

/** DescribeMultiContainerGroupMetric: of each instance the newest record that has a time. */
export const readMetrics = (
  body: Eci.DescribeMultiContainerGroupMetricResponseBody,
): readonly ContainerGroupMetrics[] =>
  list('MonitorDatas', body.monitorDatas).flatMap((data) => {
    const id = resourceId('ContainerGroupId', data['containerGroupId']);
    const all = list('Records', data['records']).flatMap((given) => readRecord(id, given) ?? []);
    return all.toSorted((a, b) => b.at - a.at).slice(0, 1);
  });

/** ExecContainerCommand: the address of the WebSocket. Its text is in no error. */
export const readExec = ({ webSocketUri }: Eci.ExecContainerCommandResponseBody): { webSocketUri: string } => {
  const address: unknown = webSocketUri;
  if (typeof address === 'string' && address !== '') return { webSocketUri: address };
  throw bad('WebSocketUri', typeof address);
};

/** DescribeContainerLog: the text, "" where there is none. */
export const readContainerLog = (body: Eci.DescribeContainerLogResponseBody): string => {
  const content: unknown = body.content ?? '';
  if (typeof content === 'string') return content;
  throw bad('Content', content);
};
