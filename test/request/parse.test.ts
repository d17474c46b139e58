import test from 'ava';
import {
  array,
  assert as assertProperty,
  constantFrom,
  dictionary,
  option,
  property,
  record,
  string,
  tuple,
} from 'fast-check';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import { parseRequest, writeRequest, type EipRequest } from '../../src/request/request.ts';
import { FOLLOW, readReleaseAfter } from '../../src/request/release-policy.ts';
import { DEFAULTS as defaults } from '../harness/settings.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const fresh = { kind: 'new', ...defaults, securityProtectionTypes: [], tags: [] };

const read = (annotations?: Readonly<Record<string, string>>) => parseAnnotations(annotations, defaults);
/** Each finding in short. */
const found = (annotations: Readonly<Record<string, string>>) =>
  read(annotations).findings.map(({ severity, id }) => `${severity} ${id}`);

const many = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v'])));

/** Values that are taken, and what the request then says. */
const good: Readonly<Partial<Record<Setting, readonly (readonly [text: string, part: object])[]>>> = {
  bandwidth: [
    ['1', { bandwidthMbps: 1 }],
    ['200', { bandwidthMbps: 200 }],
  ],
  internetChargeType: [
    ['PayByTraffic', { internetChargeType: 'PayByTraffic' }],
    ['PayByBandwidth', { internetChargeType: 'PayByBandwidth' }],
  ],
  instanceChargeType: [['PostPaid', {}]],
  bandwidthPackageId: [['cbwp-2ze1', { bandwidthPackageId: 'cbwp-2ze1' }]],
  isp: [
    ['BGP_PRO', { isp: 'BGP_PRO' }],
    ['ChinaTelecom_L2', { isp: 'ChinaTelecom_L2' }],
  ],
  publicIpAddressPoolId: [['pippool-6we1', { publicIpAddressPoolId: 'pippool-6we1' }]],
  resourceGroupId: [['rg-acf1', { resourceGroupId: 'rg-acf1' }]],
  name: [
    ['web', { name: 'web' }],
    ['公网', { name: '公网' }],
    ['n'.repeat(128), { name: 'n'.repeat(128) }],
  ],
  description: [['d'.repeat(256), { description: 'd'.repeat(256) }]],
  securityProtectionTypes: [
    ['AntiDDoS_Enhanced', { securityProtectionTypes: ['AntiDDoS_Enhanced'] }],
    ['', { securityProtectionTypes: [] }],
  ],
  tags: [
    ['{}', { tags: [] }],
    [
      '{"team":"web","empty":""}',
      {
        tags: [
          ['team', 'web'],
          ['empty', ''],
        ],
      },
    ],
  ],
  releaseStrategy: [['Follow', {}]],
};

const NOT_A_NUMBER = [
  '',
  '0',
  '-1',
  '+5',
  '05',
  '5.0',
  '1e1',
  ' 5',
  '5 ',
  '0x5',
  '５',
  '201',
  '99999',
  '5m',
  '5Mbps',
  'NaN',
];

/** Values that are refused, and as what. */
const bad: Readonly<
  Record<Exclude<Setting, 'instanceId' | 'handover'>, readonly [id: string, texts: readonly string[]]>
> = {
  withEip: ['InvalidBoolean', ['', 'True', 'TRUE', 'yes', '1', ' true', 'true\n']],
  bandwidth: ['InvalidBandwidth', NOT_A_NUMBER],
  internetChargeType: ['InvalidChargeType', ['', 'paybytraffic', 'PayByTraffic ', 'PostPaid']],
  instanceChargeType: ['InvalidInstanceChargeType', ['', 'PrePaid', 'postpaid']],
  bandwidthPackageId: ['InvalidId', ['', 'cbwp-', 'eip-1', 'cbwp-1,cbwp-2', 'cbwp-A', ' cbwp-1']],
  isp: ['InvalidIsp', ['', 'bgp', 'BGP,BGP_PRO']],
  publicIpAddressPoolId: ['InvalidId', ['', 'pool-1', 'pippool-']],
  resourceGroupId: ['InvalidId', ['', 'rg-', 'default', `rg-${'a'.repeat(62)}`]],
  name: ['InvalidName', ['', 'n'.repeat(129), 'http://x', 'HTTPS://x', 'a\nb', '\ud800']],
  description: ['InvalidDescription', ['', 'd'.repeat(257), 'https://x', 'a\u0000b']],
  securityProtectionTypes: ['InvalidProtectionType', ['AntiDDoS', 'AntiDDoS_Enhanced,AntiDDoS_Enhanced', ' ']],
  tags: [
    'InvalidTags',
    [
      '',
      'team=web',
      '[]',
      'null',
      '"x"',
      '{"a":1}',
      '{"a":null}',
      '{"":"x"}',
      `{"${'k'.repeat(129)}":"v"}`,
      `{"k":"${'v'.repeat(129)}"}`,
      '{"aliyun.x":"v"}',
      '{"ACS:x":"v"}',
      '{"http://x":"v"}',
      '{"k":"https://x"}',
      '{"knative-eip/podeip-uid":"forged"}',
      '{"k":"a\\u0007"}',
      '{"k":"\\ud800"}',
      many(17),
      `{"k":"${' '.repeat(9000)}"}`,
    ],
  ],
  releaseStrategy: [
    'InvalidReleaseStrategy',
    [
      '',
      'follow',
      ' Never',
      'TTL',
      '0',
      '0s',
      '-10m',
      '9.9s',
      '10',
      '10 m',
      '8760h1ns',
      '300000h',
      '1d',
      'h',
      '.s',
      '1h-5m',
    ],
  ],
};

