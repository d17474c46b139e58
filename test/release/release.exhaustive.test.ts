import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { bundle, NODE } from '../../release/executable.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { HOW_TO_GET_HELM, isHelmAvailable } from '../chart/helm.ts';
import { setStage } from '../e2e/stage.ts';
import { definitionOf } from '../harness/cluster.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(path, 'utf8');
const { version } = JSON.parse(read(join(ROOT, 'package.json'))) as { version: string };
const here = NODE.platforms.find(({ name }) => name === `${process.platform}-${process.arch}`);
const hasPrograms = isHelmAvailable && spawnSync('kubectl', ['version', '--client']).status === 0;
const release = hasPrograms ? test.serial : test.serial.skip;
const onThisPlatform = here ? release : test.serial.skip;
const named = (title: string): string =>
  hasPrograms ? title : `${title} (not run: put kubectl on the PATH, and ${HOW_TO_GET_HELM})`;

/** Two copies of what is in the repository, on its file system so that packages are linked and not copied. */
const place = mkdtempSync(join(ROOT, 'dist-'));
const copies = ['one', 'another'].map((name) => join(place, name));
const IMAGE = 'registry.example/knative-eip';
const URL_OF_RELEASE = `https://releases.example/v${version}`;

const copyTree = (to: string): void => {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  mkdirSync(to);
  for (const file of files.toString().split('\0').filter(Boolean))
    cpSync(join(ROOT, file), join(to, file), { recursive: true });
  execFileSync('cp', ['-al', join(ROOT, 'node_modules'), to]);
};

const released = (copy: string): string => join(copy, 'dist-release');

test.before(async () => {
  if (!hasPrograms) return;
  for (const copy of copies) copyTree(copy);
  for (const [index, copy] of copies.entries()) {
    // Made on another day: nothing but what the files say may be in a release.
    const day = new Date(Date.UTC(2020 + index, 1, 3));
    for (const name of ['config/crd', 'docs', 'src/main.ts', 'LICENSE']) utimesSync(join(copy, name), day, day);
    const args = ['release/main.ts', '--url', URL_OF_RELEASE, '--image', IMAGE];
    args.push('--platforms', (index === 0 && here?.name) || '');
    await run(process.execPath, args, { cwd: copy, maxBuffer: 2 ** 26 });
  }
});

test.after.always(() => rmSync(place, { recursive: true, force: true }));

/** Lines of SHA256SUMS. */
const sumsOf = (copy: string): string[] =>
  read(join(released(copy), 'SHA256SUMS'))
    .trimEnd()
    .split('\n');

// The executable is made once, for the sake of time; that the folder is not in it is seen below.
release(named('two folders, at two times, give the same files to the byte'), async (t) => {
  const [one = [], another = []] = copies.map((copy) => sumsOf(copy));
  t.deepEqual(
    one.filter((line) => !line.includes('eip.yaml') && !line.includes('kubectl-eip')),
    another,
  );
  const names = one.map((line) => line.split('  ')[1] ?? '');
  const [bill, chart, npm] = ['.cdx.json', '.tgz', '.npm.tgz'].map((ending) => `knative-eip-${version}${ending}`);
  for (const name of ['crds.yaml', 'install.yaml', bill ?? '', chart ?? '', npm ?? ''])
    t.true(names.includes(name), `${name} in ${names.join(' ')}`);
  t.deepEqual([...names, 'SHA256SUMS'].toSorted(), readdirSync(released(copies[0] ?? '')).toSorted());
  // sha256sum, as a user checks it.
  execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: released(copies[0] ?? '') });

  const programs = await Promise.all(
    copies.map(async (copy) => {
      const { main, licences } = await bundle(copy, join(copy, 'dist-plugin'));
      t.is(basename(main), 'kubectl-eip.mjs');
      return { sha256: createHash('sha256').update(readFileSync(main)).digest('hex'), licences };
    }),
  );
  t.deepEqual(programs[0], programs[1]);
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: { readonly containers: readonly { image: string }[] } } };
}

