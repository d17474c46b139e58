import test from 'ava';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { ReviewError } from '../../src/webhook/review.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Kube } from '../../src/kube/port.ts';
import { readDocuments } from '../../src/manifest/documents.ts';
import { readWorkload } from '../../src/manifest/read-workload.ts';
import { deployment, ECI, EXISTING, evaluated, NEW, pod, service, settings } from './manifests.ts';

const asks = (setting: Setting, text: string) => pod({ annotations: { ...NEW, [KEYS[setting][1]]: text } });
const many = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v'])));
const named = (id: string) => pod({ annotations: { [KEYS.instanceId[1]]: id } });

/** Annotations: what is written, and every finding that it has. `[]`: taken, or only the cloud can tell. */
const ANNOTATIONS: readonly (readonly [say: string, object: object, ids: readonly string[]])[] = [
  ...['True', 'TRUE', '1', '', ' true', 'yes', 'ｔｒｕｅ', 'true\u0000'].map(
    (text) =>
      [
        `with-eip ${JSON.stringify(text)}`,
        pod({ annotations: { [KEYS.withEip[1]]: text } }),
        ['InvalidBoolean'],
      ] as const,
  ),
  ...['0', '-5', '5.5', '0x10', '1e3', '٥', '201', '501', '99999999999999999999', '5 ', '', 'NaN', '5m', '5Mbps'].map(
    (text) => [`bandwidth ${text}`, asks('bandwidth', text), ['InvalidBandwidth']] as const,
  ),
  ['bandwidth 5M', asks('bandwidth', '5M'), ['LegacyBandwidth']],
  ['bandwidth alone', pod({ annotations: { [KEYS.bandwidth[1]]: '0' } }), ['SettingsWithoutRequest']],
  ['with-eip false and an ID', pod({ annotations: { ...EXISTING, [KEYS.withEip[1]]: 'false' } }), ['ExistingAndNew']],
  ['with-eip true and an ID', pod({ annotations: { ...EXISTING, ...NEW } }), ['ExistingAndNew']],
  ...[
    'eip-',
    'EIP-bp1',
    'eip-bp1,eip-bp2',
    'eip-bp1\n',
    '../../x',
    `eip-${'x'.repeat(10_000)}`,
    '',
    'eip-bp1 ',
    'null',
  ].map((id) => [`ID ${id.slice(0, 20)}`, named(id), ['InvalidId']] as const),
  ['an ID that only the account knows about', named('eip-other'), []],
  [
    'two IDs under two prefixes',
    pod({ annotations: { [KEYS.instanceId[0]]: 'eip-bp1', [KEYS.instanceId[1]]: 'eip-bp2' } }),
    ['AnnotationsDisagree'],
  ],
  ['an alias that disagrees', pod({ annotations: { ...NEW, [KEYS.withEip[2]]: 'false' } }), ['AnnotationsDisagree']],
  ['line type bgp', asks('isp', 'bgp'), ['InvalidIsp']],
  ['BGP_PRO where there is none', asks('isp', 'BGP_PRO'), ['IspNotInRegion']],
  ['a single line by traffic', asks('isp', 'ChinaUnicom'), ['SingleLineIsp', 'SingleLineByTraffic']],
  ['charge type PayBytraffic', asks('internetChargeType', 'PayBytraffic'), ['InvalidChargeType']],
  ['PrePaid', asks('instanceChargeType', 'PrePaid'), ['InvalidInstanceChargeType']],
  [
    'a package paid by bandwidth',
    pod({
      annotations: { ...NEW, [KEYS.bandwidthPackageId[1]]: 'cbwp-1', [KEYS.internetChargeType[1]]: 'PayByBandwidth' },
    }),
    ['PackagePaidByBandwidth'],
  ],
  ['a resource group that only the account knows about', asks('resourceGroupId', 'rg-none'), []],
  ['129 characters of name', asks('name', 'n'.repeat(129)), ['InvalidName']],
  ['a name that is a URL', asks('name', 'http://x'), ['InvalidName']],
  ['a name with an emoji and invisible characters', asks('name', '🙂\u202ea\u200b'), []],
  ['a lone surrogate', asks('name', '\ud800'), ['InvalidName']],
  ['257 characters of description', asks('description', 'd'.repeat(257)), ['InvalidDescription']],
  ...['\u0000', '\u001b[31m', 'a\r\nb'].map(
    (text) => [`description ${JSON.stringify(text)}`, asks('description', text), ['InvalidDescription']] as const,
  ),
  [
    'two protections',
    asks('securityProtectionTypes', 'AntiDDoS_Enhanced,AntiDDoS_Enhanced'),
    ['InvalidProtectionType'],
  ],
  ...[
    'a=b',
    '[]',
    'null',
    '{"a":{"b":"c"}}',
    '{"a":1}',
    many(21),
    '{"":"x"}',
    `{"${'k'.repeat(129)}":"v"}`,
    '{"aliyun.x":"v"}',
    '{"acs:x":"v"}',
    '{"knative-eip/podeip-uid":"x"}',
    `{"k":"${' '.repeat(256 * 1024)}"}`,
    `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
  ].map((text) => [`tags ${text.slice(0, 30)}`, asks('tags', text), ['InvalidTags']] as const),
  ['tags __proto__', asks('tags', '{"__proto__":"x"}'), []],
  ['tags constructor', asks('tags', '{"constructor":"x"}'), []],
  ['the same tag twice', asks('tags', '{"a":"1","a":"2"}'), []],
  ['an empty value of a tag', asks('tags', '{"a":""}'), []],
  ...['follow', '5', '-5m', '0s', '1ns', '9999999999h', '', 'TTL'].map(
    (text) => [`strategy ${text}`, asks('releaseStrategy', text), ['InvalidReleaseStrategy']] as const,
  ),
  // A duration may name a unit twice (Go, time.ParseDuration).
  ['strategy 1h1h, and no owner', asks('releaseStrategy', '1h1h'), ['StatelessOwner']],
  ...['20000000µs', '20000000μs'].map(
    (text) => [`strategy ${text}, and no owner`, asks('releaseStrategy', text), ['StatelessOwner']] as const,
  ),
  [
    'Never on a Deployment',
    deployment({ annotations: { ...NEW, [KEYS.releaseStrategy[1]]: 'Never' } }),
    ['StatelessOwner'],
  ],
  ['on the Service itself', service({ outside: NEW }), ['AnnotationOnService']],
  ['a label on the Service itself', service({ outsideLabels: NEW }), ['AnnotationAsLabel']],
  [
    'a label that asks, and annotations that say what the EIP is to be like',
    deployment({ labels: NEW, annotations: { [KEYS.bandwidth[1]]: '10' } }),
    ['AnnotationAsLabel'],
  ],
  ['hostNetwork', pod({ annotations: NEW, spec: { hostNetwork: true } }), ['HostNetwork']],
  ['on Container Compute Service', pod({ annotations: NEW, labels: { 'alibabacloud.com/acs': 'true' } }), []],
  ['both sorts of virtual node', pod({ annotations: NEW, labels: { ...ECI, 'alibabacloud.com/acs': 'true' } }), []],
  ['a name of 253 characters', pod({ annotations: NEW, name: 'a'.repeat(253) }), []],
  ['a key in capitals', pod({ annotations: { 'K8S.aliyun.com/Pod-With-EIP': 'true' } }), ['UnknownKey']],
  ['a key with one slash too many', pod({ annotations: { 'k8s.aliyun.com//pod-with-eip': 'true' } }), ['UnknownKey']],
  [
    '5,000 keys that nobody knows, of which five are named',
    pod({
      annotations: Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k8s.aliyun.com/eip-x${i}`, ''])),
    }),
    Array.from({ length: 5 }, () => 'UnknownKey'),
  ],
  ['keys of Object.prototype', pod({ annotations: { constructor: 'x', toString: 'y', hasOwnProperty: 'z' } }), []],
];

