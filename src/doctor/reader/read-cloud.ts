import { TAG_CLUSTER_ID, TAG_CLUSTER_UID } from '../../api/annotations.ts';
import { NODE } from '../../api/core.ts';
import { PODEIP } from '../../api/podeip.ts';
import { endpointCandidates, type Product } from '../../cloud/alicloud/endpoint.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { NO_ANSWER, type NamedAnswer, type NamedProduct } from '../../cloud/named-answer.ts';
import type { Cloud } from '../../cloud/port.ts';
import type { Config } from '../../config/schema.ts';
import { complaintOf, evaluateAccount, isDenial } from '../../controllers/preflight/account.ts';
import {
  knownAs,
  type Answer,
  type CallFact,
  type CallOutcome,
  type CredentialsFact,
  type EndpointFact,
  type NatFact,
  type PackageFact,
  type PodEipFact,
} from '../facts.ts';
import { ask, Unanswerable, type Reading } from './ask.ts';
import type { Part } from './read-installation.ts';

/** The account, to be looked at only: what would change it is refused before it is sent. */
export interface CloudQuestioning {
  /** Where the credentials come from, for people. */
  readonly source: string;
  /** Rejects with a CloudFault. */
  readonly signIn: () => Promise<unknown>;
  readonly call: (
    product: NamedProduct,
    action: string,
    query: Readonly<Record<string, string>>,
  ) => Promise<NamedAnswer>;
  readonly cloud: Pick<Cloud, 'networkInterfacesOf' | 'findEips' | 'describeEip'>;
  readonly reaches: (host: string, timeoutMs: number) => Promise<boolean>;
  /** See serverDate. */
  readonly dateAt: (url: string, timeoutMs: number) => Promise<number | 'answered' | undefined>;
}

/** As the controller does when it chooses. */
const REACH_MS = 2_000;
/** Of EIPs that PodEIPs name so many are looked for. */
const MOST_EIPS = 50;
/** What was bought a moment ago may not be listed yet. */
const SETTLED_MS = 60_000;
const MOST_TURNS = 5;
const MOST_PAGES = 20;
const PAGE = 50;

const urlOf = (host: string): string => (/^https?:\/\//u.test(host) ? host : `https://${host}`);

const readEndpoint = async (
  {
    cloud,
    clock,
    config,
  }: { readonly cloud: CloudQuestioning; readonly clock: Reading['clock']; readonly config: Config },
  product: Product,
): Promise<EndpointFact> => {
  const timed = async (host: string) => {
    const before = clock.now();
    const date = await cloud.dateAt(`${urlOf(host)}/`, REACH_MS);
    const ours = (before + clock.now()) / 2;
    return {
      isAnswered: date !== undefined,
      ...(typeof date === 'number' && { aheadMs: Math.round(date + 500 - ours) }),
    };
  };
  const written = config.endpoints[product];
  if (written !== undefined) {
    const { isAnswered, ...time } = await timed(written);
    return { product, host: written, isReached: isAnswered, kind: 'configured', ...time };
  }
  const hosts = endpointCandidates(product, config.regionID);
  const reached = await Promise.all(hosts.map((host) => cloud.reaches(host, REACH_MS)));
  const first = reached.indexOf(true);
  if (first < 0) return { product, host: hosts.at(-1) ?? hosts[0], isReached: false, kind: 'public' };
  const host = hosts[first] ?? hosts[0];
  const { isAnswered: _, ...time } = await timed(host);
  return { product, host, isReached: true, kind: first === 0 ? 'inside' : 'public', ...time };
};

export const readEndpoints = (
  reading: Reading,
  cloud: CloudQuestioning,
  config: Config,
): Promise<Answer<readonly EndpointFact[]>> =>
  ask(reading, () => {
    const products: readonly Product[] = [
      'vpc',
      'ecs',
      ...(config.virtualNode.enabled ? (['eci'] as const) : []),
      ...(cloud.source.startsWith('RRSA') ? (['sts'] as const) : []),
    ];
    return Promise.all(products.map((product) => readEndpoint({ cloud, clock: reading.clock, config }, product)));
  });

export const readCredentials = (
  reading: Reading,
  { source, signIn }: CloudQuestioning,
): Promise<Answer<CredentialsFact>> =>
  ask(reading, async () => {
    try {
      await signIn();
      return { source };
    } catch (error) {
      if (!(error instanceof CloudFault)) throw error;
      return { source, problem: error.message };
    }
  });

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** A field of an answer, or of an object in it. */
const fieldIn = (body: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), body);

const listIn = (body: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = fieldIn(body, ...path);
  return Array.isArray(found) ? found : [];
};

const textIn = (body: unknown, ...path: readonly string[]): string => {
  const found = fieldIn(body, ...path);
  return typeof found === 'string' ? found : '';
};

const numberIn = (body: unknown, ...path: readonly string[]): number => {
  const found = fieldIn(body, ...path);
  return typeof found === 'number' ? found : 0;
};

