import type { ObservedState } from './observation.ts';
import { readRecord } from './record.ts';
import type { Action } from './step.ts';
import { labelOf } from './step-label.ts';

/**
 * What a line of the log says about the objects.
 *
 * @param step what the line is about, if it is about a step
 */
export const fieldsOf = ({ pod, podEip }: ObservedState, step?: Action) => {
  const { metadata } = podEip ?? pod ?? {};
  return {
    namespace: metadata?.namespace,
    pod: metadata?.name,
    podUid: pod?.metadata.uid ?? (podEip ? readRecord(podEip).podUid || undefined : undefined),
    podEipUid: podEip?.metadata.uid,
    eip: step && namesEip(step) ? step.allocationId : podEip?.spec.allocationID || undefined,
  };
};

/** The steps that name an EIP. */
type NamesEip = Extract<Action, { readonly allocationId: string }>;
const NAMES_EIP = {
  Tag: true,
  TransferOwnership: true,
  Forget: true,
  Preempt: true,
  Unclaim: true,
  Record: true,
  JoinBandwidthPackage: true,
  LeaveBandwidthPackage: true,
  Associate: true,
  Unassociate: true,
  ForceDetach: true,
  Release: true,
} as const satisfies Record<NamesEip['do'], true>;
const namesEip = (step: Action): step is NamesEip => Object.hasOwn(NAMES_EIP, step.do);

/** The steps that say why. */
type SaysWhy = Extract<Action, { readonly because: string }>;
const SAYS_WHY = { Retire: true, Retain: true, RemoveFinalizer: true } as const satisfies Record<SaysWhy['do'], true>;
const saysWhy = (step: Action): step is SaysWhy => Object.hasOwn(SAYS_WHY, step.do);

/** The step, and why where it says so. */
export const sentenceOf = (step: Action): string =>
  saysWhy(step) ? `${labelOf(step.do)}: ${step.because}` : labelOf(step.do);
