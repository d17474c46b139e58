import { readFileSync } from 'node:fs';
import test from 'ava';
import { KEYS } from '../../../src/api/annotations.ts';
import { inputOf, podOf } from './pods.ts';
import { translate } from '../../../src/virtualnode/translate/group.ts';

/*
 * Every annotation that a user of the managed ECI add-on finds documented, with the value that the documents give as an
 * example. Source: Alibaba Cloud, ECI and ACK documentation, "Pod annotations" (as of March 2026, and the keys of 2024
 * that are not there any more).
 */

const ROLE = 'acs:ram::1609982529000000:role/role-assume';
const INSTANCE = {
  'eci-vswitch': 'vsw-bp1xpiowfm5vo8o3c0000',
  'eci-schedule-strategy': 'VSwitchOrdered',
  'eci-use-specs': '2-4Gi,4-8Gi,ecs.c6.xlarge',
  'eci-gpu-driver-version': 'tesla=525.85.12',
  'eci-instance-family': 'ecs.c6,ecs.g6',
  'eci-instance-generation': '6,5',
  'eci-compute-category': 'economy',
  'eci-spot-strategy': 'SpotAsPriceGo',
  'eci-spot-price-limit': '0.5',
  'eci-spot-duration': '0',
  'eci-spot-fallback': 'true',
  'eci-privatepool-matchcriteria': 'Open',
  'eci-privatepool-id': 'eap-2ze1g68k2melxkkl0000',
  'eci-fail-strategy': 'fail-back',
  'eci-max-pending-minute': '30',
  'eci-custom-hosts': '[{"host":"example.com","ip":"100.100.0.1"},{"host":"aliyundoc.com","ip":"100.100.0.2"}]',
  'eci-custom-tags': 'env:test,name:alice',
  'eci-ram-role-name': 'AliyunECIContainerGroupRole',
  'eci-cpu-option-core': '2',
  'eci-cpu-option-ht': '1',
  'eci-reschedule-enable': 'true',
  'pod-fail-on-create-err': 'true',
  'eci-resource-group-id': 'rg-aekzh43v0000',
  'eci-instance-type': 'ecs.c5.xlarge',
};
const IMAGES = {
  'eci-auto-imc': 'true',
  'imc-perfect-match': 'true',
  'imc-match-count-request': '2',
  'eci-imc-id': 'imc-2zebxkiifuyzzlhl0000',
  'eci-image-cache': 'true',
  'eci-image-snapshot-id': 'imc-2zebxkiifuyzzlhl0000',
  'acr-instance-id': 'cri-j36zhodptmyq0000',
  'acr-instance-ids': 'cn-beijing:cri-j36zhodptmyq0000',
  'acr-service-arns': ROLE,
  'acr-user-arns': 'acs:ram::1298452580000000:role/role-acr',
  'plain-http-registry': 'harbor***.pre.com,192.168.0.1:5000,reg***.test.com:80',
  'insecure-registry': 'harbor***.pre.com,192.168.0.1:5000,reg***.test.com:80',
};
const DATA = {
  'eci-data-cache-bucket': 'default',
  'eci-data-cache-pl': 'PL1',
  'eci-data-cache-provisionedIops': '40000',
  'eci-data-cache-burstingEnabled': 'true',
  'eci-extra-ephemeral-storage': '50Gi',
  'eci-ephemeral-storage-options': '{"encrypted":"true"}',
  'eci-eviction-enable': 'true',
};
const NETWORK = {
  'eci-security-group': 'sg-bp1dktddjsg5nktv0000',
  'eci-eip-instanceid': 'eip-bp1q5n8cq4p7f6dzu0000',
  'eci-with-eip': 'true',
  'eip-bandwidth': '5',
  'eip-common-bandwidth-package-id': 'cbwp-2zeukbj916scmj51m0000',
  'eip-isp': 'BGP',
  'eip-internet-charge-type': 'PayByBandwidth',
  'eip-public-ip-address-pool-id': 'pippool-bp187arfugi543y1s0000',
  'eci-enable-ipv6': 'true',
  'eci-ipv6-bandwidth-enable': 'true',
  'eci-ipv6-bandwidth': '100M',
  'eci-private-ip-address': '172.16.0.1',
  'eci-fixed-ip': 'true',
  'eci-fixed-ip-retain-hour': '24',
  'eci-custom-dnsconfig': '{"nameservers":"20.1.0.2,20.1.0.3","searches":"xx.com,xx.eee","options":"ndots:2,edns0"}',
  'eci-ntp-server': '100.100.5.1',
  'eci-core-pattern': '/pod/data/dump/core',
  'eci-sls-enable': 'false',
};
const DOCUMENTED: Readonly<Record<string, string>> = { ...INSTANCE, ...IMAGES, ...DATA, ...NETWORK };

