import test from 'ava';
import {
  assert as assertProperty,
  constantFrom,
  oneof,
  option,
  property,
  record,
  subarray,
  tuple,
  type Arbitrary,
} from 'fast-check';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { canonicalAnnotations } from '../../src/request/provisioner.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import type { EipDefaults } from '../../src/request/request.ts';
import { DEFAULTS as defaults } from '../harness/settings.ts';

type Annotations = Readonly<Record<string, string>>;

test('the canonical annotations, completely', (t) => {
  const annotations = {
    'network.alibabacloud.com/pod-with-eip': 'true',
    'network.alibabacloud.com/eip-bandwidth': '5M',
    'network.alibabacloud.com/eip-charge-type': 'PayByBandwidth',
    'network.alibabacloud.com/eip-public-ip-address-pool-id': 'pippool-1',
    'network.alibabacloud.com/eip-common-bandwidth-package-id': 'cbwp-1',
    'network.alibabacloud.com/eip-name': 'web',
  };
  const { request } = parseAnnotations(annotations, defaults);
  if (!request) return t.fail();
  const canonical = {
    'k8s.aliyun.com/eci-with-eip': 'true',
    'k8s.aliyun.com/eip-bandwidth': '5',
    'k8s.aliyun.com/eip-internet-charge-type': 'PayByBandwidth',
    'k8s.aliyun.com/eip-common-bandwidth-package-id': 'cbwp-1',
    'k8s.aliyun.com/eip-isp': 'BGP',
    'k8s.aliyun.com/eip-public-ip-address-pool-id': 'pippool-1',
  };
  t.deepEqual(canonicalAnnotations(request), canonical);
  // Two spellings that disagree are refused, so the one with the old unit is corrected.
  t.deepEqual(canonicalAnnotations(request, annotations), {
    ...canonical,
    'network.alibabacloud.com/eip-bandwidth': '5',
  });
  t.deepEqual(canonicalAnnotations({ kind: 'existing', allocationId: 'eip-1' }), {
    'k8s.aliyun.com/eci-eip-instanceid': 'eip-1',
  });
  return undefined;
});

/** Any annotations: mostly right ones, in any spelling. */
const values: Readonly<Record<Setting, Arbitrary<string>>> = {
  withEip: constantFrom('true', 'true', 'true', 'false', 'yes'),
  instanceId: constantFrom('eip-1', 'cbwp-1'),
  bandwidth: constantFrom('1', '5', '5M', '200', '500', '0'),
  internetChargeType: constantFrom('PayByTraffic', 'PayByBandwidth'),
  instanceChargeType: constantFrom('PostPaid'),
  bandwidthPackageId: constantFrom('cbwp-1', 'cbwp-2'),
  isp: constantFrom('BGP', 'BGP_PRO', 'ChinaTelecom', 'BGP_FinanceCloud'),
  publicIpAddressPoolId: constantFrom('pippool-1'),
  resourceGroupId: constantFrom('rg-1'),
  name: constantFrom('web', '公网'),
  description: constantFrom('d'),
  securityProtectionTypes: constantFrom('', 'AntiDDoS_Enhanced'),
  tags: constantFrom('{}', '{"a":"b"}', 'x'),
  releaseStrategy: constantFrom('Follow', 'Never', '10m'),
  handover: constantFrom('ready', 'wait'),
};
const someKeys = (setting: Setting): Arbitrary<Annotations> =>
  tuple(subarray([...KEYS[setting]] as string[]), values[setting]).map(([keys, text]) =>
    Object.fromEntries(keys.map((key) => [key, text])),
  );
const annotationsOf = (only: readonly Setting[]): Arbitrary<Annotations> =>
  tuple(...only.map((setting) => option(someKeys(setting), { nil: {} }))).map(
    (parts) => Object.assign({}, ...parts) as Annotations,
  );
const creating = (Object.keys(KEYS) as Setting[]).filter((setting) => setting !== 'instanceId');
const anyDefaults: Arbitrary<EipDefaults> = record({
  bandwidthMbps: constantFrom(5, 10),
  internetChargeType: constantFrom('PayByTraffic', 'PayByBandwidth'),
  isp: constantFrom('BGP', 'BGP_PRO', 'ChinaMobile'),
});

/** What is refused says nothing about spelling: only requests are drawn. */
const requests = tuple(oneof(annotationsOf(creating), annotationsOf(['instanceId', 'bandwidth', 'tags'])), anyDefaults)
  .map(([given, base]) => ({ given, base, parsed: parseAnnotations(given, base) }))
  .filter(({ parsed }) => parsed.request !== undefined);

test('reading the canonical annotations gives the same request, and writing them again changes nothing', (t) => {
  assertProperty(
    property(requests, ({ given, base, parsed: { request, release } }) => {
      if (!request) return t.fail();
      const all = { ...given, ...canonicalAnnotations(request, given) };
      const again = parseAnnotations(all, base);
      t.deepEqual(again.request, request);
      t.deepEqual(again.release, release);
      t.deepEqual({ ...all, ...canonicalAnnotations(request, all) }, all);
      // The canonical keys alone say all that ECI honours, whatever the defaults of their reader are.
      const alone = parseAnnotations(canonicalAnnotations(request), { ...defaults, isp: 'BGP_FinanceCloud' });
      t.deepEqual(alone.findings, []);
      if (request.kind === 'existing') return t.deepEqual(alone.request, request);
      const { bandwidthMbps, internetChargeType, bandwidthPackageId, publicIpAddressPoolId } = request;
      const isp = ['BGP', 'BGP_PRO'].includes(request.isp) ? request.isp : 'BGP_FinanceCloud';
      const honoured = { bandwidthMbps, internetChargeType, bandwidthPackageId, publicIpAddressPoolId, isp };
      return t.like(alone.request, { kind: 'new', ...honoured });
    }),
    { numRuns: 300 },
  );
});
