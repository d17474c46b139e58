import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import test from 'ava';
import { createCredentials, FAILURE_HOLDS_MS, RENEWAL_PATIENCE_MS } from '../../src/cloud/credentials.ts';
import type { CredentialSettings } from '../../src/cloud/credential-source.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { SecretText } from '../../src/config/secret.ts';
import { refusal, rpcServer } from './rpc-server.ts';
import type { Script } from './rpc-server.ts';
import { ManualClock, settled } from '../harness/clock.ts';

const session = (n: number, minutes = 60) => ({
  Code: 'Success',
  AccessKeyId: `STS.session${n}`,
  AccessKeySecret: `plantedSecret${n}`,
  SecurityToken: `plantedToken${n}`,
  Expiration: new Date(Date.now() + minutes * 60_000).toISOString().replace(/\.\d+Z$/u, 'Z'),
});

test('ten first calls at once fetch credentials once, and later calls not at all', async (t) => {
  const server = await rpcServer(() => session(1));
  t.teardown(server.close);
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } }, clock);
  t.is(credentials.latest(), undefined);
  const all = await Promise.all(Array.from({ length: 10 }, () => credentials.get()));
  t.is(server.requests.length, 1);
  t.true(all.every((one) => one.accessKeyId === 'STS.session1' && one.securityToken === 'plantedToken1'));
  await credentials.get();
  t.is(server.requests.length, 1);
  t.is(credentials.latest()?.accessKeySecret, 'plantedSecret1');

  // The cloud did not accept them.
  server.play(() => session(2));
  credentials.discard();
  t.is((await credentials.get()).accessKeyId, 'STS.session2');
  t.is(server.requests.length, 1);

  const shown = [inspect(all[0], { depth: 9, showHidden: true }), JSON.stringify(all)].join();
  t.false(shown.includes('planted'));
});

test('credentials near their end are renewed once for all who ask together', async (t) => {
  const server = await rpcServer(() => session(1, 10));
  t.teardown(server.close);
  const credentials = createCredentials(
    { env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } },
    new ManualClock(0),
  );
  await credentials.get();
  server.play(() => session(2));
  const renewed = await Promise.all(Array.from({ length: 10 }, () => credentials.get()));
  t.is(server.requests.length, 1);
  t.is(renewed[9]?.accessKeyId, 'STS.session2');
});

test('a total failure says what was tried, holds for a moment, and is recovered from', async (t) => {
  const server = await rpcServer((_request, response) => {
    response.writeHead(500);
    response.end('{"Code":"AuthenticationFail","AccessKeySecret":"planted"}');
    return undefined;
  });
  t.teardown(server.close);
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } }, clock);
  const failures = await Promise.allSettled(Array.from({ length: 10 }, () => credentials.get()));
  t.is(server.requests.length, 1);
  for (const failure of failures) {
    const fault: unknown = failure.status === 'rejected' ? failure.reason : undefined;
    if (!(fault instanceof CloudFault)) throw new Error('not a CloudFault');
    t.like(fault, { kind: 'misconfigured', code: 'NoCredentials' });
    t.true(
      fault.message.startsWith('No credentials from the credentials URI (500 AuthenticationFail).'),
      fault.message,
    );
    t.true(fault.message.includes('ALIBABA_CLOUD_CREDENTIALS_URI'));
    t.false(inspect(fault, { depth: 9, showHidden: true }).includes('planted'));
  }
  server.play(() => session(1));
  await t.throwsAsync(credentials.get());
  t.is(server.requests.length, 0);
  await clock.advance(FAILURE_HOLDS_MS);
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
});

