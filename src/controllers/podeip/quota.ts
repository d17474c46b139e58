import { sentence } from '../../api/finding.ts';
import { isLimited, notAllowed, overLimits, countedMbps } from '../../policies/policy.ts';
import { refusePurchase } from '../../policies/purchases.ts';
import { heldByOthers, staleReservations } from '../../policies/usage.ts';
import type { NewEip } from '../../request/request.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, RETRY_MS, wait, type Step } from './step.ts';

/**
 * Interval between checks whether the EIP of a PodEIP that is gone is still listed, while its reservation is needed;
 * milliseconds.
 */
const VACATING_MS = 5_000;

/**
 * What must come before an EIP may be bought for the PodEIP; undefined if nothing must. First a reservation is written
 * into the namespace's usage, by compare-and-swap against what was counted, so that two PodEIPs never both take the
 * last place, in one process or in two. If the process dies after the write, the next one finds the reservation.
 * Nothing gives a reservation back: it belongs to its PodEIP for as long as that exists, and may be reclaimed once that
 * is gone and no EIP has its tags.
 *
 * If somebody deletes the usage, it is created again from the PodEIPs that have an EIP; a PodEIP whose EIP is being
 * bought at that moment counts from when the EIP is recorded. The same holds for EIPs that are being bought when the
 * first limit is set.
 */
export const checkQuota = ({ seen, podEip }: PodEipSituation, request: NewEip): Step | undefined => {
  const { policy, quota, namespace, reclaimable } = seen;
  if (!policy) return undefined;
  const { effective } = policy;
  // A request that was recorded before the policy existed must not be bought any more.
  const [refusal] = notAllowed(effective, request);
  if (refusal) return fail(refusal.id, sentence(refusal));
  if (!isLimited(effective)) return undefined;
  if (!namespace) return wait('Pending', 'the namespace is gone, and takes its pods with it', RETRY_MS);
  if (!quota) return { do: 'ReadQuota' };
  const { uid } = podEip.metadata;
  const bandwidthMbps = countedMbps(request);
  const hasReservation =
    quota.usage?.places?.find(({ podEipUID }) => podEipUID === uid)?.bandwidthMbps === bandwidthMbps;
  const heldWithoutPlacesOf = heldByOthers(quota, uid, hasReservation);
  const overWithout = (podEipUids: readonly string[]) =>
    overLimits(effective, heldWithoutPlacesOf(podEipUids), request);
  const reserve = (reclaimed: readonly string[]): Step => {
    return { do: 'Reserve', podEip, namespace, usage: quota.usage, bandwidthMbps, reclaimed };
  };
  const over = overWithout([]);
  if (!over) return hasReservation ? undefined : reserve([]);
  const abandoned = staleReservations(quota);
  // A reservation that was made under a higher limit waits until the namespace is within its quota.
  if (hasReservation || overWithout(abandoned)) return fail(over.id, sentence(over));
  const free = abandoned.filter((it) => reclaimable?.get(it) === true);
  if (!overWithout(free)) return reserve(free);
  const next = abandoned.find((it) => reclaimable?.has(it) !== true);
  return next === undefined ? fail(over.id, sentence(over), VACATING_MS) : { do: 'ReadReclaimable', podEipUid: next };
};

/** Why the namespace buys nothing now, although its policies leave room; undefined if it may. */
export const checkPurchases = ({ seen, settings }: PodEipSituation, request: NewEip): Step | undefined => {
  const { purchases, policy } = seen;
  const { namespaceLimits } = settings;
  const refusal =
    purchases && namespaceLimits && refusePurchase(namespaceLimits, purchases, { policy: policy?.effective, request });
  return refusal && fail(refusal.reason, refusal.message, refusal.ms);
};
