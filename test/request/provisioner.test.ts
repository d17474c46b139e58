import test from 'ava';
import {
  array,
  assert as assertProperty,
  boolean,
  constantFrom,
  dictionary,
  integer,
  oneof,
  option,
  property,
  record,
  string,
  tuple,
  type Arbitrary,
} from 'fast-check';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { planCreation, type CreationFacts, type CreationPlan } from '../../src/request/provisioner.ts';
import { parseAnnotations, type ParsedRequest } from '../../src/request/parse.ts';
import { FOLLOW } from '../../src/request/release-policy.ts';
import type { EipRequest } from '../../src/request/request.ts';
import type { Target } from '../../src/request/target.ts';
import { table } from './documented-tables.ts';
import { DEFAULTS as defaults } from '../harness/settings.ts';

type Annotations = Readonly<Record<string, string>>;

const free: CreationFacts = { eipIsHeld: false, enableVirtualNode: false };
const sure = { certainty: 'proved', because: 'a test' } as const;
const ECS: Target = { on: 'ecs', ...sure };
const OURS: Target = { on: 'eci', by: 'ours', ...sure };
const ADD_ON: Target = { on: 'eci', by: 'add-on', ...sure };
const ACS: Target = { on: 'acs', ...sure };
const UNKNOWN: Target = { on: 'unknown', because: 'the pod is not scheduled' };