test('while they cannot be renewed, the old ones serve until the cloud refuses them, and then the failure is told', async (t) => {
  // Within 15 minutes of their end, each look tries to renew them.
  const server = await rpcServer(() => session(1, 10));
  t.teardown(server.close);
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } }, clock);
  await credentials.get();

  server.play(refusal(503, 'ServiceUnavailable'));
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
  t.is(server.requests.length, 1);

  credentials.discard();
  const refused = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
  t.regex(refused?.message ?? '', /the credentials URI \(503 ServiceUnavailable\)/u);

  server.play(() => session(2));
  await clock.advance(FAILURE_HOLDS_MS);
  t.is((await credentials.get()).accessKeyId, 'STS.session2');
  await settled();
  t.is(server.requests.length, 1);
});

test('a source that hangs slows a renewal for a moment only, and the first fetch until it answers', async (t) => {
  const waiting: (() => void)[] = [];
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const server = await rpcServer(() => session(1, 10));
  t.teardown(server.close);
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } }, clock);
  await credentials.get();

  server.play((_request, response) => {
    waiting.push(() => response.end(JSON.stringify(session(2))));
    arrive();
    return undefined;
  });
  const first = credentials.get();
  await arrived;
  await clock.advance(RENEWAL_PATIENCE_MS);
  t.is((await first).accessKeyId, 'STS.session1');
  // A caller from now on does not wait at all, and the source is not asked again.
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
  t.is(waiting.length, 1);

  // Refused ones do not serve: there is nothing but to wait.
  credentials.discard();
  const renewed = credentials.get();
  waiting[0]?.();
  t.is((await renewed).accessKeyId, 'STS.session2');
});

test('an answer without a key, without an end, or that is no JSON is no credentials, and shows nothing of itself', async (t) => {
  const server = await rpcServer(() => ({}));
  t.teardown(server.close);
  const answers = [
    { ...session(1), AccessKeyId: '' },
    { ...session(1), SecurityToken: undefined },
    { ...session(1), Expiration: undefined },
    { ...session(1), Expiration: 'plantedTomorrow' },
  ].map((answer) => JSON.stringify(answer));
  for (const answer of [...answers, 'planted']) {
    server.play((_request, response) => {
      response.end(answer);
      return undefined;
    });
    const credentials = createCredentials(
      { env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } },
      new ManualClock(0),
    );
    const fault = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
    t.regex(fault?.message ?? '', /^No credentials from the credentials URI/u, answer);
    t.false(inspect(fault, { depth: 9, showHidden: true }).includes('planted'), answer);
  }
});

test.serial(
  'RRSA trades the mounted token for a session at STS, once for all, and reads the token anew each time',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'knative-eip-rrsa-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const at = (name: string) => join(directory, name);
    const subject = ['-subj', '/CN=sts', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('key.pem')];
    execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-days', '2', '-out', at('ca.pem')], {
      stdio: 'ignore',
    });
    const cert = readFileSync(at('ca.pem'), 'utf8');
    const trusted = getCACertificates('default');
    t.teardown(() => setDefaultCACertificates(trusted));

    const bodies: URLSearchParams[] = [];
    const assume =
      (n: number): Script =>
      ({ body }) => {
        bodies.push(new URLSearchParams(body));
        return { RequestId: 'REQ-1', Credentials: session(n) };
      };
    const server = await rpcServer(assume(1), { key: readFileSync(at('key.pem'), 'utf8'), cert });
    t.teardown(server.close);

    writeFileSync(at('token'), 'plantedToken.first');
    const clock = new ManualClock(0);
    const credentials = createCredentials(
      {
        enableRRSA: true,
        rrsaRoleName: 'eip',
        stsEndpoint: `https://${server.host}`,
        env: {
          ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
          ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack-rrsa-c1',
          ALIBABA_CLOUD_OIDC_TOKEN_FILE: at('token'),
        },
      },
      clock,
    );

    // Nobody has said yet that this server is STS.
    const untrusted = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
    t.regex(
      untrusted?.message ?? '',
      /^No credentials from RRSA \(OIDC\) \(DEPTH_ZERO_SELF_SIGNED_CERT\)\. Check that/u,
    );
    t.is(bodies.length, 0);
    setDefaultCACertificates([...trusted, cert]);

    server.play(refusal(400, 'AuthenticationFail.OIDCToken.Expired', { Message: 'plantedToken.first has expired' }));
    await clock.advance(FAILURE_HOLDS_MS);
    const expired = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
    t.regex(expired?.message ?? '', /^No credentials from RRSA \(OIDC\) \(AuthenticationFail\.OIDCToken\.Expired\)\./u);
    t.false(inspect(expired, { depth: 9, showHidden: true }).includes('planted'));

    // The failures are not stuck to.
    server.play(assume(1));
    await clock.advance(FAILURE_HOLDS_MS);
    const all = await Promise.all(Array.from({ length: 10 }, () => credentials.get()));
    t.true(all.every(({ accessKeyId, type }) => accessKeyId === 'STS.session1' && type === 'sts'));
    t.is(server.requests.length, 1);
    t.is(server.requests[0]?.method, 'POST');
    t.like(server.requests[0]?.query, { Action: 'AssumeRoleWithOIDC', Version: '2015-04-01', Format: 'JSON' });
    t.deepEqual(Object.fromEntries(bodies[0] ?? []), {
      RoleArn: 'acs:ram::1:role/eip',
      OIDCProviderArn: 'acs:ram::1:oidc-provider/ack-rrsa-c1',
      OIDCToken: 'plantedToken.first',
      RoleSessionName: 'knative-eip',
      DurationSeconds: '3600',
    });

    // The kubelet rotates the token.
    writeFileSync(at('token'), 'plantedToken.second');
    server.play(assume(2));
    credentials.discard();
    t.is((await credentials.get()).accessKeyId, 'STS.session2');
    t.is(bodies[1]?.get('OIDCToken'), 'plantedToken.second');
  },
);

