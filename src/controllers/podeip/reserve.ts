import type { Namespace } from '../../api/core.ts';
import { EIP_USAGE, type EipUsage, type QuotaReservation } from '../../api/eippolicy.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Kube } from '../../kube/port.ts';

interface Reserving {
  readonly namespace: Namespace;
  /** As it was when it was counted; null where there was none. */
  readonly usage: EipUsage | null;
  readonly podEip: PodEip;
  readonly bandwidthMbps: number;
  /** UIDs of PodEIPs that are gone, whose places are given up. */
  readonly reclaimed: readonly string[];
}

/**
 * Writes down that the PodEIP has a place under the limits of its namespace. Goes through only if nobody has written
 * since the usage was read; otherwise 409, and everything is counted again. The usage goes with the namespace.
 */
export const reserve = (
  kube: Kube,
  { namespace, usage, podEip, bandwidthMbps, reclaimed }: Reserving,
  signal: AbortSignal,
): Promise<EipUsage> => {
  const { uid, name } = podEip.metadata;
  const others = (usage?.places ?? []).filter(({ podEipUID }) => podEipUID !== uid && !reclaimed.includes(podEipUID));
  const places: readonly QuotaReservation[] = [...others, { podEipUID: uid, podEip: name, bandwidthMbps }];
  const owner = { apiVersion: 'v1', kind: 'Namespace', name: namespace.metadata.name, uid: namespace.metadata.uid };
  const ref = { name: namespace.metadata.name };
  if (usage) {
    const { uid: usageUid, resourceVersion } = usage.metadata;
    const body = { metadata: { uid: usageUid, resourceVersion, ownerReferences: [owner] }, places };
    return kube.patch(EIP_USAGE, ref, { type: 'merge', body }, signal);
  }
  const { group, version, kind } = EIP_USAGE;
  const metadata = { ...ref, ownerReferences: [owner] };
  return kube.create(EIP_USAGE, { apiVersion: `${group}/${version}`, kind, metadata, places }, signal);
};
