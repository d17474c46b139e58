import type { CloudAction } from '../api-actions.ts';
import { DeadlinePassed } from '../call-deadline.ts';
import { CloudFault } from '../fault.ts';
import { FAULT } from '../fault-policy.ts';
import { adviceOn } from './advice.ts';
import { isOwnerError, kindOfAnswer, kindOfNetworkCode, kindOfSilence } from './codes.ts';
import { plainCode, plainRequestId, printable, redact } from './redact.ts';

/** An answer that is not what the API reference promises. Its message is ours, safe to show. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** An answer whose code has no kind in codes.ts. Count these: each is a gap in the tables or a change of the API. */
export interface UnmappedAnswer {
  readonly action: CloudAction;
  readonly code: string;
  readonly status: number;
}

interface FaultContext {
  readonly action: CloudAction;
  /** The credentials in use, to be cut out of whatever the provider wrote. */
  readonly known: readonly string[];
  readonly unmapped?: ((answer: UnmappedAnswer) => void) | undefined;
  /** What the call was to do, in words that follow "Asked for was"; it has no secret. */
  readonly asked?: string | undefined;
  /** The host that was asked, where it is known. */
  readonly host?: string | undefined;
}

/** Longest wait that a provider's header can ask for, milliseconds: five minutes. */
const LONGEST_RETRY_AFTER_MS = 300_000;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const retryAfter = (value: unknown): number | undefined =>
  typeof value === 'number' && value > 0 ? Math.min(value, LONGEST_RETRY_AFTER_MS) : undefined;

/** The RAM action that is missing: as the answer says it, or else that of the call. */
const ramAction = (action: CloudAction, body: Record<string, unknown>): string => {
  const detail = body['AccessDeniedDetail'];
  const said = isRecord(detail) ? detail['AuthAction'] : undefined;
  if (typeof said === 'string' && /^[\w-]{1,64}:[\w*]{1,128}$/u.test(said)) return said;
  const product = action === 'DescribeNetworkInterfaces' ? 'ecs' : action.includes('Container') ? 'eci' : 'vpc';
  return `${product}:${action}`;
};

/**
 * What to change in RAM. The answer may say that it is no missing permission, but a policy that forbids (RAM user
 * guide, "AccessDeniedDetail": NoPermissionType is ImplicitDeny or ExplicitDeny).
 */
const ramRemedy = (action: CloudAction, body: Record<string, unknown>): string => {
  const name = ramAction(action, body);
  const detail = body['AccessDeniedDetail'];
  return isRecord(detail) && detail['NoPermissionType'] === 'ExplicitDeny'
    ? `A RAM policy denies "${name}": remove that Deny from the policies of the user or role that signs in.`
    : `To grant it, add "${name}" to the RAM policy of the user or role that signs in.`;
};

/** What {@link ramRemedy} says, with some room; characters of a message that are looked at. */
const LONGEST_MESSAGE = 4_096;

/** The RAM action that a message of a fault says to be missing or denied; undefined where it says none. */
export const ramActionIn = (message: string): string | undefined =>
  /(?:A RAM policy denies|To grant it, add) "([\w-]{1,64}:[\w*]{1,128})"/u.exec(message.slice(0, LONGEST_MESSAGE))?.[1];

const fromAnswer = (error: Record<string, unknown>, status: number, context: FaultContext): CloudFault => {
  const { action, known } = context;
  const body = isRecord(error['data']) ? error['data'] : {};
  const providerCode = plainCode(error['code']);
  const code = providerCode === '' ? `HTTP${status}` : providerCode;
  const requestId = plainRequestId(error['requestId'] ?? body['RequestId']);
  const { kind, mapped } = kindOfAnswer(action, code, status);
  if (!mapped && providerCode !== '') context.unmapped?.({ action, code, status });

  const parts = [`${action}: ${code} (HTTP ${status}${requestId === undefined ? '' : `, request ${requestId}`})`];
  // The answer to a wrong signature quotes the signed request, the token included.
  const said = /^(?:Signature|IncompleteSignature)/u.test(code)
    ? ''
    : redact(body['Message'] ?? body['message'], known);
  if (said !== '') parts.push(said);
  const { isOfSetup, retry } = FAULT[kind];
  if (context.asked !== undefined && retry !== 'throttle' && !isOfSetup) parts.push(`Asked for was ${context.asked}.`);
  const advice = adviceOn(action, code, kind);
  if (isOwnerError(action, code, status))
    parts.push('The EIP belongs to another account, or another cloud service manages it; name one of your own.');
  else if (advice !== undefined) parts.push(advice);
  else if (isOfSetup) parts.push(ramRemedy(action, body));
  return new CloudFault({
    kind,
    action,
    code,
    status,
    requestId,
    retryAfterMs: FAULT[kind].retry === 'throttle' ? retryAfter(error['retryAfter']) : undefined,
    message: parts.map((part, at) => (at < parts.length - 1 ? part.replace(/\.$/u, '') : part)).join(': '),
  });
};

/** The host for the end of a sentence, where it is known. */
const hostIn = ({ host }: FaultContext): string => (host === undefined ? '' : ` at ${host}`);

/**
 * Whatever a call of the SDK ended with, as a {@link CloudFault}. The classes of its two generations differ
 * (openapi-core and openapi-client), so only `code`, `statusCode`, `data`, `name` are looked at. No `cause` is kept:
 * the SDK's error carries the request.
 */
export const toFault = (error: unknown, context: FaultContext): CloudFault => {
  if (error instanceof CloudFault) return error;
  const { action } = context;
  const at = hostIn(context);
  const silence = (code: string, text: string) =>
    new CloudFault({ kind: kindOfSilence(action), action, code, message: `${action}: ${text}` });

  if (error instanceof DeadlinePassed) return silence('RequestTimeout', `${error.message}${at}`);
  if (error instanceof UnreadableAnswer) return silence('UnreadableAnswer', printable(error.message));
  if (!isRecord(error)) return silence('UnreadableAnswer', 'the SDK failed without an error');

  const data = isRecord(error['data']) ? error['data'] : {};
  const status = error['statusCode'] ?? data['statusCode'];
  if (typeof status === 'number' && status >= 400) return fromAnswer(error, status, context);

  const name = typeof error['name'] === 'string' ? error['name'] : '';
  const code = plainCode(error['code']);
  // httpx says RequestTimeoutError, or RequestTimeout glued to the name of the error that it wraps.
  if (name.startsWith('RequestTimeout')) return silence('RequestTimeout', `no answer in time${at}`);
  if (name === 'URIError' || code === 'ERR_INVALID_URI') {
    return new CloudFault({
      kind: 'refused',
      action,
      code: 'ERR_INVALID_URI',
      message: `${action}: a parameter is not well-formed Unicode text; nothing was sent`,
    });
  }
  if (name === 'SyntaxError') return silence('UnreadableAnswer', 'the answer is not JSON');
  if (code === '')
    return silence('UnreadableAnswer', 'the answer does not have the shape that the API reference promises');

  const kind = kindOfNetworkCode(action, code);
  if (kind === undefined) return silence(code, `no answer (${code})${at}`);
  const advice = FAULT[kind].isOfSetup ? ' Check the configured region and endpoint.' : '';
  return new CloudFault({ kind, action, code, message: `${action}: ${code}${at}, nothing was sent.${advice}` });
};
