import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runCommand, type RunControllerOptions, type Runs, type SandboxOptions } from '../../src/cli/commands.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { stopSignal } from '../../src/cli/stop.ts';

const { version: VERSION } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const directory = mkdtempSync(join(tmpdir(), 'knative-eip-cli-'));
test.after.always(() => rmSync(directory, { recursive: true }));

const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const GOOD = file('good.yaml', 'clusterID: c1\nregionID: cn-hangzhou\nvpcID: vpc-1\n');
const BAD = file('bad.yaml', 'clusterID: c1\nregionID: here\n');

/** A clock that stands still until it is moved. */
const still = () => {
  let now = 0;
  const clock: Clock = { now: () => now, mono: () => now, sleep: async () => {}, timer: () => () => {} };
  return { clock, pass: (ms: number) => (now += ms) };
};

/** Runs a command line with long-running commands that only note what they were given. */
const run = async (line: string, { runs, env = {} }: { runs?: Runs; env?: Record<string, string> } = {}) => {
  let out = '';
  let err = '';
  const controllers: RunControllerOptions[] = [];
  const sandboxes: SandboxOptions[] = [];
  const code = await runCommand(line.split(' ').filter(Boolean), {
    env,
    clock: still().clock,
    out: (text) => (out += text),
    err: (text) => (err += text),
    errIsTerminal: false,
    columns: 100,
    runs: runs ?? {
      controller: async () => async (options) => {
        controllers.push(options);
        return 0;
      },
      sandbox: async () => async (options) => {
        sandboxes.push(options);
        options.print('here it is\n');
        return 0;
      },
      drain: async () => async () => 0,
    },
  });
  return { code, out, err, controllers, sandboxes };
};

test('--help lists the commands and the exit codes on standard output', async (t) => {
  const { code, out, err } = await run('--help');
  t.is(code, 0);
  t.is(err, '');
  for (const word of ['controller', 'drain', 'sandbox', 'explain', 'config', 'version', 'Exit codes:'])
    t.true(out.includes(word), word);
});

for (const command of ['controller', 'drain', 'sandbox', 'explain', 'config'])
  test(`${command} --help has examples and exit codes`, async (t) => {
    const { code, out } = await run(`${command} --help`);
    t.is(code, 0);
    t.regex(out, /Examples:/);
    t.regex(out, /Exit codes:/);
    t.true(out.split('\n').every((line) => line.length <= 120));
  });