test('annotations: each has its findings, and no other', (t) => {
  for (const [say, object, ids] of ANNOTATIONS) {
    t.deepEqual(
      evaluated(object, settings).map(({ id }) => id),
      [...ids],
      say,
    );
  }
});

/** What the API server of a cluster does not say in time. */
const silent: Kube = new Proxy({} as Kube, { get: () => () => Promise.resolve(undefined) });
const reviewers = createReviewers({
  kube: silent,
  clock: systemClock,
  log: silentLog,
  settings,
  provider: 'add-on',
  onConflict: 'refuse',
});
const paths = Object.keys(reviewers);

const review = (request: unknown): object => ({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
const pods = { group: '', version: 'v1', resource: 'pods' };
const create = (object: unknown, more: object = {}): object =>
  review({ uid: 'u', operation: 'CREATE', resource: pods, namespace: 'default', object, ...more });
const contradictory = asks('bandwidth', '0');

/** What is no review: HTTP 400, and a message that names what is wrong. */
const NO_REVIEWS: readonly (readonly [say: string, body: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['a text', 'review'],
  ['an array', []],
  ['{}', {}],
  ['request null', review(null)],
  ['no uid', review({ operation: 'CREATE', resource: pods })],
  ['uid a number', review({ uid: 5, operation: 'CREATE', resource: pods })],
  ['uid of 10 kB', review({ uid: 'u'.repeat(10_000), operation: 'CREATE', resource: pods })],
  ['uid empty', review({ uid: '', operation: 'CREATE', resource: pods })],
  ['v1beta1', { ...review({ uid: 'u', operation: 'CREATE', resource: pods }), apiVersion: 'admission.k8s.io/v1beta1' }],
  ['another kind', { ...review({ uid: 'u', operation: 'CREATE', resource: pods }), kind: 'Pod' }],
  ['an operation that there is not', create(contradictory, { operation: 'PATCH' })],
  ['no resource', create(contradictory, { resource: undefined })],
  [
    '__proto__ for a request',
    JSON.parse('{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","__proto__":{"request":{}}}'),
  ],
];

test('reviews that are none are refused as such, on every path', async (t) => {
  for (const path of paths)
    for (const [say, body] of NO_REVIEWS)
      await t.throwsAsync(answer(path, body), { instanceOf: ReviewError }, `${path}: ${say}`);
});

const answer = async (path: string, body: unknown): Promise<Answer> => {
  const reviewer = reviewers[path];
  if (!reviewer) throw new Error(`there is no webhook at ${path}`);
  return (await reviewer(body)) as Answer;
};

interface Answer {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly warnings?: readonly string[];
    readonly status?: { readonly code: number; readonly message: string };
  };
}

/** Reviews that can be answered: whether the object is let in, and what is said. */
const REVIEWS: readonly (readonly [say: string, body: object, allowed: boolean, says?: RegExp])[] = [
  ['a contradiction', create(contradictory), false, /InvalidBandwidth/],
  ['CREATE with object null', create(null), true, /cannot read/],
  ['CREATE without an object', create(undefined), true, /cannot read/],
  ['UPDATE without the object before', create(contradictory, { operation: 'UPDATE' }), true],
  ['UPDATE of what was wrong before', create(contradictory, { operation: 'UPDATE', oldObject: contradictory }), true],
  ['DELETE with both null', create(null, { operation: 'DELETE', oldObject: null }), true],
  ['CONNECT', create(contradictory, { operation: 'CONNECT' }), true],
  ['metadata null', create({ apiVersion: 'v1', kind: 'Pod', metadata: null }), true, /metadata/],
  ...[null, {}].map(
    (annotations) => ['no annotations', create(pod({ annotations: annotations ?? undefined })), true] as const,
  ),
  ...[[], 5, 'x', { a: 1 }, { 'k8s.aliyun.com/eip-bandwidth': 5 }].map(
    (annotations) =>
      [
        `annotations ${JSON.stringify(annotations)}`,
        create(pod({ annotations: annotations as object })),
        true,
        /cannot read this object: metadata\.annotations/,
      ] as const,
  ),
  ['namespace empty', create(contradictory, { namespace: '' }), false, /InvalidBandwidth/],
  ...['status', 'ephemeralcontainers', 'eviction', 'scale'].map(
    (subResource) => [`subresource ${subResource}`, create(contradictory, { subResource }), true] as const,
  ),
  [
    'generateName, no name',
    create({ ...contradictory, metadata: { generateName: 'web-', annotations: { [KEYS.withEip[1]]: 'yes' } } }),
    false,
    /InvalidBoolean/,
  ],
  [
    'on its way out',
    create({
      ...contradictory,
      metadata: { annotations: { [KEYS.withEip[1]]: 'yes' }, deletionTimestamp: '2026-01-01T00:00:00Z' },
    }),
    true,
  ],
  [
    'numbers that JSON cannot hold',
    create({ ...pod({}), spec: { priority: Number.POSITIVE_INFINITY, x: -0, y: 2 ** 53 + 1 } }),
    true,
  ],
  [
    'a user who says that he is the master',
    create(contradictory, { userInfo: { username: 'x', groups: ['system:masters'] } }),
    false,
  ],
  ['a kind without pods', create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }), true],
  ['a kind that nobody knows', create({ apiVersion: 'x/v9', kind: 'Y' }), true],
  [
    '100,000 keys',
    create(pod({ annotations: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, ''])) })),
    true,
    /more than 5000 annotations/,
  ],
  ['deep', create(JSON.parse(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)), true, /cannot read/],
];