test('with enableRRSA, nothing but RRSA is tried, and what is wrong with it is said before anything is sent', async (t) => {
  const oidc = {
    ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack',
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/nonexistent/token',
  };
  const cases: [Omit<CredentialSettings, 'enableRRSA'>, RegExp][] = [
    [
      { env: { ...oidc, ALIBABA_CLOUD_ROLE_ARN: '', ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } },
      /ALIBABA_CLOUD_ROLE_ARN is not set in this pod.*ack-pod-identity-webhook.*injection=on.*role-name/u,
    ],
    [{ env: {} }, /ROLE_ARN, .*OIDC_TOKEN_FILE are not set in this pod/u],
    [{ env: oidc, rrsaRoleName: 'ip' }, /rrsaRoleName is ip, but the pod was given acs:ram::1:role\/eip/u],
    [{ env: oidc, stsEndpoint: 'http://127.0.0.1:1' }, /http:\/\/127\.0\.0\.1:1 is plain HTTP/u],
    [{ env: oidc, rrsaRoleName: 'EIP' }, /\(ENOENT\)/u],
  ];
  for (const [settings, message] of cases) {
    const credentials = createCredentials({ ...settings, enableRRSA: true }, new ManualClock(0));
    t.is(credentials.source, 'RRSA (OIDC)');
    const fault = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
    t.like(fault, { kind: 'misconfigured', code: 'NoCredentials' });
    t.regex(fault?.message ?? '', message);
  }
});

/** ECS user guide, "Instance metadata", in security hardening mode (IMDSv2). */
const metadata: Script = ({ path, method, headers }, response) => {
  if (path === '/latest/api/token' && method === 'PUT') response.end('metadata-token');
  else if (path !== '/latest/meta-data/ram/security-credentials/KubernetesWorkerRole-1') response.writeHead(404).end();
  else if (headers['x-aliyun-ecs-metadata-token'] === 'metadata-token') return session(1);
  else response.writeHead(403).end();
  return undefined;
};

