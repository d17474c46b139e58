import test from 'ava';
import { stringify } from 'yaml';
import { cloudReadingOf } from '../../src/cli/doctor-cloud.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { readInstallation } from '../../src/doctor/reader/read-installation.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { configOf, configuration } from '../harness/settings.ts';
import { readingOf } from './reading.ts';

const USUAL = 'knative-eip-system';

const deployment = (namespace: string, name = 'knative-eip', label = name) => ({
  metadata: { namespace, name, labels: { 'app.kubernetes.io/name': label } },
  spec: { replicas: 1 },
});

const placeOf = async (deployments: readonly object[], namespace?: string, configPath?: string) => {
  const configmaps = [
    { metadata: { name: 'knative-eip-config' }, data: { 'config.yaml': stringify(configuration({})) } },
  ];
  const reading = readingOf({ deployments, configmaps });
  return readInstallation(reading, { namespace, configPath, env: {} }, () => clock.now());
};

test('a Deployment of a tenant is not taken for the installation', async (t) => {
  const rows: readonly (readonly [readonly object[], string])[] = [
    [[deployment('a-tenant'), deployment(USUAL)], USUAL],
    [[deployment('a-tenant', 'web', 'knative-eip'), deployment('ours')], 'ours'],
    [[deployment('a-tenant', 'knative-eip', 'web'), deployment('ours')], 'ours'],
    [[deployment('a-tenant', 'web', 'knative-eip')], USUAL],
    [[deployment('a-tenant', 'knative-eip-virtual-node'), deployment('ours')], 'ours'],
    [[deployment('ours')], 'ours'],
    [[], USUAL],
  ];
  for (const [deployments, namespace] of rows) {
    const { namespace: found, isNamed, deployments: judged } = await placeOf(deployments);
    t.is(found, namespace);
    t.false(isNamed);
    t.true(judged.known && judged.value.every((each) => each.namespace === namespace));
  }
});

test('where two could be meant nothing is read of either until somebody says which', async (t) => {
  const two = [deployment('a-tenant'), deployment('ours')];
  const { configuration: read, deployments, loaded } = await placeOf(two);
  for (const answer of [read, deployments])
    t.regex(answer.known ? 'known' : answer.why, /knative-eip in a-tenant, ours: write -n NAMESPACE/u);
  t.is(loaded, undefined);
  const named = await placeOf(two, 'ours');
  t.like(named, { namespace: 'ours', isNamed: true, deployments: { value: { length: 1 } } });
  t.not(named.loaded, undefined);
});

const asked = (endpoints: ConfigInput['endpoints'], more: { isNamed?: boolean; isInPod?: boolean } = {}) =>
  cloudReadingOf(configOf({ endpoints }), {
    clock,
    env: { ALIBABA_CLOUD_ACCESS_KEY_ID: 'LTAIx', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'x' },
    isInPod: false,
    isNamed: true,
    namespace: 'a-tenant',
    proxy: undefined,
    ...more,
  });

test('credentials go where a configuration says only if somebody has named it, and not over plain http', (t) => {
  const refused = [
    [asked({ vpc: 'vpc.example.com' }, { isNamed: false }), /give -n a-tenant or --config FILE/u],
    [asked({ sts: 'http://127.0.0.1:1' }, { isNamed: false }), /endpoints\.sts http:\/\/127/u],
    [asked({ ecs: 'http://10.0.0.1' }), /plain http \(endpoints\.ecs http:\/\/10\.0\.0\.1\)/u],
    [asked({ vpc: 'http://127.0.0.1.example.com' }), /plain http/u],
    [asked({ vpc: 'http://localhost.example.com:80' }), /plain http/u],
  ] as const;
  for (const [answer, sentence] of refused) t.regex(typeof answer === 'string' ? answer : 'asked', sentence);
  for (const answer of [
    asked({}, { isNamed: false }),
    asked({ vpc: 'vpc.example.com', ecs: 'http://127.0.0.1:8080', eci: 'http://[::1]:1', sts: 'http://localhost' }),
    asked({ vpc: 'http://10.0.0.1' }, { isNamed: false, isInPod: true }),
  ])
    t.is(typeof answer, 'object', typeof answer === 'string' ? answer : '');
});