test('reviews of all sorts: let in or refused, with their uid and a sentence', async (t) => {
  for (const [say, body, allowed, says] of REVIEWS) {
    const { response } = await answer('/validate/workloads', body);
    t.is(response.uid, 'u', say);
    t.is(response.allowed, allowed, say);
    t.is(response.status?.code, allowed ? undefined : 403, say);
    if (says) t.regex(response.status?.message ?? response.warnings?.join('\n') ?? '', says, say);
  }
});

test('the other webhooks answer the same reviews, and refuse none', async (t) => {
  for (const path of paths.filter((each) => each !== '/validate/workloads'))
    for (const [say, body] of REVIEWS) t.true((await answer(path, body)).response.allowed, `${path}: ${say}`);
});

const GOOD = 'clusterID: c1\nregionID: cn-hangzhou\nvpcID: vpc-1\n';
/** Configurations that are refused, and what is said. */
const CONFIGURATIONS: readonly (readonly [say: string, text: string, says: RegExp])[] = [
  ['empty', '', /required/],
  ['a list', '- a\n', /mapping/],
  ['a bomb of aliases', `a: &a [x,x]\n${Array.from({ length: 120 }, (_, i) => `b${i}: *a`).join('\n')}\n`, /aliases/],
  ['tabs', `${GOOD}eipDefaults:\n\tbandwidth: 5\n`, /tab/],
  ['a key twice', `${GOOD}clusterID: c2\n`, /twice/],
  ['wrong types', `${GOOD}enableRRSA: "yes"\n`, /true or false/],
  ['an unknown key', `${GOOD}enableRrsa: true\n`, /enableRRSA/],
  ['a rate below zero', `${GOOD}kubeClientQPS: -1\n`, /above 0/],
  ['a share of 0 %', `${GOOD}cloud: { apiShare: 0 }\n`, /0\.01 to 1/],
  ['a share of 101 %', `${GOOD}cloud: { apiShare: 1.01 }\n`, /0\.01 to 1/],
  ['no region', GOOD.replace('cn-hangzhou', 'hangzhou'), /region/],
  ['an endpoint with a scheme of its own', `${GOOD}endpoints: { vpc: 'ftp://x' }\n`, /host/],
  ['an endpoint with a path', `${GOOD}endpoints: { vpc: 'https://x/y' }\n`, /path/],
  ['an endpoint with a user', `${GOOD}endpoints: { vpc: 'https://a:b@x' }\n`, /user/],
  ['a cluster ID with blanks', GOOD.replace('c1', '"c 1"'), /clusterID/],
  ['an empty cluster ID', GOOD.replace('c1', '""'), /clusterID/],
  ['a cluster ID of 129 characters', GOOD.replace('c1', 'c'.repeat(129)), /clusterID/],
  ['a duration', `${GOOD}cloud: { settleSeconds: 20s }\n`, /whole number/],
  ['cut off in the middle', `${GOOD}eipDefaults: { bandwidth: 5, isp: "BG`, /missing|readable/],
  ['a conflict that is neither', `${GOOD}webhook: { onConflict: deny }\n`, /refuse, warn/],
  [
    'a price below zero',
    `${GOOD}priceTable: { prices: [{ internetChargeType: PayByTraffic, perHour: -1 }] }\n`,
    /0 or more/,
  ],
  ['a price for nothing', `${GOOD}priceTable: { prices: [{ perHour: 1 }] }\n`, /internetChargeType/],
  ['__proto__', `${GOOD}__proto__: { polluted: true }\n`, /__proto__/],
  ['deep', `${GOOD}a: ${'['.repeat(5_000)}${']'.repeat(5_000)}\n`, /nested too deeply|aliases/],
];

