import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { Exec, KubeConfig, PortForward, type V1Status } from '@kubernetes/client-node';
import test, { type ExecutionContext } from 'ava';
import { WebSocket, type ClientOptions } from 'ws';
import { controlPlaneAvailable, HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { freePorts } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { setKubectlStage } from './kubectl-stage.ts';

const exec = async (t: ExecutionContext) => {
  const stage = await setKubectlStage(t);
  await stage.runPod('web');
  const { kubectl, kubectlWith } = stage;

  const said = await kubectl('exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3');
  t.deepEqual([said.code, said.stdout.toString()], [3, 'out\n'], said.stderr);
  t.regex(said.stderr, /^err\ncommand terminated with exit code 3\n$/);
  t.is((await kubectl('exec', 'web', '--', 'true')).code, 0);
  t.is((await kubectl('exec', 'web', '--', 'false')).code, 1);
  t.is((await kubectl('exec', 'web', '--', 'no-such-program')).code, 127);

  // Arguments that ECI would not take, and that a shell would read otherwise.
  const odd = [
    '',
    'two words',
    "it's",
    '$HOME `id` \\',
    'a\nb\n',
    'é',
    'x'.repeat(1_000),
    ...Array<string>(30).fill('n'),
  ];
  const echoed = await kubectl('exec', 'web', '--', 'printf', '%s|', ...odd);
  t.is(echoed.stdout.toString(), odd.map((one) => `${one}|`).join(''), echoed.stderr);

  const many = await kubectl('exec', 'web', '--', 'head', '-c', '5242880', '/dev/zero');
  t.deepEqual([many.code, many.stdout.length], [0, 5_242_880], many.stderr);
  const counted = await kubectlWith(Buffer.alloc(5_242_880, 7), 'exec', '-i', 'web', '--', 'wc', '-c');
  t.deepEqual([counted.code, counted.stdout.toString().trim()], [0, '5242880'], counted.stderr);
  // Who does not read its input does not wait for its end either.
  t.is((await kubectlWith(Buffer.alloc(1_000_000), 'exec', '-i', 'web', '--', 'true')).code, 0);

  const other = await kubectl('exec', 'web', '-c', 'other', '--', 'true');
  t.regex(other.stderr, /container other is not valid|container not found/);
  t.deepEqual(stage.complaints, []);
};

const digest = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

const copy = async (t: ExecutionContext) => {
  const { folder, kubectl, runPod } = await setKubectlStage(t);
  const inside = await runPod('web');
  const bytes = randomBytes(5_242_880);
  await writeFile(join(folder, 'there'), bytes);
  const there = await kubectl('cp', 'there', 'default/web:copied', '-c', 'main');
  t.is(there.code, 0, there.stderr);
  t.is(await digest(join(inside, 'copied')), await digest(join(folder, 'there')));
  const back = await kubectl('cp', 'default/web:copied', 'back');
  t.is(back.code, 0, back.stderr);
  t.is(await digest(join(folder, 'back')), await digest(join(folder, 'there')));
};

const terminal = async (t: ExecutionContext) => {
  const { folder, env, runPod } = await setKubectlStage(t);
  await runPod('web');
  // A terminal for kubectl, of which the size changes; what is typed is sent once the shell has spoken.
  const program = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp('kubectl', ['kubectl', 'exec', '-it', 'web', '--', 'sh'])
size = lambda rows, columns: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(33, 101)
seen, all = b'', b''
def until(words):
    global seen, all
    while words not in seen:
        data = os.read(fd, 4096)
        seen, all = seen + data, all + data
    seen = seen[seen.index(words) + len(words):]
try:
    until(b'# ' if os.getuid() == 0 else b'$ ')
    os.write(fd, b'tty; echo size:$(stty size)\\n')
    until(b'size:33 101')
    size(44, 120)
    os.write(fd, b'while [ "$(stty size)" != "44 120" ]; do sleep 0.1; done; echo re""sized\\n')
    until(b'resized')
    os.write(fd, b'exit\\n')
    while True:
        all += os.read(fd, 4096)
except OSError:
    pass
sys.stdout.buffer.write(all)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`;
  const child = spawn('python3', ['-c', program], { env, cwd: folder });
  t.teardown(() => child.kill('SIGKILL'));
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  t.regex(stdout, /\/dev\/pts\/\d+[\s\S]*size:33 101[\s\S]*resized/, stderr);
  t.is(code, 0, stdout + stderr);
};

const forward = async (t: ExecutionContext) => {
  const { cloud, kubectl, start, runPod, sessions } = await setKubectlStage(t);
  await runPod('web');
  const address = cloud.containerGroups()[0]?.intranetIp;
  const server = createServer((request, response) => {
    request.pipe(response);
  });
  await once(server.listen(0, address), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const [silent = 0] = await freePorts(1);
  const child = start('port-forward', 'pod/web', `:${port}`, `:${silent}`);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
  const local = async (to: number) => {
    const line = new RegExp(`127\\.0\\.0\\.1:(\\d+) -> ${to}\\n`);
    await until(
      `port ${to} is forwarded`,
      () => said,
      (it) => line.test(it),
    );
    return line.exec(said)?.[1];
  };
  const url = `http://127.0.0.1:${await local(port)}/`;
  const bodies = [Buffer.from('hello'), randomBytes(3_000_000), randomBytes(1_000_000)];
  const answers = await Promise.all(
    bodies.map(async (body) => Buffer.from(await (await fetch(url, { method: 'POST', body })).arrayBuffer())),
  );
  for (const [n, answer] of answers.entries()) t.true(answer.equals(bodies[n] ?? Buffer.alloc(0)), said);
  // More than one session may have open at once.
  for (let n = 0; n < 140; n += 1) {
    const answer = await fetch(url, { method: 'POST', body: String(n), headers: { connection: 'close' } });
    t.is(await answer.text(), String(n), said);
  }
  await t.throwsAsync(fetch(`http://127.0.0.1:${await local(silent)}/`));
  await until(
    'kubectl says why',
    () => said,
    (it) => /error forwarding port \d+ to pod web, uid .*ECONNREFUSED/.test(it),
  );

  const attached = await kubectl('attach', 'web');
  t.not(attached.code, 0);
  t.regex(attached.stderr, /ECI has no way to attach .* kubectl logs -f/);
  t.true(sessions.includes('attach refused'));
};

const run = async (t: ExecutionContext) => {
  const { cloud, start } = await setKubectlStage(t);
  const overrides = '--overrides={"spec":{"nodeName":"virtual-1"}}';
  const child = start('run', 'once', '--image=busybox', '--restart=Never', '-i', '--rm', overrides);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
  const ended = once(child, 'close');
  // Which of the two pipes is read first is not said.
  await until(
    'its log shows, and why it is all that shows',
    () => said,
    (it) => it.includes('started busybox') && it.includes('falling back'),
  );
  t.regex(said, /couldn't attach to pod\/once, falling back to streaming logs: .*ECI has no way to attach/);
  cloud.world.endContainerGroup(cloud.containerGroups()[0]?.containerGroupId ?? '', 'Succeeded');
  const [code] = (await ended) as [number | null];
  t.is(code, 0, said);
  t.regex(said, /pod "once" deleted/);
};

/** As libraries send what they read: a message of more than a mebibyte is not taken. */
const piecesOf = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, n) => bytes.subarray(n * 65_536, (n + 1) * 65_536));