const keyed = (setting: Setting, text: string) => ({ ...NEW, [KEYS[setting][0]]: text });

test('without annotations, or with others’, no address is wanted', (t) => {
  for (const annotations of [undefined, {}, { 'k8s.aliyun.com/eip-bandwidth': 'x' }, { team: 'web' }])
    t.deepEqual(read(annotations), { wanted: false, release: FOLLOW, handover: 'ready', findings: [] });
});

test('a release strategy is the pod’s, and no part of the request', (t) => {
  for (const key of KEYS.releaseStrategy)
    for (const text of ['10s', '10m', '5m30s', '1h15m30.5s', '8760h', '+1.5h', '10000ms', '10000000µs']) {
      const parsed = read({ ...NEW, [key]: text });
      t.deepEqual(parsed.release, { strategy: 'TTL', releaseAfter: text });
      t.deepEqual(JSON.parse(JSON.stringify(parsed.request)), JSON.parse(JSON.stringify(fresh)));
    }
  t.deepEqual(read(keyed('releaseStrategy', 'Never')).release, { strategy: 'Never' });
});

test('the time of a strategy is a positive Go duration, in milliseconds', (t) => {
  t.is(readReleaseAfter('10m'), 600_000);
  t.is(readReleaseAfter('1h15m30.5s'), 4_530_500);
  t.is(readReleaseAfter('1ns'), 1);
  for (const text of ['0', '0s', '-1s', '', 'soon', undefined]) t.is(readReleaseAfter(text), undefined, text);
});

test('an existing EIP is never released, whatever the strategy says', (t) => {
  const parsed = read({ [KEYS.instanceId[0]]: 'eip-bp1', [KEYS.releaseStrategy[0]]: '10m' });
  t.deepEqual(parsed.release, FOLLOW);
  t.deepEqual(parsed.request, { kind: 'existing', allocationId: 'eip-bp1' });
  t.like(parsed.findings, [{ id: 'ReleaseStrategyIgnored', severity: 'warn', keys: [KEYS.releaseStrategy[0]] }]);
  t.like(read({ [KEYS.instanceId[0]]: 'eip-bp1', [KEYS.releaseStrategy[0]]: 'soon' }), {
    request: { kind: 'existing', allocationId: 'eip-bp1' },
    findings: [{ id: 'ReleaseStrategyIgnored', severity: 'warn' }],
  });
  t.deepEqual(read({ [KEYS.instanceId[0]]: 'eip-bp1', [KEYS.releaseStrategy[0]]: 'Follow' }).findings, []);
});

test('the way of hand-over is said of an existing EIP, and ignored beside a new one', (t) => {
  const existing = { [KEYS.instanceId[0]]: 'eip-bp1' };
  t.like(read(existing), { handover: 'ready', findings: [] });
  for (const key of KEYS.handover) {
    t.like(read({ ...existing, [key]: 'wait' }), { handover: 'wait', findings: [] });
    t.like(read({ ...existing, [key]: 'ready' }), { handover: 'ready', findings: [] });
    for (const text of ['', 'Wait', 'never', 'true'])
      t.like(read({ ...existing, [key]: text }), {
        request: undefined,
        findings: [{ id: 'InvalidHandover', severity: 'refuse', keys: [key] }],
      });
    t.like(read({ ...NEW, [key]: 'wait' }), {
      request: fresh,
      findings: [{ id: 'HandoverIgnored', severity: 'warn' }],
    });
  }
});

test('every key that asks for an EIP does, and "false" does not', (t) => {
  for (const key of KEYS.withEip) {
    t.like(read({ [key]: 'true' }), { wanted: true, request: fresh, findings: [] });
    t.false(read({ [key]: 'false' }).wanted);
  }
});

