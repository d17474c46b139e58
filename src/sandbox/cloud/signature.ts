import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { refusal } from './refusal.ts';
import { queryOf } from './rpc-wire.ts';
import type { CloudRequest } from './rpc-wire.ts';

/** An access key that the cloud knows. With a security token it is a temporary one of STS. */
export interface Credential {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
  /** When a temporary one ends, milliseconds since the epoch. */
  readonly expiresAt?: number;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** RFC 3986, as the signature wants it: encodeURIComponent leaves `!'()*` alone. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** Alibaba Cloud, "V3 request body & signature mechanism": how far apart the clocks may be. */
const TIMESTAMP_TOLERANCE_MS = 15 * 60_000;

const authorizationPattern = /^ACS3-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/;

/**
 * The text that an ACS3-HMAC-SHA256 signature signs: method, path, sorted query, signed headers, their names, body
 * hash. Source: Alibaba Cloud, "V3 request body & signature mechanism".
 */
const canonicalRequest = (request: CloudRequest, signedHeaders: readonly string[]): string => {
  const query = [...queryOf(request)]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = signedHeaders.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`).join('');
  const path = request.path.split('?', 1)[0] ?? '/';
  return [request.method, path, query, headers, signedHeaders.join(';'), sha256(request.body ?? '')].join('\n');
};

/** Checks who a request is from, as the API gateway does: key, token, time, nonce, signature. */
export class Gatekeeper {
  readonly #credentials: ReadonlyMap<string, Credential>;
  /** Nonces seen and when they may be forgotten, oldest first. */
  readonly #nonces = new Map<string, number>();

  constructor(credentials: readonly Credential[]) {
    this.#credentials = new Map(credentials.map((credential) => [credential.accessKeyId, credential]));
  }

  /** The access key ID of the caller. `now` is wall-clock time. @throws Refusal */
  admit(request: CloudRequest, now: number): string {
    const { headers } = request;
    const parts = authorizationPattern.exec(headers['authorization'] ?? '');
    if (!parts) throw refusal('MissingAccessKeyId', 'Sign with ACS3-HMAC-SHA256.');
    const [, accessKeyId = '', signedHeaders = '', signature = ''] = parts;
    const credential = this.#credentials.get(accessKeyId);
    if (!credential) throw refusal('InvalidAccessKeyId.NotFound');

    const canonical = canonicalRequest(request, signedHeaders.split(';'));
    const stringToSign = `ACS3-HMAC-SHA256\n${sha256(canonical)}`;
    const expected = createHmac('sha256', credential.accessKeySecret).update(stringToSign).digest();
    const given = Buffer.from(signature, 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw refusal('SignatureDoesNotMatch', `server string to sign is:${stringToSign}`);

    this.#checkToken(credential, headers['x-acs-security-token'], now);
    this.#checkTime(headers['x-acs-date'] ?? '', now);
    this.#checkNonce(`${accessKeyId} ${headers['x-acs-signature-nonce'] ?? ''}`, now);
    return accessKeyId;
  }

  #checkToken({ securityToken, expiresAt }: Credential, given: string | undefined, now: number): void {
    if (securityToken !== undefined && given === undefined) throw refusal('MissingSecurityToken');
    if (securityToken !== given) throw refusal('InvalidSecurityToken.MismatchWithAccessKey');
    if (expiresAt !== undefined && expiresAt <= now) throw refusal('InvalidSecurityToken.Expired');
  }

  #checkTime(date: string, now: number): void {
    const sent = Date.parse(date);
    if (Number.isNaN(sent)) throw refusal('InvalidTimeStamp.Format');
    if (Math.abs(now - sent) > TIMESTAMP_TOLERANCE_MS) throw refusal('InvalidTimeStamp.Expired');
  }

  #checkNonce(nonce: string, now: number): void {
    for (const [old, until] of this.#nonces) {
      if (until > now) break;
      this.#nonces.delete(old);
    }
    if (this.#nonces.has(nonce)) throw refusal('SignatureNonceUsed');
    this.#nonces.set(nonce, now + 2 * TIMESTAMP_TOLERANCE_MS);
  }
}
