import { existsSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from 'node:https';
import { createClients } from '../cloud/alicloud/clients.ts';
import { parseApiEndpoint } from '../cloud/alicloud/endpoint.ts';
import { namedCalls } from '../cloud/alicloud/named-calls.ts';
import { assembleCloud } from '../cloud/assemble-cloud.ts';
import { createCredentials } from '../cloud/credentials.ts';
import { reaches, reachesThrough, serverDate } from '../cloud/reach.ts';
import type { Config } from '../config/schema.ts';
import type { CloudQuestioning } from '../doctor/reader/read-cloud.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { chooseEndpoints, credentialsOf, endpointsOf } from '../manager/cloud-wiring.ts';

interface Where {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isInPod: boolean;
  /** Whether a person has said whose configuration it is. */
  readonly isNamed: boolean;
  readonly namespace: string;
  readonly proxy: Agent | undefined;
}

/** Variables of which one is set where there are credentials (cloud/credential-source.ts). */
const VARIABLES = [
  'ALIBABA_CLOUD_ACCESS_KEY_ID',
  'ALIBABA_CLOUD_ROLE_ARN',
  'ALIBABA_CLOUD_CREDENTIALS_URI',
  'ALIBABA_CLOUD_PROFILE',
  'ALIBABA_CLOUD_ECS_METADATA',
];
/** The profile files of the SDK and of the command line of Alibaba Cloud. */
const FILES = ['.alibabacloud/credentials', '.alibabacloud/credentials.ini', '.aliyun/config.json'];

/** On a person's machine the role of a node would be waited for in vain. */
const hasCredentials = ({ credential }: Config, { env }: Where): boolean =>
  credential.accessKey !== undefined ||
  VARIABLES.some((name) => (env[name] ?? '') !== '') ||
  FILES.some((file) => existsSync(join(env['HOME'] ?? homedir(), file)));

/** Whether what is sent to an endpoint can be read on the way: plain HTTP to another machine (RFC 6761: localhost). */
const isReadable = (endpoint: string): boolean => {
  const { host, protocol } = parseApiEndpoint(endpoint);
  const { hostname } = new URL(`http://${host}`);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'));
  return protocol === 'HTTP' && !isHere;
};

/**
 * Why whoever runs doctor on a machine of their own must not send signed calls where the configuration says. A
 * ConfigMap that was found by names may be anybody's, and over plain HTTP everybody on the way reads a security token.
 */
const doubtAbout = ({ endpoints }: Config, { isInPod, isNamed, namespace }: Where): string | undefined => {
  if (isInPod) return undefined;
  const written = Object.entries(endpoints).filter(([, host]) => host !== undefined);
  const shown = (all: typeof written) => all.map(([product, host]) => `endpoints.${product} ${host ?? ''}`).join(', ');
  if (!isNamed && written.length > 0)
    return `the configuration in the namespace ${namespace} was found by its name and says where the account is asked (${shown(written)}); credentials are sent there only if you give -n ${namespace} or --config FILE`;
  const plain = written.filter(([, host = '']) => isReadable(host));
  return plain.length === 0
    ? undefined
    : `credentials are not sent over plain http (${shown(plain)}); write https, or run doctor in the pod`;
};

/** The account as the configuration and the credentials here say, or why it cannot be asked. */
export const cloudReadingOf = (config: Config, where: Where): CloudQuestioning | string => {
  const { clock, env, isInPod, namespace, proxy } = where;
  const doubt = doubtAbout(config, where);
  if (doubt !== undefined) return doubt;
  if (!isInPod && !hasCredentials(config, where))
    return `there are no credentials for the cloud here; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or run doctor in the pod: kubectl -n ${namespace} exec deploy/knative-eip -- /nodejs/bin/node dist/main.js doctor`;
  const endpointChoice = chooseEndpoints(config, { clock, log: silentLog, proxy });
  // RRSA is for the pod: elsewhere its token is not there, and whoever asks has credentials of their own.
  const settings = { ...credentialsOf(config, env), ...(!isInPod && { enableRRSA: false }), endpointChoice };
  const credentials = createCredentials(settings, clock);
  const reach = { region: config.regionID, endpoints: endpointsOf(config), endpointChoice, credentials };
  const { cloud } = assembleCloud({ ...reach, clock, mayMutate: () => ({ kind: 'leadershipUncertain' }) });
  return {
    source: credentials.source,
    signIn: () => credentials.get(),
    call: namedCalls({ clock, clients: createClients(reach), credentials }),
    cloud,
    reaches: proxy ? reachesThrough(proxy) : reaches,
    dateAt: (url, timeoutMs) => serverDate(url, timeoutMs, proxy),
  };
};