for (const [setting, values] of Object.entries(good) as [Setting, NonNullable<(typeof good)[Setting]>][]) {
  test(`${setting}: what is right is taken, under every key that means it`, (t) => {
    for (const [text, part] of values) {
      for (const key of KEYS[setting]) {
        t.deepEqual(
          JSON.parse(JSON.stringify(read({ ...NEW, [key]: text }))),
          { wanted: true, request: { ...fresh, ...part }, release: FOLLOW, handover: 'ready', findings: [] },
          `${key}: ${text}`,
        );
      }
    }
  });
}

for (const [setting, [id, texts]] of Object.entries(bad) as [Setting, readonly [string, readonly string[]]][]) {
  test(`${setting}: what is wrong is refused as ${id}, and the finding names the key`, (t) => {
    for (const text of texts) {
      const parsed = read(keyed(setting, text));
      t.is(parsed.request, undefined, JSON.stringify(text));
      t.deepEqual(found(keyed(setting, text)), [`refuse ${id}`], JSON.stringify(text));
      t.deepEqual(parsed.findings[0]?.keys, [KEYS[setting][0]]);
    }
  });
}

test('the highest bandwidth depends on how it is charged', (t) => {
  const byBandwidth = { ...NEW, [KEYS.internetChargeType[0]]: 'PayByBandwidth' };
  t.like(read({ ...byBandwidth, [KEYS.bandwidth[0]]: '500' }).request, { bandwidthMbps: 500 });
  t.deepEqual(found({ ...byBandwidth, [KEYS.bandwidth[0]]: '501' }), ['refuse InvalidBandwidth']);
});

test('"5M" is understood, and said', (t) => {
  t.like(read(keyed('bandwidth', '5M')).request, { bandwidthMbps: 5 });
  t.deepEqual(found(keyed('bandwidth', '5M')), ['warn LegacyBandwidth']);
});

test('sixteen tags leave room for ours', (t) => {
  const { request } = read(keyed('tags', many(16)));
  t.is(request?.kind === 'new' ? request.tags.length : 0, 16);
});

test('an existing EIP is named under every key; what is no ID is refused', (t) => {
  for (const key of KEYS.instanceId)
    t.deepEqual(read({ [key]: 'eip-bp1' }), {
      wanted: true,
      request: { kind: 'existing', allocationId: 'eip-bp1' },
      release: FOLLOW,
      handover: 'ready',
      findings: [],
    });
  for (const text of [
    '',
    'eip-',
    'EIP-1',
    'eip-1 ',
    'eip-1,eip-2',
    'eip_1',
    'i-1',
    `eip-${'a'.repeat(61)}`,
    '203.0.113.1',
  ])
    t.deepEqual(found({ [KEYS.instanceId[0]]: text }), ['refuse InvalidId'], text);
  // As the examples of Alibaba Cloud's documentation have it.
  const [finding] = read({ [KEYS.instanceId[0]]: 'eip-bp1q5n8cq4p7f6dzu****' }).findings;
  t.is(finding?.remedy, 'write the whole ID of one of yours, "eip-…", without asterisks');
});

test('an existing EIP beside a wish for a new one, or for none, is refused', (t) => {
  for (const withEip of ['true', 'false']) {
    const parsed = read({ [KEYS.withEip[0]]: withEip, [KEYS.instanceId[0]]: 'eip-1' });
    t.true(parsed.wanted);
    t.is(parsed.request, undefined);
    t.is(parsed.findings[0]?.id, 'ExistingAndNew');
  }
});

test('settings of a new EIP mean nothing for an existing one, even wrong ones, and that is said', (t) => {
  const annotations = { [KEYS.instanceId[0]]: 'eip-1', [KEYS.bandwidth[1]]: 'x', [KEYS.name[0]]: '' };
  t.deepEqual(found(annotations), ['warn CreationSettingsIgnored']);
  t.like(read(annotations), { request: { kind: 'existing', allocationId: 'eip-1' } });
});

test('two keys for one setting may agree and must not disagree', (t) => {
  for (const keys of Object.values(KEYS)) {
    const [first, second = ''] = keys;
    if (keys === KEYS.handover) continue;
    const base = keys === KEYS.instanceId ? {} : NEW;
    const value = keys === KEYS.withEip ? 'true' : '7';
    t.false(found({ ...base, [first]: value, [second]: value }).includes('refuse AnnotationsDisagree'), first);
    const parsed = read({ ...base, [first]: value, [second]: 'other' });
    t.true(
      parsed.findings.some(({ id, keys: said }) => id === 'AnnotationsDisagree' && said.includes(second)),
      first,
    );
    t.is(parsed.request, undefined);
  }
});

