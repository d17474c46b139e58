import test from 'ava';
import { array, assert, constantFrom, option, property, record, uniqueArray } from 'fast-check';
import type { EipPolicy, EipPolicySpec } from '../../src/api/eippolicy.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { contradictionsAmong } from '../../src/policies/contradictions.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { namespaceHoldingOf, reportPolicies, type PolicyReport } from '../../src/policies/policy-status.ts';
import { unknownFields } from '../../src/policies/read-policy.ts';

const policy = (name: string, spec: EipPolicySpec): EipPolicy => ({
  metadata: { name, uid: name, resourceVersion: '1' },
  spec,
});

const WEB = { name: 'web', labels: { team: 'web' } };
const SHOP = { name: 'shop', labels: { team: 'shop' } };

const podEip = (namespace: string, name: string, more: Partial<PodEip> = {}): PodEip => ({
  metadata: { namespace, name, uid: `${namespace}/${name}`, resourceVersion: '1' },
  spec: { allocationID: `eip-${namespace}-${name}`, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
  ...more,
});

const report = (
  specs: Readonly<Record<string, unknown>>,
  podEips: readonly PodEip[] = [],
): Readonly<Record<string, PolicyReport>> =>
  Object.fromEntries(
    reportPolicies({
      policies: Object.entries(specs).map(([name, spec]) => policy(name, spec as EipPolicySpec)),
      namespaces: [SHOP, WEB],
      holdingOf: (namespace) =>
        namespaceHoldingOf(
          namespace,
          podEips.filter(({ metadata }) => metadata.namespace === namespace),
        ),
      unknownFields: ({ spec }) => unknownFields(spec),
    }),
  );

const SELECTIONS: readonly (readonly [spec: EipPolicySpec, selects: string, namespaces: number])[] = [
  [{}, 'every namespace', 2],
  [{ namespaceSelector: {} }, 'every namespace', 2],
  [{ namespaces: ['web'] }, 'web', 1],
  [{ namespaces: ['a', 'b', 'c', 'd', 'shop'] }, 'a,b,c and 2 more', 1],
  [{ namespaceSelector: { matchLabels: { team: 'web' } } }, 'team=web', 1],
  [
    {
      namespaceSelector: {
        matchExpressions: [
          { key: 'team', operator: 'In', values: ['web', 'api'] },
          { key: 'old', operator: 'DoesNotExist' },
          { key: 'team', operator: 'Exists' },
        ],
      },
    },
    'team in (web,api),!old,team',
    1,
  ],
  [{ namespaces: ['shop'], namespaceSelector: { matchLabels: { team: 'web' } } }, 'shop or team=web', 2],
];

test('a policy says by what it selects, and how many namespaces that are', (t) => {
  for (const [spec, selects, namespaces] of SELECTIONS) {
    const { one } = report({ one: spec });
    t.is(one?.selects, selects);
    t.is(one?.namespaces, namespaces, selects);
    t.deepEqual([one?.ready.status, one?.ready.reason], ['True', 'InForce']);
  }
  const { none } = report({ none: { namespaces: ['wed'] } });
  t.deepEqual([none?.namespaces, none?.ready.status, none?.ready.reason], [0, 'True', 'NoNamespace']);
  t.regex(none?.ready.message ?? '', /^no namespace exists that it means \(wed\); if one should, compare its name/);
});

test('pods, EIPs and what they count are those of all its namespaces, the fullest is named', (t) => {
  const waits = { type: 'Ready', status: 'False', reason: 'QuotaOfNamespaceExceeded', message: '' } as const;
  const podEips = [
    podEip('web', 'a'),
    podEip('shop', 'b'),
    podEip('shop', 'c'),
    podEip('shop', 'leaving', {
      metadata: { ...podEip('shop', 'leaving').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    }),
    podEip('web', 'waiting', {
      spec: { allocationID: '', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
      status: { conditions: [{ ...waits, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    }),
    podEip('web', 'named', {
      spec: { allocationID: 'eip-1', allocationType: { type: 'Static', releaseStrategy: 'Never' } },
    }),
  ];
  const { all, web } = report({ all: {}, web: { namespaces: ['web'] } }, podEips);
  t.like(all, { pods: 5, waiting: 1, eips: 4, fullest: { namespace: 'shop', eips: 3 } });
  t.like(web, { pods: 3, waiting: 1, eips: 1, fullest: { namespace: 'web', eips: 1 } });
  t.is(report({ all: {} })['all']?.fullest, null);
});

const expression = (operator: string, values?: readonly string[]) => ({
  namespaceSelector: { matchExpressions: [{ key: 'team', operator, ...(values && { values }) }] },
});

/** What a newer definition of the kind, or none at all, lets in. */
const NOT_UNDERSTOOD: readonly (readonly [spec: object, message: string])[] = [
  [{ limits: { eips: 1, addresses: 3 } }, 'spec.limits.addresses is not known to this version of the controller'],
  [{ quota: { eips: 1 } }, 'spec.quota is not known to this version'],
  [
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', since: 1 }] } },
    'matchExpressions[0].since is not',
  ],
  [{ limits: { eips: 'three' } }, 'limits.eips: '],
  [expression('In'), 'matchExpressions[0]: In without values for team is met by every namespace; write values, or'],
  [expression('NotIn', []), 'NotIn without values for team is met by every namespace'],
  [expression('Exists', ['web']), 'values (web) have no effect with the operator Exists; write In or NotIn, or remove'],
];

test('what is not understood is named, with what to write', (t) => {
  for (const [spec, message] of NOT_UNDERSTOOD) {
    const { odd } = report({ odd: spec });
    t.deepEqual([odd?.ready.status, odd?.ready.reason], ['False', 'FieldNotUnderstood'], message);
    t.true(odd?.ready.message.includes(message), odd?.ready.message);
  }
  const many = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, 1]));
  t.regex(report({ odd: many })['odd']?.ready.message ?? '', /\. And 2 more$/);
});

const CONTRADICTED: readonly (readonly [specs: Record<string, EipPolicySpec>, told: Record<string, string>])[] = [
  [
    { a: { bandwidthPackages: ['cbwp-1'] }, b: { bandwidthPackages: ['cbwp-2'] } },
    {
      a: 'bandwidthPackages: cbwp-1 here and cbwp-2 in EipPolicy b, which means shop, too, have nothing in common',
      b: 'bandwidthPackages: cbwp-2 here and cbwp-1 in EipPolicy a',
    },
  ],
  [
    { a: { existingEips: { ids: ['eip-1'] } }, b: { existingEips: { ids: ['eip-2', 'eip-3', 'eip-4', 'eip-5'] } } },
    {
      a: 'existingEips.ids: eip-1 here and eip-2, eip-3, eip-4 and 1 more in EipPolicy b',
      b: 'existingEips.ids: eip-2, eip-3, eip-4 and 1 more here and eip-1 in EipPolicy a',
    },
  ],
  [
    { a: { defaults: { isp: 'BGP' } }, b: { defaults: { isp: 'BGP_PRO' } } },
    { b: 'defaults.isp: BGP_PRO has no effect in shop, because EipPolicy a says BGP, and its name comes first' },
  ],
  [
    { a: { defaults: { bandwidth: 20 } }, b: { defaults: { bandwidth: 10 } } },
    { a: 'defaults.bandwidth: 20 has no effect in shop, because EipPolicy b says 10, and the lowest holds; write the' },
  ],
  [
    { a: { defaults: { bandwidthPackage: 'cbwp-1' } }, b: { bandwidthPackages: [] } },
    {
      a: 'cbwp-1 has no effect in shop, because EipPolicy b does not allow it there; write it into its bandwidthPackages',
    },
  ],
  [
    { a: { defaults: { bandwidth: 100 }, limits: { bandwidthMbps: 50 } } },
    {
      a: 'asks for 100 Mbit/s and never gets an EIP, because limits.bandwidthMbps lets its namespace hold 50; write a default of at most 50, or a higher limit',
    },
  ],
  [
    { a: { defaults: { bandwidth: 100 } }, b: { limits: { bandwidthMbps: 50 } } },
    { a: 'because limits.bandwidthMbps of EipPolicy b lets its namespace hold 50' },
  ],
  // No contradictions.
  [{ a: { limits: { eips: 3 } }, b: { limits: { eips: 5 } } }, {}],
  [{ a: { bandwidthPackages: ['cbwp-1'] }, b: { bandwidthPackages: [] } }, {}],
  [
    { a: { namespaces: ['web'], defaults: { isp: 'BGP' } }, b: { namespaces: ['shop'], defaults: { isp: 'BGP_PRO' } } },
    {},
  ],
  [{ a: { defaults: { bandwidth: 100, bandwidthPackage: 'cbwp-1' }, limits: { bandwidthMbps: 50 } } }, {}],
  [{ a: { existingEips: { ids: ['eip-1'] } }, b: { existingEips: { tags: [{ team: 'web' }] } } }, {}],
  [{ a: { defaults: { bandwidth: 5 }, limits: { bandwidthMbps: 0 } } }, {}],
];

test('two policies that contradict each other both hear of it, or the one that has no effect, and no other', (t) => {
  for (const [specs, told] of CONTRADICTED)
    for (const [name, { ready }] of Object.entries(report(specs))) {
      const expected = told[name];
      t.is(ready.reason, expected === undefined ? 'InForce' : 'Contradicted', `${name}: ${ready.message}`);
      if (expected !== undefined) t.true(ready.message.includes(expected), ready.message);
    }
});

const one = <T>(...values: readonly T[]) => option(constantFrom(...values), { nil: undefined });

test('a policy of which nothing is said has the effect that it says, and one of which something is said has not', (t) => {
  const specs = array(
    record({
      bandwidthPackages: option(uniqueArray(constantFrom('cbwp-1', 'cbwp-2', 'cbwp-3')), { nil: undefined }),
      defaults: record({
        bandwidth: one(5, 10),
        isp: one('BGP', 'BGP_PRO'),
        internetChargeType: one('PayByTraffic' as const, 'PayByBandwidth' as const),
        bandwidthPackage: one('cbwp-1', 'cbwp-2'),
      }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  let contradicted = 0;
  assert(
    property(specs, (drawn) => {
      const policies = drawn.map((spec, index) => policy(`p${index}`, spec));
      const { defaults } = effectivePolicy(policies, { name: 'web' });
      const holds = {
        bandwidth: defaults.bandwidthMbps,
        isp: defaults.isp,
        internetChargeType: defaults.internetChargeType,
        bandwidthPackage: defaults.bandwidthPackageId,
      };
      const told = contradictionsAmong(policies, 'web').map(({ policy: name, sentence }) => [name, sentence] as const);
      for (const { metadata, spec } of policies)
        for (const [field, value] of Object.entries(spec.defaults ?? {})) {
          const isTold = told.some(([name, text]) => name === metadata.name && text.startsWith(`defaults.${field}: `));
          const hasNoEffect = value !== undefined && value !== holds[field as keyof typeof holds];
          if (isTold) contradicted += 1;
          if (isTold !== hasNoEffect) throw new Error(`${metadata.name} ${field}: ${JSON.stringify(told)}`);
        }
    }),
    { numRuns: 500 },
  );
  t.true(contradicted > 100);
});

test('each policy counts the namespaces for which it is in force, however it selects them', (t) => {
  const name = constantFrom('a', 'b', 'c');
  const value = constantFrom('x', 'y');
  const labels = record({ team: value, stage: value }, { requiredKeys: [] });
  const expressions = array(
    record({
      key: constantFrom('team', 'stage'),
      operator: constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
    }).chain((it) =>
      (it.operator.endsWith('In') ? record({ values: array(value, { minLength: 1 }) }) : record({})).map((more) => ({
        ...it,
        ...more,
      })),
    ),
    { maxLength: 2 },
  );
  const spec = record({
    namespaces: one(['a'], ['b', 'c'], ['d']),
    namespaceSelector: option(record({ matchLabels: labels, matchExpressions: expressions }, { requiredKeys: [] }), {
      nil: undefined,
    }),
  });
  const namespaces = uniqueArray(record({ name, labels }), { selector: (it) => it.name });
  let meant = 0;
  assert(
    property(array(spec, { maxLength: 4 }), namespaces, (specs, all) => {
      const policies = specs.map((each, index) => policy(`p${index}`, each));
      const reports = reportPolicies({
        policies,
        namespaces: all,
        holdingOf: (namespace) => namespaceHoldingOf(namespace, []),
        unknownFields: () => [],
      });
      for (const { metadata } of policies) {
        const expected = all.filter((namespace) => effectivePolicy(policies, namespace).names.includes(metadata.name));
        meant += expected.length;
        if (reports.get(metadata.name)?.namespaces !== expected.length) throw new Error(metadata.name);
      }
    }),
    { numRuns: 500 },
  );
  t.true(meant > 100);
});
