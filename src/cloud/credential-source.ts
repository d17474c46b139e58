import type { SecretText } from '../config/secret.ts';
import { parseApiEndpoint } from './alicloud/endpoint.ts';
import type { EndpointChoice } from './endpoint-choice.ts';

/** Where the credentials come from. */
export interface CredentialSettings {
  /** A RAM user's key pair from the configuration; without it, the environment decides. */
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: SecretText | undefined;
  readonly securityToken?: SecretText | undefined;
  /** Only RRSA will do: where its variables are missing, nothing else is tried, least of all the node's role. */
  readonly enableRRSA?: boolean | undefined;
  /** The role that RRSA must give; compared with the name in ALIBABA_CLOUD_ROLE_ARN. */
  readonly rrsaRoleName?: string | undefined;
  /** `host[:port]`, optionally after `https://`; where AssumeRoleWithOIDC is called. */
  readonly stsEndpoint?: string | undefined;
  /** Where that is, if neither `stsEndpoint` nor the environment says. */
  readonly endpointChoice?: EndpointChoice | undefined;
  /** The ALIBABA_CLOUD_… variables, as the process has them. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One way to credentials, as the SDK's client is set up for it. */
export interface CredentialSource {
  /** For people. */
  readonly name: string;
  /** The SDK's configuration; null stands for its default chain. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** What an operator can do when it fails. */
  readonly advice: string;
  /** Why it cannot work, where that is certain before anything is sent. */
  readonly problem?: string | undefined;
}

/** Read and connect timeouts of the requests for credentials, milliseconds; the SDK's own are 10 s and 5 s. */
const TIMEOUTS = { timeout: 5_000, connectTimeout: 5_000 };

/**
 * What ack-pod-identity-webhook sets in the pod: environment variables, and a projected token of the audience
 * sts.aliyuncs.com. Source: ACK user guide, "Use RRSA to authorize pods to access different cloud services".
 */
const OIDC = ['ALIBABA_CLOUD_ROLE_ARN', 'ALIBABA_CLOUD_OIDC_PROVIDER_ARN', 'ALIBABA_CLOUD_OIDC_TOKEN_FILE'] as const;

const HOW_TO_RRSA =
  'enable RRSA of the cluster and install ack-pod-identity-webhook, label the namespace ' +
  'pod-identity.alibabacloud.com/injection=on, annotate the service account with ' +
  'pod-identity.alibabacloud.com/role-name, and make the pod anew';

interface KeyPair {
  readonly id: string;
  readonly secret: string;
  /** '' where it is not a temporary one. */
  readonly token: string;
}

const keyPair = (name: string, { id, secret, token }: KeyPair, advice: string): CredentialSource => ({
  name,
  config: {
    type: token === '' ? 'access_key' : 'sts',
    accessKeyId: id,
    accessKeySecret: secret,
    ...(token === '' ? {} : { securityToken: token }),
  },
  advice,
});

/** Why RRSA cannot work with these settings; undefined where nothing speaks against it. */
const problemOfRRSA = ({ env, rrsaRoleName, stsEndpoint }: CredentialSettings): string | undefined => {
  const missing = OIDC.filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0) return `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set in this pod`;
  const roleArn = env['ALIBABA_CLOUD_ROLE_ARN'] ?? '';
  // RAM user guide, "RAM role": acs:ram::<account>:role/<name>; names are compared without regard to case.
  if (rrsaRoleName !== undefined && !roleArn.toLowerCase().endsWith(`:role/${rrsaRoleName.toLowerCase()}`)) {
    return `rrsaRoleName is ${rrsaRoleName}, but the pod was given ${roleArn}; one of the two is wrong`;
  }
  // The SDK speaks only HTTPS with STS (credentials 2.4.7, src/providers/oidc_role_arn.ts).
  if (stsEndpoint !== undefined && parseApiEndpoint(stsEndpoint).protocol === 'HTTP') {
    return `the STS endpoint ${stsEndpoint} is plain HTTP, and the token of the service account is sent over HTTPS only`;
  }
  return undefined;
};

