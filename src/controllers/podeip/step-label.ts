import type { Action } from './step.ts';

/**
 * Names of actions for users, where the code now has another one: in the label `step` of knative_eip_steps_total, the
 * field `action` of Events, and the field `step` of the log. Users' queries and filters depend on them, so that they
 * stay.
 */
const LABEL: Readonly<Partial<Record<Action['do'], string>>> = {
  RecordExternal: 'Witness',
  Retain: 'Park',
  MarkReusable: 'Offer',
  AssignSuccessor: 'Bequeath',
  TransferOwnership: 'Inherit',
  CancelTransfer: 'Decline',
  Preempt: 'Supplant',
  Unclaim: 'Yield',
  ForceDetach: 'Rob',
};

export const labelOf = (step: Action['do']): string => LABEL[step] ?? step;
