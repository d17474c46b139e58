import type { Container, WorkloadPod } from '../workload.ts';
import { parseQuantity } from './quantity.ts';

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

/**
 * The smallest size that holds the pod: the sum of its containers, or its largest init container where that is more.
 * Undefined where none is large enough.
 */
export const sizeOf = ({ spec }: WorkloadPod): { cpu: number; memory: number } | undefined => {
  const needs = (name: string) =>
    Math.max(
      spec.containers.reduce((total, container) => total + need(container, name), 0),
      ...(spec.initContainers ?? []).map((container) => need(container, name)),
    );
  const cpu = needs('cpu');
  const memory = needs('memory') / GIB;
  if (cpu === 0 && memory === 0) return UNSPECIFIED;
  for (const [vcpu, sizes] of SIZES) {
    const size = cpu <= vcpu ? sizes.find((each) => memory <= each) : undefined;
    if (size !== undefined) return { cpu: vcpu, memory: size };
  }
  return undefined;
};

/** Requests count, and where there is none the limit, as in Kubernetes; a limit above the request counts too, for it is what may be used. */
const need = ({ resources }: Container, name: string): number =>
  Math.max(0, ...[resources?.limits?.[name], resources?.requests?.[name]].map((each) => parseQuantity(each ?? 0) ?? 0));