const rrsa = (settings: CredentialSettings): CredentialSource => {
  const { env, stsEndpoint } = settings;
  const problem = problemOfRRSA(settings);
  const stsRegion = env['ALIBABA_CLOUD_STS_REGION'] ?? '';
  return {
    name: 'RRSA (OIDC)',
    config: {
      type: 'oidc_role_arn',
      roleArn: env['ALIBABA_CLOUD_ROLE_ARN'],
      oidcProviderArn: env['ALIBABA_CLOUD_OIDC_PROVIDER_ARN'],
      oidcTokenFilePath: env['ALIBABA_CLOUD_OIDC_TOKEN_FILE'],
      roleSessionName: env['ALIBABA_CLOUD_ROLE_SESSION_NAME'] ?? 'knative-eip',
      ...(problem === undefined && stsEndpoint !== undefined
        ? { stsEndpoint: parseApiEndpoint(stsEndpoint).host }
        : {}),
      ...(stsRegion === '' ? {} : { stsRegionId: stsRegion }),
      ...(env['ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED']?.toLowerCase() === 'true' ? { enableVpc: true } : {}),
      ...TIMEOUTS,
    },
    problem,
    advice:
      problem === undefined
        ? 'Check that the RAM role trusts this cluster’s OIDC provider and this service account, that the token file ' +
          'is mounted, and that the STS endpoint can be reached (endpoints.sts; without a way to the Internet, ' +
          'sts-vpc.<region>.aliyuncs.com).'
        : `To use RRSA, ${HOW_TO_RRSA}.`,
  };
};

/**
 * One explicit source where the settings name one, in the order of the SDK's chain; the chain itself only where they
 * name none (then a profile file, or the instance's RAM role, is left). The chain hides which of its sources failed.
 */
export const chooseSource = (settings: CredentialSettings): CredentialSource => {
  const { accessKeyId, accessKeySecret, securityToken, enableRRSA, env } = settings;
  const valueOf = (name: string) => env[name] ?? '';
  const isSet = (name: string) => valueOf(name) !== '';
  if (accessKeyId !== undefined && accessKeyId !== '' && accessKeySecret !== undefined) {
    return keyPair(
      'the AccessKey pair of the configuration',
      { id: accessKeyId, secret: accessKeySecret.reveal(), token: securityToken?.reveal() ?? '' },
      'Check the AccessKey ID and secret of the configuration.',
    );
  }
  if (enableRRSA) return rrsa(settings);
  if (isSet('ALIBABA_CLOUD_ACCESS_KEY_ID') && isSet('ALIBABA_CLOUD_ACCESS_KEY_SECRET')) {
    return keyPair(
      'the AccessKey pair of the environment',
      {
        id: valueOf('ALIBABA_CLOUD_ACCESS_KEY_ID'),
        secret: valueOf('ALIBABA_CLOUD_ACCESS_KEY_SECRET'),
        token: valueOf('ALIBABA_CLOUD_SECURITY_TOKEN'),
      },
      'Check ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.',
    );
  }
  if (OIDC.every(isSet)) return rrsa(settings);
  const isMetadataOff = valueOf('ALIBABA_CLOUD_ECS_METADATA_DISABLED').toLowerCase() === 'true';
  if (isSet('ALIBABA_CLOUD_ECS_METADATA') && !isMetadataOff) {
    const roleName = valueOf('ALIBABA_CLOUD_ECS_METADATA');
    return {
      name: `the RAM role ${roleName} of the instance`,
      config: {
        type: 'ecs_ram_role',
        roleName,
        disableIMDSv1: valueOf('ALIBABA_CLOUD_IMDSV1_DISABLED').toLowerCase() === 'true',
        // The SDK's own for the metadata service (credentials 2.4.7, src/providers/ecs_ram_role.ts).
        timeout: 1_000,
        connectTimeout: 1_000,
      },
      advice:
        'Check that ALIBABA_CLOUD_ECS_METADATA names the RAM role that is attached to the node, and that the pod can ' +
        'reach 100.100.100.200.',
    };
  }
  if (isSet('ALIBABA_CLOUD_CREDENTIALS_URI')) {
    return {
      name: 'the credentials URI',
      config: { type: 'credentials_uri', credentialsURI: valueOf('ALIBABA_CLOUD_CREDENTIALS_URI'), ...TIMEOUTS },
      advice:
        'Check that the service behind ALIBABA_CLOUD_CREDENTIALS_URI answers with AccessKeyId, AccessKeySecret, ' +
        'SecurityToken and Expiration.',
    };
  }
  const missing = OIDC.filter((name) => !isSet(name));
  const half = missing.length < OIDC.length ? `RRSA is set up by half: ${missing.join(', ')} is not set. ` : '';
  return {
    name: 'the SDK’s default chain (environment, OIDC, profile files, RAM role of the instance, credentials URI)',
    config: null,
    advice:
      `${half}Set ${OIDC.join(', ')} (RRSA: ${HOW_TO_RRSA}), or an AccessKey ID and secret, or attach a RAM role to ` +
      'the nodes.',
  };
};