test('all that is wrong is said at once', (t) => {
  const ids = found({ ...keyed('bandwidth', 'x'), [KEYS.isp[0]]: 'x', [KEYS.tags[0]]: 'x', [KEYS.name[0]]: '' });
  t.deepEqual(ids.toSorted(), [
    'refuse InvalidBandwidth',
    'refuse InvalidIsp',
    'refuse InvalidName',
    'refuse InvalidTags',
  ]);
});

test('any annotations give a reading, with a request or a refusal and never with both', (t) => {
  const key = constantFrom(...Object.values(KEYS).flat(), '__proto__', 'constructor');
  const text = string({ unit: 'binary', maxLength: 300 });
  const value = constantFrom('true', 'false', '5', 'eip-1', 'BGP', '{"a":"b"}', 'PayByBandwidth');
  assertProperty(
    property(dictionary(key, value), dictionary(key, text, { maxKeys: 3 }), (some, others) => {
      const parsed = read({ ...some, ...others });
      const isRefused = parsed.findings.some(({ severity }) => severity === 'refuse');
      return (parsed.request !== undefined) === (parsed.wanted && !isRefused) && (parsed.wanted || !isRefused);
    }),
    { numRuns: 3_000 },
  );
  t.pass();
});

/** Whether it is the same after it was written and read. */
const roundTrip = (request: EipRequest) => {
  const again = parseRequest(writeRequest(request));
  return again !== undefined && writeRequest(again) === writeRequest(request);
};

test('a request is read back as it was written, and nothing else is a request', (t) => {
  const text = option(string(), { nil: undefined });
  const requests = record({
    kind: constantFrom('new' as const),
    bandwidthMbps: constantFrom(1, 200),
    internetChargeType: constantFrom('PayByTraffic' as const, 'PayByBandwidth' as const),
    isp: string(),
    name: text,
    description: text,
    bandwidthPackageId: text,
    securityProtectionTypes: array(string()),
    tags: array(tuple(string(), string())),
  });
  assertProperty(property(requests, roundTrip));
  t.true(roundTrip({ kind: 'existing', allocationId: 'eip-1' }));
  for (const wrong of [undefined, '', '{', 'null', '1', '[]', '{}', '{"kind":"existing"}', '{"kind":"new"}'])
    t.is(parseRequest(wrong), undefined, wrong);
  for (const [key, value] of [
    ['bandwidthMbps', 1.5],
    ['internetChargeType', 'x'],
    ['isp', 1],
    ['tags', [['a']]],
    ['name', 1],
  ])
    t.is(parseRequest(JSON.stringify({ ...fresh, [String(key)]: value })), undefined, String(key));
});

const remedyOf = (annotations: Record<string, string>) =>
  read(annotations).findings.find(({ id }) => id === 'AnnotationsDisagree')?.remedy;

test('of spellings that disagree none is to be kept that would give no EIP to who wants one', (t) => {
  for (const asks of KEYS.withEip)
    for (const refuses of KEYS.withEip.filter((key) => key !== asks))
      t.is(
        remedyOf({ [asks]: 'true', [refuses]: 'false' }),
        `keep ${asks} for a new EIP, or ${refuses} for none`,
        `${asks} ${refuses}`,
      );
  const [network, k8s, eci] = KEYS.withEip;
  t.is(
    remedyOf({ [network]: 'false', [k8s]: 'true', [eci]: 'true' }),
    `keep ${k8s} and ${eci} for a new EIP, or ${network} for none`,
  );
  t.is(remedyOf({ [network]: 'yes', [k8s]: 'true' }), 'keep the one that you mean');
  const [one, other] = KEYS.bandwidth;
  t.is(remedyOf({ ...NEW, [one]: '5', [other]: '10' }), 'keep the one that you mean');
});

test('the slip of the documentation in the key of a bandwidth package is read, and must not disagree with the right one', (t) => {
  const [slip] = KEYS.bandwidthPackageId.filter((key) => key.startsWith('k8s') && key.includes('bandwith'));
  const right = 'k8s.aliyun.com/eip-common-bandwidth-package-id';
  t.is(slip, 'k8s.aliyun.com/eip-common-bandwith-package-id');
  t.like(read({ ...NEW, [String(slip)]: 'cbwp-1' }).request, { bandwidthPackageId: 'cbwp-1' });
  t.deepEqual(found({ ...NEW, [String(slip)]: 'cbwp-1', [right]: 'cbwp-1' }), []);
  t.deepEqual(found({ ...NEW, [String(slip)]: 'cbwp-1', [right]: 'cbwp-2' }), ['refuse AnnotationsDisagree']);
});
