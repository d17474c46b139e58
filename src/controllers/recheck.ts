import type { Pod } from '../api/core.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Eip } from '../cloud/port.ts';
import type { WorkQueue } from '../kube/queue.ts';
import { keyOf } from '../kube/store.ts';
import { isAtRest, saysInUse } from './at-rest.ts';
import type { Settings } from './podeip/observation.ts';
import { isOurs, readRecord } from './podeip/record.ts';

/** A recheck waits longer than the time between two lists, so that each spares it the next time. */
const PATIENCE = 1.5;

/**
 * Spares what is at rest its recheck: the lists of garbage collection, a hundred EIPs a page, say as much as a close
 * look at each. What is in use by its own words and not as it is listed is looked at now, and so is an EIP that was
 * bought and is missing in the list: somebody has released it, or it has lost its tags. What the list cannot show, such
 * as an EIP that a pod names, is rechecked in its time.
 */
export const recheckByList = (
  { eips, podEips }: { readonly eips: readonly Eip[]; readonly podEips: readonly PodEip[] },
  {
    queue,
    podOf,
    settings,
  }: {
    readonly queue: Pick<WorkQueue, 'add' | 'postpone'>;
    /** The pod of the key, from the cache. */
    readonly podOf: (key: string) => Pod | undefined;
    readonly settings: Pick<Settings, 'clusterUid' | 'networkKey' | 'recheckMs'>;
  },
): void => {
  const listed = new Map(eips.map((eip) => [eip.allocationId, eip]));
  for (const podEip of podEips) {
    const key = keyOf(podEip.metadata);
    const eip = listed.get(podEip.spec.allocationID);
    if (isAtRest({ pod: podOf(key), podEip, eip }, settings)) queue.postpone(key, settings.recheckMs * PATIENCE);
    else if (saysInUse(podEip) && (eip || wasBought(podEip))) queue.add(key, 'resync');
  }
};

const wasBought = (podEip: PodEip): boolean => isOurs(podEip) && readRecord(podEip).request?.kind === 'new';
