/**
 * What a failed call to the API server means.
 *
 * - `notFound` 404 · `conflict` 409 of an update or a precondition · `exists` 409 AlreadyExists
 * - `invalid` 400, 422: the request itself is wrong · `forbidden` 401, 403
 * - `expired` 410: the resource version or the page token is too old
 * - `throttled` 429 · `unavailable` 5xx, no connection, timeout: a write may or may not have happened
 */
export type KubeFaultKind =
  'notFound' | 'conflict' | 'exists' | 'invalid' | 'forbidden' | 'expired' | 'throttled' | 'unavailable';

/** The status of a `forbidden` that is about the identity of the caller, and not about its rights. */
export const UNAUTHORIZED = 401;

/** The error of the Kubernetes layer. Its message is the API server's own sentence; no header, no credential. */
export class KubeFault extends Error {
  override readonly name = 'KubeFault';
  readonly kind: KubeFaultKind;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** The Status object's reason, for example `AlreadyExists`. */
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(fault: {
    kind: KubeFaultKind;
    message: string;
    status?: number | undefined;
    reason?: string | undefined;
    retryAfterMs?: number | undefined;
    cause?: unknown;
  }) {
    super(fault.message, { cause: fault.cause });
    this.kind = fault.kind;
    this.status = fault.status;
    this.reason = fault.reason;
    this.retryAfterMs = fault.retryAfterMs;
  }
}
