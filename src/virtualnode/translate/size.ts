import type { WorkloadContainer, WorkloadPod } from '../workload-pod.ts';
import { parseQuantity } from './quantity.ts';
import { isQueueProxy } from './queue-proxy.ts';

const GIB = 2 ** 30;

/**
 * vCPU → GiB that an instance without a type may have everywhere. Source: ECI documentation, "Specify vCPU and memory
 * to create an instance".
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
 * On a container, with the value TRUE: it has no say in the size (ECI documentation, "Configure resource adjustment to
 * ignore specific containers").
 */
const IGNORED = '__ECI_RESOURCE_IGNORE__';

/**
 * What Knative's sidecar asks for unless the operator of Knative says otherwise (knative/serving pkg/deployment,
 * queueSidecarCPURequest).
 */
const QUEUE_PROXY_CPU = 0.025;

/** What an instance gets whose containers ask for nothing, as in Alibaba Cloud's provider of virtual-kubelet. */
const UNSPECIFIED = { cpu: 1, memory: 2 };

/** vCPU and GiB of an instance. */
interface Size {
  readonly cpu: number;
  readonly memory: number;
}

/**
 * The smallest size that holds the pod: the sum of its containers, or its largest init container where that is more.
 * Where nobody speaks of memory there are two GiB for each vCPU. Undefined where no size is large enough.
 *
 * What Knative's sidecar asks for by default does not count, as ECI lets a sidecar be ignored: with it, a container of
 * one vCPU would be charged as two.
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

/** Ten containers of 0.1 vCPU are one. */
const ROUNDING = 1e-9;

/**
 * Requests count, and where there is none the limit, as in Kubernetes; a limit above the request counts too, for it is
 * what may be used.
 */
const need = ({ resources }: WorkloadContainer, name: string): number =>
  Math.max(0, ...[resources?.limits?.[name], resources?.requests?.[name]].map((each) => parseQuantity(each ?? 0) ?? 0));
