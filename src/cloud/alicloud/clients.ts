import type eciSdk from '@alicloud/eci20180808';
import type { $OpenApiUtil } from '@alicloud/openapi-core';
import type { NamedProduct } from '../named-answer.ts';
import { CALL_TIMEOUT_MS } from '../call-deadline.ts';
import type { Credentials } from '../credentials.ts';
import type { EndpointChoice } from '../endpoint-choice.ts';
import { CloudFault } from '../fault.ts';
import { defaultEciHost, defaultEcsHost, defaultVpcHost, parseApiEndpoint } from './endpoint.ts';
import type { ApiEndpoint } from './endpoint.ts';
import type { NamedCall } from './named-call.ts';
import type { createVpcClient, requests } from './vpc-client.ts';

/** The answer of an API call, as the SDK's `callApi` gives it: parsed JSON in the spelling of the wire. */
interface ApiAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly statusCode: number;
  readonly body: unknown;
}

/**
 * Stands in for the SDK's `callApi`, so that the typed functions run without a network: in a simulation, in process.
 * `request.query` is flat (`Tag.1.Key`), as on the wire. To fail, reject with an Error that has `code`, `statusCode`
 * and `data` (the body), as the SDK does.
 */
export type SdkCallApi = (
  params: { readonly action: string; readonly version: string },
  request: { readonly query: Readonly<Record<string, string>> },
  runtime: unknown,
) => Promise<ApiAnswer>;

export interface ClientSettings {
  /** For example `cn-hangzhou`. */
  readonly region: string;
  /** `host[:port]`, optionally after `http://` or `https://`; where one is left out, `endpointChoice` has it. */
  readonly endpoints?: { readonly vpc?: string; readonly ecs?: string; readonly eci?: string } | undefined;
  /** Where an endpoint is not given; without it, the region's public ones. */
  readonly endpointChoice?: EndpointChoice | undefined;
  /** Needed unless `callApi` is there. */
  readonly credentials?: Credentials | undefined;
  readonly callApi?: SdkCallApi | undefined;
  /** Milliseconds; {@link CALL_TIMEOUT_MS} by default. */
  readonly callTimeoutMs?: number | undefined;
}

/** Only the part of the generic client that is used. */
interface GenericClient {
  callApi(params: $OpenApiUtil.Params, request: $OpenApiUtil.OpenApiRequest, runtime: object): Promise<unknown>;
}

type VpcClient = ReturnType<typeof createVpcClient>;
type VpcRequests = typeof requests;

/** The SDK's clients. Each package is imported when it is first needed: together they cost more than half a second. */
export interface Clients {
  readonly region: string;
  readonly vpc: () => Promise<{ client: VpcClient; sdk: VpcRequests }>;
  /**
   * One call of the ECS API, by name. Not through @alicloud/ecs20140526: importing it for a single call costs 56 MiB
   * of memory and half a second; the generic client sends the same request.
   */
  readonly ecs: () => Promise<NamedCall>;
  readonly eci: () => Promise<{ client: InstanceType<(typeof eciSdk)['default']>; sdk: typeof eciSdk }>;
  /** Calls of each API by name, with the answer as it is on the wire. */
  readonly named: Readonly<Record<NamedProduct, () => Promise<NamedCall>>>;
}

/** @throws RangeError when an endpoint setting cannot be read. */
export const createClients = (settings: ClientSettings): Clients => {
  const { region, endpoints = {}, endpointChoice, credentials, callApi, callTimeoutMs = CALL_TIMEOUT_MS } = settings;
  const given = {
    vpc: endpoints.vpc === undefined ? undefined : parseApiEndpoint(endpoints.vpc),
    ecs: endpoints.ecs === undefined ? undefined : parseApiEndpoint(endpoints.ecs),
    eci: endpoints.eci === undefined ? undefined : parseApiEndpoint(endpoints.eci),
  };
  const usual = {
    vpc: parseApiEndpoint(defaultVpcHost(region)),
    ecs: parseApiEndpoint(defaultEcsHost(region)),
    eci: parseApiEndpoint(defaultEciHost(region)),
  };

  /** A client of the product for the host where its API is at present: made once for each host. */
  const clientOf = <T>(
    product: 'vpc' | 'ecs' | 'eci',
    make: (endpoint: ApiEndpoint | undefined) => Promise<T>,
  ): (() => Promise<T>) => {
    const made = new Map<string, Promise<T>>();
    return async () => {
      const isChosen = given[product] === undefined && endpointChoice !== undefined && callApi === undefined;
      const endpoint = isChosen
        ? parseApiEndpoint(await endpointChoice.of(product))
        : (given[product] ?? usual[product]);
      const key = endpoint?.host ?? '';
      let client = made.get(key);
      if (!client) made.set(key, (client = make(endpoint)));
      return client;
    };
  };

  // The caller fetches credentials before it checks what it must check right before sending (see call.ts); the SDK
  // only gets those, so that nothing is fetched, and no time passes, between that check and the request.
  const credential = {
    getCredential: () => {
      const latest = credentials?.latest();
      if (latest !== undefined) return Promise.resolve(latest);
      return Promise.reject(
        new CloudFault({
          kind: 'misconfigured',
          action: 'GetCredentials',
          code: 'NoCredentials',
          message: 'No credentials are configured for the cloud.',
        }),
      );
    },
  };

  // Both timeouts are the whole call's: see withDeadline for what the SDK makes of them.
  const config = (endpoint: ApiEndpoint | undefined) => ({
    regionId: region,
    credential,
    userAgent: 'knative-eip',
    connectTimeout: callTimeoutMs,
    readTimeout: callTimeoutMs,
    ...(endpoint === undefined ? {} : { endpoint: endpoint.host, protocol: endpoint.protocol }),
  });

  const plug = <C extends object>(client: C): C =>
    callApi === undefined ? client : Object.assign(client, { callApi });

  const namedCalls = (product: NamedProduct, version: string): (() => Promise<NamedCall>) =>
    clientOf(product, async (endpoint) => {
      const { default: core } = await import('@alicloud/openapi-core');
      const client: GenericClient = plug(new core.default(new core.$OpenApiUtil.Config(config(endpoint))));
      return (action, query) =>
        client.callApi(
          new core.$OpenApiUtil.Params({
            action,
            version,
            protocol: 'HTTPS',
            method: 'POST',
            authType: 'AK',
            style: 'RPC',
            pathname: '/',
            reqBodyType: 'formData',
            bodyType: 'json',
          }),
          new core.$OpenApiUtil.OpenApiRequest({ query }),
          {},
        );
    });
  const named = {
    vpc: namedCalls('vpc', '2016-04-28'),
    ecs: namedCalls('ecs', '2014-05-26'),
    eci: namedCalls('eci', '2018-08-08'),
  };

  return {
    region,
    vpc: async () => {
      const [{ createVpcClient, requests }, call] = await Promise.all([import('./vpc-client.ts'), named.vpc()]);
      return { client: createVpcClient(call), sdk: requests };
    },
    ecs: named.ecs,
    named,
    eci: clientOf('eci', async (endpoint) => {
      const { default: sdk } = await import('@alicloud/eci20180808');
      // Its configuration class belongs to an older core; the constructor only reads fields.
      const settings = config(endpoint) as unknown as ConstructorParameters<typeof sdk.default>[0];
      return { client: plug(new sdk.default(settings)), sdk };
    }),
  };
};
