import type { ResourceFieldRef, WorkloadPod } from '../workload.ts';
import type { NodeSettings, Remarks } from './input.ts';
import { inUnits, parseQuantity } from './quantity.ts';

/** Where a value comes from that is only known once the instance runs; ECI resolves nothing else. */
export const POD_IP = Symbol('status.podIP');

/** What a fieldRef gives; undefined where it is refused. Source: kubernetes pkg/fieldpath and pkg/kubelet podFieldSelectorRuntimeValue. */
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
    default: {
      const [, kind, key = ''] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath) ?? [];
      if (kind === undefined) return undefined;
      return (kind === 'labels' ? metadata.labels : metadata.annotations)?.[key] ?? '';
    }
  }
};

/** As kubernetes pkg/fieldpath FormatMap: sorted lines of key="escaped value". */
const formatMap = (map: Readonly<Record<string, string>> = {}): string =>
  Object.entries(map)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');

/** What a resourceFieldRef gives: the limit, else the request; undefined, and refused, where neither is there. */
export const resourceValue = (
  ref: ResourceFieldRef,
  field: string,
  pod: WorkloadPod,
  ownName: string | undefined,
  remarks: Remarks,
): string | undefined => {
  const name = ref.containerName ?? ownName;
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((each) => each.name === name);
  const [kind = '', resource = ''] = ref.resource.split(/\.(.*)/s);
  const { limits, requests } = container?.resources ?? {};
  const quantity = kind === 'limits' ? (limits?.[resource] ?? requests?.[resource]) : requests?.[resource];
  const value = quantity === undefined ? undefined : parseQuantity(quantity);
  if (value !== undefined) return String(inUnits(value, ref.divisor));
  remarks.refusals.push({
    field,
    problem: `${ref.resource} of container ${name ?? '(unnamed)'} is not set, and an instance has no other limit to show`,
    remedy: `set resources.${ref.resource} of that container`,
  });
  return undefined;
};
