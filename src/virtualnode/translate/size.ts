import type { Container, WorkloadPod } from '../workload.ts';
import { parseQuantity } from './quantity.ts';
import { isQueueProxy } from './queue-proxy.ts';

const GIB = 2 ** 30;

/** vCPU → GiB that an instance without a type may have. Source: ECI documentation, "Specify vCPU and memory". */
const SIZES: readonly (readonly [vcpu: number, memory: readonly number[]])[] = [
  [0.25, [0.5, 1]],
  [0.5, [1, 2]],
  [1, [2, 4, 8]],
  [2, [4, 8, 16]],
  [4, [8, 16, 32]],
  [8, [16, 32, 64]],
  [12, [24, 48, 96]],
  [16, [32, 64, 128]],
  [24, [48, 96, 192]],
  [32, [64, 128, 256]],
  [52, [96, 192, 384]],
  [64, [128, 256, 512]],
];

/** What an instance gets whose containers ask for nothing, as in Alibaba Cloud's provider of virtual-kubelet. */
const UNSPECIFIED = { cpu: 1, memory: 2 };

/** vCPU and GiB of an instance. */
export interface Size {
  readonly cpu: number;
  readonly memory: number;
}

/**
 * The smallest size that holds the pod: the sum of its containers, or its largest init container where that is more.
 * Knative's sidecar always asks for a little; where nobody else asks for anything, that is no wish for the smallest.
 * Undefined where none is large enough.
 */
export const sizeOf = ({ spec }: WorkloadPod): Size | undefined => {
  const all = [...spec.containers.filter((each) => !isQueueProxy(each)), ...(spec.initContainers ?? [])];
  const isSaid = all.some((each) => need(each, 'cpu') > 0 || need(each, 'memory') > 0);
  const needs = (name: string) =>
    Math.max(
      spec.containers.reduce((total, container) => total + need(container, name), 0),
      ...(spec.initContainers ?? []).map((container) => need(container, name)),
    );
  const cpu = Math.max(needs('cpu'), isSaid ? 0 : UNSPECIFIED.cpu);
  const memory = Math.max(needs('memory') / GIB, isSaid ? 0 : UNSPECIFIED.memory);
  for (const [vcpu, sizes] of SIZES) {
    const size = cpu <= vcpu + ROUNDING ? sizes.find((each) => memory <= each + ROUNDING) : undefined;
    if (size !== undefined) return { cpu: vcpu, memory: size };
  }
  return undefined;
};

/** Ten containers of 0.1 vCPU are one. */
const ROUNDING = 1e-9;

/** Requests count, and where there is none the limit, as in Kubernetes; a limit above the request counts too, for it is what may be used. */
const need = ({ resources }: Container, name: string): number =>
  Math.max(0, ...[resources?.limits?.[name], resources?.requests?.[name]].map((each) => parseQuantity(each ?? 0) ?? 0));