/**
 * Clients that are no kubectl. The API server translates v5.channel.k8s.io, and hands everything before it, and their
 * port-forward, to the kubelet as it is: v4 is what the libraries in Python and Java speak, and JavaScript's before it
 * had v5; base64 what web consoles do.
 */
const libraries = async (t: ExecutionContext) => {
  const { folder, env, cloud, runPod, sessions, complaints } = await setKubectlStage(t);
  const inside = await runPod('web');
  const config = new KubeConfig();
  config.loadFromFile(env.KUBECONFIG);
  /** Resolves to which protocol was agreed on, what was said, and how it ended. */
  const run = async (offered: RegExp, command: string, input?: Buffer) => {
    const exec = new Exec(config);
    const socketFactory = (uri: string, protocols: string[], options: ClientOptions) =>
      new WebSocket(
        uri,
        protocols.filter((each) => offered.test(each)),
        options,
      );
    Object.assign(exec.handler, { socketFactory });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    const statuses: V1Status[] = [];
    const stdin = input ? Readable.from(piecesOf(input)) : null;
    const words = ['sh', '-c', command];
    const socket: WebSocket = await exec.exec(
      'default',
      'web',
      'main',
      words,
      stdout,
      stderr,
      stdin,
      false,
      (status) => {
        statuses.push(status);
      },
    );
    socket.on('close', () => close());
    const { protocol } = socket;
    await closed;
    for (const stream of [stdout, stderr]) stream.end();
    return { protocol, said: await Promise.all([text(stdout), text(stderr)]), status: statuses[0] };
  };
  for (const offered of [/./, /^v4\./]) {
    const { protocol, said, status } = await run(offered, 'echo out; echo err >&2; exit 3');
    t.is(protocol, offered.test('v5') ? 'v5.channel.k8s.io' : 'v4.channel.k8s.io');
    t.deepEqual(said, ['out\n', 'err\n'], protocol);
    t.like(
      status,
      { reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } },
      protocol,
    );
    t.like((await run(offered, 'true')).status, { status: 'Success' }, protocol);
  }
  // Of what v4 and the client make of the end of an input, nothing is lost: it closes the connection.
  const bytes = randomBytes(3_000_000);
  await run(/^v4\./, 'cat > copied && mv copied there', bytes);
  await writeFile(join(folder, 'bytes'), bytes);
  await until(
    'all has arrived',
    async () => (await digest(join(inside, 'there')).catch(() => '')) === (await digest(join(folder, 'bytes'))),
    Boolean,
  );

  const url = `${config.getCurrentCluster()?.server.replace('https', 'wss')}/api/v1/namespaces/default/pods/web/exec`;
  const headers = { authorization: `Bearer ${config.getCurrentUser()?.token}` };
  const query = 'container=main&stdin=1&stdout=1&stderr=1&command=sh&command=-c&command=';
  const options = { headers, rejectUnauthorized: false };
  const script = encodeURIComponent('read word; echo heard $word; exit 4');
  const console = new WebSocket(`${url}?${query}${script}`, ['base64.channel.k8s.io'], options);
  const heard: string[] = [];
  console.on('message', (message) => void heard.push(message.toString()));
  console.on('open', () => console.send(`0${Buffer.from('it\n').toString('base64')}`, () => undefined));
  await new Promise((resolve, reject) => console.on('close', resolve).on('error', reject));
  const [greeting, ...rest] = heard.map((one) => `${one[0]} ${Buffer.from(one.slice(1), 'base64').toString()}`);
  t.is(greeting, '1 ');
  t.deepEqual(rest, [
    '1 heard it\n',
    '3 command terminated with non-zero exit code: command terminated with exit code 4',
  ]);

  const server = createServer((request, response) => void request.pipe(response));
  await once(server.listen(0, cloud.containerGroups()[0]?.intranetIp), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const [output, errors, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const socket = (await new PortForward(config).portForward(
    'default',
    'web',
    [port],
    output,
    errors,
    input,
  )) as unknown as WebSocket;
  t.is(socket.protocol, 'v4.channel.k8s.io');
  socket.on('close', () => [output, errors].forEach((stream) => stream.end()));
  input.write(`POST / HTTP/1.0\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  for (const piece of piecesOf(bytes)) input.write(piece);
  const answer = await buffer(output);
  t.regex(answer.subarray(0, 100).toString(), /^HTTP\/1\.1 200 OK/);
  t.is(createHash('sha256').update(answer.subarray(-bytes.length)).digest('hex'), await digest(join(folder, 'bytes')));
  t.is(await text(errors), '');
  await until(
    'all is over',
    () => sessions,
    ({ length }) => length === 7,
  );
  t.deepEqual(sessions.toSorted(), [...Array<string>(6).fill('exec ended'), 'portForward ended']);
  t.deepEqual(complaints, []);
};

const TESTS: readonly (readonly [string, (t: ExecutionContext) => Promise<void>])[] = [
  ['kubectl exec runs commands in containers of the virtual node, with input, output and exit code', exec],
  ['kubectl exec -it is a terminal whose size follows', terminal],
  ['kubectl cp copies 5 MiB there and back', copy],
  ['kubectl port-forward reaches the instance, and attach is refused with what to do', forward],
  [
    'clients of other libraries run commands and reach ports by WebSocket, each in the protocol that it knows',
    libraries,
  ],
  ['kubectl run -i --rm shows the log, because there is no attach, and ends with the pod', run],
];
for (const [title, play] of TESTS)
  if (controlPlaneAvailable()) test.serial(title, play);
  else test.skip(`${title} (${HOW_TO_GET_ONE})`, play);
