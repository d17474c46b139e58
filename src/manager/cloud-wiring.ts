import type { Agent } from 'node:https';
import { assembleCloud, type AssembledCloud } from '../cloud/assemble-cloud.ts';
import type { CredentialSettings } from '../cloud/credential-source.ts';
import { createCredentials } from '../cloud/credentials.ts';
import { createEndpointChoice, type EndpointChoice } from '../cloud/endpoint-choice.ts';
import { reaches, reachesThrough } from '../cloud/reach.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/**
 * Chooses the endpoints of the cloud's APIs that the configuration leaves open. Choices are logged, and reported to
 * `onChosen`.
 */
export const chooseEndpoints = (
  { regionID }: Pick<Config, 'regionID'>,
  { clock, log, proxy }: { readonly clock: Clock; readonly log: Log; readonly proxy?: Agent | undefined },
  onChosen: (product: string, host: string, isReached: boolean) => void = () => undefined,
): EndpointChoice =>
  createEndpointChoice({
    clock,
    region: regionID,
    reaches: proxy ? reachesThrough(proxy) : reaches,
    onChosen: ({ product, host, isReached }) => {
      onChosen(product, host, isReached);
      const api = product.toUpperCase();
      if (isReached) log.info({ product, host }, `The ${api} API is asked at ${host}`);
      else
        log.warn(
          { product, host },
          `None of the hosts of the ${api} API can be reached, neither in the VPC nor outside of it; ${host} is tried all the same. Let the controller reach one of them (port 443), or write endpoints.${product} into the configuration`,
        );
    },
  });

/** The endpoints of the cloud's APIs that the configuration sets. */
export const endpointsOf = ({ endpoints: { vpc, ecs, eci } }: Config) => ({
  ...(vpc !== undefined && { vpc }),
  ...(ecs !== undefined && { ecs }),
  ...(eci !== undefined && { eci }),
});

/** The sources of credentials. */
export const credentialsOf = (config: Config, env: CredentialSettings['env']): CredentialSettings => ({
  accessKeyId: config.credential.accessKey?.reveal(),
  accessKeySecret: config.credential.accessSecret,
  securityToken: config.credential.securityToken,
  enableRRSA: config.enableRRSA,
  rrsaRoleName: config.rrsaRoleName,
  stsEndpoint: config.endpoints.sts,
  env,
});

interface CloudParts {
  readonly config: Config;
  readonly clock: Clock;
  /** The environment variables that may hold credentials. */
  readonly env: CredentialSettings['env'];
  readonly endpointChoice: EndpointChoice;
}

/** The cloud as the configuration says: region, endpoints, credentials and this cluster's part of the rates. */
export const configuredCloud = (
  { config, clock, env, endpointChoice }: CloudParts,
  rest: Pick<Parameters<typeof assembleCloud>[0], 'mayMutate' | 'onCall' | 'unmapped'>,
): AssembledCloud =>
  assembleCloud({
    clock,
    region: config.regionID,
    endpoints: endpointsOf(config),
    endpointChoice,
    credentials: createCredentials({ ...credentialsOf(config, env), endpointChoice }, clock),
    rateShare: config.cloud.apiShare,
    ...rest,
  });
