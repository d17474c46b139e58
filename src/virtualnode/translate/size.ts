import type { WorkloadContainer, WorkloadPod } from '../workload-pod.ts';
import { parseQuantity } from './quantity.ts';
import { isQueueProxy } from './queue-proxy.ts';

const GIB = 2 ** 30;

/**
 * The sizes, vCPU → GiB, that are available everywhere without an instance type. Source: ECI documentation, "Specify
 * vCPU and memory to create an instance".
 */
const SIZES: readonly (readonly [vcpu: number, memory: readonly number[]])[] = [
  [0.25, [0.5, 1]],
  [0.5, [1, 2]],
  [1, [2, 4, 8]],
  [2, [1, 2, 4, 8, 16]],
  [4, [2, 4, 8, 16, 32]],
  [8, [4, 8, 16, 32, 64]],
  [12, [12, 24, 48, 96]],
  [16, [16, 32, 64, 128]],
  [24, [24, 48, 96, 192]],
  [32, [32, 64, 128, 256]],
  [52, [96, 192, 384]],
  [64, [128, 256, 512]],
];

/**
 * A variable of a container; with the value TRUE the container does not count for the size (ECI documentation,
 * "Configure resource adjustment to ignore specific containers").
 */
const IGNORED = '__ECI_RESOURCE_IGNORE__';

/** The default CPU request of Knative's sidecar (knative/serving pkg/deployment, queueSidecarCPURequest). */
const QUEUE_PROXY_CPU = 0.025;

/** The size for containers without requests, as in Alibaba Cloud's provider of virtual-kubelet. */
const UNSPECIFIED = { cpu: 1, memory: 2 };

/** vCPU and GiB of an instance. */
interface Size {
  readonly cpu: number;
  readonly memory: number;
}

/**
 * The smallest size that fits the pod: the sum of its containers, or its largest init container if that is more.
 * Without any memory request, two GiB for each vCPU. Undefined if no size is large enough.
 *
 * The default request of Knative's sidecar does not count, because ECI lets sidecars be ignored: otherwise a container
 * of one vCPU would be charged as two.
 */
export const sizeOf = ({ spec }: WorkloadPod): Size | undefined => {
  const containers = spec.containers.filter(counts);
  const initContainers = spec.initContainers?.filter(counts) ?? [];
  const needs = (name: string) =>
    Math.max(
      containers.reduce((total, container) => total + need(container, name), 0),
      ...initContainers.map((container) => need(container, name)),
    );
  const cpu = needs('cpu');
  const memory = needs('memory') / GIB;
  if (cpu === 0 && memory === 0) return UNSPECIFIED;
  for (const [vcpu, sizes] of SIZES) {
    const least = memory > 0 ? memory : 2 * vcpu;
    const size = cpu <= vcpu + ROUNDING ? sizes.find((each) => least <= each + ROUNDING) : undefined;
    if (size !== undefined) return { cpu: vcpu, memory: size };
  }
  return undefined;
};

const counts = (container: WorkloadContainer): boolean => {
  if (container.env?.some(({ name, value }) => name === IGNORED && value === 'TRUE') === true) return false;
  const isByDefault = need(container, 'cpu') <= QUEUE_PROXY_CPU && need(container, 'memory') === 0;
  return !(isByDefault && isQueueProxy(container));
};

/** Tolerance for sums of floating-point numbers: ten containers of 0.1 vCPU need 1. */
const ROUNDING = 1e-9;

/**
 * The larger of request and limit, because the container may use its limit; either may be missing, as in Kubernetes.
 */
const need = ({ resources }: WorkloadContainer, name: string): number =>
  Math.max(0, ...[resources?.limits?.[name], resources?.requests?.[name]].map((each) => parseQuantity(each ?? 0) ?? 0));
