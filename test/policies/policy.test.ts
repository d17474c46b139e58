import test from 'ava';
import { array, assert, constant, integer, property, record, uniqueArray, type Arbitrary } from 'fast-check';
import { KEYS } from '../../src/api/annotations.ts';
import type { EipPolicy, EipPolicySpec } from '../../src/api/eippolicy.ts';
import {
  defaultsUnder,
  effectivePolicy,
  isLimited,
  mayNameUnder,
  notAllowed,
  overLimits,
  countedMbps,
  UNRESTRICTED,
  type EffectivePolicy,
} from '../../src/policies/policy.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import type { NewEip } from '../../src/request/request.ts';
import { DEFAULTS as configured } from '../harness/settings.ts';

const policy = (name: string, spec: EipPolicySpec): EipPolicy => ({
  metadata: { name, uid: name, resourceVersion: '1' },
  spec,
});
const web = { name: 'web', labels: { team: 'web', stage: 'test' } };
const of = (...specs: readonly EipPolicySpec[]): EffectivePolicy =>
  effectivePolicy(
    specs.map((spec, index) => policy(`p${index}`, spec)),
    web,
  );
const request: NewEip = {
  kind: 'new',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  securityProtectionTypes: [],
  tags: [],
};

const expression = (key: string, operator: string, values?: readonly string[]) => ({
  namespaceSelector: { matchExpressions: [{ key, operator, values }] },
});
const meant: readonly (readonly [boolean, string, EipPolicySpec])[] = [
  [true, 'neither names nor selector', {}],
  [true, 'its name', { namespaces: ['other', 'web'] }],
  [false, 'another name', { namespaces: ['other'] }],
  [false, 'no name', { namespaces: [] }],
  [true, 'an empty selector', { namespaceSelector: {} }],
  [true, 'its label', { namespaceSelector: { matchLabels: { team: 'web' } } }],
  [false, 'another value', { namespaceSelector: { matchLabels: { team: 'api' } } }],
  [false, 'a label that it has not', { namespaceSelector: { matchLabels: { team: 'web', tier: 'x' } } }],
  [false, 'a label of every object in JavaScript', { namespaceSelector: { matchLabels: { constructor: 'x' } } }],
  [true, 'another name and its label', { namespaces: ['other'], namespaceSelector: { matchLabels: { team: 'web' } } }],
  [true, 'its name and another label', { namespaces: ['web'], namespaceSelector: { matchLabels: { team: 'api' } } }],
  [true, 'In with its value', expression('team', 'In', ['api', 'web'])],
  [false, 'In with others', expression('team', 'In', ['api'])],
  [false, 'In with a label that it has not', expression('tier', 'In', ['web'])],
  [false, 'NotIn with its value', expression('team', 'NotIn', ['web'])],
  [true, 'NotIn with others', expression('team', 'NotIn', ['api'])],
  [true, 'NotIn with a label that it has not', expression('tier', 'NotIn', ['api'])],
  [true, 'Exists', expression('team', 'Exists')],
  [false, 'Exists with a label that it has not', expression('tier', 'Exists')],
  [false, 'DoesNotExist', expression('team', 'DoesNotExist')],
  [true, 'DoesNotExist with a label that it has not', expression('tier', 'DoesNotExist')],
  [true, 'In without values, which is not complete', expression('tier', 'In')],
  [true, 'an operator that is not known', expression('tier', 'Near', ['x'])],
];
for (const [isMeant, by, spec] of meant)
  test(`a namespace is ${isMeant ? '' : 'not '}meant by ${by}`, (t) => {
    t.deepEqual(of({ ...spec, limits: { eips: 1 } }).names, isMeant ? ['p0'] : []);
  });

test('without a policy that means it, a namespace may do what the configuration says', (t) => {
  const nothing = effectivePolicy([policy('other', { namespaces: ['other'], limits: { eips: 0 } })], web);
  t.is(nothing, UNRESTRICTED);
  t.deepEqual(notAllowed(nothing, { ...request, bandwidthPackageId: 'cbwp-1', resourceGroupId: 'rg-1' }), []);
  t.is(mayNameUnder(nothing, 'eip-1', undefined), 'unsaid');
  t.false(isLimited(nothing));
  t.is(overLimits(nothing, { eips: 1e6, bandwidthMbps: 1e6 }, request), undefined);
  t.deepEqual(defaultsUnder(nothing, configured), configured);
});

