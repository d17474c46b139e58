import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { CLOUD_READINGS, type CloudReading } from '../../src/cloud/readings.ts';
import type { NamedAnswer } from '../../src/cloud/named-answer.ts';
import type { ProbePorts } from '../../src/probe/port.ts';
import { runProbes, type ProbeFinding, type Run } from '../../src/probe/run-probes.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { seeded } from '../harness/random.ts';
import { account, mark, portsTo, site, stateOf } from './account.ts';

const run = async (readings: readonly CloudReading[], seed = 1) => {
  const there = account(readings, seed);
  const before = stateOf(there.cloud);
  const { findings, left, stopped } = await runProbes({ ports: portsTo(there), site, mark }, () => undefined);
  return { findings, left, stopped, before, after: stateOf(there.cloud), cloud: there.cloud };
};

const foundIn = (findings: readonly ProbeFinding[]): readonly CloudReading[] => {
  const found = new Set(findings.flatMap(({ verdict }) => (verdict.kind === 'differs' ? verdict.readings : [])));
  return CLOUD_READINGS.filter((reading) => found.has(reading));
};

/** What is said of a difference that has no name. */
const unnamed = ({ findings }: Pick<Run, 'findings'>) =>
  findings.flatMap(({ id, verdict }) =>
    verdict.kind === 'could not be asked' || (verdict.kind === 'differs' && verdict.readings.length === 0)
      ? [`${id}: ${verdict.says}`]
      : [],
  );

test('of a cloud without any reading everything is as assumed, and nothing is left', async (t) => {
  const { findings, left, stopped, before, after } = await run([]);
  t.is(stopped, undefined);
  t.deepEqual(
    findings.filter(({ verdict }) => verdict.kind !== 'as assumed').map(({ id, verdict }) => `${id}: ${verdict.says}`),
    [],
  );
  t.deepEqual(left, []);
  t.deepEqual(after, before);
});

for (const reading of CLOUD_READINGS)
  test(`${reading} is found, and nothing else`, async (t) => {
    for (const seed of [1, 2, 3]) {
      const ran = await run([reading], seed);
      t.deepEqual(foundIn(ran.findings), [reading], `seed ${seed}`);
      t.deepEqual(unnamed(ran), []);
      t.deepEqual([ran.left, ran.stopped], [[], undefined]);
      t.deepEqual(ran.after, ran.before);
    }
  });

test('of ten random sets exactly what is on is found', async (t) => {
  const random = seeded(11);
  for (let times = 0; times < 10; times += 1) {
    const drawn = CLOUD_READINGS.filter(() => random.next() < 0.5);
    // These two exclude each other.
    const readings = drawn.includes('noInterface') ? drawn.filter((name) => name !== 'prefixMode') : drawn;
    const ran = await run(readings, times + 1);
    t.deepEqual(foundIn(ran.findings), readings, readings.join(', '));
    t.deepEqual(unnamed(ran), [], readings.join(', '));
    t.deepEqual([ran.left, ran.stopped], [[], undefined]);
    t.deepEqual(ran.after, ran.before, readings.join(', '));
  }
});

type Query = Readonly<Record<string, string>>;

/** An answer that the embedded cloud does not give. */
const refusedWith = (code: string): NamedAnswer => ({
  code,
  status: 400,
  requestId: undefined,
  ms: 1,
  known: false,
  message: '',
  body: {},
});

/** What one question came to, for an account that is asked in this way. */
const verdictOf = async (
  id: string,
  more: Partial<ProbePorts>,
  {
    prepare = () => undefined,
    networkInterfaceId = site.networkInterfaceId,
    answers,
    ...options
  }: Parameters<typeof account>[2] & {
    readonly prepare?: (cloud: EmbeddedCloud) => void;
    readonly networkInterfaceId?: string | undefined;
    /** What a call is answered with instead, or what is made of the cloud's answer. */
    readonly answers?: (action: string, query: Query, ask: () => Promise<NamedAnswer>) => Promise<NamedAnswer>;
  } = {},
) => {
  const there = account([], 1, options);
  prepare(there.cloud);
  const before = stateOf(there.cloud);
  const ports = portsTo(there);
  const api: ProbePorts['api'] = (product, action, query) => {
    const ask = () => ports.api(product, action, query);
    return answers ? answers(action, query, ask) : ask();
  };
  const at = { ports: { ...ports, api, ...more }, site: { ...site, networkInterfaceId }, mark };
  const { findings, left } = await runProbes(at, () => undefined);
  const after = stateOf(there.cloud);
  const { kind, says } = findings.find((it) => it.id === id)?.verdict ?? { kind: 'not there', says: '' };
  return { kind, says, left, isAsBefore: isDeepStrictEqual(after, before) };
};
const CLEAN = { left: [], isAsBefore: true };

