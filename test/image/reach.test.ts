import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { packageOf, scan } from '../../image/reach.ts';

const REACH = fileURLToPath(new URL('../../image/reach.ts', import.meta.url));

const specifiers = (text: string, isModule = true): string[] =>
  scan(text, isModule).edges.map(({ specifier, isRequire }) => `${isRequire ? 'require' : 'import'} ${specifier}`);

const isOpaque = (text: string, isModule: boolean): boolean => scan(text, isModule).isOpaque;

test('every way to name a file is seen, also behind a condition and within a function', (t) => {
  t.deepEqual(
    specifiers(`
      import 'a'; import b from 'b'; export { c } from 'c'; export * from 'd'; export const e = 1;
      const f = async () => (await import('f')).default;
      if (e) await import(\`g\`);
    `).toSorted(),
    ['import a', 'import b', 'import c', 'import d', 'import f', 'import g'],
  );
  t.deepEqual(
    specifiers(`try { require('a') } catch {} const b = () => require('b').c; require.resolve('d');`, false).toSorted(),
    ['require a', 'require b', 'require d'],
  );
});

test('a name that is computed, and a file that asks where it lies, are not understood', (t) => {
  t.true(isOpaque('const load = (name) => import(name);', true));
  t.true(isOpaque('const load = (name) => import(`./${name}.js`);', true));
  t.true(isOpaque('const load = (name) => require(name);', false));
  t.true(isOpaque('const load = (name) => require.resolve(name);', false));
  t.true(isOpaque("const worker = join(__dirname, 'worker.js');", false));
  t.true(isOpaque("new URL('./worker.js', import.meta.url);", true));
  t.true(isOpaque("import { createRequire } from 'node:module'; const load = createRequire(place);", true));
  t.false(isOpaque("import a from 'a'; const { b } = await import('b'); require.main; a(b);", true));
});

test('the package of a file is the innermost, with its scope', (t) => {
  t.is(packageOf('/app/dist/main.js'), undefined);
  t.is(packageOf('/app/node_modules/a/b/c.js'), '/app/node_modules/a');
  t.is(packageOf('/app/node_modules/@s/a/node_modules/b/c.js'), '/app/node_modules/@s/a/node_modules/b');
  t.is(packageOf('/app/node_modules/@s/a/c.js'), '/app/node_modules/@s/a');
});

test('what imports lead to is kept, whatever the way, and nothing else; a package that computes names is kept whole', (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'reach-')));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const files: Readonly<Record<string, string>> = {
    'package.json': '{"type":"module"}',
    'dist/main.js':
      "import 'both'; import './own.js'; import { missing } from 'not-installed'; await import('lazy/sub');",
    'dist/own.js': "import 'node:fs'; import opaque from 'opaque';",
    'dist/never.js': "import 'never';",
    'node_modules/both/package.json': '{"exports":{"import":"./i.mjs","require":"./r.cjs"}}',
    'node_modules/both/i.mjs': "import 'cjs';",
    'node_modules/both/r.cjs': '',
    'node_modules/cjs/package.json': '{"main":"index.js"}',
    'node_modules/cjs/index.js': "exports.data = require('./data'); exports.both = () => require('both');",
    'node_modules/cjs/data.json': '{}',
    'node_modules/cjs/big.js': '',
    'node_modules/lazy/package.json': '{"exports":{"./sub":"./sub.js"},"type":"module"}',
    'node_modules/lazy/sub.js': '',
    'node_modules/opaque/package.json': '{}',
    'node_modules/opaque/index.js': "new Worker(__dirname + '/worker.js')",
    'node_modules/opaque/worker.js': "require('of-the-worker')",
    'node_modules/opaque/index.d.ts': '',
    'node_modules/opaque/test/all.js': "require('never')",
    'node_modules/of-the-worker/package.json': '{}',
    'node_modules/of-the-worker/index.js': '',
    'node_modules/never/package.json': '{}',
    'node_modules/never/index.js': '',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const script = `
    const { reach } = await import(${JSON.stringify(REACH)});
    const { files, missing } = reach([${JSON.stringify(join(root, 'dist/main.js'))}]);
    process.stdout.write(JSON.stringify({ files: [...files], missing: [...missing] }));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--experimental-import-meta-resolve', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  t.notThrows(() => JSON.parse(stdout), stderr);
  const found = JSON.parse(stdout) as { files: string[]; missing: string[] };
  t.deepEqual(found.files.map((path) => relative(root, path)).toSorted(), [
    'dist/main.js',
    'dist/own.js',
    'node_modules/both/i.mjs',
    'node_modules/both/r.cjs',
    'node_modules/cjs/data.json',
    'node_modules/cjs/index.js',
    'node_modules/lazy/sub.js',
    'node_modules/of-the-worker/index.js',
    'node_modules/opaque/index.js',
    'node_modules/opaque/package.json',
    'node_modules/opaque/worker.js',
  ]);
  t.deepEqual(
    found.missing.map((text) => relative(root, text)),
    ['dist/main.js: not-installed'],
  );
});
