import { EIP_USAGE, type EipUsage, type QuotaReservation } from '../api/eippolicy.ts';
import { PODEIP } from '../api/podeip.ts';
import type { Kube } from '../kube/port.ts';
import type { PlannedReservation, QuotaUsage } from './usage.ts';

/** Reads the usage first and the PodEIPs after it: see {@link QuotaUsage}. Rejects with a KubeFault. */
export const readQuota = async (namespace: string, kube: Kube, signal: AbortSignal): Promise<QuotaUsage> => {
  const usage = (await kube.get(EIP_USAGE, { name: namespace }, signal)) ?? null;
  return { usage, podEips: await kube.list(PODEIP, { namespace }, signal) };
};

/**
 * Writes a reservation for the PodEIP. Succeeds only if the usage was not written since it was read; otherwise it
 * rejects with a conflict, and everything must be counted again. The usage is deleted with its namespace.
 */
export const reserve = (
  kube: Kube,
  { namespace, usage, podEip, bandwidthMbps, reclaimed }: PlannedReservation,
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
