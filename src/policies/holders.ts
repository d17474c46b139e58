import { EIP_HOLDER, type EipHolder } from '../api/eipholder.ts';
import type { Namespace } from '../api/core.ts';
import type { Kube } from '../kube/port.ts';

/** An existing EIP to be written down as the namespace's, and what was read before; null where there was nothing. */
interface PlannedHolding {
  readonly allocationId: string;
  readonly namespace: Namespace;
  readonly holder: EipHolder | null;
}

/** Reads whose the EIP is, by a quorum read; null where it is nobody's. Rejects with a KubeFault. */
export const readHolder = async (kube: Kube, allocationId: string, signal: AbortSignal): Promise<EipHolder | null> =>
  (await kube.get(EIP_HOLDER, { name: allocationId }, signal)) ?? null;

/**
 * Writes down that the EIP is the namespace's. Succeeds only if nobody has written since it was read; otherwise it
 * rejects with a conflict, or `exists`, and everything must be looked at again. It goes with its namespace.
 *
 * @param now wall time, milliseconds
 */
export const hold = (
  kube: Kube,
  { allocationId, namespace, holder }: PlannedHolding,
  now: number,
  signal: AbortSignal,
): Promise<EipHolder> => {
  const { name, uid } = namespace.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Namespace', name, uid }];
  const ref = { name: allocationId };
  const content = { namespace: name, lastNamed: new Date(now).toISOString() };
  if (holder) {
    const { uid: holderUid, resourceVersion } = holder.metadata;
    const body = { metadata: { uid: holderUid, resourceVersion, ownerReferences }, ...content };
    return kube.patch(EIP_HOLDER, ref, { type: 'merge', body }, signal);
  }
  const { group, version, kind } = EIP_HOLDER;
  const metadata = { ...ref, ownerReferences };
  return kube.create(EIP_HOLDER, { apiVersion: `${group}/${version}`, kind, metadata, ...content }, signal);
};
