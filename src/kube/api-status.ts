import { DeadlineExceeded } from './deadline.ts';
import { KubeFault, UNAUTHORIZED } from './fault.ts';
import type { KubeFaultKind } from './fault.ts';
import type { KubeResponse } from './port.ts';
import { KubeconfigError } from './sign-in.ts';

/** metav1.Status, as far as it is read here. Any part may be missing: proxies answer too. */
interface Status {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly name?: unknown; readonly retryAfterSeconds?: unknown } | null;
}

/** What an answer other than 2xx means. `body` is its text, a Status object or whatever a proxy wrote. */
export const faultOfAnswer = (response: Pick<KubeResponse, 'status' | 'header'>, body: string, nowMs: number) => {
  const status = parseStatus(body);
  return faultOfStatus(
    status ?? { message: `The API server answered ${response.status}: ${firstLine(body) || 'no text'}` },
    response.status,
    retryAfterMs(response.header('retry-after'), nowMs),
  );
};

/** What a Status object means, for example the object of a watch event of type ERROR. */
export const faultOfStatus = (status: unknown, httpStatus?: number, retryAfterMs?: number): KubeFault => {
  const { code, reason, message, details } = (isRecord(status) ? status : {}) as Status;
  const effective = httpStatus ?? (typeof code === 'number' ? code : 500);
  const seconds = details?.retryAfterSeconds;
  const said =
    typeof message === 'string' && message !== '' ? firstLine(message, 1000) : `The API server answered ${effective}.`;
  return new KubeFault({
    kind: kindOf(effective, reason),
    // The API server says "Unauthorized" and nothing else.
    message:
      effective === UNAUTHORIZED
        ? `The API server does not know who asks (401): renew the token or the certificate that is used (${said})`
        : said,
    status: effective,
    reason: typeof reason === 'string' ? reason : undefined,
    retryAfterMs: retryAfterMs ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined),
  });
};

/**
 * What a failed exchange means: no connection, a broken one, a timeout, credentials that cannot be had. The error
 * itself is not kept as cause: TLS errors carry the whole certificate, and loggers print it.
 */
export const faultOfError = (error: unknown): KubeFault => {
  if (error instanceof KubeFault) return error;
  // Nobody has asked the API server yet: an exec plug-in failed, or a token has expired.
  if (error instanceof KubeconfigError) return new KubeFault({ kind: 'unavailable', message: error.message });
  const why = error instanceof DeadlineExceeded ? error.message : describe(error);
  return new KubeFault({ kind: 'unavailable', message: `The API server cannot be reached: ${why}` });
};

/**
 * Whether a 404 is about the named object. Without a name in its details it is about the kind ("the server could not
 * find the requested resource", "404 page not found"): a CRD that is not installed, or not served yet after a start.
 */
export const isAboutObject = (body: string): boolean => {
  const name = parseStatus(body)?.details?.name;
  return typeof name === 'string' && name !== '';
};

const kindOf = (code: number, reason: unknown): KubeFaultKind => {
  if (code === UNAUTHORIZED || code === 403) return 'forbidden';
  if (code === 404) return 'notFound';
  if (code === 409) return reason === 'AlreadyExists' ? 'exists' : 'conflict';
  if (code === 410) return 'expired';
  if (code === 429) return 'throttled';
  if (code === 408 || code < 400 || code >= 500) return 'unavailable';
  return 'invalid';
};

/** Seconds or an HTTP date (RFC 9110, Retry-After) → milliseconds from now. */
const retryAfterMs = (value: string | undefined, nowMs: number): number | undefined => {
  if (value === undefined || value.trim() === '') return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
};

const parseStatus = (body: string): Status | undefined => {
  if (!body.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) && value['kind'] === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
};

/** `fetch failed` says nothing; its cause, or the first of several, has the code and the address. */
const describe = (error: unknown): string => {
  let root = error;
  for (let depth = 0; depth < 4; depth += 1) {
    if (root instanceof AggregateError && root.errors.length > 0) root = root.errors[0];
    else if (root instanceof Error && root.cause instanceof Error) root = root.cause;
    else break;
  }
  if (!(root instanceof Error)) return 'the connection failed.';
  const code = 'code' in root && typeof root.code === 'string' ? root.code : undefined;
  const message = firstLine(root.message);
  if (code === undefined || message.includes(code)) return message || root.name;
  return `${code}: ${message}`;
};

const firstLine = (text: string, limit = 200): string => {
  const [line = ''] = text
    .slice(0, 4 * limit)
    .trim()
    .split(/[\r\n]/, 1);
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