test.serial('the RAM role of the instance comes from its metadata service', async (t) => {
  const server = await rpcServer(() => ({}));
  t.teardown(server.close);
  // The SDK has the address of the metadata service built in; only the connection is led elsewhere.
  const builtIn = Object.getOwnPropertyDescriptor(Agent.prototype, 'createConnection') ?? {};
  t.teardown(() => Object.defineProperty(Agent.prototype, 'createConnection', builtIn));
  const port = Number(server.host.split(':')[1]);
  const asked: unknown[] = [];
  Agent.prototype.createConnection = ({ host }) => {
    asked.push(host);
    return connect(port, '127.0.0.1');
  };
  server.play(metadata);
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_ECS_METADATA: 'KubernetesWorkerRole-1' } }, clock);
  t.is(credentials.source, 'the RAM role KubernetesWorkerRole-1 of the instance');
  const all = await Promise.all(Array.from({ length: 10 }, () => credentials.get()));
  t.true(all.every(({ accessKeyId, securityToken }) => accessKeyId === 'STS.session1' && securityToken !== ''));
  t.is(server.requests.length, 2);
  t.deepEqual([...new Set(asked)], ['100.100.100.200']);

  const wrong = createCredentials({ env: { ALIBABA_CLOUD_ECS_METADATA: 'Other' } }, clock);
  const fault = await t.throwsAsync(wrong.get(), { instanceOf: CloudFault });
  t.regex(fault?.message ?? '', /^No credentials from the RAM role Other of the instance \(404\)\. Check that/u);
});

test('the settings decide the source in the order of the SDK’s chain', async (t) => {
  const clock = new ManualClock(0);
  const oidc = {
    ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack',
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/nonexistent/token',
  };
  const pair = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'env-id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'env-secret' };
  const cases: [CredentialSettings, RegExp][] = [
    [{ accessKeyId: 'id', accessKeySecret: new SecretText('s'), env: { ...pair, ...oidc } }, /configuration/u],
    [{ env: { ...pair, ...oidc } }, /environment/u],
    [{ env: { ...oidc, ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } }, /RRSA/u],
    [{ env: { ...oidc, ALIBABA_CLOUD_ROLE_ARN: '', ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } }, /URI/u],
    [
      { env: { ALIBABA_CLOUD_ECS_METADATA: 'Worker', ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } },
      /Worker/u,
    ],
    [{ env: { ALIBABA_CLOUD_ECS_METADATA: 'Worker', ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true' } }, /default chain/u],
    [{ env: {} }, /default chain/u],
  ];
  for (const [settings, source] of cases) t.regex(createCredentials(settings, clock).source, source);

  t.like(await createCredentials({ env: pair }, clock).get(), {
    accessKeyId: 'env-id',
    accessKeySecret: 'env-secret',
    type: 'access_key',
  });
  const rrsa = await t.throwsAsync(createCredentials({ env: oidc }, clock).get(), { instanceOf: CloudFault });
  t.regex(rrsa?.message ?? '', /RRSA \(OIDC\) \(ENOENT\).*token file/u);
});

test.serial('the default chain is not stuck with the source that it tried last', async (t) => {
  // The chain reads the environment itself; every source of it fails at first, and without leaving this machine.
  Object.assign(process.env, {
    ALIBABA_CLOUD_CLI_PROFILE_DISABLED: 'true',
    ALIBABA_CLOUD_CREDENTIALS_FILE: '/nonexistent',
    ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true',
    ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/',
  });
  const clock = new ManualClock(0);
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip' } }, clock);
  const fault = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
  t.regex(
    fault?.message ?? '',
    /default chain.*RRSA is set up by half: .*_OIDC_PROVIDER_ARN, .*_OIDC_TOKEN_FILE is not set\. Set ALIBABA_CLOUD_ROLE_ARN/u,
  );
  Object.assign(process.env, { ALIBABA_CLOUD_ACCESS_KEY_ID: 'later-id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 's' });
  await clock.advance(FAILURE_HOLDS_MS);
  t.is((await credentials.get()).accessKeyId, 'later-id');
});

test('a secret shows itself to nobody who prints it', (t) => {
  const secret = new SecretText('planted');
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true })].join();
  t.false(shown.includes('planted'));
  t.is(secret.reveal(), 'planted');
});