/** A command line that is wrong, and what is said about it. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ['', /Usage: knative-eip/],
  ['contrller', /unknown command 'contrller'[^]*Did you mean controller\?/],
  ['sandbox --prot 1', /unknown option '--prot'[^]*Did you mean --port\?/],
  ['sandbox --port 65534', /whole number from 1 to 65533/],
  ['sandbox --port 0x10', /whole number from 1 to 65533/],
  ['sandbox --for 0', /whole number from 1 to/],
  ['sandbox now', /too many arguments/],
  ['drain --release', /required option '-c, --config <file>'/],
  [`drain --release --config ${BAD}`, /regionID: found the text "here"/],
  [`drain --release --keep -c ${GOOD}`, /'--release' cannot be used with option '--keep'/],
  [`drain --release --timeout soon -c ${GOOD}`, /Write a duration above zero, for example 90s or 10m/],
  ['controller', /required option '-c, --config <file>'/],
  ['controller --config', /argument missing/],
  ['controller --config /no/such.yaml', /\/no\/such.yaml: the configuration cannot be read: there is no such file/],
  [
    `controller --config ${BAD}`,
    /bad.yaml:1:1: vpcID: this key is required[^]*bad.yaml:2:11: regionID: found the text "here"/,
  ],
  [`sandbox --config ${BAD}`, /regionID: found the text "here"/],
  ['config', /no file is named: pass --config FILE/],
];

for (const [line, said] of WRONG)
  test(`the command line is wrong, exit code 2: knative-eip ${line.replaceAll(directory, '')}`, async (t) => {
    const { code, out, err, controllers, sandboxes } = await run(line);
    t.is(code, 2);
    t.is(out, '');
    t.regex(err, said);
    t.is(controllers.length + sandboxes.length, 0, 'nothing was started');
  });

test('the controller gets the configuration, the kubeconfig, the environment and a log', async (t) => {
  const { code, controllers } = await run(`controller --config ${GOOD} --kubeconfig /k`, {
    env: { POD_NAMESPACE: 'eips' },
  });
  t.is(code, 0);
  t.like(controllers[0], {
    kubeconfig: '/k',
    config: { clusterID: 'c1', leaderElection: { namespace: 'eips' } },
    version: VERSION,
  });
  t.is(controllers[0]?.origins.get('leaderElection.namespace'), 'environment POD_NAMESPACE');
  t.false(controllers[0]?.signal.aborted);
  t.is(typeof controllers[0]?.log.info, 'function');
});

test('without --kubeconfig the controller is in the cluster', async (t) => {
  const { controllers } = await run(`controller -c ${GOOD}`);
  t.is(controllers[0]?.kubeconfig, undefined);
});

test('the sandbox needs nothing, and never sees the credentials of the environment', async (t) => {
  const { code, out, sandboxes } = await run('sandbox', {
    env: { ALIBABA_CLOUD_ACCESS_KEY_ID: 'x', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'y', KNATIVE_EIP_ENDPOINT_VPC: 'vpc' },
  });
  t.is(code, 0);
  t.is(out, 'here it is\n');
  t.like(sandboxes[0], { forSeconds: undefined, ports: { kubernetes: 0, cloud: 0, http: 0 } });
  t.is(sandboxes[0]?.config.credential.accessKey, undefined);
  t.is(sandboxes[0]?.config.endpoints.vpc, undefined);
  t.is(sandboxes[0]?.config.http.address, '127.0.0.1:0');
});

test('--port fixes three ports in a row, --for a time, --config what the controller is to be like', async (t) => {
  const { sandboxes } = await run(`sandbox --port 7000 --for 30 --config ${GOOD}`);
  t.like(sandboxes[0], {
    forSeconds: 30,
    ports: { kubernetes: 7000, cloud: 7001, http: 7002 },
    config: { clusterID: 'c1' },
  });
});

test('--cloud-reading may be repeated, and must be one that there is', async (t) => {
  t.deepEqual((await run('sandbox')).sandboxes[0]?.readings, []);
  const { sandboxes } = await run('sandbox --cloud-reading tagsIgnored -r readLag');
  t.deepEqual(sandboxes[0]?.readings, ['tagsIgnored', 'readLag']);
  const { code, err } = await run('sandbox --cloud-reading tags');
  t.is(code, 2);
  t.regex(err, /'tags' is invalid. It must be one of tagsIgnored, /);
});

test('what the work resolves to is the exit code; what it throws is told, and is 1', async (t) => {
  const failing: Runs = {
    controller: async () => async () => 1,
    sandbox: async () => async () => {
      throw new Error('cannot serve HTTP on 127.0.0.1:7000');
    },
  };
  t.is((await run(`controller -c ${GOOD}`, { runs: failing })).code, 1);
  const { code, err } = await run('sandbox', { runs: failing });
  t.is(code, 1);
  t.is(err, 'knative-eip: cannot serve HTTP on 127.0.0.1:7000\n');
});

test('a long-running command is loaded only when it runs', async (t) => {
  const runs: Runs = {
    controller: () => Promise.reject(new Error('loaded')),
    sandbox: () => Promise.reject(new Error('loaded')),
  };
  t.is((await run('--help', { runs })).code, 0);
  t.is((await run(`controller -c ${BAD}`, { runs })).code, 2);
  t.is((await run(`controller -c ${GOOD}`, { runs })).err, 'knative-eip: loaded\n');
});

test('config prints the effective configuration, with origins if asked, without secrets', async (t) => {
  const path = file(
    'secret.yaml',
    'clusterID: c1\nregionID: cn-x\nvpcID: vpc-1\ncredential: {accessKey: LTAIx, accessSecret: hush}\n',
  );
  const plain = await run(`config --config ${path}`);
  t.is(plain.code, 0);
  t.regex(plain.out, /^clusterID: c1$/m);
  t.regex(plain.out, /accessSecret: "?\[secret\]"?/);
  t.notRegex(plain.out, /LTAIx|hush|#/);
  const traced = await run(`config --config ${path} --origin`);
  t.true(traced.out.includes(`clusterID: c1 # ${path}:1:12\n`), traced.out);
  t.regex(traced.out, /logLevel: info # default/);
});

test('config --schema prints the JSON Schema', async (t) => {
  const { code, out } = await run('config --schema');
  t.is(code, 0);
  t.is((JSON.parse(out) as { title: string }).title, 'Configuration of knative-eip');
});

test('version and --version agree', async (t) => {
  t.is((await run('version')).out, `knative-eip ${VERSION}\nnode ${process.versions.node}\n`);
  t.is((await run('--version')).out, `${VERSION}\n`);
});

test.serial('the first signal asks to stop; a launcher’s copy of it changes nothing', (t) => {
  const { clock, pass } = still();
  const { signal, dispose } = stopSignal(clock);
  t.teardown(dispose);
  t.false(signal.aborted);
  process.emit('SIGTERM', 'SIGTERM');
  t.true(signal.aborted);
  t.is((signal.reason as Error).message, 'stopped by SIGTERM');
  pass(400);
  process.emit('SIGTERM', 'SIGTERM');
  t.pass('the process is still there');
});

test.serial('handlers of signals go when the command has ended', (t) => {
  const before = process.listenerCount('SIGTERM');
  const { dispose } = stopSignal(still().clock);
  t.is(process.listenerCount('SIGTERM'), before + 1);
  dispose();
  t.is(process.listenerCount('SIGTERM'), before);
});
