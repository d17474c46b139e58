/**
 * What a controller takes that has nothing to do: memory, CPU and time until it is ready, on the embedded API, with so
 * many pods in the cluster of which one in a hundred asks for an address. It runs as it does in the image: the program
 * that image/pack.ts makes of dist/, with the options of the Dockerfile. Prints Markdown. CPU and memory are the
 * controller's own; the time until it is ready depends on what else the machine does.
 *
 * Two ratios are of pairs, one after the other in the same run, so that a busy machine is in both: the start in an
 * empty cluster with `node -e 0`; and what pods add to it with a process of the same options that fetches the same
 * pages and parses them, and does nothing with them.
 *
 *   npm run build && npm run bench:footprint
 *   npm run bench:footprint -- --pods 0,10000,50000 --runs 3
 *   npm run bench:footprint -- --pods 50000 --no-managed-fields
 *   npm run bench:footprint -- --pods 10000 --informer       beside client-node's informer, with 2 GB for 50,000
 *   npm run bench:footprint -- --entry dist/main.js
 *   npm run bench:footprint -- --entry src/main.ts --options ''
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { stringify } from 'yaml';
import { pack } from '../../image/pack.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createHome } from '../e2e/rights.ts';
import { definitionOf } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { configuration } from '../harness/settings.ts';
import { serveWithPods } from './many-pods.ts';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;
const MIB = 2 ** 20;
/** Linux tells CPU time in hundredths of a second. */
const TICK_MS = 10;
/** How often it is asked whether it is ready, which costs it CPU: more seldom where that takes seconds. */
const POLL_MS = 20;
const SELDOM_MS = 200;
/** How long after it is ready the memory is looked at again. */
const LATER_MS = 10_000;

/** What the image gives to Node: by its environment and on its command line. */
const imageOptions = (): string => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const [, environment = ''] = /NODE_OPTIONS="([^"]*)"/.exec(dockerfile) ?? [];
  const entryPoint = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  return [environment, ...entryPoint.filter((it) => it.startsWith('--'))].join(' ');
};

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '0' },
    runs: { type: 'string', default: '3' },
    entry: { type: 'string' },
    options: { type: 'string', default: imageOptions() },
    config: { type: 'string', default: '{}' },
    'no-managed-fields': { type: 'boolean', default: false },
    informer: { type: 'boolean', default: false },
  },
});

const options = values.options.split(' ').filter((it) => it !== '');

interface Cost {
  readonly cpuMs: number;
  readonly wallMs: number;
}

interface Taken {
  readonly memoryMiB: number;
  readonly cpuMs: number;
}

/** What the process has taken, by Linux. */
const takenBy = (pid: number): Taken & { readonly highestMiB: number } => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  // After the name of the program, which may have spaces: state is the first, user and system time the 12th and 13th.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  return { memoryMiB: (kib('VmRSS') * 1024) / MIB, highestMiB: (kib('VmHWM') * 1024) / MIB, cpuMs };
};

const isReady = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

