import { missing, refusal } from './refusal.ts';
import type { CloudRefusal } from './refusal.ts';

/** One HTTP request as the cloud sees it. */
export interface CloudRequest {
  readonly method: string;
  /** Path with query, as in the request line. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

export interface CloudResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The body of a successful answer, without its RequestId. */
export type CloudAnswer = Readonly<Record<string, unknown>>;

/**
 * The connection ended without an answer; whether the call took effect is nowhere in here. `handle` rejects with it,
 * the HTTP server then destroys the socket.
 */
export class ConnectionDropped extends Error {
  override readonly name = 'ConnectionDropped';
  readonly code = 'ECONNRESET';
  constructor() {
    super('socket hang up');
  }
}

/**
 * The parameters of a call, flat as they travel: `Tag.1.Key`, `PrivateIpAddress.2`. An empty value counts as absent.
 */
export class Parameters {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]>) {
    this.#values = new Map(values);
  }

  get(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  /** Whether the caller sent the name at all, were it with an empty value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** @throws Refusal `Missing<name>` */
  required(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw missing(name);
    return value;
  }

  /** @throws Refusal InvalidParameter when it is not a whole number from `min` to `max` */
  integer(name: string, range: { min: number; max: number }): number | undefined;
  integer(name: string, range: { min: number; max: number; fallback: number }): number;
  integer(name: string, { min, max, fallback }: { min: number; max: number; fallback?: number }): number | undefined {
    const text = this.get(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw refusal('InvalidParameter', `${name} must be a whole number from ${min} to ${max}, not "${text}".`);
    return value;
  }

  /** @throws Refusal InvalidParameter when it is neither "true" nor "false" */
  boolean(name: string): boolean {
    const text = this.get(name)?.toLowerCase();
    if (text === undefined || text === 'false') return false;
    if (text === 'true') return true;
    throw refusal('InvalidParameter', `${name} must be true or false, not "${text}".`);
  }

  /** The values of `name.1`, `name.2`, …, in the order of their numbers. */
  list(name: string): readonly string[] {
    return this.#numbers(name).flatMap((number) => this.get(`${name}.${number}`) ?? []);
  }

  /**
   * The parameters of the objects `name.1`, `name.2`, …, each without that beginning, in the order of their numbers.
   */
  nested(name: string): readonly Parameters[] {
    return this.#numbers(name).map((number) => this.within(`${name}.${number}`));
  }

  /** The parameters that begin with `name.`, without it. */
  within(name: string): Parameters {
    const start = `${name}.`;
    return new Parameters(
      [...this.#values].flatMap(([key, value]) =>
        key.startsWith(start) ? [[key.slice(start.length), value] as const] : [],
      ),
    );
  }

  /** Whether there is any parameter at all. */
  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  /** The tags `Tag.N.Key` and `Tag.N.Value`, in the order of their numbers; a missing value is empty. */
  tags(): readonly { key: string; value: string }[] {
    return this.#numbers('Tag').map((number) => ({
      key: this.get(`Tag.${number}.Key`) ?? '',
      value: this.get(`Tag.${number}.Value`) ?? '',
    }));
  }

  /** The same text for the same parameters, whatever their order; the client token is not one of them. */
  fingerprint(): string {
    const names = [...this.#values.keys()].filter((name) => name !== 'ClientToken').sort();
    return JSON.stringify(names.map((name) => [name, this.#values.get(name)]));
  }

  #numbers(name: string): readonly number[] {
    const numbers = new Set<number>();
    for (const key of this.#values.keys()) {
      if (!key.startsWith(`${name}.`)) continue;
      const number = Number(key.slice(name.length + 1).split('.', 1)[0]);
      if (Number.isInteger(number) && number > 0) numbers.add(number);
    }
    return [...numbers].sort((a, b) => a - b);
  }
}

/** The parameters of a request: from the query, and from the body where it is a form (RPC style accepts both). */
export const readParameters = (request: CloudRequest): Parameters => {
  const values = [...queryOf(request)];
  if (request.body && request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
    values.push(...new URLSearchParams(request.body));
  return new Parameters(values);
};

/** The query of a request as name-value pairs, decoded. */
export const queryOf = ({ path }: CloudRequest): URLSearchParams =>
  new URLSearchParams(path.includes('?') ? path.slice(path.indexOf('?') + 1) : '');

const json = (
  status: number,
  requestId: string,
  body: object,
  headers: Record<string, string> = {},
): CloudResponse => ({
  status,
  headers: { 'content-type': 'application/json;charset=utf-8', 'x-acs-request-id': requestId, ...headers },
  body: JSON.stringify(body),
});

export const success = (requestId: string, answer: CloudAnswer): CloudResponse =>
  json(200, requestId, { RequestId: requestId, ...answer });

/** The error body of the RPC gateway: Code, Message, RequestId, HostId, Recommend. */
export const failure = (requestId: string, host: string, refusal: CloudRefusal): CloudResponse =>
  json(
    refusal.status,
    requestId,
    {
      RequestId: requestId,
      Message: refusal.message,
      Recommend: `https://api.aliyun.com/troubleshoot?q=${refusal.code}`,
      HostId: host,
      Code: refusal.code,
    },
    refusal.retryAfterMs === undefined ? {} : { 'x-acs-retry-after': String(refusal.retryAfterMs) },
  );
