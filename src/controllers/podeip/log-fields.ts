import type { ObservedState } from './observation.ts';
import { readRecord } from './record.ts';
import type { Action, ActionOutcome } from './step.ts';
import { labelOf } from './step-label.ts';

/**
 * The fields of a log line that identify the objects.
 *
 * @param step the action that the line is about, if there is one
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

/** The actions that name an EIP. */
type NamesEip = Extract<Action, { readonly allocationId: string }>;
const NAMES_EIP = {
  Tag: true,
  Untag: true,
  TransferOwnership: true,
  Hold: true,
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

/** The actions that have a reason. */
type SaysWhy = Extract<Action, { readonly because: string }>;
const SAYS_WHY = { Retire: true, Retain: true, RemoveFinalizer: true } as const satisfies Record<SaysWhy['do'], true>;
const saysWhy = (step: Action): step is SaysWhy => Object.hasOwn(SAYS_WHY, step.do);

/** The message of a log line: the action, and its reason if it has one. */
export const logSentence = (step: Action): string =>
  saysWhy(step) ? `${labelOf(step.do)}: ${step.because}` : labelOf(step.do);

/** Told once in the life of a process. */
export const TAGS_DROPPED =
  'AllocateEipAddress drops the tags that it is given; each EIP is tagged after its purchase, and proved by its mark until then';

/** What came of a step, for its line of the log. */
export const outcomeFields = (acted: ActionOutcome, requestIds: readonly string[]): object => ({
  ...(acted.created !== undefined && { podEipUid: acted.created }),
  ...(acted.allocationId !== undefined && { eip: acted.allocationId }),
  ...(acted.ipAddress !== undefined && { ipAddress: acted.ipAddress }),
  ...(requestIds.length > 0 && { requestId: requestIds.join(' ') }),
});
