import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { exportedNames } from './house/syntax.ts';

/*
 * What is exported is somebody's: a name that no other file imports is a part of its own file, and stays there. And it
 * means one thing: a reader who looks for a name finds one declaration.
 */

const root = fileURLToPath(new URL('..', import.meta.url));

const sources = (): Map<string, string> =>
  new Map(
    ['src', 'test', 'dashboards', 'charts', 'image', 'release'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|js)$/.test(name) && !name.includes('node_modules'))
        .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
        .map((file): [string, string] => [file, readFileSync(join(root, file), 'utf8')]),
    ),
  );

const IMPORT = /\b(?:import|export)\s+(?:type\s+)?([^'"`;=()]*?)\s*\bfrom\s*['"](\.[^'"]+)['"]/g;
const LAZY_IMPORT = /\bimport\s*\(\s*['"](\.[^'"]+)['"]/g;
const EXPORT =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:const|let|function\*?|class|interface|type|enum)\s+(\w+)/gm;

/** The names in `{ a, type B, c as d }`. */
const namesIn = (clause: string): readonly string[] =>
  clause
    .split(/[{},]/)
    .map((part) => part.trim().replace(/^type\s+/, ''))
    .flatMap((part) => part.split(/\s+as\s+/)[0] || []);

/** Whoever imports a file as a whole, or lazily, uses each of its names that it says somewhere. */
const wordsOf = (source: string): readonly string[] => source.match(/\w+/g) ?? [];

/** `file: name` of every export of `src/` that no other file imports. */
const unused = (files: ReadonlyMap<string, string>): readonly string[] => {
  const used = new Map<string, Set<string>>();
  const use = (from: string, path: string, names: readonly string[]) => {
    const target = join(dirname(from), path);
    used.set(target, new Set([...(used.get(target) ?? []), ...names]));
  };
  for (const [file, source] of files) {
    for (const [, clause = '', path = ''] of source.matchAll(IMPORT))
      use(file, path, clause.includes('*') ? wordsOf(source) : namesIn(clause));
    for (const [, path = ''] of source.matchAll(LAZY_IMPORT)) use(file, path, wordsOf(source));
  }
  return [...files]
    .filter(([file]) => file.startsWith('src/'))
    .flatMap(([file, source]) =>
      [...source.matchAll(EXPORT)]
        .map(([, name = '']) => name)
        .filter((name) => used.get(file)?.has(name) !== true)
        .map((name) => `${file}: ${name}`),
    );
};

/** `name: file, file` of every name that two files of `src/` and more declare for others. */
const ambiguous = (files: ReadonlyMap<string, string>): readonly string[] => {
  const declared = [...files]
    .filter(([file]) => file.startsWith('src/') && file.endsWith('.ts'))
    .flatMap(([file, source]) => exportedNames(source).map((name) => ({ name, file })));
  return [...Map.groupBy(declared, ({ name }) => name)]
    .filter(([, places]) => places.length > 1)
    .map(([name, places]) => `${name}: ${places.map(({ file }) => file).join(', ')}`);
};

test('an exported name means one thing', (t) => {
  t.deepEqual(ambiguous(sources()), []);
  const files = new Map([
    ['src/a.ts', 'export const one = 1;\nexport type Two = 2;'],
    ['src/b.ts', "export { one } from './a.ts';\nexport interface Two {}"],
  ]);
  t.deepEqual(ambiguous(files), ['Two: src/a.ts, src/b.ts']);
});

test('every export is imported somewhere', (t) => {
  const files = sources();
  t.true(files.size > 100, 'the sources are found');
  t.deepEqual(unused(files), []);
});

test('an export is found that nobody imports, however the others are imported', (t) => {
  const files = new Map([
    [
      'src/a.ts',
      'export const one = 1;\nexport type Two = 2;\nexport async function three() {}\nexport const four = 4;\nexport const five = 5;\nexport interface Six {}',
    ],
    ['src/b.ts', "import { one, type Two as Zwei } from './a.ts';"],
    ['src/c.ts', "const { three } = await import('./a.ts');"],
    ['src/d.ts', "import * as a from './a.ts';\na.four;"],
    ['test/e.ts', "export { five } from '../src/a.ts';"],
  ]);
  t.deepEqual(unused(files), ['src/a.ts: Six']);
});
