import type { PodEip } from '../../api/podeip.ts';
import type { Purchases } from '../../policies/purchases.ts';
import { decide } from './decide.ts';
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
}

/**
 * Decides with what namespaces have bought at this moment, and counts a purchase from its decision on: nothing comes
 * in between, so that pods which are served together do not exceed a limit together.
 */
export const decideCounted = (seen: ObservedState, { settings, purchases }: CountingPorts): Step => {
  const { podEip } = seen;
  if (!purchases || podEip?.spec.allocationID !== '') return decide(seen, settings);
  const step = decide({ ...seen, purchases: purchases.of(podEip) }, settings);
  if (!isReadStep(step)) purchases.decided(podEip, step.do === 'Allocate');
  return step;
};
