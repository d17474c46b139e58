import test from 'ava';
import { loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/print.ts';
import { ConfigError } from '../../src/config/problem.ts';

const base = { clusterID: 'c1', regionID: 'cn-hangzhou', vpcID: 'vpc-1' };
const SINK = 'http://broker-ingress.knative-eventing.svc.cluster.local/default/default';
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

const load = (cloudEvents: object | undefined, env: Record<string, string> = {}) =>
  loadConfig({ base: { ...base, ...(cloudEvents && { cloudEvents }) }, env }).config.cloudEvents;

const wrong = (cloudEvents: object | undefined, env: Record<string, string> = {}): string[] => {
  try {
    load(cloudEvents, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ key }) => key);
    throw error;
  }
  return [];
};

test('without a sink there are no events, and a SinkBinding alone is enough to have them', (t) => {
  t.is(load(undefined).sink, undefined);
  const env = { K_SINK: SINK, K_CA_CERTS: PEM, K_CE_OVERRIDES: '{"extensions":{"cluster":"prod"}}' };
  t.like(load(undefined, env), {
    sink: SINK,
    caCertificates: PEM,
    overrides: { extensions: { cluster: 'prod' } },
    mode: 'binary',
  });
  t.is(load(undefined, { K_SINK: '' }).sink, undefined);
});

test('what the file says wins over the SinkBinding', (t) => {
  t.is(load({ sink: 'https://sink.example/' }, { K_SINK: SINK }).sink, 'https://sink.example/');
});

test('a token for the sink does not cross the network in plain text', (t) => {
  t.deepEqual(wrong({ sink: 'http://sink.example/', tokenFile: '/token' }), ['cloudEvents.tokenFile']);
  t.is(load({ sink: 'https://sink.example/', tokenFile: '/token' }).tokenFile, '/token');
});

test('what is printed of a sink has no query, which may be a secret', (t) => {
  const cloudEvents = { sink: 'https://sink.example/x?token=TAINT' };
  const loaded = loadConfig({ base: { ...base, cloudEvents }, env: {} });
  const printed = printConfig(loaded, true);
  t.false(printed.includes('TAINT'));
  t.true(printed.includes('https://sink.example/x?[hidden]'));
});

test('a sink is a URL, and overrides are extension attributes', (t) => {
  for (const sink of [
    'broker',
    'ftp://sink/',
    'file:///etc/passwd',
    'gopher://sink/',
    'http://user:secret@sink/',
    'http://sink/#a',
    'http://169.254.169.254/latest',
    'http://0xa9fea9fe/',
    'http://100.100.100.200/latest/meta-data/ram',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:100.100.100.200]/',
  ])
    t.deepEqual(wrong({ sink }), ['cloudEvents.sink'], sink);
  for (const overrides of ['{', '[]', '{"extensions":{"Bad-Name":"x"}}', '{"extensions":{"id":"x"}}', '{"else":1}'])
    t.deepEqual(wrong(undefined, { K_CE_OVERRIDES: overrides }), ['cloudEvents.overrides'], overrides);
  t.deepEqual(wrong(undefined, { K_CA_CERTS: 'not a certificate' }), ['cloudEvents.caCertificates']);
});