const row = (...cells: readonly (string | number)[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

const folder = await mkdtemp(join(tmpdir(), 'eip-footprint-'));

/** The program of the image, far from the packages of the checkout. */
const packed = async (): Promise<string> => {
  await pack(ROOT, join(ROOT, 'dist'), join(folder, 'image'));
  return join(folder, 'image/dist/main.js');
};

const entry = values.entry === undefined ? await packed() : resolve(ROOT, values.entry);
const api = await serveKube(createApiServer({ clock, random, webhooks: {} }), { host: '127.0.0.1', port: 0 });
const cloud = await serveCloud(createSandboxCloud({ clock, random }), { host: '127.0.0.1', port: 0 });
await writeFile(join(folder, 'admin'), kubeconfig(api.url));
const admin = await connect({ kubeconfigPath: join(folder, 'admin') });
const kube = createKube({ transport: admin.calls, clock, qps: 0 });
for (const kind of [PODEIP, EIP_HOLDER]) await kube.create(CRD, definitionOf(kind));
await createHome(kube);

/** What a program that is given to Node took, by its own word: milliseconds. */
const ownWord = async (nodeOptions: readonly string[], program: string): Promise<Cost> => {
  const { stdout } = await run(process.execPath, [...nodeOptions, '--input-type=module', '-e', program], {
    env: { NODE_ENV: 'production' },
  });
  return JSON.parse(stdout) as Cost;
};

const TELL = `console.log(JSON.stringify({ cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1_000 - cpuMs, wallMs: performance.now() - wallMs }))`;

/** Node that does nothing, from its first moment to its end. */
const nothing = async (): Promise<Cost> => {
  const started = performance.now();
  const { cpuMs } = await ownWord([], `const [cpuMs, wallMs] = [0, 0]; process.on('exit', () => ${TELL});`);
  return { cpuMs, wallMs: performance.now() - started };
};

/** Fetches and parses all pods, page by page, and keeps none. */
const fetchAndParse = (url: string): Promise<Cost> =>
  ownWord(
    options,
    `const { user, system } = process.cpuUsage();
    const [cpuMs, wallMs] = [(user + system) / 1_000, performance.now()];
    let token = '';
    do {
      const response = await fetch('${url}/api/v1/pods?limit=500' + (token && '&continue=' + token));
      token = JSON.parse(await response.text()).metadata.continue ?? '';
    } while (token);
    ${TELL};`,
  );

/** The same pods in the informer of client-node, from its first request until it has them all. */
const informer = (url: string): Promise<Cost> =>
  ownWord(
    ['--enable-source-maps'],
    `const { KubeConfig, CoreV1Api, makeInformer } = await import('${import.meta.resolve('@kubernetes/client-node')}');
    const { user, system } = process.cpuUsage();
    const [cpuMs, wallMs] = [(user + system) / 1_000, performance.now()];
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: 'bench', server: '${url}', skipTLSVerify: true }, { name: 'bench' });
    const api = config.makeApiClient(CoreV1Api);
    const pods = makeInformer(config, '/api/v1/pods', () => api.listPodForAllNamespaces());
    pods.on('error', (error) => { throw error; });
    await pods.start();
    ${TELL};
    process.exit();`,
  );

const measure = async (url: string, laterMs: number, pollMs = POLL_MS) => {
  const port = await freePort();
  const [kubeconfigPath, path] = [join(folder, 'kubeconfig'), join(folder, 'config.yaml')];
  await writeFile(kubeconfigPath, kubeconfig(url));
  await writeFile(
    path,
    stringify(
      configuration({
        credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
        endpoints: { vpc: cloud.url, ecs: cloud.url, eci: cloud.url },
        http: { address: '127.0.0.1:0' },
        health: { address: `127.0.0.1:${port}` },
        metrics: { address: '127.0.0.1:0' },
        leaderElection: { namespace: 'knative-eip-system', enabled: false },
        ...(JSON.parse(values.config) as object),
      }),
    ),
  );
  const started = performance.now();
  const child = spawn(process.execPath, [...options, entry, 'controller', '-c', path, '-k', kubeconfigPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { NODE_ENV: 'production' },
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null || child.pid === undefined) throw new Error(`the controller has ended:\n${said}`);
      await sleep(pollMs);
    }
    const readyMs = performance.now() - started;
    const { pid = 0 } = child;
    const then = takenBy(pid);
    await sleep(laterMs);
    const later = takenBy(pid);
    return { readyMs, cpuMs: then.cpuMs, memoryMiB: then.memoryMiB, later };
  } finally {
    child.kill('SIGKILL');
    await ended(child);
  }
};

process.stdout.write(
  `${values.entry ?? 'packed dist/'}, Node ${process.versions.node}, options: ${values.options || 'none'}\n\n`,
);
type Ratio = 'cpu' | 'wall' | 'besideCpu' | 'besideWall';

const HEAD = [
  'pods',
  'ready after s',
  'CPU until ready ms',
  'MiB when ready',
  'MiB 10 s later',
  'highest MiB',
  'start ÷ node -e 0: CPU, time',
  'pods ÷ fetch and parse: CPU, time',
  ...(values.informer ? ['client-node’s informer ÷ fetch and parse: CPU, time'] : []),
];
row(...HEAD);
row(...HEAD.map(() => '---'));
for (const pods of values.pods.split(',').map(Number)) {
  const front = await serveWithPods(api.url, { count: pods, withManagedFields: !values['no-managed-fields'] });
  const runs: (Awaited<ReturnType<typeof measure>> & Readonly<Record<Ratio, number>>)[] = [];
  for (let index = 0; index < Number(values.runs); index += 1) {
    const [base, empty] = pods === 0 ? [await nothing()] : [await fetchAndParse(front.url), await measure(api.url, 0)];
    const beside = pods > 0 && values.informer ? await informer(front.url) : undefined;
    const one = await measure(front.url, LATER_MS, pods === 0 ? POLL_MS : SELDOM_MS);
    const [cpuMs, readyMs] = [one.cpuMs - (empty?.cpuMs ?? 0), one.readyMs - (empty?.readyMs ?? 0)];
    const [cpu, wall] = [cpuMs / base.cpuMs, readyMs / base.wallMs];
    const [besideCpu, besideWall] = [(beside?.cpuMs ?? 0) / base.cpuMs, (beside?.wallMs ?? 0) / base.wallMs];
    runs.push({ ...one, cpu, wall, besideCpu, besideWall });
  }
  const of = (pick: (one: (typeof runs)[number]) => number, digits = 0) => median(runs.map(pick)).toFixed(digits);
  const ratios = `${of(({ cpu }) => cpu, 2)}, ${of(({ wall }) => wall, 2)}`;
  row(
    pods,
    of(({ readyMs }) => readyMs / 1_000, 2),
    of(({ cpuMs }) => cpuMs),
    of(({ memoryMiB }) => memoryMiB),
    of(({ later }) => later.memoryMiB),
    of(({ later }) => later.highestMiB),
    ...(pods === 0 ? [ratios, ''] : ['', ratios]),
    ...(values.informer ? [`${of(({ besideCpu }) => besideCpu, 2)}, ${of(({ besideWall }) => besideWall, 2)}`] : []),
  );
  await front.close();
}
await admin.close();
await api.close();
await cloud.close();
await rm(folder, { recursive: true });
