import { writeFileSync } from 'node:fs';
import type { Agent } from 'node:https';
import { createClients } from '../cloud/alicloud/clients.ts';
import { endpointCandidates } from '../cloud/alicloud/endpoint.ts';
import { namedCalls } from '../cloud/alicloud/named-calls.ts';
import { createCredentials, type Credentials } from '../cloud/credentials.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { NamedAnswer } from '../cloud/named-answer.ts';
import { proxyAgentOf, sendThrough } from '../cloud/proxy.ts';
import { reaches, reachesThrough } from '../cloud/reach.ts';
import { SecretText } from '../config/secret.ts';
import { systemRandom as random } from '../lib/random.ts';
import { chooseEndpoints, credentialsOf, endpointsOf } from '../manager/cloud-wiring.ts';
import { clean } from '../probe/clean.ts';
import { markOfRun, newRun } from '../probe/run-mark.ts';
import type { ProbeApi, ProbePorts, Site } from '../probe/port.ts';
import {
  callMade,
  conclusionOf,
  findingLine,
  probePlanText,
  reportOf,
  settingLines,
  type CallMade,
} from '../probe/probe-report.ts';
import { runProbes } from '../probe/run-probes.ts';
import { askToBegin } from './plan-and-apply.ts';
import type { ProbeOptions, RunProbe } from './shell.ts';

/** How long a host has to answer, milliseconds. */
const REACH_MS = 2_000;
/** How often a call that is throttled is made again, and how long is waited before. */
const MOST_THROTTLED = 10;
const THROTTLED_MS = 3_000;

/** ECI's own image, which is had without a way to the Internet (ECI, "Image registry"). */
const usualImage = (region: string): string => `registry-vpc.${region}.aliyuncs.com/eci_open/busybox:1.30`;

/** The variables of credentials that may do nothing, beside those of the run. */
const DENIED = {
  id: 'KNATIVE_EIP_PROBE_DENIED_ACCESS_KEY_ID',
  secret: 'KNATIVE_EIP_PROBE_DENIED_ACCESS_KEY_SECRET',
  token: 'KNATIVE_EIP_PROBE_DENIED_SECURITY_TOKEN',
} as const;

const isDeniedGiven = (env: ProbeOptions['env']): boolean =>
  env[DENIED.id] !== undefined && env[DENIED.secret] !== undefined;

type Ways = Pick<ProbePorts, 'api' | 'denied' | 'renew'>;

/** Calls as the controller's, and of a throttled one only the answer that counts. */
const waysOf = (
  { config, clock, log, env }: ProbeOptions,
  {
    proxy,
    onCall = () => undefined,
  }: { proxy: Agent | undefined; onCall?: (action: string, answer: NamedAnswer) => void },
): Ways => {
  const endpointChoice = chooseEndpoints(config, { clock, log, proxy });
  const apiWith = (credentials: Credentials): ProbeApi => {
    const clients = createClients({
      region: config.regionID,
      endpoints: endpointsOf(config),
      endpointChoice,
      credentials,
    });
    const call = namedCalls({ clock, clients, credentials });
    return async (product, action, query) => {
      for (let times = 1; ; times += 1) {
        const answer = await call(product, action, query);
        onCall(action, answer);
        if (!answer.code.startsWith('Throttling') || times >= MOST_THROTTLED) return answer;
        await clock.sleep(THROTTLED_MS);
      }
    };
  };
  const settings = { ...credentialsOf(config, env), endpointChoice };
  const credentials = createCredentials(settings, clock);
  const token = env[DENIED.token];
  const denied = isDeniedGiven(env)
    ? createCredentials(
        {
          ...settings,
          accessKeyId: env[DENIED.id],
          accessKeySecret: new SecretText(env[DENIED.secret] ?? ''),
          securityToken: token === undefined ? undefined : new SecretText(token),
        },
        clock,
      )
    : undefined;
  const renew = async (): Promise<string | undefined> => {
    credentials.discard();
    try {
      await credentials.get();
      return undefined;
    } catch (error) {
      if (error instanceof CloudFault) return error.message;
      throw error;
    }
  };
  return {
    api: apiWith(credentials),
    denied: denied && apiWith(denied),
    renew: credentials.source.startsWith('RRSA') ? renew : undefined,
  };
};

/** The hosts of each API, where the configuration does not say which. */
const hostsOf = ({ config }: ProbeOptions): Site['hosts'] => {
  const { endpoints, regionID } = config;
  const open = (['vpc', 'ecs', 'eci', 'sts'] as const).filter((product) => endpoints[product] === undefined);
  return Object.fromEntries(open.map((product) => [product, endpointCandidates(product, regionID)]));
};

