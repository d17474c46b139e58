import type { PodEip } from '../../api/podeip.ts';
import type { Purchases } from '../../policies/purchases.ts';
import type { ClaimedOffers } from './claimed-offers.ts';
import { decide } from './decide.ts';
import { isForLater, sayRollout } from './rollout-room.ts';
import type { ObservedState, Settings } from './observation.ts';
import { isReadStep, type Step } from './step.ts';

/** Counts what namespaces buy. */
interface Counter {
  of(podEip: PodEip): Purchases;
  decided(podEip: PodEip, isPurchase: boolean): void;
}

interface CountingPorts {
  readonly settings: Settings;
  /** Undefined if nobody counts. */
  readonly purchases?: Counter | undefined;
  readonly tracker: { readonly offers: ClaimedOffers };
  /** The PodEIPs of the Knative Service of this one, from the cache. @default none */
  readonly ofService?: ((podEip: PodEip) => Iterable<PodEip>) | undefined;
}

/**
 * Decides with what namespaces have bought and what EIPs pods have chosen at this moment, and counts a purchase, or a
 * choice, from its decision on: nothing comes in between, so that pods which are served together neither exceed a limit
 * together nor choose the same EIP.
 */
export const decideCounted = (
  seen: ObservedState,
  { settings, purchases, tracker, ofService }: CountingPorts,
): Step => {
  const { podEip } = seen;
  if (podEip?.spec.allocationID !== '') return decide(seen, settings);
  const { uid } = podEip.metadata;
  const claimedOffers = seen.reusable && tracker.offers.ofOthers(uid);
  const step = decide({ ...seen, purchases: purchases?.of(podEip), claimedOffers }, settings);
  if (!isReadStep(step)) purchases?.decided(podEip, step.do === 'Allocate');
  if (step.do === 'AssignSuccessor') tracker.offers.claim(step.predecessor.metadata.uid, uid);
  if (step.do !== 'Fail' || step.reason !== 'QuotaOfNamespaceExceeded' || !ofService) return step;
  return isForLater(step.message) ? { ...step, message: sayRollout(step.message, seen, ofService) } : step;
};
