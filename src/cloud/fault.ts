/**
 * What a failed cloud call means for the caller. The kind, not the code, decides what happens next.
 *
 * - `again`: nothing happened; the same call may be repeated at once (a lost race inside the cloud).
 * - `later`: nothing happened; the resource is in a state that passes (TaskConflict, IncorrectEipStatus, SystemBusy).
 * - `throttled`: nothing happened; the account's rate for this API is used up.
 * - `unknown`: no answer, or a 5xx: the effect may have happened, may still happen, or never will.
 *   Read before repeating.
 * - `already`: the wanted state is there already. Success once a read has confirmed it.
 * - `gone`: the resource does not exist. Success for a release; "not yet" for something new.
 * - `unrecognized`: an answer of the class 4xx whose code is in no table. The API did answer, so nothing happened;
 *   whether it passes by itself nobody here knows.
 * - `refused`: this request will never succeed as it is (InvalidParameter, Mode.Conflict, InvalidRegion.NotSupport).
 * - `quota`: the account has no more of it, or no money (QuotaExceeded.Eip, InsufficientBalance). Passes only slowly.
 * - `misconfigured`: credentials, RAM permissions or endpoints are wrong. An operator must act.
 */
export type CloudFaultKind =
  | 'again'
  | 'later'
  | 'throttled'
  | 'unknown'
  | 'already'
  | 'gone'
  | 'unrecognized'
  | 'refused'
  | 'quota'
  | 'misconfigured';

/** Code of a change that was not sent because this process may not lead any more: it is no word of the cloud's. */
export const LEADERSHIP_UNCERTAIN = 'LeadershipUncertain';

/** The error that every function of the cloud port rejects with. Its message is safe to log: no URL, no secret. */
export class CloudFault extends Error {
  override readonly name = 'CloudFault';
  readonly kind: CloudFaultKind;
  /** API action, for example `AllocateEipAddress`. */
  readonly action: string;
  /** The provider's code as it came, for example `QuotaExceeded.Eip`; of no answer, what the network said. */
  readonly code: string;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** The provider's request ID, to quote to its support. */
  readonly requestId: string | undefined;
  /** How long the provider asked to wait, milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(fault: {
    kind: CloudFaultKind;
    action: string;
    code: string;
    message: string;
    status?: number | undefined;
    requestId?: string | undefined;
    retryAfterMs?: number | undefined;
  }) {
    super(fault.message);
    this.kind = fault.kind;
    this.action = fault.action;
    this.code = fault.code;
    this.status = fault.status;
    this.requestId = fault.requestId;
    this.retryAfterMs = fault.retryAfterMs;
  }
}

/**
 * How the message of a fault begins whenever the same is said: up to the code, because the ID of the request follows;
 * all of it if the network was silent.
 */
export const topicOf = ({ message, code }: Pick<CloudFault, 'message' | 'code'>): string => {
  const at = message.indexOf(code);
  // With the sign that ends the code: another code may begin with this one.
  return at < 0 ? message : message.slice(0, at + code.length + 1);
};
