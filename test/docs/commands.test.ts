import { execFile, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { POD } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig as kubeconfigFor } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { startEmptySandbox } from '../harness/empty-sandbox.ts';
import { until } from '../harness/until.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/**/*.md',
  'knative/**/*.md',
  'examples/**/*.md',
  'dashboards/*.md',
];
const pages = PAGES.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
const kubectlTest = installed ? test : test.skip;

interface Block {
  readonly page: string;
  /** What stands behind the fence: the language, and perhaps a word for this test. */
  readonly info: string;
  readonly text: string;
}

const blocksOf = (page: string): Block[] =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gmu)].map(
    ([, info = '', text = '']) => ({ page, info: info.trim(), text }),
  );
const blocks = pages.flatMap(blocksOf);

/** The commands of a block: without comments, and whole where they go on in the next line. */
const commandsOf = ({ text }: Block): string[] =>
  text
    .replaceAll(/\\\n\s*/gu, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/u, '').trim())
    .filter((line) => line !== '');

const commands = blocks
  .filter(({ info }) => /^sh\b/u.test(info))
  .flatMap((block) => commandsOf(block).map((command) => ({ page: block.page, command })));

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
/** What npm knows without a script. */
const NPM = ['ci', 'install', 'start', 'test', 'exec', 'link', 'run'];

/** What is wrong with a command that can be seen without running it. */
const faultOf = (command: string): string | undefined => {
  const words = command.split(/\s+/u);
  const after = (flag: string): string[] => words.filter((_, index) => words[index - 1] === flag);
  const files = [
    ...(words[0] === 'helm' ? words.filter((word) => word.startsWith('charts/')) : []),
    ...after('-k'),
    ...(words.includes('kubectl') ? after('-f') : []),
  ];
  const missing = files.find((file) => /^[a-z]/u.test(file) && !existsSync(join(ROOT, file)));
  if (missing !== undefined) return `there is no ${missing}`;
  const npm = words.indexOf('npm');
  const verb = words[npm + 1] ?? '';
  if (npm >= 0 && !NPM.includes(verb) && !verb.startsWith('install')) return `npm has no ${verb}`;
  const called = words.slice(npm + 2).find((word) => !word.startsWith('-')) ?? '';
  if (npm >= 0 && verb === 'run' && scripts[called] === undefined) return `no script ${called}`;
  const node = words.indexOf('node');
  const script = words[node + 1] ?? '';
  return node >= 0 && script.endsWith('s') && !existsSync(join(ROOT, script)) ? `there is no ${script}` : undefined;
};

test('every command of README and docs names files, folders and scripts that there are', (t) => {
  t.true(commands.length > 40, `${commands.length} commands are found`);
  t.deepEqual(
    commands.filter(({ command }) => faultOf(command) !== undefined),
    [],
  );
  t.is(faultOf('kubectl apply -k config/nothing'), 'there is no config/nothing');
  t.is(faultOf('helm install it charts/nothing'), 'there is no charts/nothing');
  t.is(faultOf('npm run nothing'), 'no script nothing');
  t.is(faultOf('VAR=1 node test/nothing.ts'), 'there is no test/nothing.ts');
});

kubectlTest('every folder that is to be applied can be built', async (t) => {
  const folders = new Set(commands.flatMap(({ command }) => /kubectl apply.* -k (\S+)/u.exec(command)?.[1] ?? []));
  t.true(folders.size > 0);
  for (const folder of folders) {
    const { stdout } = await run('kubectl', ['kustomize', join(ROOT, folder)], { maxBuffer: 16 << 20 });
    t.true(parseAllDocuments(stdout).length > 0, folder);
  }
});

/** The help of a command: every option that a page gives it stands there. */
const helps = new Map<string, string>();
const helpOf = async (name: string): Promise<string> => {
  const known = helps.get(name);
  if (known !== undefined) return known;
  const { stdout } = await run(process.execPath, [join(ROOT, 'src/main.ts'), name, '--help']);
  helps.set(name, stdout);
  return stdout;
};