test('configurations: each is refused with file, place and what to write', (t) => {
  for (const [say, text, says] of CONFIGURATIONS) {
    const error = t.throws(() => loadConfig({ text, path: 'config.yaml', env: {} }), { instanceOf: ConfigError }, say);
    t.regex(error.message, says, say);
    t.regex(error.message, /config\.yaml/, say);
  }
  t.is(({} as { polluted?: boolean }).polluted, undefined);
});

/** Manifests that cannot be read: the line, and what is said. */
const MANIFESTS: readonly (readonly [say: string, text: string, line: number, says: RegExp])[] = [
  ['no YAML', 'a: [', 1, /not YAML/],
  ['a tab', 'a:\n\tb: 1\n', 2, /not YAML/],
  ['a key twice in the second document', 'a: 1\n---\nb: 1\nb: 2\n', 4, /not YAML/],
  ['a bomb', `a: &a [x,x]\nb: &b [*a,*a]\nc: [${Array.from({ length: 1_100 }, () => '*b').join(',')}]\n`, 1, /aliases/],
  ['an alias to nothing', 'a: *b\n', 1, /not (YAML|readable)/],
];

test('manifests that are no YAML are told with their line, and the others are read', (t) => {
  for (const [say, text, line, says] of MANIFESTS) {
    const { problems } = readDocuments(text);
    t.is(problems[0]?.line, line, say);
    t.regex(problems[0]?.message ?? '', says, say);
  }
  const { manifests, problems } = readDocuments('a: [\n---\nkind: Pod\n');
  t.is(problems.length, 1);
  t.deepEqual(
    manifests.map(({ object }) => object),
    [{ kind: 'Pod' }],
  );
  t.deepEqual(readDocuments('---\n---\n# nothing\n'), { manifests: [], problems: [] });
  t.is(readDocuments(`a: ${'['.repeat(20_000)}`).problems.length, 1);
});

test('objects of which nothing can be read are told by their key', (t) => {
  for (const [object, path] of [
    [null, ''],
    [5, ''],
    [{}, 'apiVersion'],
    [{ apiVersion: 'v1', kind: 'Pod' }, 'metadata'],
    [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } }, 'spec'],
    [
      service({ annotations: { 'k8s.aliyun.com/eip-bandwidth': 5 } }),
      'spec.template.metadata.annotations.k8s.aliyun.com/eip-bandwidth',
    ],
  ] as const) {
    const read = readWorkload(object);
    t.is(read.kind, 'unreadable');
    if (read.kind === 'unreadable') t.is(read.problems[0]?.path.join('.'), path);
  }
  const read = readWorkload(pod({ annotations: { 'k8s.aliyun.com/eip-bandwidth': 5 } }));
  t.regex(read.kind === 'unreadable' ? (read.problems[0]?.message ?? '') : '', /found the number 5.*write "5"/);
});
