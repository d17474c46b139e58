import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { markOf, markOfCluster, type MarkIssuer } from '../../lib/mark.ts';
import { isUntagged } from '../podeip/ownership.ts';

/**
 * The free EIPs without our tags that were bought by this cluster, and for none of its PodEIPs: never bound, bought
 * with tags that the purchase dropped, by a process that died before it could add them.
 *
 * @param named the allocation IDs that any PodEIP has recorded or asks for
 */
export const untaggedSuspects = (
  free: readonly Eip[],
  { podEips, named }: { readonly podEips: readonly PodEip[]; readonly named: ReadonlySet<string> },
  issuer: MarkIssuer,
): readonly Eip[] => {
  const marked = free.filter((eip) => isUntagged(eip) && markOfCluster(eip.description, issuer) !== undefined);
  if (marked.length === 0) return [];
  const vouched = new Set(podEips.map(({ metadata }) => markOf(issuer, metadata.uid)));
  return marked.filter((eip) => !named.has(eip.allocationId) && !vouched.has(markOfCluster(eip.description, issuer)));
};