test('how long a token is remembered is found within the hour, and what that bought is given back', async (t) => {
  for (const [tokenLifetimeMs, kind, says] of [
    [150_000, 'as assumed', 'for 2 minutes, and not 5'],
    [86_400_000, 'as assumed', 'for 60 minutes at least'],
    [30_000, 'differs', 'it is forgotten within a minute'],
  ] as const)
    t.like(await verdictOf('P6-long', {}, { tokenLifetimeMs }), { kind, says, ...CLEAN });
});

test('a missing permission that is told in another way, or not at all, is found', async (t) => {
  const answer = { requestId: undefined, ms: 1, known: false, message: '', body: {} };
  const denied = () => Promise.resolve({ ...answer, code: 'Brand.New', status: 400 });
  const differs = await verdictOf('P22', { denied });
  t.like(differs, { kind: 'differs', ...CLEAN });
  t.regex(differs.says, /^DescribeNetworkInterfaces: 400 Brand\.New; .*CreateContainerGroup: 400 Brand\.New/u);
  const allowed = () => Promise.resolve({ ...answer, code: 'OK', status: 200 });
  const ofInstance = await verdictOf('P22-eci', { denied });
  t.like(ofInstance, { kind: 'differs', ...CLEAN });
  t.regex(ofInstance.says, /^DescribeContainerLog: 400 Brand\.New; .*DeleteContainerGroup: 400 Brand\.New$/u);
  t.like(await verdictOf('P22', { denied: allowed }), { kind: 'could not be asked', ...CLEAN });
  t.like(await verdictOf('P22', { denied: undefined }), { kind: 'could not be asked', ...CLEAN });
});

/** There is no image cache that could be deleted, and one that is made is paid for. */
const NOT_ASKED = ['eci:CreateImageCache', 'eci:DeleteImageCache'];

test('every action of the RAM policies is called by whom RAM does not allow it', async (t) => {
  const asked = new Set<string>();
  const denied: ProbePorts['api'] = (product, action) => {
    asked.add(`${product}:${action}`);
    return Promise.resolve(refusedWith('Forbidden.RAM'));
  };
  await verdictOf('P22', { denied });
  const actions = ['ram-policy.json', 'ram-policy-virtual-node.json'].flatMap((file) => {
    const policy = JSON.parse(readFileSync(new URL(`../../config/${file}`, import.meta.url), 'utf8')) as {
      readonly Statement: readonly { readonly Action: readonly string[] | string }[];
    };
    return policy.Statement.flatMap(({ Action }) => Action);
  });
  const ofClouds = actions.filter((action) => /^(?:vpc|ecs|eci):/u.test(action));
  t.true(ofClouds.length >= 18);
  t.deepEqual([...asked, ...NOT_ASKED].toSorted(), [...new Set(ofClouds)].toSorted());
});

test('an STS that gives no credentials is found, and is not asked where they come from elsewhere', async (t) => {
  const problem = 'No credentials from RRSA (OIDC) (403)';
  t.like(await verdictOf('P0-sts', { renew: () => Promise.resolve(problem) }), { kind: 'differs', says: problem });
  t.like(await verdictOf('P0-sts', { renew: undefined }), { kind: 'could not be asked' });
});

test('an interface of a type at which no EIP is bound is found, and one that cannot be asked is left alone', async (t) => {
  const notBound = await verdictOf(
    'P10-eni',
    {},
    {
      answers: (action, query, ask) =>
        action === 'AssociateEipAddress' && query['InstanceId'] === 'eni-trunk'
          ? Promise.resolve(refusedWith('Brand.New'))
          : ask(),
    },
  );
  const says = 'Trunk: refused with Brand.New, which the product does not know';
  t.like(notBound, { kind: 'differs', says, ...CLEAN });

  const member = { networkInterfaceId: 'eni-member', type: 'Member', vpcId: 'vpc-1', instanceId: 'i-node' };
  const prepare = ({ world }: EmbeddedCloud) => {
    world.addNetworkInterface({ ...member, primaryIp: '10.0.0.33' });
    world.addNetworkInterface({
      ...member,
      networkInterfaceId: 'eni-primary',
      type: 'Primary',
      primaryIp: '10.0.0.49',
    });
    world.addNetworkInterface({ ...member, networkInterfaceId: 'eni-full', primaryIp: '10.0.0.65' });
    const { allocationId } = world.addEip({ name: 'of the member' });
    world.human.associate(allocationId, 'eni-full', '10.0.0.65');
  };
  for (const [networkInterfaceId, kind, text] of [
    ['eni-member', 'as assumed', 'Member: it is'],
    ['eni-primary', 'could not be asked', "the interface of --eni is a node's primary one"],
    ['eni-full', 'could not be asked', 'each address of the interface of --eni has an EIP'],
    ['eni-nobody', 'could not be asked', 'DescribeNetworkInterfaces does not list the interface of --eni'],
  ] as const)
    t.like(await verdictOf('P10-eni', {}, { prepare, networkInterfaceId }), { kind, says: text, ...CLEAN });
});

