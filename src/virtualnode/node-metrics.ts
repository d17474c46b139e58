import type { NodeUsage, PodUsage } from './node-usage.ts';
import { nodeMemoryOf, runningContainersOf, type RunningContainer } from './stats-summary.ts';

/*
 * What a kubelet says at /metrics, /metrics/resource and /metrics/cadvisor, in the text format of Prometheus, as far as
 * ECI tells it. Names, labels, units and which of them have a time are those of kubernetes
 * pkg/kubelet/metrics/collectors/resource_metrics.go and of cAdvisor metrics/prometheus.go. metrics-server reads
 * /metrics/resource: it leaves out a pod of which one container has no CPU or no memory, and takes the difference of
 * two counters for a use, so that the time of each is that of the cloud's record.
 */

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels?: Labels | undefined;
  /** Undefined: it is not known, and not said. */
  readonly value: number | undefined;
  /** Milliseconds since the epoch. */
  readonly at?: number | undefined;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

const textOf = (families: readonly Family[]): string =>
  families
    .flatMap(({ name, help, type, samples }) => {
      const lines = samples.flatMap(({ labels = {}, value, at }) =>
        value === undefined ? [] : [`${name}${labelText(labels)} ${value}${at === undefined ? '' : ` ${at}`}`],
      );
      return lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
    })
    .map((line) => `${line}\n`)
    .join('');

const secondsOf = (nanoseconds: number | undefined): number | undefined =>
  nanoseconds === undefined ? undefined : nanoseconds / 1e9;

/** Of every container that runs: its pod, and itself. */
const eachContainer = (
  { pods }: NodeUsage,
  sample: (container: RunningContainer, pod: PodUsage) => Sample,
): readonly Sample[] => pods.flatMap((pod) => runningContainersOf(pod).map((container) => sample(container, pod)));

const podLabels = ({ name, namespace }: PodUsage): Labels => ({ namespace, pod: name });

const containerLabels = ({ name }: RunningContainer, pod: PodUsage): Labels => ({ container: name, ...podLabels(pod) });

/** /metrics/resource. */
export const resourceMetrics = (usage: NodeUsage): string => {
  const { pods, at, fault } = usage;
  return textOf([
    {
      name: 'container_cpu_usage_seconds_total',
      help: '[STABLE] Cumulative cpu time consumed by the container in core-seconds',
      type: 'counter',
      samples: eachContainer(usage, (container, pod) => ({
        labels: containerLabels(container, pod),
        value: secondsOf(container.cpu.usageCoreNanoSeconds),
        at: pod.metrics.at,
      })),
    },
    {
      name: 'container_memory_working_set_bytes',
      help: '[STABLE] Current working set of the container in bytes',
      type: 'gauge',
      samples: eachContainer(usage, (container, pod) => ({
        labels: containerLabels(container, pod),
        value: container.memory.workingSetBytes,
        at: pod.metrics.at,
      })),
    },
    {
      name: 'container_start_time_seconds',
      help: '[STABLE] Start time of the container since unix epoch in seconds',
      type: 'gauge',
      samples: eachContainer(usage, (container, pod) => ({
        labels: containerLabels(container, pod),
        value: container.startedAt === undefined ? undefined : container.startedAt / 1000,
      })),
    },
    {
      name: 'node_cpu_usage_seconds_total',
      help: '[STABLE] Cumulative cpu time consumed by the node in core-seconds',
      type: 'counter',
      samples: [{ value: secondsOf(usage.cpuCoreNanoSeconds), at }],
    },
    {
      name: 'node_memory_working_set_bytes',
      help: '[STABLE] Current working set of the node in bytes',
      type: 'gauge',
      samples: [{ value: nodeMemoryOf(usage) ?? 0, at }],
    },
    {
      name: 'pod_cpu_usage_seconds_total',
      help: '[STABLE] Cumulative cpu time consumed by the pod in core-seconds',
      type: 'counter',
      samples: pods.map((pod) => ({
        labels: podLabels(pod),
        value: secondsOf(pod.metrics.cpu.usageCoreNanoSeconds),
        at: pod.metrics.at,
      })),
    },
    {
      name: 'pod_memory_working_set_bytes',
      help: '[STABLE] Current working set of the pod in bytes',
      type: 'gauge',
      samples: pods.map((pod) => ({
        labels: podLabels(pod),
        value: pod.metrics.memory.workingSetBytes,
        at: pod.metrics.at,
      })),
    },
    {
      name: 'resource_scrape_error',
      help: '[STABLE] 1 if there was an error while getting container metrics, 0 otherwise',
      type: 'gauge',
      samples: [{ value: fault ? 1 : 0 }],
    },
    {
      // Its name until Kubernetes 1.29.
      name: 'scrape_error',
      help: '[ALPHA] 1 if there was an error while getting container metrics, 0 otherwise',
      type: 'gauge',
      samples: [{ value: fault ? 1 : 0 }],
    },
  ]);
};

