import type { Reason } from '../../src/api/reason.ts';
import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';

/** What the cloud may say, whenever it is asked, and what people are told of it. */
export interface Refusal {
  readonly fault: Fault;
  readonly reason: Reason;
  /** The reason where it is said to a look, which can simply be asked again. @default the same */
  readonly ofLooks?: Reason;
  /** What of it people can look up. */
  readonly says: string;
}

export const refusal = (code: string, status: number, reason: Reason): Refusal => ({
  fault: { effect: 'never', answer: { code, status } },
  reason,
  says: code,
});

/** What any API may say. What only one says is with the tests of that. */
export const REFUSALS: Readonly<Record<string, Refusal>> = {
  'a code that nobody knows': refusal('Brand.New', 400, 'CloudUnknownAnswer'),
  'a state that passes': refusal('TaskConflict', 400, 'CloudBusy'),
  'a throttle': refusal('Throttling.User', 400, 'CloudThrottled'),
  'a missing permission': refusal('Forbidden.RAM', 403, 'CloudMisconfigured'),
  'an internal error': { ...refusal('InternalError', 500, 'CloudUnknown'), ofLooks: 'CloudBusy' },
  'no answer': {
    fault: { effect: 'never', answer: 'drop' },
    reason: 'CloudUnknown',
    ofLooks: 'CloudBusy',
    says: 'no answer',
  },
};

/** The reason of a refusal where this action is refused. */
export const reasonOf = ({ reason, ofLooks = reason }: Refusal, action: string): Reason =>
  action.startsWith('Describe') ? ofLooks : reason;