test('an interface is asked about only where it is named', async (t) => {
  const there = account([]);
  const { findings } = await runProbes(
    { ports: portsTo(there), site: { ...site, networkInterfaceId: undefined }, mark },
    () => undefined,
  );
  t.deepEqual(
    findings.flatMap(({ id, verdict }) => (verdict.kind === 'as assumed' ? [] : [`${id}: ${verdict.says}`])),
    ['P10-eni: it needs --eni'],
  );
});

test('a cloud that must be told the instance whose binding ends is found', async (t) => {
  const found = await verdictOf(
    'P11-none',
    {},
    {
      answers: (action, query, ask) =>
        action === 'UnassociateEipAddress' && query['InstanceId'] === undefined
          ? Promise.resolve(refusedWith('MissingInstanceId'))
          : ask(),
    },
  );
  t.like(found, { kind: 'differs', ...CLEAN });
  t.regex(found.says, /^refused with MissingInstanceId.*; the product names it always$/u);
});

/** The same without what has this name, however deep. */
const without = (name: string, value: unknown): unknown => {
  if (Array.isArray(value)) return value.map((one) => without(name, one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (key === name ? [] : [[key, without(name, inner)]])),
  );
};

/** A cloud whose answers to one action lack something. */
const lacking =
  (wanted: string, name: string) =>
  async (action: string, _query: Query, ask: () => Promise<NamedAnswer>): Promise<NamedAnswer> => {
    const answer = await ask();
    return action === wanted ? { ...answer, body: without(name, answer.body) } : answer;
  };

test('a cloud whose answers lack what is looked for is found', async (t) => {
  for (const [id, action, name, kind, says] of [
    ['P7-public', 'DescribeNetworkInterfaces', 'AssociatedPublicIp', 'differs', 'it shows none'],
    ['P14-package', 'DescribeCommonBandwidthPackages', 'ISP', 'differs', 'ISP (none), BusinessStatus Normal'],
    ['P14-package', 'DescribeCommonBandwidthPackages', 'CommonBandwidthPackage', 'differs', 'it does not list it'],
    ['P19-status', 'DescribeContainerGroupStatus', 'Data', 'differs', 'it does not list the instance'],
    [
      'P19-status',
      'DescribeContainerGroupStatus',
      'ContainerStatuses',
      'differs',
      'Status Running, Phase Running, containers: 0',
    ],
    ['P1-answer', 'AllocateEipAddress', 'EipAddress', 'differs', 'it names no address'],
    ['P2-address', 'AllocateEipAddress', 'EipAddress', 'could not be asked', 'AllocateEipAddress named no address'],
  ] as const)
    t.like(await verdictOf(id, {}, { answers: lacking(action, name) }), { kind, says, ...CLEAN });
});

/** A cloud that answers a dry run so where it names an EIP of which this is true. */
const dryRun = (code: string, isMeant: (status: string) => boolean) => {
  let status = '';
  return (action: string, query: Query, ask: () => Promise<NamedAnswer>): Promise<NamedAnswer> => {
    if (action === 'AssociateEipAddress') status = 'InUse';
    if (action === 'UnassociateEipAddress' || action === 'DeleteNetworkInterface') status = 'Available';
    const isDry = action === 'CreateContainerGroup' && query['DryRun'] === 'true';
    return isDry && query['EipInstanceId'] !== undefined && isMeant(status)
      ? Promise.resolve(refusedWith(code))
      : ask();
  };
};

test('what a dry run says of an EIP by its ID is found, and that it says nothing', async (t) => {
  const named = await verdictOf('P18', {}, { answers: dryRun('Brand.New', (status) => status === 'Available') });
  t.like(named, { kind: 'differs', says: 'with the ID of an EIP it is refused with Brand.New', ...CLEAN });
  const silent = await verdictOf('P18-bound', {}, { answers: dryRun('DryRunOperation', (it) => it === 'InUse') });
  t.like(silent, { kind: 'could not be asked', says: 'a dry run does not look at the EIP', ...CLEAN });
  const unknown = await verdictOf('P18-bound', {}, { answers: dryRun('Brand.New', (it) => it === 'InUse') });
  t.like(unknown, { kind: 'differs', says: 'refused with Brand.New, which the product does not know', ...CLEAN });
});

test('a cloud that does not end the binding to an instance is found', async (t) => {
  let toInstance = false;
  const found = await verdictOf(
    'P20-unbind',
    {},
    {
      answers: (action, query, ask) => {
        // The plain group is made right before, and deleted after.
        if (action === 'CreateContainerGroup' && query['ContainerGroupName'] === mark.groupNames.plain)
          toInstance = true;
        if (action === 'DeleteContainerGroup') toInstance = false;
        return action === 'UnassociateEipAddress' && toInstance
          ? Promise.resolve(refusedWith('OperationDenied'))
          : ask();
      },
    },
  );
  t.like(found, { kind: 'differs', says: 'refused with OperationDenied', ...CLEAN });
});