/** What has to be there beside it. */
const BESIDE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'acr-user-arns': { 'acr-service-arns': ROLE },
  'eci-ipv6-bandwidth-enable': { 'eci-enable-ipv6': 'true' },
  'eci-ipv6-bandwidth': { 'eci-enable-ipv6': 'true', 'eci-ipv6-bandwidth-enable': 'true' },
  'eci-fixed-ip-retain-hour': { 'eci-fixed-ip': 'true' },
  'eci-data-cache-pl': { 'eci-data-cache-bucket': 'default' },
  'eci-data-cache-provisionedIops': { 'eci-data-cache-bucket': 'default' },
  'eci-data-cache-burstingEnabled': { 'eci-data-cache-bucket': 'default' },
};

/** CreateContainerGroup has no parameter for them. */
const WITHOUT_PARAMETER = new Set([
  'eci-ephemeral-storage-options',
  'eci-eviction-enable',
  'eci-instance-family',
  'eci-instance-generation',
  'eci-privatepool-id',
  'eci-privatepool-matchcriteria',
  'imc-match-count-request',
  'imc-perfect-match',
]);

/** They are about the EIP, and read in src/request; or ask for what happens in any case; or for what happens later. */
const NOT_IN_THE_REQUEST = new Set([
  ...Object.values(KEYS)
    .flat()
    .map((key) => key.slice(key.indexOf('/') + 1)),
  'eci-fail-strategy',
  'eci-reschedule-enable',
  'eci-sls-enable',
  'eci-spot-fallback',
  'pod-fail-on-create-err',
]);

/** With the DNS policy that a pod has by default. */
const BEHIND_THE_CLUSTER = 'eci-custom-dnsconfig';

const K8S = 'k8s.aliyun.com/';
const volumes = [{ name: 'model', hostPath: { path: '/model' } }];

const ranWith = (written: Readonly<Record<string, string>>, hasCache: boolean) => {
  const annotations = Object.fromEntries(Object.entries(written).map(([key, value]) => [K8S + key, value]));
  const translation = translate(inputOf(podOf({ annotations, ...(hasCache && { volumes }) })));
  if (translation.kind !== 'spec') throw new Error(JSON.stringify(translation));
  return translation;
};

test('every annotation that the add-on documents is taken with its own example, or is noted by its name', (t) => {
  for (const [key, example] of Object.entries(DOCUMENTED)) {
    const beside = BESIDE[key] ?? {};
    const hasCache = key.startsWith('eci-data-cache');
    const { spec, notes } = ranWith({ ...beside, [key]: example }, hasCache);
    const noted = notes.map(({ field }) => field);
    const isNoted = WITHOUT_PARAMETER.has(key) || key === BEHIND_THE_CLUSTER;
    t.deepEqual(noted, isNoted ? [`metadata.annotations[${K8S}${key}]`] : [], key);
    // Without its bucket a data cache has no volumes, which are refused.
    const without = key === 'eci-data-cache-bucket' ? undefined : ranWith(beside, hasCache).spec;
    const isSaid = JSON.stringify(spec) !== JSON.stringify(without);
    t.is(isSaid, !WITHOUT_PARAMETER.has(key) && !NOT_IN_THE_REQUEST.has(key), `${key} in the request`);
  }
});

test('the page of the virtual node has a row for each of them', (t) => {
  const page = readFileSync(new URL('../../../docs/virtual-node.md', import.meta.url), 'utf8');
  const named = new Set([...page.matchAll(/`([\w./-]+)(?:: [^`]*)?`/g)].map(([, name = '']) => name));
  const missing = Object.keys(DOCUMENTED).filter(
    (key) => !key.startsWith('eip-') && !named.has(key) && !named.has(K8S + key),
  );
  t.deepEqual(missing, []);
});