const outcomeOf = ({ code, status }: NamedAnswer): CallOutcome => {
  // ECI API reference, CreateContainerGroup, DryRun: this error is how a dry run says that all is well.
  if (code === 'OK' || code === 'DryRunOperation') return 'allowed';
  if (code === NO_ANSWER) return 'silent';
  if (/Throttling|FlowControl/u.test(code) || status === 429) return 'throttled';
  if (code.startsWith('InvalidTimeStamp')) return 'untimely';
  if (
    /^(?:InvalidAccessKey|InvalidSecurityToken|MissingSecurityToken|Signature|IncompleteSignature|InvalidCredentials)/u.test(
      code,
    )
  )
    return 'refusedKey';
  return isDenial({ code, status }) ? 'denied' : 'other';
};

interface Question {
  readonly product: NamedProduct;
  readonly action: string;
  readonly query: Readonly<Record<string, string>>;
  readonly isExtra?: boolean;
}

/** Of whom it is asked: the RAM policies of both parts have only what is needed by each. */
interface Asker {
  readonly config: Config;
  readonly part: Part | undefined;
}

const questionsOf = ({ config, part }: Asker): readonly Question[] => {
  const place = { RegionId: config.regionID };
  const { virtualNode, vpcID } = config;
  return [
    { product: 'vpc', action: 'DescribeEipAddresses', query: { ...place, PageSize: '10' } },
    {
      product: 'vpc',
      action: 'DescribeCommonBandwidthPackages',
      query: { ...place, PageSize: String(PAGE) },
      isExtra: part === 'virtual-node',
    },
    { product: 'ecs', action: 'DescribeNetworkInterfaces', query: { ...place, VpcId: vpcID, MaxResults: '10' } },
    ...(virtualNode.enabled
      ? ([
          {
            product: 'vpc',
            action: 'DescribeNatGateways',
            query: { ...place, VpcId: vpcID, PageSize: String(PAGE) },
            isExtra: true,
          },
          {
            product: 'eci',
            action: 'DescribeContainerGroups',
            query: { ...place, Limit: '1' },
            isExtra: part === 'eip',
          },
          { product: 'eci', action: 'CreateContainerGroup', query: dryRunOf(config), isExtra: part === 'eip' },
        ] satisfies Question[])
      : []),
    ...(virtualNode.enabled && virtualNode.imageCaches
      ? ([
          { product: 'eci', action: 'DescribeImageCaches', query: { ...place, Limit: '1' }, isExtra: part === 'eip' },
        ] satisfies Question[])
      : []),
  ];
};

/** With DryRun everything is checked and nothing is made. */
const dryRunOf = ({ regionID, virtualNode }: Config): Question['query'] => ({
  DryRun: 'true',
  RegionId: regionID,
  VSwitchId: virtualNode.vSwitchIDs.join(','),
  SecurityGroupId: virtualNode.securityGroupID ?? '',
  ContainerGroupName: 'knative-eip-doctor',
  Cpu: '0.25',
  Memory: '0.5',
  'Container.1.Name': 'none',
  'Container.1.Image': `registry-vpc.${regionID}.aliyuncs.com/eci_open/busybox:1.30`,
});

const callFact = ({ product, action, isExtra = false }: Question, answer: NamedAnswer): CallFact => {
  const said = textIn(answer.body, 'AccessDeniedDetail', 'AuthAction');
  return {
    action,
    ramAction: /^[\w-]{1,64}:[\w*]{1,128}$/u.test(said) ? said : `${product}:${action}`,
    outcome: outcomeOf(answer),
    code: answer.code,
    message: answer.message,
    isExtra,
  };
};

/** What was asked by action, and what came. */
interface CloudAnswers {
  readonly calls: Answer<readonly CallFact[]>;
  readonly eipsInAccount: Answer<number>;
  readonly packages: Answer<readonly PackageFact[]>;
  readonly nat: Answer<NatFact | undefined>;
}

/** Harmless reads: each tells whether it is allowed, and something of the account beside it. */
export const readAccount = async (reading: Reading, cloud: CloudQuestioning, asker: Asker): Promise<CloudAnswers> => {
  const { config } = asker;
  const asked = questionsOf(asker);
  const answers = await Promise.all(
    asked.map((question) => ask(reading, () => cloud.call(question.product, question.action, question.query))),
  );
  const answerTo = (action: string): Promise<NamedAnswer> => {
    const answer = answers[asked.findIndex((question) => question.action === action)];
    if (answer?.known && answer.value.code === 'OK') return Promise.resolve(answer.value);
    const why = !answer
      ? 'it was not asked'
      : answer.known
        ? `${action}: ${answer.value.code} ${answer.value.message}`
        : answer.why;
    return Promise.reject(new Unanswerable(why.trim()));
  };
  const silent = answers.find((answer) => !answer.known);
  return {
    calls:
      silent ??
      knownAs(
        asked.flatMap((question, index) => {
          const answer = answers[index];
          return answer?.known ? [callFact(question, answer.value)] : [];
        }),
      ),
    eipsInAccount: await ask(reading, async () =>
      numberIn((await answerTo('DescribeEipAddresses')).body, 'TotalCount'),
    ),
    packages: await ask(reading, async () =>
      morePackages(cloud, config, (await answerTo('DescribeCommonBandwidthPackages')).body),
    ),
    nat: config.virtualNode.enabled
      ? await ask(reading, async () => natOf(cloud, config, (await answerTo('DescribeNatGateways')).body))
      : knownAs(undefined),
  };
};

