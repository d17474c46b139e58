import { stringify } from 'node:querystring';
import type { EmbeddedCloud } from './sandbox-cloud.ts';
import { ConnectionDropped, Parameters } from './rpc-wire.ts';
import type { CloudResponse } from './rpc-wire.ts';

/** What the SDKs give their `callApi`, as far as it matters here; both families' classes fit. */
interface CallParameters {
  readonly action?: string;
  readonly version?: string;
}
interface CallRequest {
  readonly query?: Readonly<Record<string, unknown>>;
}
interface CallRuntime {
  readonly readTimeout?: number;
}

/** What `callApi` of both SDK families resolves with. */
interface CallResult {
  readonly headers: Readonly<Record<string, string>>;
  readonly statusCode: number;
  readonly body: Readonly<Record<string, unknown>>;
}

type SandboxCallApi = (params: CallParameters, request: CallRequest, runtime: CallRuntime) => Promise<CallResult>;

interface TransportOptions {
  /** The access key ID in the ledger. @default 'in-process' */
  readonly caller?: string;
  /** Where errors claim to come from. @default 'embedded-cloud' */
  readonly host?: string;
  /**
   * How long the caller waits, milliseconds, unless its runtime options say otherwise. @default 3000, as in the library
   * `httpx` under both SDK families
   */
  readonly readTimeoutMs?: number;
  /**
   * Whose errors to throw: @alicloud/openapi-core (VPC and ECS SDKs, generic calls) or @alicloud/openapi-client (ECI
   * SDK). @default by API version: openapi-client for 2018-08-08
   */
  readonly family?: 'openapi-core' | 'openapi-client';
}

/**
 * The embedded cloud without HTTP, in the shape in which the SDKs reach the real one: assign it to `callApi` of an SDK
 * client. Answers and errors are those that the SDK would make of the HTTP exchange, but nothing is signed, and
 * time-outs run on the cloud's clock.
 */
export const callApi = (cloud: EmbeddedCloud, options: TransportOptions = {}): SandboxCallApi => {
  const { caller = 'in-process', host = 'embedded-cloud', readTimeoutMs = 3000 } = options;
  return async ({ action = '', version = '' }, { query = {} }, runtime) => {
    const pairs = Object.entries(query).map(([name, value]) => [name, text(value)] as const);
    const search = stringify(Object.fromEntries(pairs));
    const url = `http://${host}/${search && '?'}${search}`;
    const response = await withTimeout(
      cloud,
      cloud.invoke({ version, action, caller, parameters: new Parameters(pairs) }),
      runtime.readTimeout ?? readTimeoutMs,
      url,
    );
    const body = JSON.parse(response.body) as Record<string, unknown>;
    if (response.status < 400) return { headers: response.headers, statusCode: response.status, body };
    const family = options.family ?? (version === '2018-08-08' ? 'openapi-client' : 'openapi-core');
    throw family === 'openapi-core' ? coreError(response, body) : clientError(response, body);
  };
};

/** What the SDKs' `querystring` makes of a value. */
const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

/**
 * Ends like `httpx`: an error without code and named RequestTimeoutError after the time, ECONNRESET for a lost socket.
 */
const withTimeout = async (
  cloud: EmbeddedCloud,
  answer: Promise<CloudResponse>,
  ms: number,
  url: string,
): Promise<CloudResponse> => {
  let cancel: (() => void) | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    cancel = cloud.clock.timer(ms, () => {
      const message = `ReadTimeout(${ms}). POST ${url} failed.`;
      reject(Object.assign(new Error(), { name: 'RequestTimeoutError', message }));
    });
  });
  try {
    return await Promise.race([answer, timeout]);
  } catch (error) {
    if (!(error instanceof ConnectionDropped)) throw error;
    throw Object.assign(new Error(`${error.message}POST ${url} failed.`), { code: error.code });
  } finally {
    cancel?.();
  }
};

type ErrorBody = Readonly<Record<string, unknown>>;

const messageOf = ({ status }: CloudResponse, body: ErrorBody): string =>
  `${String(body['Code'])}: code: ${status}, ${String(body['Message'])} request id: ${String(body['RequestId'])}`;

/** The error of @alicloud/openapi-core, src/client.ts doRequest and src/exceptions. */
const coreError = (response: CloudResponse, body: ErrorBody): Error => {
  const code = String(body['Code']);
  const throttled = code.includes('Throttling');
  const retryAfter = Number.parseInt(response.headers['x-acs-retry-after'] ?? '', 10);
  const refused = !throttled && response.status < 500;
  return Object.assign(new Error(messageOf(response, body)), {
    name: throttled ? 'ThrottlingError' : refused ? 'ClientError' : 'ServerError',
    code,
    statusCode: response.status,
    data: body,
    requestId: String(body['RequestId']),
    detail: String(body['Detail']),
    description: String(body['Description']),
    retryAfter: throttled && !Number.isNaN(retryAfter) ? retryAfter : undefined,
    accessDeniedDetail: refused ? (body['AccessDeniedDetail'] ?? null) : undefined,
  });
};

/** The error of @alicloud/openapi-client, src/client.ts doRequest, and @alicloud/tea-typescript, newError. */
const clientError = (response: CloudResponse, body: ErrorBody): Error =>
  Object.assign(new Error(messageOf(response, body)), {
    code: String(body['Code']),
    data: { ...body, statusCode: response.status },
    description: String(body['Description']),
    accessDeniedDetail: body['AccessDeniedDetail'],
    statusCode: response.status,
  });