test('of several policies the most restrictive wins, whatever their order', (t) => {
  const specs: readonly EipPolicySpec[] = [
    {
      bandwidthPackages: ['cbwp-1', 'cbwp-2', 'cbwp-3'],
      limits: { eips: 5, bandwidthMbps: 50 },
      defaults: { bandwidth: 20, isp: 'BGP_PRO', bandwidthPackage: 'cbwp-1' },
    },
    {
      bandwidthPackages: ['cbwp-3', 'cbwp-2'],
      resourceGroups: [],
      limits: { eips: 3 },
      defaults: { bandwidth: 10, isp: 'BGP', bandwidthPackage: 'cbwp-2' },
    },
    { limits: { bandwidthMbps: 70 } },
  ];
  const effective = of(...specs);
  t.deepEqual(effective, {
    names: ['p0', 'p1', 'p2'],
    existingEips: undefined,
    bandwidthPackages: ['cbwp-2', 'cbwp-3'],
    publicIpAddressPools: undefined,
    resourceGroups: [],
    limits: { eips: 3, bandwidthMbps: 50 },
    // The first policy's package is not allowed by the second one.
    defaults: { bandwidthMbps: 10, isp: 'BGP_PRO', bandwidthPackageId: 'cbwp-2' },
  });
  const named = specs.map((spec, index) => policy(`p${index}`, spec));
  for (const order of [
    [2, 1, 0],
    [1, 0, 2],
    [1, 2, 0],
  ])
    t.deepEqual(
      effectivePolicy(
        order.map((index) => named[index]!),
        web,
      ),
      effective,
    );
});

const id = (prefix: string) => integer({ min: 1, max: 3 }).map((number) => `${prefix}-${number}`);