test('every option that a page gives to knative-eip is one that the command has', async (t) => {
  const seen: string[] = [];
  for (const { page, command } of commands.filter((each) => !each.command.startsWith('helm '))) {
    const [, name = '', rest = ''] =
      /(?:^|\s)knative-eip ([a-z]+)(.*)$/u.exec(command) ?? /^npm (?:start)() -- (.*)$/u.exec(command) ?? [];
    const verb = command.startsWith('npm start --') ? 'sandbox' : name;
    if (verb === '') continue;
    const help = await helpOf(verb);
    for (const [, option = ''] of (rest === '' ? command : rest).matchAll(/\s(--[a-z-]+)/gu)) {
      if (option === '--') continue;
      seen.push(option);
      t.true(help.includes(option), `${page}: ${command}: ${verb} has no ${option}`);
    }
  }
  t.true(seen.length > 3, seen.join(' '));
});

/** Runs one block as a user's shell does; its exit code and what it said. */
const shell = async (text: string, kubeconfig: string): Promise<{ readonly code: number; readonly said: string }> => {
  try {
    const { stdout, stderr } = await run('bash', ['-e', '-c', text], {
      cwd: ROOT,
      env: { ...process.env, KUBECONFIG: kubeconfig },
    });
    return { code: 0, said: `${stdout}${stderr}` };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: `${stdout}${stderr}` };
  }
};

const apply = async (kubeconfig: string, object: unknown, namespace: string): Promise<void> => {
  const child = run('kubectl', ['--kubeconfig', kubeconfig, 'apply', '-n', namespace, '-f', '-']);
  child.child.stdin?.end(typeof object === 'string' ? object : stringify(object));
  await child;
};

(installed ? test.serial : test.serial.skip)(
  'the tutorial does what it says, from the first command to the last',
  async (t) => {
    const { kubeconfig, text: printed, end } = await startEmptySandbox();
    t.teardown(async () => {
      if ((await end()) !== 0) throw new Error(printed());
    });
    const said: string[] = [];
    for (const { info, text } of blocksOf('docs/tutorial.md')) {
      // These are for the terminals: the sandbox runs, and its kubeconfig is known.
      if (/npm ci|export KUBECONFIG/u.test(text)) continue;
      if (info === 'yaml') await apply(kubeconfig, text, 'default');
      else {
        // A machine that does much else at the time lets a test wait.
        const patient = text.replaceAll(/--timeout=\d+s/gu, '--timeout=600s');
        const { code, said: words } = await shell(patient, kubeconfig);
        said.push(words);
        if (info.endsWith('refused')) t.true(code !== 0 && words.includes('InvalidBandwidth'), words);
        else t.is(code, 0, `${text}\n${words}`);
      }
    }
    const addresses = said.flatMap((text) =>
      [...text.matchAll(/^game-0 .*?(203\.0\.113\.\d+)/gmu)].map(([, it]) => it),
    );
    t.true(addresses.length >= 2, said.join('\n'));
    t.is(new Set(addresses).size, 1, 'the pod has the address that it had before');
  },
);

const hasJq = spawnSync('jq', ['--version']).status === 0;
(installed && hasJq ? test : test.skip)(
  'PodEIPs are taken out of a copy of etcd as the page about backups does it',
  async (t) => {
    const server = createApiServer({ clock, random: systemRandom });
    const { url, close } = await serveKube(server);
    const folder = await mkdtemp(join(tmpdir(), 'backup-'));
    t.teardown(async () => {
      await close();
      await rm(folder, { recursive: true });
    });
    const config = join(folder, 'kubeconfig');
    await writeFile(config, kubeconfigFor(url));
    const deployment = readFileSync(join(ROOT, 'config/manager/deployment.yaml'), 'utf8');
    for (const namespace of ['knative-eip-system', 'one', 'two'])
      await run('kubectl', ['--kubeconfig', config, 'create', 'namespace', namespace]);
    await run('kubectl', ['--kubeconfig', config, 'apply', '-k', join(ROOT, 'config/crd')]);
    await apply(config, deployment, 'knative-eip-system');
    const { group, version, kind } = PODEIP;
    for (const namespace of ['one', 'two'])
      await apply(
        config,
        {
          apiVersion: `${group}/${version}`,
          kind,
          metadata: { name: 'web', finalizers: [FINALIZER] },
          spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
        },
        namespace,
      );
    const [block] = blocksOf('docs/backup.md').filter(({ text }) => text.includes('delete podeips'));
    const { code, said } = await shell(`set -o pipefail\n${block?.text}`, config);
    t.is(code, 0, said);
    t.regex(said, /No resources found\n$/u);
    const connection = await connect({ kubeconfigPath: config });
    const kube = createKube({ transport: connection.calls, clock });
    t.deepEqual(await kube.list(PODEIP, {}), []);
    const read = 'kubectl -n knative-eip-system get deployment knative-eip -o jsonpath={.spec.replicas}';
    t.is((await shell(read, config)).said, '0');
    await connection.close();
  },
);

