import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { connect as connectSocket, createServer as createSocketServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { NAMESPACE } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect, KubeconfigError, type Connection } from '../../src/kube/connect.ts';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { EPOCH, ManualClock } from '../harness/clock.ts';
import { scriptedApi } from './scripted-api.ts';

interface Written {
  readonly user: object;
  readonly cluster?: object;
}

/** Writes a kubeconfig, once or again, into a folder of the test's own. */
const files = async (t: ExecutionContext, server: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-sign-in-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const kubeconfigPath = join(folder, 'config');
  const write = ({ user, cluster = {} }: Written) =>
    writeFile(
      kubeconfigPath,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server, ...cluster } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
    );
  return { folder, kubeconfigPath, write };
};

const who = async ({ calls }: Pick<Connection, 'calls'>): Promise<string> =>
  (await calls({ method: 'GET', path: '/version' })).text();

/** What whoever starts a command reads where the request is not sent. */
const complaint = async (t: ExecutionContext, { calls }: Connection): Promise<string> => {
  const kube = createKube({ transport: calls, clock: new ManualClock() });
  const fault = await t.throwsAsync(kube.get(NAMESPACE, { name: 'a' }));
  return fault.message;
};

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const idToken = (at: number) => `${part({ alg: 'RS256' })}.${part({ exp: at / 1000 })}.c2VjcmV0`;
const byOidc = (config?: object) => ({ 'auth-provider': { name: 'oidc', config } });
const HOUR = 3_600_000;

test('an ID token is sent while it is valid, and the one that kubectl wrote since after that', async (t) => {
  const { url } = await scriptedApi(t, ({ headers, json }) => json(200, headers.authorization));
  const { kubeconfigPath, write } = await files(t, url);
  const clock = new ManualClock();
  const [first, second] = [idToken(EPOCH + HOUR), idToken(EPOCH + 3 * HOUR)];
  await write({ user: byOidc({ 'id-token': first, 'refresh-token': 'r-secret' }) });
  const connection = await connect({ kubeconfigPath, clock });
  t.teardown(() => connection.close());
  t.is(await who(connection), `Bearer ${first}`);

  await clock.advance(HOUR);
  const message = await complaint(t, connection);
  t.regex(
    message,
    /^The kubeconfig .*the user u signs in by OpenID Connect .* the id-token expired at 2026-11-20T13:00/,
  );
  t.regex(message, /Let kubectl renew it.*kubectl --kubeconfig \S+config version\. .*kubelogin/);
  t.notRegex(message, /secret|cannot be reached/);

  await write({ user: byOidc({ 'id-token': second }) });
  t.is(await who(connection), `Bearer ${second}`);
});

const byPlugin = (command: string, args: readonly string[] = [], more: object = {}) => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command, args, ...more },
});

test('who cannot be signed in is told so before anything is sent', async (t) => {
  const { kubeconfigPath, write } = await files(t, 'https://10.0.0.1:6443');
  const expired = idToken(EPOCH);
  const cases: [Written, ...says: RegExp[]][] = [
    [{ user: byOidc({ 'id-token': expired, 'refresh-token': 'r' }) }, /expired at 2026/, /Let kubectl renew it/],
    [{ user: byOidc({ 'id-token': expired }) }, /expired at 2026/, /sign in with your provider anew/],
    [{ user: byOidc({ 'refresh-token': 'r' }) }, /there is no id-token/, /Let kubectl renew it/],
    [{ user: byOidc() }, /there is no id-token/, /no refresh-token/],
    ...['gcp', 'azure', 'openstack'].map((name): [Written, ...RegExp[]] => [
      { user: { 'auth-provider': { name, config: { 'access-token': 'secret', 'cmd-path': '/bin/false' } } } },
      new RegExp(`the user u signs in by the auth-provider ${name}, which is not supported`),
      /exec plug-in/,
    ]),
    [{ user: byPlugin('') }, /the exec plug-in of the user u has no command/],
    [{ user: byPlugin('login', [], { interactiveMode: 'Always' }) }, /\(login\) wants to ask/, /kubectl .* proxy/],
    [
      { user: { token: 'secret' }, cluster: { 'proxy-url': 'socks5://me:secret@127.0.0.1:1080' } },
      /SOCKS proxy .* https:\/\/10\.0\.0\.1:6443 is an IP address/,
      /kubectl proxy/,
    ],
  ];
  for (const [written, ...says] of cases) {
    await write(written);
    const error = await t.throwsAsync(connect({ kubeconfigPath, clock: new ManualClock() }), {
      instanceOf: KubeconfigError,
    });
    for (const pattern of says) t.regex(error.message, pattern);
    t.true(error.message.includes(kubeconfigPath), error.message);
    t.notRegex(error.message, /secret|\n/);
  }
});