test('one policy more never allows more', (t) => {
  const ids = (prefix: string) => uniqueArray(id(prefix), { maxLength: 3 });
  const limit = integer({ min: 0, max: 4 });
  const spec: Arbitrary<EipPolicySpec> = record(
    {
      existingEips: record({ ids: ids('eip'), tags: array(constant({ team: 'web' }), { maxLength: 1 }) }),
      bandwidthPackages: ids('cbwp'),
      publicIpAddressPools: ids('pippool'),
      resourceGroups: ids('rg'),
      limits: record({ eips: limit, bandwidthMbps: limit.map((n) => n * 5) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  const rank = { no: 0, yes: 1, unknown: 1, unsaid: 1 } as const;
  assert(
    property(
      array(spec, { maxLength: 3 }),
      spec,
      record({ held: limit, packageId: id('cbwp'), poolId: id('pippool'), groupId: id('rg'), eipId: id('eip') }),
      (some, another, { held, packageId, poolId, groupId, eipId }) => {
        const [before, after] = [of(...some), of(...some, another)];
        const wanted = {
          ...request,
          bandwidthPackageId: packageId,
          publicIpAddressPoolId: poolId,
          resourceGroupId: groupId,
        };
        const usage = { eips: held, bandwidthMbps: held * 5 };
        return (
          notAllowed(after, wanted).length >= notAllowed(before, wanted).length &&
          Number(overLimits(after, usage, request) !== undefined) >=
            Number(overLimits(before, usage, request) !== undefined) &&
          rank[mayNameUnder(after, eipId, new Map())] <= rank[mayNameUnder(before, eipId, new Map())]
        );
      },
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test('what is not listed may not be named, and the finding says what may', (t) => {
  const effective = of({
    bandwidthPackages: ['cbwp-1', 'cbwp-2'],
    publicIpAddressPools: [],
    resourceGroups: ['rg-1'],
    defaults: { bandwidthPackage: 'cbwp-3' },
  });
  const named = (id: string) => notAllowed(effective, { ...request, bandwidthPackageId: id });
  for (const allowed of ['cbwp-1', 'cbwp-2', 'cbwp-3']) t.deepEqual(named(allowed), []);
  const [finding] = named('cbwp-4');
  t.is(finding?.id, 'NotAllowedByPolicy');
  t.is(finding?.severity, 'refuse');
  t.is(finding?.problem, `pods of this namespace may not name cbwp-4 in ${KEYS.bandwidthPackageId[0]} (EipPolicy p0)`);
  t.is(finding?.remedy, 'write one of cbwp-1, cbwp-2, cbwp-3, or remove the annotation');
  const all = notAllowed(effective, {
    ...request,
    bandwidthPackageId: 'cbwp-4',
    publicIpAddressPoolId: 'pippool-1',
    resourceGroupId: 'rg-2',
  });
  t.deepEqual(
    all.map(({ keys }) => keys),
    [KEYS.bandwidthPackageId, KEYS.publicIpAddressPoolId, KEYS.resourceGroupId],
  );
  t.deepEqual(notAllowed(effective, { ...request, resourceGroupId: 'rg-1' }), []);
  t.deepEqual(notAllowed(effective, { kind: 'existing', allocationId: 'eip-1' }), []);
});

test('an existing EIP must be among those of every policy that has a list', (t) => {
  const ids = of({ existingEips: { ids: ['eip-1'] } });
  t.is(mayNameUnder(ids, 'eip-1', undefined), 'yes');
  t.is(mayNameUnder(ids, 'eip-2', undefined), 'no');
  t.is(mayNameUnder(of({ existingEips: {} }), 'eip-1', new Map()), 'no');
  const both = of(
    { existingEips: { ids: ['eip-1'], tags: [{ team: 'web', stage: 'test' }] } },
    { existingEips: { ids: ['eip-1', 'eip-2'] } },
  );
  const tagged = new Map([
    ['team', 'web'],
    ['stage', 'test'],
  ]);
  t.is(mayNameUnder(both, 'eip-1', new Map()), 'yes');
  t.is(mayNameUnder(both, 'eip-2', tagged), 'yes');
  t.is(mayNameUnder(both, 'eip-2', new Map([['team', 'web']])), 'no');
  t.is(mayNameUnder(both, 'eip-2', undefined), 'unknown');
  t.is(mayNameUnder(both, 'eip-3', tagged), 'no');
});

test('limits count the next EIP, and an EIP in a package has no bandwidth of its own', (t) => {
  const effective = of({ limits: { eips: 2, bandwidthMbps: 12 } });
  const over = (eips: number, bandwidthMbps: number, wanted = request) =>
    overLimits(effective, { eips, bandwidthMbps }, wanted);
  t.is(over(1, 7), undefined);
  t.regex(over(2, 0)?.problem ?? '', /^this namespace may hold 2 EIPs at once and holds 2 \(EipPolicy p0\)$/);
  t.is(over(2, 0)?.id, 'QuotaOfNamespaceExceeded');
  t.regex(
    over(1, 8)?.problem ?? '',
    /^this namespace may hold 12 Mbit\/s at once and holds 8, and 5 more are asked for/,
  );
  t.regex(over(1, 8)?.remedy ?? '', /when another pod of the namespace gives its EIP back/);
  t.regex(over(0, 0, { ...request, bandwidthMbps: 13 })?.remedy ?? '', /^ask for less bandwidth/);
  t.is(over(1, 12, { ...request, bandwidthPackageId: 'cbwp-1' }), undefined);
  t.is(countedMbps({ ...request, bandwidthPackageId: 'cbwp-1' }), 0);
  t.regex(
    overLimits(of({ limits: { eips: 0 } }), { eips: 0, bandwidthMbps: 0 }, request)?.remedy ?? '',
    /^ask an operator/,
  );
});

test('for several pods it is said how many more are asked for, and none ask for nothing', (t) => {
  const eips = of({ limits: { eips: 5 } });
  const held = { eips: 3, bandwidthMbps: 15 };
  t.is(overLimits(eips, held, request, 2), undefined);
  const over = overLimits(eips, held, request, 3);
  t.is(over?.problem, 'this namespace may hold 5 EIPs at once and holds 3, and 3 more are asked for (EipPolicy p0)');
  t.regex(over?.remedy ?? '', /^run fewer pods, wait until other pods of the namespace give their EIPs back/);
  t.is(overLimits(eips, undefined, request, 5), undefined);
  const alone = overLimits(eips, undefined, request, 6);
  t.is(alone?.problem, 'this namespace may hold 5 EIPs at once, and 6 are asked for (EipPolicy p0)');
  t.is(alone?.remedy, 'run fewer pods, or ask an operator for a higher limit');
  const wide = of({ limits: { bandwidthMbps: 12 } });
  t.regex(overLimits(wide, { eips: 0, bandwidthMbps: 1 }, request, 3)?.problem ?? '', /holds 1, and 15 more are asked/);
  t.regex(overLimits(wide, undefined, request, 3)?.remedy ?? '', /^run fewer pods, ask for less bandwidth/);
  t.is(overLimits(wide, undefined, { ...request, bandwidthPackageId: 'cbwp-1' }, 30), undefined);
  t.is(overLimits(of({ limits: { eips: 0, bandwidthMbps: 0 } }), held, request, 0), undefined);
});

test('defaults of the policy come before those of the configuration, and after the annotations', (t) => {
  const effective = of({
    defaults: { bandwidth: 300, isp: 'BGP_PRO', bandwidthPackage: 'cbwp-1', internetChargeType: 'PayByTraffic' },
  });
  const defaults = defaultsUnder(effective, configured);
  const read = (given: Readonly<Record<string, string>>) =>
    parseAnnotations({ [KEYS.withEip[0]]: 'true', ...given }, defaults).request;
  // By traffic no more is possible.
  t.like(read({}), { bandwidthMbps: 200, isp: 'BGP_PRO', bandwidthPackageId: 'cbwp-1' });
  t.like(read({ [KEYS.bandwidth[0]]: '7', [KEYS.isp[0]]: 'BGP', [KEYS.bandwidthPackageId[0]]: 'cbwp-2' }), {
    bandwidthMbps: 7,
    isp: 'BGP',
    bandwidthPackageId: 'cbwp-2',
  });
  // What is paid by bandwidth cannot be in a package.
  t.like(read({ [KEYS.internetChargeType[0]]: 'PayByBandwidth' }), {
    bandwidthMbps: 300,
    bandwidthPackageId: undefined,
  });
});

test('labels that nobody knows match every selector', (t) => {
  const policy = { metadata: { name: 'p', uid: 'p', resourceVersion: '1' } };
  const spec = { namespaceSelector: { matchLabels: { team: 'api' } }, limits: { eips: 1 } };
  const limits = (labels: 'unread' | Record<string, string> | undefined) =>
    effectivePolicy([{ ...policy, spec }], { name: 'web', labels }).limits.eips;
  t.deepEqual([limits('unread'), limits({ team: 'web' }), limits(undefined)], [1, undefined, undefined]);
});