/** Where the run takes place, or what is missing on the command line. */
const siteOf = (options: ProbeOptions): Site | string => {
  const { config, packageId, withEci, image, podAddress, networkInterfaceId } = options;
  const vSwitchId = options.vSwitchId ?? config.virtualNode.vSwitchIDs[0];
  const securityGroupId = options.securityGroupId ?? config.virtualNode.securityGroupID;
  if (vSwitchId === undefined) return 'write --vswitch: the network interface of the run is made there';
  if (securityGroupId === undefined) return 'write --security-group: the network interface of the run must have one';
  const region = config.regionID;
  return {
    region,
    vSwitchId,
    securityGroupId,
    packageId,
    withEci,
    image: image ?? usualImage(region),
    podAddress,
    networkInterfaceId,
    isLong: options.isLong,
    hosts: hostsOf(options),
  };
};

const cleanUp = async (options: ProbeOptions, run: string, proxy: Agent | undefined): Promise<number> => {
  const { config, clock, out, err } = options;
  const ports = { ...waysOf(options, { proxy }), clock, say: (line: string) => out(`${line}\n`) };
  const left = await clean({ ports, mark: markOfRun(run), region: config.regionID, withEci: true });
  if (left.length === 0) {
    out(`Nothing of the run ${run} is in the account.\n`);
    return 0;
  }
  err(`Left of the run ${run}, to be given back by hand or by the same command again:\n  ${left.join('\n  ')}\n`);
  return 1;
};

/** The whole run. 0 if it came to its end and nothing is left, 1 if not, 2 if something has to be written. */
const wholeRun = async (options: ProbeOptions, proxy: Agent | undefined): Promise<number> => {
  const { clock, out, err, signal } = options;
  const site = siteOf(options);
  if (typeof site === 'string') {
    err(`knative-eip: ${site}\n`);
    return 2;
  }
  out(probePlanText(site, isDeniedGiven(options.env)));
  if (options.dryRun) {
    out('Nothing was called.\n');
    return 0;
  }
  const startedAt = clock.now();
  const began = clock.mono();
  const calls: CallMade[] = [];
  const ways = waysOf(options, {
    proxy,
    onCall: (action, answer) => calls.push(callMade(clock.mono() - began, action, answer)),
  });
  const { api } = ways;
  const look = await api('vpc', 'DescribeEipAddresses', { RegionId: site.region, PageSize: '10' });
  if (look.code !== 'OK') {
    err(
      `knative-eip: the account cannot be seen, and nothing was begun: DescribeEipAddresses: ${look.code} ${look.message}\n`,
    );
    return 1;
  }
  const question = { about: '', preview: 'what would be done', declined: 'Nothing was begun.' };
  const refused = await askToBegin(options, question, signal);
  if (refused !== undefined) return refused;
  const run = newRun(random.uuid());
  // Before anything is bought: whoever is killed must know it.
  out(`The run is ${run}. Should it be killed: knative-eip probe --region ${site.region} --clean ${run}\n`);
  const ports = {
    ...ways,
    clock,
    reaches: (host: string) => (proxy ? reachesThrough(proxy) : reaches)(host, REACH_MS),
    say: (line: string) => out(`${line}\n`),
  };
  const ran = await runProbes(
    { ports, site, mark: markOfRun(run) },
    (finding) => out(`${findingLine(finding)}\n`),
    signal,
  );
  const file = options.output ?? `knative-eip-probe-${run}.json`;
  const report = reportOf(ran, { version: options.version, run, site, startedAt, calls });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  out(`The report, without secrets and fit for an issue: ${file}\n`);
  const settings = settingLines(ran.findings);
  if (settings.length > 0) out(`What it calls for:\n  ${settings.join('\n  ')}\n`);
  out(`${conclusionOf(ran.findings)}\n`);
  if (ran.stopped !== undefined) err(`It was stopped: ${ran.stopped}\n`);
  if (ran.left.length > 0)
    err(`Left in the account; run --clean ${run}, or give it back by hand:\n  ${ran.left.join('\n  ')}\n`);
  return ran.stopped === undefined && ran.left.length === 0 ? 0 : 1;
};

/** `knative-eip probe` */
export const runProbe: RunProbe = async (options) => {
  const proxy = proxyAgentOf(options.env);
  const undo = proxy && (await sendThrough(proxy));
  try {
    return await (options.clean === undefined ? wholeRun(options, proxy) : cleanUp(options, options.clean, proxy));
  } finally {
    undo?.();
  }
};
