import { mutates } from '../api-actions.ts';
import type { CloudAction } from '../api-actions.ts';
import type { CloudFaultKind } from '../fault.ts';
import { ACTION_CODES, COMMON_CODES, type CodeSets } from './code-tables.ts';

/**
 * Families of codes, tried in this order after the exact ones. None leads to `gone` or `already`: these two are taken
 * for success, and an unknown `….NotFound` may just as well speak of the action or the region.
 */
const CODE_FAMILIES: readonly (readonly [RegExp, CloudFaultKind])[] = [
  [/Throttling|FlowControl/u, 'throttled'],
  // Money: the account has none, or what was ordered is not sold to it.
  [/InsufficientBalance|INSUFFICIENT_BALANCE|FinancialLocked|^(?:ORDER\.|Order|PAY\.|PAYFOR\.)/u, 'quota'],
  [/^(?:QuotaExceed|Quota\.)/u, 'quota'],
  [/^(?:TaskConflict|IncorrectStatus|IncorrectEipStatus|InvalidStatus|InvalidIpStatus\.HasBeenUsedBy)/u, 'later'],
  [/^(?:InvalidAccessKey|InvalidSecurityToken|Signature|Forbidden\.RAM|NoPermission)/u, 'misconfigured'],
  [
    /^(?:InvalidParameter|InvalidParam|MissingParam|IllegalParam|UnsupportedFeature|SDK\.|ImageSnapshot\.|DiskVolume\.)/u,
    'refused',
  ],
  [/^(?:OperationDenied|OperationUnsupported|Mismatch)\.|\.(?:Malformed|ValueNotSupported|Illegal)$/u, 'refused'],
];

/**
 * `Forbidden` with HTTP 400 of a call about an EIP is no missing permission: "The eip instance owner error" (VPC API
 * reference, error codes of AssociateEipAddress, UnassociateEipAddress and ReleaseEipAddress).
 */
export const isOwnerError = (action: CloudAction, code: string, status: number): boolean =>
  status === 400 &&
  /^Forb(?:id|bi)den$/u.test(code) &&
  (action === 'AssociateEipAddress' || action === 'UnassociateEipAddress' || action === 'ReleaseEipAddress');

/** Codes after which the credentials in hand are not tried again: the next call gets new ones. */
export const STALE_CREDENTIAL_CODES =
  /^(?:InvalidAccessKeyId|InvalidSecurityToken|MissingSecurityToken|SignatureDoesNotMatch)/u;

/**
 * What the network says, where there was no answer. `later`: nothing was sent. `misconfigured`: nothing was sent, and
 * it will not pass by itself (no such host, a certificate that is not trusted). All else is {@link kindOfSilence}.
 */
export const NETWORK_CODES: CodeSets = {
  later: ['ECONNREFUSED', 'EAI_AGAIN'],
  misconfigured: [
    'ENOTFOUND',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ],
  // The request could not be written down as a URL (a lone surrogate): nothing was sent.
  refused: ['ERR_INVALID_URI', 'SDK.ValidateError'],
};

const indexOf = (sets: CodeSets): ReadonlyMap<string, CloudFaultKind> =>
  new Map(
    Object.entries(sets).flatMap(([kind, codes]) => codes.map((code) => [code, kind as CloudFaultKind] as const)),
  );

const common = indexOf(COMMON_CODES);
const network = indexOf(NETWORK_CODES);
const ofAction = new Map(
  Object.entries(ACTION_CODES).map(([action, sets]) => [action as CloudAction, indexOf(sets)] as const),
);

/** No answer, or one that nobody understands: a read is simply asked again, a mutation must be read about first. */
export const kindOfSilence = (action: CloudAction): CloudFaultKind => (mutates(action) ? 'unknown' : 'later');

/** The kind of what the network said, where it proves something. */
export const kindOfNetworkCode = (action: CloudAction, code: string): CloudFaultKind | undefined =>
  // TLS that fails is nearly always a wrong endpoint, but it may also break after the request went out.
  /^(?:EPROTO|ERR_SSL_)/u.test(code) && !mutates(action) ? 'misconfigured' : network.get(code);

/**
 * The kind of an answer with this code and HTTP status, and whether the code is one that this file knows.
 *
 * An unknown 4xx is `unrecognized`: the API did answer, so nothing happened. A caller that is told at once and backs
 * off neither spins nor gives up on an EIP that is still being paid for. 401 and 403 are an operator's business, 408 is
 * no answer, 429 a throttle, and 413, 414 and 431 will be refused again.
 */
export const kindOfAnswer = (
  action: CloudAction,
  code: string,
  status: number,
): { kind: CloudFaultKind; mapped: boolean } => {
  if (isOwnerError(action, code, status)) return { kind: 'refused', mapped: true };
  const kind =
    ofAction.get(action)?.get(code) ?? common.get(code) ?? CODE_FAMILIES.find(([family]) => family.test(code))?.[1];
  if (kind !== undefined) {
    return { kind: kind === 'unknown' ? kindOfSilence(action) : kind, mapped: true };
  }
  return { kind: kindOfStatus(action, status), mapped: false };
};

const kindOfStatus = (action: CloudAction, status: number): CloudFaultKind => {
  if (status === 429) return 'throttled';
  if (status === 401 || status === 403) return 'misconfigured';
  if (status === 413 || status === 414 || status === 431) return 'refused';
  if (status >= 400 && status < 500 && status !== 408) return 'unrecognized';
  return kindOfSilence(action);
};
