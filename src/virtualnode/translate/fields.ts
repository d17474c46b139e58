import type { ResourceFieldRef, WorkloadPod } from '../workload-pod.ts';
import { cutAt } from '../../lib/text.ts';
import { namesInstanceTypes } from './eci-annotations.ts';
import type { NodeSettings, Remarks } from './input.ts';
import { inUnits, parseQuantity } from './quantity.ts';
import { sizeOf } from './size.ts';

/** Stands for a value that is known only once the instance runs. ECI resolves no other one. */
export const POD_IP = Symbol('status.podIP');

/**
 * The value of a fieldRef; undefined if it is refused. Source: kubernetes pkg/fieldpath and pkg/kubelet
 * podFieldSelectorRuntimeValue.
 */
export const fieldValue = (
  fieldPath: string,
  { pod, nodeName, settings }: { pod: WorkloadPod; nodeName: string; settings: NodeSettings },
): string | typeof POD_IP | undefined => {
  const { metadata, spec } = pod;
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return nodeName;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return settings.hostIP ?? POD_IP;
    case 'status.podIP':
    case 'status.podIPs':
      return POD_IP;
    default:
      return keyedValue(fieldPath, pod);
  }
};

/** The value of one label or annotation; '' if the key does not exist. */
const keyedValue = (fieldPath: string, { metadata }: WorkloadPod): string | undefined => {
  const [, kind, key = ''] = /^metadata\.(labels|annotations)\['(.{1,320})'\]$/.exec(fieldPath) ?? [];
  if (kind === undefined) return undefined;
  return (kind === 'labels' ? metadata.labels : metadata.annotations)?.[key] ?? '';
};

/** As kubernetes pkg/fieldpath FormatMap: sorted lines of key="escaped value". */
const formatMap = (map: Readonly<Record<string, string>> = {}): string =>
  Object.entries(map)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');

/**
 * The value of a resourceFieldRef. For a limit that is not set, Kubernetes returns what the node has, which here is the
 * instance; for a request, zero (kubernetes pkg/api/v1/resource, ExtractContainerResourceValue). Undefined, and
 * refused, if there is no such container, or if the size of the instance is not known.
 */
export const resourceValue = (
  ref: ResourceFieldRef,
  field: string,
  pod: WorkloadPod,
  remarks: Remarks,
): string | undefined => {
  const { containerName: name } = ref;
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((each) => each.name === name);
  const [kind, resource] = cutAt(ref.resource, '.');
  const { limits, requests } = container?.resources ?? {};
  const quantity =
    kind === 'limits'
      ? (limits?.[resource] ?? wholeInstance(pod, resource))
      : kind === 'requests'
        ? (requests?.[resource] ?? limits?.[resource] ?? 0)
        : undefined;
  const value = container === undefined || quantity === undefined ? undefined : parseQuantity(quantity);
  if (value !== undefined) return String(inUnits(value, ref.divisor));
  remarks.refusals.push({
    field,
    problem: `${ref.resource} of container ${name ?? '(unnamed)'} is not known before the instance runs`,
    remedy: `set resources.${ref.resource} of that container`,
  });
  return undefined;
};

const wholeInstance = (pod: WorkloadPod, resource: string): number | undefined => {
  // The size depends on the instance type that ECI chooses.
  if (namesInstanceTypes(pod.metadata.annotations)) return undefined;
  const size = sizeOf(pod);
  return resource === 'cpu' ? size?.cpu : resource === 'memory' && size ? size.memory * 2 ** 30 : undefined;
};