/** As cAdvisor labels a container: Prometheus' rules for clusters look for those with an image. */
const cadvisorLabels = ({ name, image }: RunningContainer, pod: PodUsage): Labels => {
  const id = `${pod.group.containerGroupId}/${name}`;
  return { container: name, id: `/eci/${id}`, image, name: id, namespace: pod.namespace, pod: pod.name };
};

const cadvisorPodLabels = (pod: PodUsage, more: Labels): Labels => ({
  container: '',
  id: `/eci/${pod.group.containerGroupId}`,
  image: '',
  ...more,
  name: '',
  namespace: pod.namespace,
  pod: pod.name,
});

/** /metrics/cadvisor: for each container, and what belongs to a pod as a whole under no container. */
export const cadvisorMetrics = (usage: NodeUsage): string => {
  const container = (
    name: string,
    [type, help]: readonly [Family['type'], string],
    value: (container: RunningContainer) => number | undefined,
    more: Labels = {},
  ): Family => ({
    name,
    help,
    type,
    samples: eachContainer(usage, (each, pod) => ({
      labels: { ...cadvisorLabels(each, pod), ...more },
      value: value(each),
      at: pod.metrics.at,
    })),
  });
  const traffic = (direction: 'receive' | 'transmit', what: 'bytes' | 'packets' | 'packets_dropped' | 'errors') => {
    const key = ({ bytes: 'Bytes', packets: 'Packets', packets_dropped: 'Drops', errors: 'Errors' } as const)[what];
    const side = direction === 'receive' ? 'rx' : 'tx';
    return {
      name: `container_network_${direction}_${what}_total`,
      help: `Cumulative count of ${what.replace('_', ' ')}, ${direction}`,
      type: 'counter' as const,
      samples: usage.pods.flatMap((pod) =>
        pod.metrics.interfaces.map((each) => ({
          labels: cadvisorPodLabels(pod, { interface: each.name }),
          value: each[`${side}${key}`],
          at: pod.metrics.at,
        })),
      ),
    };
  };
  const disk = (name: string, help: string, key: 'usedBytes' | 'capacityBytes'): Family => ({
    name,
    help,
    type: 'gauge',
    samples: usage.pods.flatMap((pod) =>
      pod.metrics.filesystems.map((each) => ({
        labels: cadvisorPodLabels(pod, { device: each.name }),
        value: each[key],
        at: pod.metrics.at,
      })),
    ),
  });
  return textOf([
    container(
      'container_cpu_usage_seconds_total',
      ['counter', 'Cumulative cpu time consumed in seconds.'],
      ({ cpu }) => secondsOf(cpu.usageCoreNanoSeconds),
      { cpu: 'total' },
    ),
    disk('container_fs_limit_bytes', 'Number of bytes that can be consumed on this filesystem.', 'capacityBytes'),
    disk('container_fs_usage_bytes', 'Number of bytes that are consumed on this filesystem.', 'usedBytes'),
    container(
      'container_memory_cache',
      ['gauge', 'Number of bytes of page cache memory.'],
      ({ memory }) => memory.cacheBytes,
    ),
    container('container_memory_rss', ['gauge', 'Size of RSS in bytes.'], ({ memory }) => memory.rssBytes),
    container(
      'container_memory_usage_bytes',
      ['gauge', 'Current memory usage in bytes, including all memory regardless of when it was accessed'],
      ({ memory }) => memory.usageBytes,
    ),
    container(
      'container_memory_working_set_bytes',
      ['gauge', 'Current working set in bytes.'],
      ({ memory }) => memory.workingSetBytes,
    ),
    ...(['bytes', 'errors', 'packets_dropped', 'packets'] as const).flatMap((what) => [
      traffic('receive', what),
      traffic('transmit', what),
    ]),
    container(
      'container_start_time_seconds',
      ['gauge', 'Start time of the container since unix epoch in seconds.'],
      ({ startedAt }) => (startedAt === undefined ? undefined : startedAt / 1000),
    ),
    {
      name: 'container_scrape_error',
      help: '1 if there was an error while getting container metrics, 0 otherwise',
      type: 'gauge',
      samples: [{ value: usage.fault ? 1 : 0 }],
    },
  ]);
};

/** /metrics: of what a kubelet says about itself, what there is here. */
export const kubeletMetrics = (
  nodeName: string,
  { pods, containers }: { readonly pods: number; readonly containers: number },
): string =>
  textOf([
    {
      name: 'kubelet_node_name',
      help: "[ALPHA] The node's name. The count is always 1.",
      type: 'gauge',
      samples: [{ labels: { node: nodeName }, value: 1 }],
    },
    {
      name: 'kubelet_running_containers',
      help: '[ALPHA] Number of containers currently running',
      type: 'gauge',
      samples: [{ labels: { container_state: 'running' }, value: containers }],
    },
    {
      name: 'kubelet_running_pods',
      help: '[ALPHA] Number of pods that have a running pod sandbox',
      type: 'gauge',
      samples: [{ value: pods }],
    },
  ]);
