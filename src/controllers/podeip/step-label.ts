import type { Action } from './step.ts';

/**
 * What users read of a step where the code has another word for it today: the label `step` of knative_eip_steps_total,
 * the field `action` of Events, and the field `step` of the log. Queries and filters of users name them, so that they
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
