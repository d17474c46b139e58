import { inspect } from 'node:util';
import test from 'ava';
import { printConfig } from '../../src/config/print.ts';
import { SMALL, load, wrong } from './load-fixture.ts';

const TAINT = 'LTAI5tSECRETSECRET';

test('a secret is never shown: not when printed, not when wrong, not in a YAML error, not in a URL', (t) => {
  const { config, origins } = load(`${SMALL}credential: {accessKey: ${TAINT}, accessSecret: ${TAINT}}`);
  t.is(config.credential.accessKey?.reveal(), TAINT);
  for (const shown of [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    `${config.credential.accessKey?.toString()}`,
    printConfig({ config, origins }, true),
  ])
    t.false(shown.includes(TAINT), shown);

  for (const yaml of [
    `credential: ${TAINT}`,
    `credential: [${TAINT}]`,
    `credential: {${TAINT}: x}`,
    `credential: {accessKey: [${TAINT}], accessSecret: {${TAINT}: ${TAINT}}}`,
    `credential: {accessKey: *${TAINT}}`,
    `credential: {accessKey: &${TAINT} "x`,
    `credential: {accessKey: !${TAINT} x}`,
    `credential: {accessKey: ${TAINT}}`,
    `endpoints: {vpc: "https://me:${TAINT}@vpc.example.com"}`,
  ]) {
    const said = wrong(SMALL + yaml).join('\n');
    t.not(said, '');
    t.false(said.includes(TAINT), said);
  }
});

test('the environment gives credentials as a whole, and endpoints', (t) => {
  const file = `${SMALL}credential: {accessKey: a, accessSecret: b, securityToken: c}\nendpoints: {vpc: one}\n`;
  const { config, origins } = load(file, {
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'x',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'y',
    KNATIVE_EIP_ENDPOINT_VPC: 'https://two:444',
    KNATIVE_EIP_ENDPOINT_ECS: '',
  });
  t.is(config.credential.accessKey?.reveal(), 'x');
  t.is(config.credential.accessSecret?.reveal(), 'y');
  t.is(config.credential.securityToken, undefined, 'the token of the file belongs to another key');
  t.is(config.endpoints.vpc, 'https://two:444');
  t.is(config.endpoints.ecs, undefined);
  t.is(origins.get('endpoints.vpc'), 'environment KNATIVE_EIP_ENDPOINT_VPC');
});

test('half a pair of credentials in the environment does not mix with the file', (t) => {
  const file = `${SMALL}credential: {accessKey: a, accessSecret: b}\n`;
  t.regex(wrong(file, { ALIBABA_CLOUD_ACCESS_KEY_ID: 'x' }).join(), /two halves/);
});

test('a wrong variable is named', (t) => {
  t.deepEqual(wrong(SMALL, { KNATIVE_EIP_ENDPOINT_VPC: 'x/y', KNATIVE_EIP_ENDPOINT_SLB: 'x' }), [
    'environment KNATIVE_EIP_ENDPOINT_SLB: there is no such API; known are KNATIVE_EIP_ENDPOINT_VPC, _ECS, _ECI and _STS',
    'environment KNATIVE_EIP_ENDPOINT_VPC: endpoints.vpc: found the text "x/y"; allowed is host, host:port, http://host[:port] or https://host[:port], without path or user',
  ]);
  t.deepEqual(wrong(SMALL, { KNATIVE_EIP_METRICS_PORT: 'tcp://10.0.0.1:8080' }), [], "Kubernetes' Service links");
});

test('the pod’s name and namespace are the defaults of the leader election', (t) => {
  const env = { POD_NAME: 'knative-eip-abc', POD_NAMESPACE: 'eips' };
  t.like(load(SMALL, env).config.leaderElection, { identity: 'knative-eip-abc', namespace: 'eips' });
  t.like(load(`${SMALL}leaderElection: {namespace: mine}`, env).config.leaderElection, { namespace: 'mine' });
});
