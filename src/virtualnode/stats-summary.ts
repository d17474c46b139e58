import type { CpuUsage, InterfaceUsage, MemoryUsage } from '../cloud/container-groups.ts';
import type { NodeUsage, PodUsage } from './node-usage.ts';

/*
 * What a kubelet says at /stats/summary. Source: k8s.io/kubelet pkg/apis/stats/v1alpha1, Summary. What ECI does not
 * tell is left out, as a kubelet leaves out what it does not know: volumes, inodes, swap, page faults, pressure.
 */

/** A number that may be left out. */
type Amount = number | undefined;

interface CpuStats {
  readonly time: string;
  readonly usageNanoCores: Amount;
  readonly usageCoreNanoSeconds: Amount;
}

interface MemoryStats {
  readonly time: string;
  readonly availableBytes?: Amount;
  readonly usageBytes?: Amount;
  readonly workingSetBytes: Amount;
  readonly rssBytes?: Amount;
}

interface ContainerStats {
  readonly name: string;
  readonly startTime: string;
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
}

interface PodStats {
  readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly startTime: string;
  readonly containers: readonly ContainerStats[];
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  readonly network?: object | undefined;
}

interface Summary {
  readonly node: {
    readonly nodeName: string;
    readonly startTime: string;
    readonly cpu: CpuStats;
    readonly memory: MemoryStats;
  };
  readonly pods: readonly PodStats[];
}

/** A container that runs, of which the cloud has told something. */
export interface RunningContainer {
  readonly name: string;
  readonly image: string;
  /** Milliseconds since the epoch; undefined if the cloud does not say. */
  readonly startedAt: number | undefined;
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
}

/** The containers of a pod that run: what one that has ended had used is no use of anything any more. */
export const runningContainersOf = ({ group, metrics }: PodUsage): readonly RunningContainer[] =>
  metrics.containers.flatMap(({ name, cpu, memory }) => {
    const container = group.containers.find((each) => each.name === name);
    if (container?.currentState?.state !== 'Running') return [];
    const startedAt = Date.parse(container.currentState.startTime ?? '');
    return [{ name, image: container.image, startedAt: Number.isNaN(startedAt) ? undefined : startedAt, cpu, memory }];
  });

/** Sum over what is known; undefined where nothing is. */
const sumOf = (amounts: readonly Amount[]): Amount => {
  const known = amounts.filter((amount) => amount !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, amount) => sum + amount, 0);
};

/** metav1.Time, which has no fractions of a second. */
const timestamp = (epochMs: number): string => `${new Date(epochMs).toISOString().slice(0, 19)}Z`;

const cpuOf = (time: string, { usageNanoCores, usageCoreNanoSeconds }: CpuUsage): CpuStats => ({
  time,
  usageNanoCores,
  usageCoreNanoSeconds,
});

const memoryOf = (
  time: string,
  { availableBytes, usageBytes, workingSetBytes, rssBytes }: MemoryUsage,
): MemoryStats => ({ time, availableBytes, usageBytes, workingSetBytes, rssBytes });

const networkOf = (time: string, interfaces: readonly InterfaceUsage[]): object | undefined => {
  const all = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }));
  return all.length === 0 ? undefined : { time, ...all[0], interfaces: all };
};

/** @param isShort only CPU and memory (the parameter `only_cpu_and_memory`) */
const podStatsOf = (pod: PodUsage, isShort: boolean): PodStats => {
  const { name, namespace, uid, group, metrics } = pod;
  const time = timestamp(metrics.at);
  const created = Date.parse(group.creationTime ?? '');
  const startTime = Number.isNaN(created) ? time : timestamp(created);
  return {
    podRef: { name, namespace, uid },
    startTime,
    containers: runningContainersOf(pod).map((container) => ({
      name: container.name,
      startTime: container.startedAt === undefined ? startTime : timestamp(container.startedAt),
      cpu: cpuOf(time, container.cpu),
      memory: memoryOf(time, container.memory),
    })),
    cpu: cpuOf(time, metrics.cpu),
    memory: memoryOf(time, metrics.memory),
    ...(!isShort && { network: networkOf(time, metrics.interfaces) }),
  };
};

/** What the node is called, and when the process began that counts for it: milliseconds since the epoch. */
export interface StatsNode {
  readonly nodeName: string;
  readonly startedAt: number;
}

/** The memory that all pods use; bytes. */
export const nodeMemoryOf = ({ pods }: NodeUsage): Amount =>
  sumOf(pods.map(({ metrics }) => metrics.memory.workingSetBytes));

/** Of the node itself there is what its pods use together: it is no machine. */
export const summaryOf = (usage: NodeUsage, { nodeName, startedAt }: StatsNode, isShort: boolean): Summary => {
  const time = timestamp(usage.at);
  return {
    node: {
      nodeName,
      startTime: timestamp(startedAt),
      cpu: {
        time,
        usageNanoCores: sumOf(usage.pods.map(({ metrics }) => metrics.cpu.usageNanoCores)) ?? 0,
        usageCoreNanoSeconds: usage.cpuCoreNanoSeconds,
      },
      memory: { time, workingSetBytes: nodeMemoryOf(usage) ?? 0 },
    },
    pods: usage.pods.map((pod) => podStatsOf(pod, isShort)),
  };
};
