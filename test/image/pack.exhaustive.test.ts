import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { setStage } from '../e2e/stage.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { environmentOf, readDockerfile, textsOf } from './dockerfile.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readDockerfile(join(ROOT, 'Dockerfile'));
const [build, final] = dockerfile.stages;
if (!build || !final) throw new Error('the Dockerfile has not two stages');

/** Elsewhere than the checkout: nothing in a folder above can stand in for what is missing. */
const image = mkdtempSync(join(tmpdir(), 'knative-eip-image-'));
/** On the file system of the checkout, whose packages are linked into it. */
const scratch = mkdtempSync(join(ROOT, 'dist-'));

const environment = { PATH: process.env['PATH'], ...environmentOf(final) };
/** The entry point; the image's Node is in a place of its own. */
const entryPoint = (JSON.parse(textsOf(final, 'ENTRYPOINT')[0] ?? '[]') as string[]).map((word) =>
  word === '/nodejs/bin/node' ? process.execPath : word,
);

const run = (args: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, args, { cwd: image, encoding: 'utf8', env: environment });

const read = (name: string): string => readFileSync(join(image, name), 'utf8');

/** The files of the program, without the page. */
const programFiles = (): readonly string[] => globSync('dist/{*,web/*}.js', { cwd: image });
/** What is in each: its lines are of a limited length, and also end within texts. */
const programs = (): readonly string[] => programFiles().map((name) => read(name).replaceAll(/\\?\n/gu, ''));

let said = '';

/** What the build stage does, but for npm ci: its packages are those of the checkout, which npm ci has put there. */
test.before(() => {
  for (const { name, text } of build.instructions) {
    if (name === 'COPY') {
      const sources = text.split(/\s+/u);
      const target = sources.pop() ?? '';
      for (const source of sources)
        cpSync(join(ROOT, source), join(scratch, target, target.endsWith('/') ? source : ''), { recursive: true });
    } else if (name === 'RUN') {
      const command = text.startsWith('npm ci ')
        ? `cp -al ${join(ROOT, 'node_modules')} .`
        : text.replaceAll('/packed', image);
      said += execFileSync('sh', ['-c', command], { cwd: scratch, encoding: 'utf8', env: { PATH: environment.PATH } });
    } else if (!['WORKDIR', 'ARG'].includes(name)) throw new Error(`${name} is not understood`);
  }
});

test.after.always(() => {
  for (const folder of [image, scratch]) rmSync(folder, { recursive: true, force: true });
});

test.serial('the program starts from what is packed, and prints its version and its schema', (t) => {
  for (const args of [['--help'], ['version'], ['config', '--schema']]) {
    const { status, stdout, stderr } = run([...entryPoint.slice(1), ...args]);
    t.is(status, 0, stderr);
    t.true(stdout.length > 20);
  }
});

test.serial(
  'every file of the program loads from what is packed, also those that a command loads only when it runs',
  (t) => {
    const files = programFiles().filter((name) => !/(?:^|\/)(?:main|health-thread)\.js$/u.test(name));
    t.true(files.length > 50, `${files.length} files`);
    const { status, stdout, stderr } = run([
      '--input-type=module',
      '--eval',
      `for (const name of ${JSON.stringify(files)}) await import(${JSON.stringify(`${image}/`)} + name);
     console.log('all of them'); process.exit(0);`,
    ]);
    t.is(status, 0, stderr);
    t.is(stdout, 'all of them\n');
  },
);