const packagesIn = (body: unknown): readonly PackageFact[] =>
  listIn(body, 'CommonBandwidthPackages', 'CommonBandwidthPackage').map((each) => ({
    id: textIn(each, 'BandwidthPackageId'),
    businessStatus: textIn(each, 'BusinessStatus'),
  }));

const morePackages = async (
  cloud: CloudQuestioning,
  { regionID }: Config,
  first: unknown,
): Promise<readonly PackageFact[]> => {
  const found = [...packagesIn(first)];
  const total = numberIn(first, 'TotalCount');
  for (let page = 2; found.length < total && page <= MOST_PAGES; page += 1) {
    const query = { RegionId: regionID, PageSize: String(PAGE), PageNumber: String(page) };
    const { body, code } = await cloud.call('vpc', 'DescribeCommonBandwidthPackages', query);
    if (code !== 'OK') throw new Unanswerable(`DescribeCommonBandwidthPackages: ${code}`);
    found.push(...packagesIn(body));
  }
  return found;
};

/** NatGateways.NatGateway[].SnatTableIds.SnatTableId[] (VPC API reference, DescribeNatGateways). */
const natOf = async (cloud: CloudQuestioning, { regionID }: Config, body: unknown): Promise<NatFact> => {
  const gateways = listIn(body, 'NatGateways', 'NatGateway');
  const entries = await Promise.all(
    gateways.map(async (gateway) => {
      const [table] = listIn(gateway, 'SnatTableIds', 'SnatTableId');
      if (typeof table !== 'string') return 0;
      const answer = await cloud.call('vpc', 'DescribeSnatTableEntries', { RegionId: regionID, SnatTableId: table });
      if (answer.code !== 'OK')
        throw new Unanswerable(`DescribeSnatTableEntries: ${answer.code} ${answer.message}`.trim());
      return numberIn(answer.body, 'TotalCount');
    }),
  );
  return { gateways: gateways.length, withSnat: entries.filter((count) => count > 0).length };
};

/** Whether the nodes are instances of the account, as the controller asks before it begins. */
export const readAccountFit = (
  reading: Reading,
  { cloud }: CloudQuestioning,
  config: Config,
): Promise<Answer<string | undefined>> =>
  ask(reading, async (signal) => {
    if (!config.cloud.checkAccount) return undefined;
    const nodes = await reading.kube.list(NODE, {}, signal);
    const question = { cloud, region: config.regionID, vpcId: config.vpcID, nodes: () => nodes };
    let complaint: string | undefined;
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      complaint = complaintOf(await evaluateAccount(question, turn, signal), question);
      if (complaint === undefined) return undefined;
    }
    return complaint;
  });

export const readOtherClusters = (
  reading: Reading,
  { cloud }: CloudQuestioning,
  { clusterID, uid }: { readonly clusterID: string; readonly uid: Answer<string> },
): Promise<Answer<readonly string[]>> =>
  ask(reading, async (signal) => {
    if (!uid.known) throw new Unanswerable(uid.why);
    const eips = await cloud.findEips([{ key: TAG_CLUSTER_ID, value: clusterID }], signal);
    const uids = eips.flatMap(({ tags }) => tags.get(TAG_CLUSTER_UID) ?? []);
    return [...new Set(uids)].filter((each) => each !== uid.value);
  });

const isStillNamed = async (
  { kube }: Reading,
  { namespace, name, allocationId }: PodEipFact,
  signal: AbortSignal,
): Promise<boolean> => {
  const now = await kube.get(PODEIP, { namespace, name }, signal);
  return now?.spec.allocationID === allocationId && now.metadata.deletionTimestamp === undefined;
};

export const readMissingEips = (
  reading: Reading,
  { cloud }: CloudQuestioning,
  podEips: Answer<readonly PodEipFact[]>,
): Promise<Answer<{ readonly asked: number; readonly missing: readonly string[] }>> =>
  ask(reading, async (signal) => {
    if (!podEips.known) throw new Unanswerable(podEips.why);
    const settled = podEips.value.filter(
      ({ allocationId, ageMs, isLeaving }) => allocationId !== '' && ageMs >= SETTLED_MS && !isLeaving,
    );
    const asked = [...Map.groupBy(settled, ({ allocationId }) => allocationId)].slice(0, MOST_EIPS);
    const missing = await Promise.all(
      asked.map(async ([id, named]) => {
        if ((await cloud.describeEip(id, signal)) !== undefined) return [];
        // Whoever gave it back in the meantime has taken it out of the PodEIP, or the PodEIP away.
        const still = await Promise.all(named.map((each) => isStillNamed(reading, each, signal)));
        return still.includes(true) ? [id] : [];
      }),
    );
    return { asked: asked.length, missing: missing.flat() };
  });
