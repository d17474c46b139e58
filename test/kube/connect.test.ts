import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { connect, KubeconfigError } from '../../src/kube/connect.ts';
import { scriptedApi } from './scripted-api.ts';

const temporary = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
};

const kubeconfig = ({
  server = 'http://127.0.0.1:1',
  cluster = '',
  user = '{}',
  current = 'here',
  context = 'cluster: c, user: u',
}) => `
apiVersion: v1
kind: Config
current-context: ${current}
contexts: [{name: here, context: {${context}}}]
clusters: [{name: c, cluster: {server: "${server}"${cluster}}}]
users: [{name: u, user: ${user}}]
`;

test('a kubeconfig that cannot be used is refused with the file, the reason and the remedy', async (t) => {
  const folder = await temporary(t);
  const kubeconfigPath = join(folder, 'config');
  const cases: [content: string, ...says: RegExp[]][] = [
    ['a: [', /not valid YAML/, /Correct the file/],
    ['just text', /not a kubeconfig/],
    ['clusters: [{name: c, cluster: {}}]', /clusters\[0\]\.cluster\.server is missing/],
    [kubeconfig({ current: '""' }), /no current context/, /use-context \(here\)/],
    [kubeconfig({ current: 'there' }), /no context there/, /here/],
    [kubeconfig({ context: 'cluster: x, user: u' }), /cluster x, which is not in it/, /Its clusters: c/],
    [kubeconfig({ context: 'cluster: c, user: x' }), /user x, who is not in it/, /Its users: u/],
    [kubeconfig({ server: '127.0.0.1:6443' }), /"127\.0\.0\.1:6443".*no http or https URL/],
    [kubeconfig({ cluster: ', certificate-authority: missing.crt' }), /certificate authority.*missing\.crt/],
    [kubeconfig({ user: '{client-certificate-data: bm9uc2Vuc2U=}' }), /not valid PEM/],
    [kubeconfig({ user: '{tokenFile: /nowhere/token}' }), /token cannot be read.*\/nowhere\/token/],
  ];
  for (const [content, ...says] of cases) {
    await writeFile(kubeconfigPath, content);
    const error = await t.throwsAsync(connect({ kubeconfigPath }), { instanceOf: KubeconfigError });
    for (const pattern of [/config/, ...says]) t.regex(error.message, pattern);
    t.true(error.message.includes(kubeconfigPath), error.message);
    t.notRegex(error.message, /\n/);
  }
  const missing = join(folder, 'missing');
  await t.throwsAsync(connect({ kubeconfigPath: missing }), {
    instanceOf: KubeconfigError,
    message: /missing cannot be read: ENOENT/,
  });
  await t.throwsAsync(connect({ rootDirectory: folder }), {
    instanceOf: KubeconfigError,
    message: /no kubeconfig is given/,
  });
});

test('inside a pod the service account is used, with its token', async (t) => {
  const rootDirectory = await temporary(t);
  const account = join(rootDirectory, 'var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(account, { recursive: true });
  await writeFile(join(account, 'token'), 'a-token');
  await writeFile(join(account, 'ca.crt'), rootCertificates[0]!);
  await writeFile(join(account, 'namespace'), 'team');
  // The environment of this process has no KUBERNETES_SERVICE_HOST, and a test must not change it for the others.
  const error = await t.throwsAsync(connect({ rootDirectory }), { instanceOf: KubeconfigError });
  t.regex(error.message, /KUBERNETES_SERVICE_HOST/);

  const program = `
    const { connect } = await import(${JSON.stringify(new URL('../../src/kube/connect.ts', import.meta.url).href)});
    const { server, close } = await connect({ rootDirectory: ${JSON.stringify(rootDirectory)} });
    process.stdout.write(server);
    await close();`;
  for (const [host, server] of [
    ['10.96.0.1', 'https://10.96.0.1:443'],
    ['fd00::1', 'https://[fd00::1]:443'],
  ] as const) {
    const env = { ...process.env, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '443' };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { env });
    t.is(stdout, server);
  }
});