const objects = (text: string) => parseAllDocuments(text).map((it) => it.toJS() as Manifest);

const imagesOf = (all: readonly Manifest[]) =>
  all.flatMap(({ spec }) => spec?.template?.spec.containers.map(({ image }) => image) ?? []);
const kustomize = (folder: string) => objects(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' }));
const isConfiguration = ({ kind }: Manifest) => kind === 'ConfigMap';

release(
  named('install.yaml is config/default without its configuration, which an overlay adds as the page says'),
  (t) => {
    const [copy = ''] = copies;
    const text = read(join(released(copy), 'install.yaml'));
    const all = objects(text);
    t.deepEqual(
      all.map(({ kind, metadata: { name } }) => `${kind} ${name}`),
      kustomize(join(ROOT, 'config/default'))
        .filter((each) => !isConfiguration(each))
        .map(({ kind, metadata: { name } }) => `${kind} ${name}`),
    );
    t.deepEqual(imagesOf(all), [`${IMAGE}:${version}`]);
    t.deepEqual(
      objects(read(join(released(copy), 'crds.yaml'))),
      all.filter(({ kind }) => kind === 'CustomResourceDefinition'),
    );
    const page = read(join(ROOT, 'docs/upgrading.md'));
    const overlay = /```yaml\n(# kustomization\.yaml\n.*?)```/su.exec(page)?.[1] ?? '';
    const folder = join(copy, 'dist-overlay');
    mkdirSync(folder);
    cpSync(join(released(copy), 'install.yaml'), join(folder, 'install.yaml'));
    const configuration = read(join(ROOT, 'config/manager/config.yaml')).replace('<cluster ID>', 'c1234567890');
    writeFileSync(join(folder, 'config.yaml'), configuration);
    // As the page says, and as the file itself does.
    const said = text.slice(text.indexOf('resources:'), text.indexOf('# Then')).replaceAll(/^# {23}/gmu, '');
    for (const [kustomization, image] of [
      [overlay, 'REGISTRY/knative-eip'],
      [said, IMAGE],
    ] as const) {
      writeFileSync(join(folder, 'kustomization.yaml'), kustomization);
      const installed = kustomize(folder);
      t.deepEqual(imagesOf(installed), [`${image}:${version}`]);
      const [configMap, ...others] = installed.filter((each) => isConfiguration(each));
      t.deepEqual(others, []);
      t.is(configMap?.data?.['config.yaml'], configuration);
      t.true(JSON.stringify(installed).includes(`"configMap":{"name":"${configMap?.metadata.name}"}`));
    }
  },
);

release(named('without a registry there is no install.yaml, which could not be pulled for'), async (t) => {
  const [, copy = ''] = copies;
  const make = (...args: string[]) =>
    run(process.execPath, ['release/main.ts', '--platforms', '', '--out', 'dist-other', ...args], { cwd: copy });
  await t.throwsAsync(make('--image', 'knative-eip'), { message: /--image knative-eip has no registry/u });
  const { stdout } = await make();
  t.regex(stdout, /^no install\.yaml: --image says what it pulls$/mu);
  t.false(readdirSync(join(copy, 'dist-other')).includes('install.yaml'));
});

release(named('the bill of materials has no time of day and no number by chance'), (t) => {
  const [copy = ''] = copies;
  const bill = JSON.parse(read(join(released(copy), `knative-eip-${version}.cdx.json`))) as {
    serialNumber: string;
    metadata: { timestamp: string; component: { version: string } };
    components: unknown[];
  };
  t.regex(bill.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/u);
  t.regex(bill.metadata.timestamp, /T00:00:00\.000Z$/u);
  t.is(bill.metadata.component.version, version);
  t.true(bill.components.length > 200);
});

interface KrewManifest {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly version: string;
    readonly platforms: readonly { readonly uri: string; readonly sha256: string; readonly bin: string }[];
  };
}

onThisPlatform(named('the plugin is one file, which kubectl runs where there is no Node, and completes'), async (t) => {
  const [copy = ''] = copies;
  const krew = parse(read(join(released(copy), 'eip.yaml'))) as KrewManifest;
  t.is(krew.metadata.name, 'eip');
  t.is(krew.spec.version, `v${version}`);
  const [platform] = krew.spec.platforms;
  const archive = join(released(copy), (platform?.uri ?? '').slice(`${URL_OF_RELEASE}/`.length));
  t.is(platform?.sha256, createHash('sha256').update(readFileSync(archive)).digest('hex'));

  // What kubectl and the plugin find: kubectl, the plugin's archive, and a shell; no Node.
  const path = mkdtempSync(join(tmpdir(), 'kubectl-eip-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  execFileSync('tar', ['-xzf', archive, '-C', path]);
  t.deepEqual(readdirSync(path).toSorted(), [
    'LICENSE',
    'THIRD-PARTY-LICENSES.txt',
    'kubectl-eip',
    'kubectl_complete-eip',
  ]);
  for (const name of ['Node.js', 'node_modules/commander', 'node_modules/zod', 'node_modules/yaml'])
    t.true(read(join(path, 'THIRD-PARTY-LICENSES.txt')).includes(`\n${name}`), name);
  t.false(readFileSync(join(path, 'kubectl-eip')).includes(place), 'where it was made is not in it');
  const kubectl = execFileSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' }).trim();
  cpSync(kubectl, join(path, 'kubectl'));

  const stage = await setStage('embedded', { withCrd: false });
  t.teardown(stage.close);
  await stage.kube.create(CRD, definitionOf(PODEIP));
  for (const name of ['web-0', 'web-1'])
    await stage.kube.create(PODEIP, {
      apiVersion: `${PODEIP.group}/${PODEIP.version}`,
      kind: PODEIP.kind,
      metadata: { name, namespace: 'default' },
      spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
    });
  const env = { PATH: `${path}${delimiter}/nowhere`, KUBECONFIG: stage.kubeconfig, HOME: path };
  const say = async (...args: readonly string[]): Promise<string> =>
    (await run(join(path, 'kubectl'), args, { env })).stdout;
  t.deepEqual(
    (JSON.parse(await say('eip', 'list', '-A', '-o', 'json')) as { pod: string }[]).map(({ pod }) => pod),
    ['web-0', 'web-1'],
  );
  t.regex(await say('eip', 'describe', 'web-1'), /^Pod: +default\/web-1$/mu);
  t.regex(await say('eip', 'explain', '-f', join(ROOT, 'config/samples/web.yaml')), /\S/u);
  const { stderr } = await run(join(path, 'kubectl-eip'), ['no-such'], { env }).catch(
    (error: unknown) => error as { stderr: string },
  );
  t.regex(stderr, /unknown command 'no-such'/u);

  const withShell = { ...env, PATH: `${path}${delimiter}/bin${delimiter}/usr/bin` };
  const complete = async (...words: readonly string[]): Promise<string> =>
    (await run(join(path, 'kubectl'), ['__complete', 'eip', ...words], { env: withShell })).stdout;
  t.is(await complete('describe', 'web-'), 'web-0\nweb-1\n:4\n');
  t.is(await complete('list', '--output='), 'table\nwide\njson\nyaml\nname\n:4\n');

  t.log(`# MiB of the plugin | ${(statSync(join(path, 'kubectl-eip')).size / 2 ** 20).toFixed(0)}`);
  t.log(`# MiB of its archive | ${(statSync(archive).size / 2 ** 20).toFixed(0)}`);
});

test('each platform has its Node by name, version and digest, and it is the Node of the tests', (t) => {
  const lock = JSON.parse(read(join(ROOT, 'package-lock.json'))) as { packages: Record<string, { version: string }> };
  t.is(NODE.version, lock.packages['node_modules/node']?.version ?? '');
  for (const { integrity, name } of NODE.platforms) t.regex(integrity, /^sha512-[\w+/]{86}==$/u, name);
  t.deepEqual(
    NODE.platforms.map(({ os, arch }) => `${os}/${arch}`),
    ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64', 'windows/amd64'],
  );
});
