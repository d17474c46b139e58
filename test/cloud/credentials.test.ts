import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import test from 'ava';
import { createCredentials, FAILURE_HOLDS_MS } from '../../src/cloud/credentials.ts';
import type { CredentialSettings } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { Secret } from '../../src/config/secret.ts';
import { fakeClock } from './fake-clock.ts';
import { refusal, scriptedServer } from './scripted-server.ts';

const session = (n: number, minutes = 60) => ({
  Code: 'Success',
  AccessKeyId: `STS.session${n}`,
  AccessKeySecret: `plantedSecret${n}`,
  SecurityToken: `plantedToken${n}`,
  Expiration: new Date(Date.now() + minutes * 60_000).toISOString().replace(/\.\d+Z$/u, 'Z'),
});

test('ten first calls at once fetch credentials once, and later calls not at all', async (t) => {
  const server = await scriptedServer(() => session(1));
  t.teardown(server.close);
  const { clock } = fakeClock();
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
  const server = await scriptedServer(() => session(1, 10));
  t.teardown(server.close);
  const credentials = createCredentials(
    { env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } },
    fakeClock().clock,
  );
  await credentials.get();
  server.play(() => session(2));
  const renewed = await Promise.all(Array.from({ length: 10 }, () => credentials.get()));
  t.is(server.requests.length, 1);
  t.is(renewed[9]?.accessKeyId, 'STS.session2');
});

test('a total failure says what was tried, holds for a moment, and is recovered from', async (t) => {
  const server = await scriptedServer((_request, response) => {
    response.writeHead(500);
    response.end('{"Code":"AuthenticationFail","AccessKeySecret":"planted"}');
    return undefined;
  });
  t.teardown(server.close);
  const { clock, advance } = fakeClock();
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
  await advance(FAILURE_HOLDS_MS);
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
});

test('the settings decide the source in the order of the SDK’s chain', async (t) => {
  const { clock } = fakeClock();
  const oidc = {
    ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack',
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/nonexistent/token',
  };
  const pair = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'env-id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'env-secret' };
  const cases: [CredentialSettings, RegExp][] = [
    [{ accessKeyId: 'id', accessKeySecret: new Secret('s'), env: { ...pair, ...oidc } }, /configuration/u],
    [{ env: { ...pair, ...oidc } }, /environment/u],
    [{ env: { ...oidc, ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } }, /RRSA/u],
    [{ env: { ...oidc, ALIBABA_CLOUD_ROLE_ARN: '', ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/' } }, /URI/u],
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

test('the default chain is not stuck with the source that it tried last', async (t) => {
  // The chain reads the environment itself; every source of it fails at first, and without leaving this machine.
  Object.assign(process.env, {
    ALIBABA_CLOUD_CLI_PROFILE_DISABLED: 'true',
    ALIBABA_CLOUD_CREDENTIALS_FILE: '/nonexistent',
    ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true',
    ALIBABA_CLOUD_CREDENTIALS_URI: 'http://127.0.0.1:1/',
  });
  const { clock, advance } = fakeClock();
  const credentials = createCredentials({ env: {} }, clock);
  const fault = await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
  t.regex(fault?.message ?? '', /default chain.*Set ALIBABA_CLOUD_ROLE_ARN/u);
  Object.assign(process.env, { ALIBABA_CLOUD_ACCESS_KEY_ID: 'later-id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 's' });
  await advance(FAILURE_HOLDS_MS);
  t.is((await credentials.get()).accessKeyId, 'later-id');
});

test('a secret shows itself to nobody who prints it', (t) => {
  const secret = new Secret('planted');
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true })].join();
  t.false(shown.includes('planted'));
  t.is(secret.reveal(), 'planted');
});

test('while they cannot be renewed, credentials are used on; once the cloud refuses them, the failure is said', async (t) => {
  const server = await scriptedServer(() => session(1, 10));
  t.teardown(server.close);
  const { clock } = fakeClock();
  const credentials = createCredentials({ env: { ALIBABA_CLOUD_CREDENTIALS_URI: `http://${server.host}/` } }, clock);
  await credentials.get();
  server.play(refusal(500, 'InternalError'));
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
  t.is((await credentials.get()).accessKeyId, 'STS.session1');
  t.is(server.requests.length, 1, 'nor is the source asked again at each call');
  credentials.discard();
  await t.throwsAsync(credentials.get(), { message: /No credentials from the credentials URI/u });
});

test('RRSA: the token of the service account is exchanged at STS, once for all who ask together, and again before the end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rrsa-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = (name: string) => join(folder, name);
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=sts -addext subjectAltName=IP:127.0.0.1 -keyout ${file('key.pem')} -out ${file('cert.pem')}`;
  execFileSync('openssl', args.split(' '), { stdio: 'ignore' });
  writeFileSync(file('token'), 'token-of-the-service-account');
  const asked: { action: string | null; form: Record<string, string> }[] = [];
  const server = createServer(
    { key: readFileSync(file('key.pem')), cert: readFileSync(file('cert.pem')) },
    (request, response) => {
      void (async () => {
        const form = new URLSearchParams(await text(request));
        asked.push({
          action: new URL(request.url ?? '/', 'https://sts').searchParams.get('Action'),
          form: Object.fromEntries(form),
        });
        // The first lasts ten minutes: less than the margin, so that the next call renews it.
        const Credentials = session(asked.length, asked.length === 1 ? 10 : 60);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ RequestId: 'R', Credentials }));
      })();
    },
  );
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  // The SDK takes certificates of authorities from the process only: it is a process of its own.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [fileURLToPath(new URL('rrsa-process.ts', import.meta.url))],
    {
      env: {
        ...process.env,
        NODE_EXTRA_CA_CERTS: file('cert.pem'),
        STS: `127.0.0.1:${port}`,
        ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
        ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack',
        ALIBABA_CLOUD_OIDC_TOKEN_FILE: file('token'),
      },
    },
  );
  t.deepEqual(JSON.parse(stdout), {
    first: Array(10).fill('STS.session1'),
    second: 'STS.session2',
    third: 'STS.session2',
  });
  t.is(asked.length, 2);
  t.like(asked[0], {
    action: 'AssumeRoleWithOIDC',
    form: {
      RoleArn: 'acs:ram::1:role/eip',
      OIDCProviderArn: 'acs:ram::1:oidc-provider/ack',
      OIDCToken: 'token-of-the-service-account',
      RoleSessionName: 'knative-eip',
    },
  });
});