test('an exec plug-in that gives no credential is named, with how it ended, and never with what it printed', async (t) => {
  const { url } = await scriptedApi(t, ({ json }) => json(500, 'was asked'));
  const { kubeconfigPath, write } = await files(t, url);
  const prints = (text: string) => byPlugin('echo', [text]);
  const cases: [user: object, ...says: RegExp[]][] = [
    [
      byPlugin('ack-ram-tool-of-nobody', [], { installHint: 'See https://example.com/install.' }),
      /the exec plug-in of the user u is not there: ack-ram-tool-of-nobody\. Install it.* See https:\/\/example\.com/,
    ],
    [
      byPlugin('sh', ['-c', 'echo a secret >&2; exit 3']),
      /\(sh, exit code 3\)\. The same with kubectl shows what it says/,
    ],
    [byPlugin('sh', ['-c', 'kill -9 $$']), /\(sh, SIGKILL\)\. The same/],
    [byPlugin('true'), /nothing at all/],
    [prints('token: secret'), /\(echo\) printed no credential: what it printed is not JSON/],
    [prints('{"token":"secret"}'), /of no kind ExecCredential/],
    [prints('null'), /of no kind ExecCredential/],
    [prints('{"kind":"ExecCredential"}'), /neither a token nor a certificate/],
    [prints('{"kind":"ExecCredential","status":{"clientKeyData":"secret"}}'), /one of certificate and key without/],
  ];
  for (const [user, ...says] of cases) {
    await write({ user });
    const connection = await connect({ kubeconfigPath, env: process.env });
    const message = await complaint(t, connection);
    await connection.close();
    for (const pattern of says) t.regex(message, pattern);
    t.true(message.startsWith(`The kubeconfig ${kubeconfigPath} cannot be used: `), message);
    t.notRegex(message, /secret|\n/);
  }
});

test('an exec plug-in is told what it is asked for, is run once for all requests, and again when that is over', async (t) => {
  let isRefused = false;
  const { url } = await scriptedApi(t, ({ headers, json }) => json(isRefused ? 401 : 200, headers.authorization));
  const { folder, kubeconfigPath, write } = await files(t, url);
  const plugin = join(folder, 'login');
  const expirationTimestamp = new Date(EPOCH + HOUR).toISOString();
  // `cat` would wait for ever if its standard input stayed open.
  await writeFile(
    plugin,
    `#!/bin/sh
cat
echo "$KUBERNETES_EXEC_INFO" >> "$LOG"
echo '{"kind":"ExecCredential","status":{"token":"t'$(wc -l < "$LOG")'","expirationTimestamp":"${expirationTimestamp}"}}'
`,
  );
  await chmod(plugin, 0o755);
  const log = join(folder, 'log');
  const env = [{ name: 'LOG', value: log }];
  await write({
    user: byPlugin('./login', [], { env, provideClusterInfo: true, interactiveMode: 'IfAvailable' }),
    cluster: { 'certificate-authority-data': '', 'tls-server-name': 'kubernetes' },
  });
  const clock = new ManualClock();
  const connection = await connect({ kubeconfigPath, env: process.env, clock });
  t.teardown(() => connection.close());
  t.deepEqual(await Promise.all([who(connection), who(connection), who(connection)]), Array(3).fill('Bearer t1'));
  t.is(await who(connection), 'Bearer t1');
  // It may be over before it says.
  isRefused = true;
  t.is(await who(connection), 'Bearer t1');
  isRefused = false;
  t.is(await who(connection), 'Bearer t2');
  t.is(await who(connection), 'Bearer t2');
  await clock.advance(HOUR);
  t.is(await who(connection), 'Bearer t3');
  const [first = ''] = (await readFile(log, 'utf8')).split('\n');
  t.like(JSON.parse(first), {
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    kind: 'ExecCredential',
    spec: { interactive: false, cluster: { server: url, 'tls-server-name': 'kubernetes' } },
  });
});

test('a plug-in may give a client certificate; and a SOCKS proxy works where the server has a name', async (t) => {
  const authority = await renew(undefined, ['localhost'], Date.now());
  const { cert, key } = authority.leaf;
  const api = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, ({ socket }, response) =>
    response.end((socket as TLSSocket).getPeerX509Certificate()?.toString()),
  );
  t.teardown(() => void api.close());
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const { port } = api.address() as AddressInfo;
  const proxy = createSocketServer((client) => {
    client.once('data', () => {
      client.once('data', () => {
        client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
        const server = connectSocket(port, '127.0.0.1').on('error', () => client.destroy());
        client
          .on('error', () => server.destroy())
          .pipe(server)
          .pipe(client);
      });
      client.write(Buffer.from([5, 0]));
    });
  });
  t.teardown(() => void proxy.close());
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { folder, kubeconfigPath, write } = await files(t, `https://localhost:${port}`);
  const credential = { kind: 'ExecCredential', status: { clientCertificateData: cert, clientKeyData: key } };
  await writeFile(join(folder, 'credential'), JSON.stringify(credential));
  await write({
    user: byPlugin('cat', [join(folder, 'credential')]),
    cluster: {
      'certificate-authority-data': Buffer.from(bundleOf(authority)).toString('base64'),
      'proxy-url': `socks5://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    },
  });
  const connection = await connect({ kubeconfigPath, env: process.env });
  t.teardown(() => connection.close());
  t.true(cert.startsWith((await who(connection)).trim()));
});
