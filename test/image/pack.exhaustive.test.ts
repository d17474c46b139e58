import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACK = join(ROOT, 'image/pack.ts');

/** The options of Node that the image runs the program with. */
const options = (): string => {
  const [, text = ''] = /NODE_OPTIONS="([^"]+)"/u.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
  return text;
};

/** Elsewhere than the checkout: nothing in a folder above can stand in for what is missing. */
const image = mkdtempSync(join(tmpdir(), 'knative-eip-image-'));
/** Inside of the checkout, where imports find node_modules. */
const program = mkdtempSync(join(ROOT, 'dist-'));

const node = (args: readonly string[], cwd = image): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', NODE_OPTIONS: cwd === image ? options() : '' },
  });

interface Amount {
  readonly packages: number;
  readonly bytes: number;
}
let amounts: { readonly installed: Amount; readonly packed: Amount };

test.before((t) => {
  const built = node([join(ROOT, 'node_modules/.bin/tsc'), '--outDir', program], ROOT);
  t.is(built.status, 0, built.stdout + built.stderr);
  cpSync(join(ROOT, 'src/web/page'), join(program, 'web/page'), { recursive: true });
  const script = `
    const { pack } = await import(${JSON.stringify(PACK)});
    process.stdout.write(JSON.stringify(pack(${[ROOT.replace(/\/$/u, ''), program, image].map((path) => JSON.stringify(path)).join(', ')})));`;
  const packed = node(['--experimental-import-meta-resolve', '--input-type=module', '--eval', script], ROOT);
  t.is(packed.status, 0, packed.stderr);
  amounts = JSON.parse(packed.stdout) as typeof amounts;
});

test.after.always(() => {
  for (const folder of [image, program]) rmSync(folder, { recursive: true, force: true });
});

test.serial('the program starts from what is packed, and prints its version and its schema', (t) => {
  for (const args of [['--help'], ['version'], ['config', '--schema']]) {
    const { status, stdout, stderr } = node(['--enable-source-maps', 'dist/main.js', ...args]);
    t.is(status, 0, stderr);
    t.true(stdout.length > 20);
  }
});

test.serial(
  'every file of the program loads from what is packed, also those that a command loads only when it runs',
  (t) => {
    const files = globSync('dist/**/*.js', { cwd: image }).filter(
      (name) => !/^dist\/(?:main\.js|web\/health-thread\.js|web\/page\/)/u.test(name),
    );
    t.true(files.length > 200, `${files.length} files`);
    const { status, stdout, stderr } = node([
      '--input-type=module',
      '--eval',
      `for (const name of ${JSON.stringify(files)}) await import(${JSON.stringify(`${image}/`)} + name);
     for (const name of ['@alicloud/openapi-core', '@alicloud/eci20180808', '@alicloud/credentials', 'httpx', '@kubernetes/client-node/dist/config.js'])
       await import(import.meta.resolve(name));
     console.log('all of them'); process.exit(0);`,
    ]);
    t.is(status, 0, stderr);
    t.is(stdout, 'all of them\n');
  },
);

test.serial(
  'the sandbox, which is the controller with its real clients, serves every sample from what is packed',
  (t) => {
    for (const folder of ['config', 'knative']) symlinkSync(join(ROOT, folder), join(image, folder));
    const { status, stdout, stderr } = node(['dist/main.js', 'sandbox', '--for', '30']);
    t.is(status, 0, stdout.slice(-3_000) + stderr.slice(-3_000));
    t.regex(stdout, /fine: every pod got its address and every address was given back/u);
  },
);

test.serial('what is packed is a fifth of a production install, and more is noticed', (t) => {
  const { installed, packed } = amounts;
  t.log(`# packages | ${installed.packages} -> ${packed.packages}`);
  t.log(`# MiB | ${(installed.bytes / 2 ** 20).toFixed(1)} -> ${(packed.bytes / 2 ** 20).toFixed(1)}`);
  t.true(packed.packages <= 165, `${packed.packages} packages`);
  t.true(packed.bytes <= 18 * 2 ** 20, `${packed.bytes} bytes`);
  t.true(packed.bytes < installed.bytes / 4);
  for (const name of ['moment/locale', '@types', 'bare-fs', '@alicloud/vpc20160428/dist/client.js'])
    t.false(existsSync(join(image, 'node_modules', name)), name);
});

test.serial('each package goes with its licence, where it came with one', (t) => {
  for (const manifest of globSync('node_modules/**/package.json', { cwd: image })) {
    const folder = manifest.slice(0, -'/package.json'.length);
    const has = (root: string): boolean =>
      globSync('{LICENSE,LICENCE,COPYING}*', { cwd: join(root, folder) }).length > 0;
    if (has(ROOT)) t.true(has(image), folder);
  }
});