/** What a program loads by a name that it computes, and where it asks for its own place: no bundler follows that. */
const COMPUTED =
  /\b(?:require|import)(?:\.resolve)?\((?!["'])[^)]*\)|__(?:dir|file)name\b|new URL\([^()]*import\.meta\.url\)|createRequire\)?\(\w[^)]*\)[^;]/gu;

test.serial('what the program looks for where it lies is there, and it computes no name of a file to run', (t) => {
  const found = programs().flatMap((program) =>
    [...program.replace(/^import\{createRequire as .*?;/u, '').matchAll(COMPUTED)].map(([text]) => text),
  );
  t.deepEqual([...new Set(found)].toSorted(), [
    // Of pino's transports, which are threads, and not used.
    '__dirname',
    'createRequire(context).',
    'createRequire)(import.meta.url)(',
    // Methods of certificates' keys.
    'import(data,options)',
    'import(param,options)',
    'new URL("../../package.json",import.meta.url)',
    'new URL("sandbox",import.meta.url)',
    'new URL(`./page/${name}`,import.meta.url)',
  ]);
  const transports = programs().filter((program) => program.includes('__dirname'));
  t.deepEqual(
    transports.map((program) => program.match(/"(?:thread-stream|pino)-worker"/gu)?.length),
    [3],
  );
});

test.serial('an error that nobody handles tells its places in the sources, and no long line', (t) => {
  const { status, stderr } = run([...entryPoint.slice(1, -1), 'dist/web/health-thread.js']);
  t.is(status, 1, stderr);
  t.regex(stderr, /\(\S+\/src\/web\/health-thread\.ts:\d+:\d+\)/u);
  t.true(stderr.length < 5_000, stderr);
});

test.serial('the sandbox is not in the image, nor offered by it, and what is there runs on every processor', (t) => {
  const sources = globSync('dist/web/*.map', { cwd: image }).flatMap(
    (name) => (JSON.parse(read(name)) as { sources: readonly string[] }).sources,
  );
  t.true(sources.some((path) => path.endsWith('/src/manager/manager.ts')));
  t.deepEqual(
    sources.filter((path) => path.includes('src/sandbox/')),
    [],
  );
  t.false(run([...entryPoint.slice(1), '--help']).stdout.includes('sandbox'));
  t.is(run([...entryPoint.slice(1), 'sandbox']).status, 2);
  t.deepEqual(globSync('**/*.{node,so,so.*,wasm}', { cwd: image }), []);
  t.true(existsSync(join(image, 'dist/web/page/page.html')), 'what the status page is made of is there');
});

const isRoot = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
const USER = textsOf(final, 'USER')[0] ?? '';
/**
 * A user that nobody else is, a read-only file system, no way to get more rights: as in config/manager. The folder of
 * temporary files may be a mount of its own, which stays writable unless it is bound on itself.
 */
const CONFINED = `mount --make-rprivate / && mount --bind "$TEMPORARY" "$TEMPORARY" &&
mount -o remount,bind,ro "$TEMPORARY" && mount -o remount,bind,ro / && cd "$IMAGE" &&
exec setpriv --reuid "$UID_OF" --regid "$GID_OF" --clear-groups --no-new-privs --inh-caps=-all "$@"`;

(isRoot ? test.serial : test.serial.skip)(
  'the image’s user serves a pod, and /healthz and /readyz, on a file system that cannot be written to',
  async (t) => {
    const [uid = '', gid = ''] = USER.split(':');
    const port = await freePort();
    // That user may not get to the checkout, and so not to its Node: the folder may be somebody's own.
    const node = join(image, 'node');
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    t.teardown(() => rmSync(node));
    const program = entryPoint.map((word) => (word === process.execPath ? node : word));
    const confine = [
      'env',
      `IMAGE=${image}`,
      `TEMPORARY=${tmpdir()}`,
      `UID_OF=${uid}`,
      `GID_OF=${gid}`,
      'unshare',
      '--mount',
    ];
    const inside = [...confine, 'sh', '-c', CONFINED, 'sh'];
    const options = Object.entries(environmentOf(final)).map(([name, value]) => `${name}=${value}`);
    const stage = await setStage('embedded', { program: [...inside, 'env', ...options, ...program] });
    t.teardown(() => stage.close());
    for (const folder of [image, stage.folder, dirname(stage.kubeconfig)]) chmodSync(folder, 0o755);
    const probe = spawnSync(inside[0] ?? '', [...inside.slice(1), 'sh', '-c', `id -u; touch here ${tmpdir()}/here`], {
      encoding: 'utf8',
    });
    t.is(probe.stdout, '65532\n');
    t.is(probe.stderr.match(/Read-only file system/gu)?.length, 2, probe.stderr);

    const controller = await stage.startController({ health: { address: `127.0.0.1:${port}` } });
    for (const path of ['healthz', 'readyz'])
      await until(
        path,
        () =>
          fetch(`http://127.0.0.1:${port}/${path}`).then(
            ({ ok }) => ok,
            () => controller.process.exitCode ?? false,
          ),
        (answer) => {
          if (typeof answer === 'number') throw new Error(controller.output());
          return answer;
        },
      );
    await stage.kube.create(POD, {
      metadata: { name: 'web', namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
      spec: { containers: [{ name: 'web', image: 'nginx' }] },
    });
    const pod = await until(
      'an address',
      () => stage.kube.get(POD, { namespace: 'default', name: 'web' }),
      (it) => it?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
    );
    await stage.kube.delete(POD, { namespace: 'default', name: 'web' }, { uid: pod?.metadata.uid ?? '' });
    await until(
      'the address is given back',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 0,
    );
    t.is(await controller.terminate(), 0, controller.output());
  },
);

test.serial('what is packed is a tenth of a production install, and more is noticed', (t) => {
  const [installed, packed] = [...said.matchAll(/: (\d+) packages, (\d+) files, ([\d.]+) MiB/gu)].map(
    ([, packages, files, size]) => ({ packages: Number(packages), files: Number(files), size: Number(size) }),
  );
  if (!installed || !packed) return t.fail(said);
  t.log(`# packages | ${installed.packages} -> ${packed.packages}`);
  t.log(`# files | ${installed.files} -> ${packed.files}`);
  t.log(`# MiB | ${installed.size} -> ${packed.size}`);
  t.true(packed.packages <= 165, `${packed.packages} packages`);
  t.true(packed.size <= 9, `${packed.size} MiB`);
  t.true(packed.size < installed.size / 8);
  // The VPC API has more than a thousand calls, and the Kubernetes client as many classes.
  const maps = globSync('dist/web/*.map', { cwd: image })
    .map((name) => read(name))
    .join('');
  for (const name of ['moment/locale', 'vpc20160428/dist/client.js', 'client-node/dist/gen/models'])
    t.false(maps.includes(name), name);
  return undefined;
});

test.serial(
  'each package in the program has its package.json, for scanners, and its licence, where it came with one',
  (t) => {
    const manifests = globSync('node_modules/**/package.json', { cwd: image });
    t.true(manifests.length > 100, `${manifests.length} packages`);
    const within = new Set(
      globSync('dist/web/*.map', { cwd: image }).flatMap((name) =>
        (JSON.parse(read(name)) as { sources: readonly string[] }).sources.flatMap(
          (path) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/u.exec(path)?.[0].replace(/^(?:\.\.\/)+/u, '') ?? [],
        ),
      ),
    );
    t.deepEqual(
      [...within]
        .map((folder) => `${folder}/package.json`)
        // A package's own source map may name what it does not come with.
        .filter((manifest) => existsSync(join(ROOT, manifest)) && !manifests.includes(manifest)),
      [],
    );
    for (const manifest of manifests) {
      const folder = manifest.slice(0, -'/package.json'.length);
      const has = (root: string): boolean =>
        globSync('{LICENSE,LICENCE,COPYING}*', { cwd: join(root, folder) }).length > 0;
      if (has(ROOT)) t.true(has(image), folder);
    }
  },
);