/** A user of a kubeconfig whose credentials a program prints. */
const byPlugin = (command: string, ...args: readonly string[]): string =>
  JSON.stringify({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args, interactiveMode: 'Never' },
  });
const CREDENTIAL = {
  apiVersion: 'client.authentication.k8s.io/v1',
  kind: 'ExecCredential',
  status: { token: 'of-a-plugin' },
};

test('credentials of the kubeconfig are sent, also from a token file', async (t) => {
  const folder = await temporary(t);
  await writeFile(join(folder, 'token'), 'from-a-file');
  const { url } = await scriptedApi(t, ({ headers, json }) =>
    json(200, [headers.authorization, headers['user-agent']]),
  );
  const kubeconfigPath = join(folder, 'config');
  for (const [user, expected] of [
    ['{token: plain}', 'Bearer plain'],
    [`{tokenFile: ${join(folder, 'token')}}`, 'Bearer from-a-file'],
    ['{username: a, password: b}', 'Basic YTpi'],
    [byPlugin(process.execPath, '--print', JSON.stringify(JSON.stringify(CREDENTIAL))), 'Bearer of-a-plugin'],
  ] as const) {
    await writeFile(kubeconfigPath, kubeconfig({ server: url, user }));
    const { calls, close } = await connect({ kubeconfigPath, userAgent: 'test/1' });
    const response = await calls({ method: 'GET', path: '/version' });
    t.deepEqual(JSON.parse(await response.text()), [expected, 'test/1']);
    await close();
  }
  await writeFile(kubeconfigPath, kubeconfig({ server: url, user: byPlugin('/nowhere/plugin') }));
  const { calls, close } = await connect({ kubeconfigPath });
  await t.throwsAsync(calls({ method: 'GET', path: '/version' }), { message: /\/nowhere\/plugin/ });
  await close();
});

test('requests share one connection, watches have their own, and a new certificate makes a new one', async (t) => {
  const folder = await temporary(t);
  const kubeconfigPath = join(folder, 'config');
  const { url, sockets } = await scriptedApi(t, ({ json }) => json(200, {}));
  await writeFile(join(folder, 'ca.crt'), rootCertificates[0]!);
  await writeFile(kubeconfigPath, kubeconfig({ server: url, cluster: ', certificate-authority: ca.crt' }));
  const { calls, watches, close } = await connect({ kubeconfigPath });
  t.teardown(close);
  const get = async (transport: typeof calls) => (await transport({ method: 'GET', path: '/version' })).text();
  for (let count = 0; count < 20; count += 1) await get(calls);
  // A second one may be opened while the first is still being put back.
  const pooled = sockets();
  t.true(pooled <= 2, `${pooled} connections for 20 requests`);
  await get(watches);
  t.is(sockets(), pooled + 1);
  await writeFile(join(folder, 'ca.crt'), rootCertificates[1]!);
  for (let count = 0; count < 5; count += 1) await get(calls);
  const rotated = sockets() - pooled - 1;
  t.true(rotated >= 1 && rotated <= 2, `${rotated} connections after the change`);
});

test('a body comes line by line, whatever the packets; after closing nothing is sent', async (t) => {
  const { connection } = await scriptedApi(t, async ({ response }) => {
    for (const part of ['{"a":', '"ü', '"}\n\n{"b"', ':2}\n', 'rest'])
      await new Promise<void>((resolve) => void response.write(part, () => setImmediate(resolve)));
    response.end();
  });
  const response = await connection.watches({ method: 'GET', path: '/' });
  const lines = [];
  for await (const line of response.lines()) lines.push(line);
  t.deepEqual(lines, ['{"a":"ü"}', '', '{"b":2}', 'rest']);
  await connection.close();
  await t.throwsAsync(connection.calls({ method: 'GET', path: '/' }), { message: /closed/ });
});
