import type credentialsSdk from '@alicloud/credentials';
import type { Clock } from '../lib/clock.ts';
import { Unprintable } from '../lib/unprintable.ts';
import { CloudFault } from './fault.ts';
import { chooseSource, type CredentialSettings, type CredentialSource } from './credential-source.ts';
import type { EndpointChoice } from './endpoint-choice.ts';

/** What a request is signed with. Printing it shows nothing. */
export class SigningCredentials extends Unprintable {
  readonly #values: { accessKeyId: string; accessKeySecret: string; securityToken: string; providerName: string };

  constructor(values: { accessKeyId: string; accessKeySecret: string; securityToken: string; providerName: string }) {
    super();
    this.#values = values;
  }

  get accessKeyId(): string {
    return this.#values.accessKeyId;
  }

  get accessKeySecret(): string {
    return this.#values.accessKeySecret;
  }

  get securityToken(): string {
    return this.#values.securityToken;
  }

  /** Which of the SDK's providers gave them; goes into a request header. */
  get providerName(): string {
    return this.#values.providerName;
  }

  get type(): string {
    return this.securityToken === '' ? 'access_key' : 'sts';
  }
}

/** The credentials of the process: fetched once for all who ask together, renewed before they expire. */
export interface Credentials {
  /** Which source is used, for a log line. */
  readonly source: string;
  /** Valid credentials. Rejects with a {@link CloudFault} of kind `misconfigured`. */
  get(): Promise<SigningCredentials>;
  /** The last that `get` gave. */
  latest(): SigningCredentials | undefined;
  /** The cloud did not accept them: the next `get` fetches new ones. */
  discard(): void;
}

/** For how long a failure answers everybody before the sources are asked again, milliseconds. */
export const FAILURE_HOLDS_MS = 1_000;

/**
 * For how long a renewal is waited for while the credentials at hand still serve, milliseconds. The SDK renews 15
 * minutes before the end (credentials 2.4.7, src/providers/session.ts, STALE_TIME), so a slow source need
 * not slow every call.
 */
export const RENEWAL_PATIENCE_MS = 1_000;

/** How much of a failure's text is looked at, characters. */
const LONGEST_TEXT = 8_192;

/** What of a failure is safe and useful: a network or file code, an HTTP status, the STS error code. */
export const credentialProblemOf = (error: unknown): string => {
  // Cut first: it quotes what a server answered.
  const text = error instanceof Error ? error.message.slice(0, LONGEST_TEXT) : '';
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const parts = [
    /^[A-Z][A-Z_]{2,40}$/u.test(code) ? code : '',
    /httpStatus: (\d{3})/u.exec(text)?.[1],
    /"Code"\s*:\s*"([\w.]{1,80})"/u.exec(text)?.[1],
    /(Read|Connect)Timeout/u.exec(text)?.[0],
  ];
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
};

const noCredentials = (why: string) =>
  new CloudFault({ kind: 'misconfigured', action: 'GetCredentials', code: 'NoCredentials', message: why });

/** RRSA asks STS; where nothing says at which host, at the one that can be reached. */
const withStsHost = async (
  config: CredentialSource['config'],
  choice: EndpointChoice | undefined,
): Promise<CredentialSource['config']> => {
  const isOpen = config?.['type'] === 'oidc_role_arn' && !('stsEndpoint' in config) && !('stsRegionId' in config);
  return config && choice && isOpen ? { ...config, stsEndpoint: await choice.of('sts') } : config;
};

/**
 * Credentials through @alicloud/credentials, made safe to share. Its client asks the source once per caller; here
 * concurrent callers share one request. Its default chain stays with the last source it tried, even when none worked
 * (credentials 2.4.7, src/providers/default.ts); here the client is made anew after each failure.
 *
 * The SDK does not say when credentials expire, and goes on giving the old ones while it cannot renew them. So do we:
 * they serve until the cloud itself refuses them and `discard` is called. From then on a failure is told.
 */
export const createCredentials = (settings: CredentialSettings, clock: Clock): Credentials => {
  const source = chooseSource(settings);
  let client: InstanceType<(typeof credentialsSdk)['default']> | undefined;
  let latest: SigningCredentials | undefined;
  let isRefused = false;
  let flight: { promise: Promise<SigningCredentials>; startedAt: number } | undefined;
  let failure: { fault: CloudFault; until: number } | undefined;

  const fetch = async (): Promise<SigningCredentials> => {
    try {
      const { default: sdk } = await import('@alicloud/credentials');
      const config = client ? null : await withStsHost(source.config, settings.endpointChoice);
      const mine = (client ??= new sdk.default(config === null ? null : new sdk.Config(config)));
      const model = await mine.getCredential();
      const { accessKeyId = '', accessKeySecret = '' } = model;
      if (accessKeyId === '' || accessKeySecret === '') throw new Error('no key pair in the answer');
      latest = new SigningCredentials({
        accessKeyId,
        accessKeySecret,
        securityToken: model.securityToken ?? '',
        providerName: model.providerName ?? 'unknown',
      });
      failure = undefined;
      // Unless they were refused while this was under way: then these are the refused ones.
      if (client === mine) isRefused = false;
      return latest;
    } catch (error) {
      client = undefined;
      settings.endpointChoice?.failed('sts');
      const reason = credentialProblemOf(error);
      const fault = noCredentials(
        `No credentials from ${source.name}${reason === '' ? '' : ` (${reason})`}. ${source.advice}`,
      );
      failure = { fault, until: clock.mono() + FAILURE_HOLDS_MS };
      throw fault;
    }
  };

  /** The renewal, if it comes soon; else what is at hand. */
  const soonOr = (held: SigningCredentials, renewal: NonNullable<typeof flight>): Promise<SigningCredentials> => {
    const patience = renewal.startedAt + RENEWAL_PATIENCE_MS - clock.mono();
    if (patience <= 0) return Promise.resolve(held);
    return new Promise((resolve) => {
      const cancel = clock.timer(patience, () => resolve(held));
      const end = (credentials: SigningCredentials) => {
        cancel();
        resolve(credentials);
      };
      renewal.promise.then(end, () => end(held));
    });
  };

  return {
    source: source.name,
    get: () => {
      if (source.problem !== undefined) {
        return Promise.reject(noCredentials(`No credentials from ${source.name}: ${source.problem}. ${source.advice}`));
      }
      const held = isRefused ? undefined : latest;
      if (flight === undefined && failure !== undefined && clock.mono() < failure.until) {
        return held === undefined ? Promise.reject(failure.fault) : Promise.resolve(held);
      }
      flight ??= {
        startedAt: clock.mono(),
        promise: fetch().finally(() => {
          flight = undefined;
        }),
      };
      return held === undefined ? flight.promise : soonOr(held, flight);
    },
    latest: () => latest,
    discard: () => {
      client = undefined;
      isRefused = true;
    },
  };
};