type Manifest = { spec: { template: { metadata: { annotations: Record<string, string> } } } };

(installed ? test.serial : test.serial.skip)(
  'every manifest of the README gets its address in the sandbox, and those of the other pages can be applied',
  async (t) => {
    const { kubeconfig, text: printed, end } = await startEmptySandbox();
    t.teardown(async () => {
      if ((await end()) !== 0) throw new Error(printed());
    });
    const connection = await connect({ kubeconfigPath: kubeconfig });
    const kube = createKube({ transport: connection.calls, clock });
    const yaml = blocksOf('README.md').filter(({ info }) => info === 'yaml');
    const whole = parse(yaml.find(({ text }) => text.includes('kind:'))?.text ?? '') as Manifest;
    // A fragment stands for the annotations of the manifest before it.
    const manifests = yaml.map(({ text }) => {
      if (text.includes('kind:')) return parse(text) as Manifest;
      const annotations = parse(text) as Record<string, string>;
      return { ...whole, spec: { ...whole.spec, template: { ...whole.spec.template, metadata: { annotations } } } };
    });
    t.is(manifests.length, 3);
    for (const [index, manifest] of manifests.entries()) {
      const namespace = `readme-${index}`;
      await run('kubectl', ['--kubeconfig', kubeconfig, 'create', 'namespace', namespace]);
      await apply(kubeconfig, manifest, namespace);
      await until(
        `manifest ${index}`,
        () => kube.list(PODEIP, { namespace }),
        (all) => all.some(({ status }) => status?.status === 'InUse'),
      );
    }
    // The tutorial has a test of its own, in the order of its steps.
    const others = blocks.filter(
      ({ page, info, text }) => info === 'yaml' && /^kind: /mu.test(text) && !/README|tutorial/u.test(page),
    );
    t.true(others.length >= 2, 'guides, and sharing a cluster');
    for (const { text } of others) await apply(kubeconfig, text, 'default');
    const named = await until(
      'the pod of the guide has a target for external-dns',
      () => kube.get(POD, { namespace: 'default', name: 'game-0' }),
      (pod) => pod?.metadata.annotations?.['external-dns.alpha.kubernetes.io/target'] !== undefined,
    );
    const podEip = await kube.get(PODEIP, { namespace: 'default', name: 'game-0' });
    t.is(named?.metadata.annotations?.['external-dns.alpha.kubernetes.io/target'], podEip?.status?.eipAddress);
    await connection.close();
  },
);

/** What must be the same in another language: headings by level, code, tables by shape and first column. */
const skeleton = (page: string) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const prose = text.replaceAll(/```[\s\S]*?```/gu, '');
  // A diagram has words of its language: as many nodes and arrows are enough.
  const code = blocksOf(page).map((block) =>
    block.info === 'mermaid' ? block.text.split('\n').length : `${block.info}\n${commandsOf(block).join('\n')}`,
  );
  const rows = prose.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('| --'));
  return {
    headings: [...prose.matchAll(/^(#+) /gmu)].map(([, level]) => level),
    code,
    columns: rows.map((row) => row.split(' | ').length),
    keys: rows.map((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`[^`]+`/gu)].map(([key]) => key)),
    links: [...prose.matchAll(/\]\((?:\.\.\/)*([^)#]+)/gu)]
      .map(([, link = '']) => link)
      .toSorted((a, b) => a.localeCompare(b)),
  };
};

for (const name of ['tutorial.md', 'concepts.md', 'annotations.md', 'troubleshooting.md', 'faq.md'])
  test(`${name} says the same in Chinese: headings, code, tables and links`, (t) => {
    t.deepEqual(skeleton(`docs/zh/${name}`), skeleton(`docs/${name}`));
  });