const NEW = { 'k8s.aliyun.com/pod-with-eip': 'true' };
const NATIVE = { 'k8s.aliyun.com/eci-with-eip': 'true' };
const EXISTING = { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-bp1' };

const plan = (annotations: Annotations, target: Target, facts: Partial<CreationFacts> = {}, given = defaults) =>
  planCreation(parseAnnotations(annotations, given), annotations, target, { ...free, ...facts });

/** Situations in the words of the documentation's first table, and the plans that they lead to there. */
const situations: Readonly<Record<string, () => CreationPlan[]>> = {
  'an ECS node · a new or an existing EIP': () => [plan(NEW, ECS), plan(NATIVE, ECS), plan(EXISTING, ECS)],
  'ECI, our virtual node · a new EIP that CreateContainerGroup can express': () => [
    plan(NEW, OURS),
    plan(NATIVE, OURS, { enableVirtualNode: true }),
    plan(NEW, OURS, { enableVirtualNode: true, eipIsHeld: true }),
  ],
  'ECI, our virtual node · a new EIP that it cannot express': () => [
    plan({ ...NEW, 'k8s.aliyun.com/eip-name': 'web' }, OURS),
    plan(NEW, OURS, {}, { ...defaults, internetChargeType: 'PayByBandwidth' }),
    plan(NEW, OURS, {}, { ...defaults, isp: 'ChinaTelecom' }),
  ],
  'ECI, our virtual node · a new EIP, where an EipPolicy limits the namespace': () => [
    plan(NEW, OURS, { isLimited: true }),
    plan({ ...NEW, 'k8s.aliyun.com/eip-name': 'web' }, OURS, { isLimited: true }),
  ],
  'ECI, our virtual node · an existing EIP that is free': () => [plan(EXISTING, OURS)],
  'ECI, our virtual node · an existing EIP that may still be bound': () => [plan(EXISTING, OURS, { eipIsHeld: true })],
  "ECI, the cluster's add-on · a new or an existing EIP": () => [
    plan(NEW, ADD_ON),
    plan(NATIVE, ADD_ON),
    plan(EXISTING, ADD_ON),
    plan(EXISTING, ADD_ON, { eipIsHeld: true }),
  ],
  'ECI, the add-on, `enableVirtualNode` · it by `eci-with-eip` or `eci-eip-instanceid`': () => [
    plan(NATIVE, ADD_ON, { enableVirtualNode: true }),
    plan({ ...NEW, ...NATIVE }, ADD_ON, { enableVirtualNode: true }),
    plan({ 'k8s.aliyun.com/eci-eip-instanceid': 'eip-bp1' }, ADD_ON, { enableVirtualNode: true }),
  ],
  'ECI, the add-on, `enableVirtualNode` · it without those keys': () => [
    plan(NEW, ADD_ON, { enableVirtualNode: true }),
    plan(EXISTING, ADD_ON, { enableVirtualNode: true }),
  ],
  'ACS · anything': () => [plan(NEW, ACS), plan(EXISTING, ACS), plan(NATIVE, ACS, { enableVirtualNode: true })],
  'a place that is not known yet · anything': () => [plan(NEW, UNKNOWN), plan(EXISTING, UNKNOWN)],
  'anywhere · something that is refused, or nothing': () =>
    [ECS, OURS, ADD_ON, ACS, UNKNOWN].flatMap((target) => [
      plan({ ...NEW, ...EXISTING }, target),
      plan({ ...NEW, 'k8s.aliyun.com/eip-bandwidth': 'much' }, target),
      plan({}, target),
      plan({ 'k8s.aliyun.com/pod-with-eip': 'false' }, target),
    ]),
};

test('the table of who makes the address is what the code does, row by row', (t) => {
  const rows = table('The pod runs on');
  t.deepEqual(rows.map(([where, what]) => `${where} · ${what}`).toSorted(), Object.keys(situations).toSorted());
  for (const [where, what, how] of rows) {
    const plans = situations[`${where} · ${what}`]?.() ?? [];
    t.true(plans.length > 0);
    for (const each of plans) t.is(`\`${each.how}\``, how ?? '', `${where} · ${what}`);
  }
});

/** Settings in the words of the documentation's second table: annotations that ask for them, and ECI's name of each. */
const settings: Readonly<Record<string, { setting: Setting; annotations: Annotations; parameter?: object }>> = {
  '`eip-bandwidth`, at most 200': {
    setting: 'bandwidth',
    annotations: { 'network.alibabacloud.com/eip-bandwidth': '200' },
    parameter: { eipBandwidth: 200 },
  },
  '`eip-bandwidth`, over 200 (`PayByBandwidth`)': {
    setting: 'bandwidth',
    annotations: {
      'k8s.aliyun.com/eip-bandwidth': '201',
      'k8s.aliyun.com/eip-internet-charge-type': 'PayByBandwidth',
    },
  },
  '`eip-isp`: `BGP`, `BGP_PRO`': {
    setting: 'isp',
    annotations: { 'network.alibabacloud.com/eip-isp': 'BGP_PRO' },
    parameter: { eipISP: 'BGP_PRO' },
  },
  '`eip-isp`: any other': { setting: 'isp', annotations: { 'k8s.aliyun.com/eip-isp': 'ChinaTelecom' } },
  '`eip-common-bandwidth-package-id`': {
    setting: 'bandwidthPackageId',
    annotations: { 'network.alibabacloud.com/eip-common-bandwidth-package-id': 'cbwp-1' },
    parameter: { eipCommonBandwidthPackage: 'cbwp-1' },
  },
  '`eip-internet-charge-type`, `eip-charge-type`': {
    setting: 'internetChargeType',
    annotations: { 'k8s.aliyun.com/eip-charge-type': 'PayByTraffic' },
  },
  '`eip-public-ip-address-pool-id`': {
    setting: 'publicIpAddressPoolId',
    annotations: { 'network.alibabacloud.com/eip-public-ip-address-pool-id': 'pippool-1' },
  },
  '`eip-instance-charge-type`': {
    setting: 'instanceChargeType',
    annotations: { 'k8s.aliyun.com/eip-instance-charge-type': 'PostPaid' },
  },
  '`eip-resource-group-id`': {
    setting: 'resourceGroupId',
    annotations: { 'k8s.aliyun.com/eip-resource-group-id': 'rg-1' },
  },
  '`eip-name`': { setting: 'name', annotations: { 'network.alibabacloud.com/eip-name': 'web' } },
  '`eip-description`': { setting: 'description', annotations: { 'k8s.aliyun.com/eip-description': 'for the web' } },
  '`eip-security-protection-types`': {
    setting: 'securityProtectionTypes',
    annotations: { 'k8s.aliyun.com/eip-security-protection-types': 'AntiDDoS_Enhanced' },
  },
  '`eip-tags`': { setting: 'tags', annotations: { 'k8s.aliyun.com/eip-tags': '{"team":"web"}' } },
  '`pod-eip-release-strategy`, other than `Follow`': {
    setting: 'releaseStrategy',
    annotations: { 'k8s.aliyun.com/pod-eip-release-strategy': '10m' },
  },
};

test('the table of settings on ECI is what the code does, row by row, and leaves no setting out', (t) => {
  const rows = table('Setting');
  t.deepEqual(rows.map(([name = '']) => name).toSorted(), Object.keys(settings).toSorted());
  const covered = new Set<Setting>([
    'withEip',
    'instanceId',
    'handover',
    ...Object.values(settings).map(({ setting }) => setting),
  ]);
  t.deepEqual([...covered].toSorted(), (Object.keys(KEYS) as Setting[]).toSorted());
  for (const [name = '', ours = '', addOn = ''] of rows) {
    const row = settings[name];
    if (!row) continue;
    const annotations = { ...NEW, ...row.annotations };
    const mine = plan(annotations, OURS);
    if (ours === 'through VPC first') {
      t.is(mine.how, 'vpc-first', name);
      if (mine.how !== 'vpc-first') continue;
      t.true(mine.settings.includes(row.setting), name);
      t.true(mine.because.includes(row.setting), name);
      t.deepEqual(mine.allocate, parseAnnotations(annotations, defaults).request as typeof mine.allocate);
    } else {
      const [parameter = ''] = Object.keys(row.parameter ?? {});
      t.is(`\`${parameter.replace('eip', 'Eip')}\``, ours);
      t.like(mine, { how: 'container-group', eip: { autoCreateEip: true, ...row.parameter } });
    }
    const theirs = plan(annotations, ADD_ON);
    if (theirs.how !== 'add-on') return t.fail(name);
    const [text] = Object.values(row.annotations);
    if (addOn === 'not honoured: a warning') {
      t.like(theirs.findings, [{ id: 'NotHonouredByEci', severity: 'warn', keys: Object.keys(row.annotations) }]);
      for (const key of Object.keys(row.annotations)) t.true(theirs.findings[0]?.problem.includes(key));
      t.false(Object.keys(theirs.annotations).some((key) => (KEYS[row.setting] as readonly string[]).includes(key)));
    } else {
      t.deepEqual(theirs.findings, [], name);
      t.is(theirs.annotations[addOn.replaceAll('`', '')], text, name);
    }
  }
  return undefined;
});

test('the parameters of CreateContainerGroup, completely', (t) => {
  t.deepEqual(plan(NEW, OURS), {
    how: 'container-group',
    eip: { autoCreateEip: true, eipBandwidth: 5, eipISP: 'BGP' },
  });
  t.deepEqual(
    plan(
      { ...NEW, 'k8s.aliyun.com/eip-common-bandwidth-package-id': 'cbwp-1', 'k8s.aliyun.com/eip-bandwidth': '5M' },
      OURS,
    ),
    {
      how: 'container-group',
      eip: { autoCreateEip: true, eipBandwidth: 5, eipISP: 'BGP', eipCommonBandwidthPackage: 'cbwp-1' },
    },
  );
  t.deepEqual(plan(EXISTING, OURS), { how: 'container-group', eip: { eipInstanceId: 'eip-bp1' } });
  t.like(plan(EXISTING, OURS, { eipIsHeld: true }), { how: 'after-creation', allocationId: 'eip-bp1' });
});

test('a line type of the configuration that ECI does not know is said, although no annotation made it', (t) => {
  const theirs = plan(NEW, ADD_ON, {}, { ...defaults, isp: 'ChinaMobile' });
  t.like(theirs, { how: 'add-on', findings: [{ id: 'NotHonouredByEci', keys: [] }] });
  t.regex(theirs.how === 'add-on' ? (theirs.findings[0]?.problem ?? '') : '', /isp \(configuration\) means nothing/);
});

test('every combination of settings: whatever CreateContainerGroup cannot say is the reason to go through VPC', (t) => {
  const rows = Object.values(settings);
  const expressible = new Set(rows.filter(({ parameter }) => parameter).map(({ setting }) => setting));
  const choices = rows.filter(({ annotations }) => annotations['k8s.aliyun.com/eip-bandwidth'] !== '201');
  const counts = new Map<string, number>();
  for (let bits = 0; bits < 2 ** choices.length; bits += 1) {
    const chosen = choices.filter((_, index) => (bits & (1 << index)) !== 0);
    const annotations = Object.assign({ ...NEW }, ...chosen.map((row) => row.annotations)) as Annotations;
    const parsed = parseAnnotations(annotations, defaults);
    const made = planCreation(parsed, annotations, OURS, free);
    counts.set(made.how, (counts.get(made.how) ?? 0) + 1);
    // Two rows set the line type differently; under two prefixes that is a contradiction.
    if (chosen.filter(({ setting }) => setting === 'isp').length > 1) {
      if (made.how !== 'none') t.fail(JSON.stringify(annotations));
      continue;
    }
    const cannot = chosen.filter(({ setting, parameter }) => !expressible.has(setting) || !parameter);
    if (made.how === 'vpc-first') {
      const said = [...made.settings].toSorted();
      t.deepEqual(said, cannot.map(({ setting }) => setting).toSorted(), JSON.stringify(annotations));
    } else if (made.how !== 'container-group' || cannot.length > 0) t.fail(JSON.stringify({ annotations, made }));
  }
  t.is(
    [...counts.values()].reduce((sum, count) => sum + count, 0),
    2 ** 13,
  );
  t.is(counts.get('container-group'), 2 ** 3, 'bandwidth, line type and bandwidth package, each or not');
});

const anyText = string({ maxLength: 20 });
const maybe = option(anyText, { nil: undefined });
const anyRequest: Arbitrary<EipRequest> = oneof(
  record({ kind: constantFrom('existing' as const), allocationId: anyText }),
  record({
    kind: constantFrom('new' as const),
    bandwidthMbps: oneof(integer(), constantFrom(0, 1, 200, 201, 0.5, Number.NaN, Number.POSITIVE_INFINITY)),
    internetChargeType: constantFrom('PayByTraffic' as const, 'PayByBandwidth' as const),
    isp: oneof(constantFrom('BGP', 'BGP_PRO', ''), anyText),
    name: maybe,
    description: maybe,
    publicIpAddressPoolId: maybe,
    resourceGroupId: maybe,
    bandwidthPackageId: maybe,
    securityProtectionTypes: array(anyText, { maxLength: 2 }),
    tags: array(tuple(anyText, anyText), { maxLength: 2 }),
  }),
);

test('any request at all, also one that somebody edited, has one plan that keeps its promises', (t) => {
  const anyTarget = constantFrom(ECS, OURS, ADD_ON, ACS, UNKNOWN);
  const release = constantFrom(
    FOLLOW,
    { strategy: 'Never' } as const,
    { strategy: 'TTL', releaseAfter: '1m' } as const,
  );
  const facts = record({ eipIsHeld: boolean(), enableVirtualNode: boolean(), isLimited: boolean() });
  const given = option(dictionary(constantFrom(...Object.values(KEYS).flat(), '__proto__', 'x'), anyText), {
    nil: undefined,
  });
  assertProperty(
    property(
      option(anyRequest, { nil: undefined }),
      release,
      anyTarget,
      facts,
      given,
      boolean(),
      (request, policy, target, known, annotations, wanted) => {
        const parsed: ParsedRequest = { wanted, request, release: policy, handover: 'ready', findings: [] };
        const made = planCreation(parsed, annotations, target, known);
        const canSpend = wanted && request !== undefined;
        t.is(made.how === 'none', !canSpend || target.on === 'acs' || target.on === 'unknown');
        if (made.how === 'none') return void t.not(made.because, '');
        if (target.on === 'ecs') t.is(made.how, 'podeip');
        if (target === OURS) t.true(['container-group', 'vpc-first', 'after-creation'].includes(made.how));
        if (target === ADD_ON) t.true(['add-on', 'podeip'].includes(made.how));
        if (made.how === 'vpc-first')
          t.true(made.allocate === request && (known.isLimited || made.settings.length > 0));
        if (made.how === 'after-creation') t.true(known.eipIsHeld && request?.kind === 'existing');
        if (made.how === 'container-group' && request?.kind === 'new') {
          t.false(known.isLimited, 'nobody would count it');
          t.is(policy.strategy, 'Follow', 'an EIP that ECI makes goes with the instance');
          t.is(request.internetChargeType, 'PayByTraffic');
          const { eipBandwidth = 0 } = made.eip as { eipBandwidth?: number };
          t.true(Number.isInteger(eipBandwidth) && eipBandwidth >= 1 && eipBandwidth <= 200);
        }
        if (made.how === 'add-on') t.true(made.findings.every(({ severity }) => severity === 'warn'));
      },
    ),
    { numRuns: 500 },
  );
});
