import test from 'ava';
import { assert as assertProperty, constantFrom, dictionary, property } from 'fast-check';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { canonicalAnnotations, creationOf, type Creation } from '../../src/intent/creation.ts';
import { readAnnotations } from '../../src/intent/read.ts';
import type { Target } from '../../src/intent/target.ts';

const DEFAULTS = { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' } as const;
const read = (annotations: Record<string, string>) => readAnnotations(annotations, DEFAULTS);
const ECS: Target = { on: 'ecs', because: 'node' };
const ADD_ON: Target = { on: 'eci', by: 'add-on', because: 'node' };
const OURS: Target = { on: 'eci', by: 'ours', because: 'node' };
const targets: readonly Target[] = [
  ECS,
  ADD_ON,
  OURS,
  { on: 'acs', because: 'label' },
  { on: 'unknown', because: 'not scheduled' },
];

const NEW = { [KEYS.withEip[0]]: 'true' };
const EXISTING = { [KEYS.instanceId[0]]: 'eip-1' };
const create = (annotations: Record<string, string>, target: Target): Creation =>
  creationOf(read(annotations), annotations, target);

/** A right value for each setting of a new EIP, and whether CreateContainerGroup can say it. */
const SETTINGS: readonly (readonly [Setting, string, inApi: boolean, inAddOn: boolean])[] = [
  ['bandwidth', '10', true, true],
  ['isp', 'BGP_PRO', true, true],
  ['isp', 'ChinaTelecom', false, true],
  ['bandwidthPackageId', 'cbwp-1', true, true],
  ['internetChargeType', 'PayByTraffic', false, true],
  ['publicIpAddressPoolId', 'pippool-1', false, true],
  ['resourceGroupId', 'rg-1', false, false],
  ['name', 'web', false, false],
  ['description', 'of web', false, false],
  ['securityProtectionTypes', 'AntiDDoS_Enhanced', false, false],
  ['tags', '{"team":"web"}', false, false],
];

test('each setting of a new EIP: who makes it, for each target', (t) => {
  for (const [setting, value, inApi, inAddOn] of SETTINGS)
    for (const key of KEYS[setting]) {
      const annotations = { ...NEW, [key]: value };
      t.is(create(annotations, ECS).by, 'podeip', key);
      t.is(create(annotations, OURS).by, inApi ? 'container-group' : 'vpc-first', `${key}: ${value}`);
      const byAddOn = create(annotations, ADD_ON);
      if (byAddOn.by !== 'add-on') return t.fail(byAddOn.by);
      const isHonoured = inAddOn && value !== 'ChinaTelecom';
      t.is(byAddOn.findings.length, isHonoured ? 0 : 1, `${key}: ${value}`);
      if (!isHonoured) t.like(byAddOn.findings[0], { id: 'NotHonouredByEci', severity: 'warn', keys: [key] });
    }
});

const parameters = (annotations: Record<string, string>) => {
  const creation = create(annotations, OURS);
  return creation.by === 'container-group' ? creation.parameters : creation.by;
};

test('what CreateContainerGroup is asked for', (t) => {
  t.deepEqual(parameters(NEW), { autoCreateEip: true, eipBandwidth: 5, eipISP: 'BGP' });
  t.deepEqual(parameters({ ...NEW, [KEYS.bandwidth[1]]: '5M', [KEYS.isp[0]]: 'BGP_PRO' }), {
    autoCreateEip: true,
    eipBandwidth: 5,
    eipISP: 'BGP_PRO',
  });
  const inPackage = { ...NEW, [KEYS.bandwidthPackageId[0]]: 'cbwp-1', [KEYS.internetChargeType[0]]: 'PayByTraffic' };
  t.deepEqual(parameters(inPackage), {
    autoCreateEip: true,
    eipBandwidth: 5,
    eipISP: 'BGP',
    eipCommonBandwidthPackage: 'cbwp-1',
  });
  t.is(parameters({ ...NEW, [KEYS.releaseStrategy[0]]: '10m' }), 'vpc-first');
  t.is(parameters(EXISTING), 'after-creation');
});

const told = (annotations: Record<string, string>) => {
  const creation = create(annotations, ADD_ON);
  return creation.by === 'add-on' ? creation.annotations : undefined;
};

test('what the add-on is told: its own keys and no others, with everything said that it can be told', (t) => {
  t.deepEqual(told({ [KEYS.withEip[0]]: 'true', [KEYS.bandwidth[0]]: '5M' }), {
    'k8s.aliyun.com/eci-with-eip': 'true',
    'k8s.aliyun.com/eip-bandwidth': '5',
    'k8s.aliyun.com/eip-internet-charge-type': 'PayByTraffic',
    'k8s.aliyun.com/eip-isp': 'BGP',
  });
  t.deepEqual(told(EXISTING), { 'k8s.aliyun.com/eci-eip-instanceid': 'eip-1' });
});

test('nobody makes what is not asked for, is refused, or is not ours to make', (t) => {
  for (const target of targets) {
    t.is(create({}, target).by, 'nobody');
    t.is(create({ ...NEW, ...EXISTING }, target).by, 'nobody');
  }
  for (const target of targets.slice(3)) t.is(create(NEW, target).by, 'nobody');
});

test('whatever is asked for, in whatever spelling, there is an answer, and the canonical keys mean the same', (t) => {
  const key = constantFrom(...Object.values(KEYS).flat());
  const value = constantFrom(
    'true',
    '5',
    '5M',
    'eip-1',
    'BGP',
    'BGP_PRO',
    'cbwp-1',
    'PayByBandwidth',
    'pippool-1',
    '10m',
  );
  assertProperty(
    property(dictionary(key, value), constantFrom(...targets), (annotations, target) => {
      const reading = read(annotations);
      const creation = creationOf(reading, annotations, target);
      if ((creation.by === 'nobody') !== (!reading.request || target.on === 'acs' || target.on === 'unknown'))
        return false;
      if (!reading.request) return true;
      const canonical = canonicalAnnotations(reading.request);
      const again = read(canonical);
      if (again.findings.length > 0 || !again.request) return false;
      return JSON.stringify(canonicalAnnotations(again.request)) === JSON.stringify(canonical);
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});
