import { inspect } from 'node:util';
import type credentialsSdk from '@alicloud/credentials';
import type { Clock } from '../lib/clock.ts';
import { parseEndpoint } from './alicloud/endpoint.ts';
import { CloudFault } from './fault.ts';
import type { Secret } from '../config/secret.ts';

/** Where the credentials come from. */
export interface CredentialSettings {
  /** A RAM user's key pair from the configuration; without it, the environment decides. */
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: Secret | undefined;
  readonly securityToken?: Secret | undefined;
  /** Where STS is, `host[:port]`; the SDK speaks HTTPS to it. By default that of the region in the environment. */
  readonly stsEndpoint?: string | undefined;
  /** The ALIBABA_CLOUD_… variables, as the process has them. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a request is signed with. Printing it shows nothing. */
export class SigningCredentials {
  readonly #values: { accessKeyId: string; accessKeySecret: string; securityToken: string; providerName: string };

  constructor(values: { accessKeyId: string; accessKeySecret: string; securityToken: string; providerName: string }) {
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

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
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

/** Read and connect timeouts of the requests for credentials, milliseconds; the SDK's own are 10 s and 5 s. */
const TIMEOUTS = { timeout: 5_000, connectTimeout: 5_000 };

interface Source {
  readonly name: string;
  /** The SDK's configuration; null stands for its default chain. */
  readonly config: Record<string, unknown> | null;
  /** What an operator can do when it fails. */
  readonly advice: string;
}

const OIDC = ['ALIBABA_CLOUD_ROLE_ARN', 'ALIBABA_CLOUD_OIDC_PROVIDER_ARN', 'ALIBABA_CLOUD_OIDC_TOKEN_FILE'] as const;

const keyPair = (name: string, id: string, secret: string, token: string, advice: string): Source => ({
  name,
  config: {
    type: token === '' ? 'access_key' : 'sts',
    accessKeyId: id,
    accessKeySecret: secret,
    ...(token === '' ? {} : { securityToken: token }),
  },
  advice,
});

/**
 * One explicit source where the settings name one, in the order of the SDK's chain; the chain itself only where they
 * name none (then the instance's RAM role or a profile file is left). The chain hides which of its sources failed.
 */
const chooseSource = ({
  accessKeyId,
  accessKeySecret,
  securityToken,
  stsEndpoint,
  env,
}: CredentialSettings): Source => {
  const isSet = (name: string) => (env[name] ?? '') !== '';
  if (accessKeyId !== undefined && accessKeyId !== '' && accessKeySecret !== undefined) {
    const token = securityToken?.reveal() ?? '';
    return keyPair(
      'the AccessKey pair of the configuration',
      accessKeyId,
      accessKeySecret.reveal(),
      token,
      'Check the AccessKey ID and secret of the configuration.',
    );
  }
  if (isSet('ALIBABA_CLOUD_ACCESS_KEY_ID') && isSet('ALIBABA_CLOUD_ACCESS_KEY_SECRET')) {
    return keyPair(
      'the AccessKey pair of the environment',
      env['ALIBABA_CLOUD_ACCESS_KEY_ID'] ?? '',
      env['ALIBABA_CLOUD_ACCESS_KEY_SECRET'] ?? '',
      env['ALIBABA_CLOUD_SECURITY_TOKEN'] ?? '',
      'Check ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.',
    );
  }
  if (OIDC.every(isSet)) {
    return {
      name: 'RRSA (OIDC)',
      config: {
        type: 'oidc_role_arn',
        roleArn: env['ALIBABA_CLOUD_ROLE_ARN'],
        oidcProviderArn: env['ALIBABA_CLOUD_OIDC_PROVIDER_ARN'],
        oidcTokenFilePath: env['ALIBABA_CLOUD_OIDC_TOKEN_FILE'],
        roleSessionName: env['ALIBABA_CLOUD_ROLE_SESSION_NAME'] ?? 'knative-eip',
        ...(isSet('ALIBABA_CLOUD_STS_REGION') ? { stsRegionId: env['ALIBABA_CLOUD_STS_REGION'] } : {}),
        ...(env['ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED']?.toLowerCase() === 'true' ? { enableVpc: true } : {}),
        ...(stsEndpoint === undefined ? {} : { stsEndpoint: parseEndpoint(stsEndpoint).host }),
        ...TIMEOUTS,
      },
      advice:
        'Check that the RAM role trusts this cluster’s OIDC provider and this service account, that the token file ' +
        'is mounted, and that the STS endpoint can be reached.',
    };
  }
  if (isSet('ALIBABA_CLOUD_CREDENTIALS_URI')) {
    return {
      name: 'the credentials URI',
      config: { type: 'credentials_uri', credentialsURI: env['ALIBABA_CLOUD_CREDENTIALS_URI'], ...TIMEOUTS },
      advice:
        'Check that the service behind ALIBABA_CLOUD_CREDENTIALS_URI answers with AccessKeyId, AccessKeySecret and SecurityToken.',
    };
  }
  return {
    name: 'the SDK’s default chain (environment, OIDC, profile files, RAM role of the instance, credentials URI)',
    config: null,
    advice:
      `Set ${OIDC.join(', ')} (RRSA: label the namespace pod-identity.alibabacloud.com/injection=on and annotate the ` +
      'service account with pod-identity.alibabacloud.com/role-name), or an AccessKey ID and secret.',
  };
};

/** What of a failure is safe and useful: a network or file code, an HTTP status, the STS error code. */
const reasonOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : '';
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const parts = [
    /^[A-Z][A-Z_]{2,40}$/u.test(code) ? code : '',
    /httpStatus: (\d{3})/u.exec(text)?.[1],
    /"Code"\s*:\s*"([\w.]{1,80})"/u.exec(text)?.[1],
    /(Read|Connect)Timeout/u.exec(text)?.[0],
  ];
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
};

/**
 * Credentials through @alicloud/credentials, made safe to share. Its client asks the source once per caller; here all
 * who ask together share one request. It renews session credentials 15 minutes before their end and uses the old ones
 * while that fails (src/providers/session.ts). Its default chain stays with the last source it tried, even when none worked
 * (credentials 2.4.7, src/providers/default.ts); here the client is made anew after each failure.
 */
export const createCredentials = (settings: CredentialSettings, clock: Clock): Credentials => {
  const source = chooseSource(settings);
  let client: InstanceType<(typeof credentialsSdk)['default']> | undefined;
  let latest: SigningCredentials | undefined;
  let flight: Promise<SigningCredentials> | undefined;
  let failure: { fault: CloudFault; until: number } | undefined;

  const fetch = async (): Promise<SigningCredentials> => {
    try {
      const { default: sdk } = await import('@alicloud/credentials');
      client ??= new sdk.default(source.config === null ? null : new sdk.Config(source.config));
      const model = await client.getCredential();
      const { accessKeyId = '', accessKeySecret = '' } = model;
      if (accessKeyId === '' || accessKeySecret === '') throw new Error('no key pair in the answer');
      latest = new SigningCredentials({
        accessKeyId,
        accessKeySecret,
        securityToken: model.securityToken ?? '',
        providerName: model.providerName ?? 'unknown',
      });
      failure = undefined;
      return latest;
    } catch (error) {
      client = undefined;
      const reason = reasonOf(error);
      const fault = new CloudFault({
        kind: 'misconfigured',
        action: 'GetCredentials',
        code: 'NoCredentials',
        message: `No credentials from ${source.name}${reason === '' ? '' : ` (${reason})`}. ${source.advice}`,
      });
      failure = { fault, until: clock.mono() + FAILURE_HOLDS_MS };
      throw fault;
    }
  };

  return {
    source: source.name,
    get: () => {
      if (flight !== undefined) return flight;
      if (failure !== undefined && clock.mono() < failure.until) return Promise.reject(failure.fault);
      flight = fetch().finally(() => {
        flight = undefined;
      });
      return flight;
    },
    latest: () => latest,
    discard: () => {
      client = undefined;
    },
  };
};
