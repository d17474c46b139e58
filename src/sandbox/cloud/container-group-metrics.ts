import type { Account, Call } from './cloud-account.ts';
import { readIds } from './container-group-description.ts';
import type { ContainerGroupRecord, ContainerRecord, ContainerUse } from './records.ts';
import { refusal } from './refusal.ts';
import { cloudTimestamp } from './timestamp.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** Between two records (ECI API reference, DescribeContainerGroupMetric: 15 s for what is shown in real time). */
const SAMPLE_MS = 15_000;
const NANO = 1e9;
const MIB = 1_048_576;
const GIB = 1024 * MIB;
/** What a container uses of which nobody has said anything: about what a web server does that nobody calls. */
const IDLE = { cores: 0.005, memoryBytes: 24 * MIB };

const keyOf = ({ containerGroupId }: ContainerGroupRecord, name: string): string => `${containerGroupId}/${name}`;

const useOf = (account: Account, group: ContainerGroupRecord, { name, startedAt = 0 }: ContainerRecord): ContainerUse =>
  account.containerUse.get(keyOf(group, name)) ?? { ...IDLE, since: startedAt, usedBefore: 0 };

/** Nanoseconds of one vCPU, from the container's start to then. */
const usedBy = ({ usedBefore, cores, since }: ContainerUse, at: number): number =>
  Math.round(usedBefore + cores * Math.max(0, at - since) * (NANO / 1000));

/** A container uses this from now on. @throws RangeError for a container that there is not */
export const useInContainer = (
  account: Account,
  { group, container: name }: { readonly group: ContainerGroupRecord; readonly container: string },
  { cores, memoryBytes }: Pick<ContainerUse, 'cores' | 'memoryBytes'>,
  now: number,
): void => {
  const container = group.containers.find((each) => each.name === name);
  if (!container) throw new RangeError(`${group.containerGroupId} has no container ${name}.`);
  const usedBefore = usedBy(useOf(account, group, container), now);
  account.containerUse.set(keyOf(group, name), { cores, memoryBytes, since: now, usedBefore });
};

const memoryOf = (used: number, limit: number) => ({
  AvailableBytes: Math.max(0, limit - used),
  UsageBytes: used + MIB,
  Cache: MIB,
  WorkingSet: used,
  Rss: used,
});

/** None before the first sample. */
const recordsOf = (account: Account, group: ContainerGroupRecord, at: number) => {
  const memoryLimit = group.memory * GIB;
  const containers = group.containers
    .filter(({ state, startedAt = 0 }) => state === 'Running' && startedAt <= at)
    .map((container) => {
      const { cores, memoryBytes, ...use } = useOf(account, group, container);
      const used = usedBy({ cores, memoryBytes, ...use }, at);
      return { name: container.name, cores, memoryBytes, used };
    });
  if (containers.length === 0) return [];
  const total = (of: 'cores' | 'memoryBytes' | 'used') => containers.reduce((sum, each) => sum + each[of], 0);
  const cpu = (used: number, cores: number) => ({
    UsageCoreNanoSeconds: used,
    UsageNanoCores: Math.round(cores * NANO),
    Load: 0,
    Limit: group.cpu * 1000,
  });
  const traffic = Math.round(total('used') / NANO) * 1000;
  const record = {
    Timestamp: cloudTimestamp(at),
    CPU: cpu(total('used'), total('cores')),
    Memory: memoryOf(total('memoryBytes'), memoryLimit),
    Network: {
      Interfaces: [
        {
          Name: 'eth0',
          RxBytes: traffic,
          RxErrors: 0,
          RxPackets: Math.ceil(traffic / 1000),
          RxDrops: 0,
          TxBytes: 2 * traffic,
          TxErrors: 0,
          TxPackets: Math.ceil(traffic / 500),
          TxDrops: 0,
        },
      ],
    },
    Filesystem: [{ FsName: '/dev/root', Capacity: 30 * GIB, Usage: 2 * GIB, Available: 28 * GIB }],
    Disk: [],
    Containers: containers.map(({ name, cores, memoryBytes, used }) => ({
      Name: name,
      CPU: cpu(used, cores),
      Memory: memoryOf(memoryBytes, memoryLimit),
    })),
  };
  return [record];
};

/** DescribeMultiContainerGroupMetric: the latest record of each instance that runs, at most 20 instances. */
export const describeMultiContainerGroupMetric = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  parameters.required('ContainerGroupIds');
  const ids = readIds(account, parameters);
  const type = parameters.get('MetricType') ?? 'summary';
  if (type !== 'summary') throw refusal('InvalidParameter', `MetricType: "${type}".`);
  const sampled = Math.floor(account.wallTime(at) / SAMPLE_MS) * SAMPLE_MS;
  const groups = (ids ?? []).flatMap((id) => account.containerGroups.get(id) ?? []);
  return {
    MonitorDatas: groups.map((group) => ({
      ContainerGroupId: group.containerGroupId,
      Records: group.status === 'Running' ? recordsOf(account, group, sampled) : [],
    })),
  };
};
