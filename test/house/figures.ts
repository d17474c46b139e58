import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { wideCommentLines } from './comment-lines.ts';
import { MAY_SAY_RETIRED, retiredIn } from './retired-words.ts';
import { duplicatesIn, exportedNames, functionsIn } from './syntax.ts';

/**
 * Figures of how the source is built, of this checkout or of an older one:
 * `node test/house/figures.ts [ROOT] [--list]`. `--list` names, below the table, everything that was counted.
 */
const list = process.argv.includes('--list');
const root =
  process.argv.slice(2).find((word) => !word.startsWith('-')) ?? fileURLToPath(new URL('../..', import.meta.url));

const LONGEST_FUNCTION = 70;
const MOST_BRANCHES = 20;
const MOST_PARAMETERS = 4;

const read = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    globSync(`${folder}/**/*.{ts,js}`, { cwd: root })
      .map((path) => relative('.', path.replaceAll('\\', '/')))
      .toSorted()
      .map((path) => [path, readFileSync(join(root, path), 'utf8')] as const),
  );

const count = (source: string) => source.split('\n').length - 1;
const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

/** Keys of which there are two and more places, with the places. */
const twice = (pairs: readonly (readonly [key: string, place: string])[]): readonly string[] =>
  [...Map.groupBy(pairs, ([key]) => key)]
    .filter(([, places]) => places.length > 1)
    .map(([key, places]) => `${key}: ${places.map(([, place]) => place).join(', ')}`)
    .toSorted();

const rows: { readonly what: string; readonly figure: string; readonly places: readonly string[] }[] = [];
const row = (what: string, places: readonly string[], figure = String(places.length)) =>
  rows.push({ what, figure, places });

const source = read('src');
const tests = read('test');
const typeScript = [...source].filter(([file]) => file.endsWith('.ts'));
const own = typeScript.filter(([file]) => !file.startsWith('src/sandbox/'));

for (const [folder, files] of [
  ['src', source],
  ['test', tests],
] as const)
  row(`${folder}: files / lines`, [], `${files.size} / ${total([...files.values()].map(count))}`);

for (const [concern, word] of [
  ['EipPolicy', /EipPolicy|eippolicy|EffectivePolicy/],
  ['garbage collection', /sweeper|garbagecollection/i],
] as const) {
  const touched = [...source].filter(([file, text]) => word.test(file) || word.test(text)).map(([file]) => file);
  row(
    `${concern}: folders / files that speak of it`,
    touched,
    `${new Set(touched.map(dirname)).size} / ${touched.length}`,
  );
}

const exportsOf = (files: readonly (readonly [string, string])[]) =>
  twice(files.flatMap(([file, text]) => exportedNames(text).map((name) => [name, file] as const)));
row('exported names that two files declare', exportsOf(typeScript));
row('… outside of the sandbox', exportsOf(own));
row('file names that occur more than once', twice([...source.keys()].map((file) => [basename(file), file] as const)));

const functions = [...source].flatMap(([file, text]) =>
  functionsIn(text, file.endsWith('.ts')).map((one) => ({ ...one, at: `${file}:${one.line} ${one.name}` })),
);
row('functions', [], String(functions.length));
for (const [what, limit, figure] of [
  ['lines', LONGEST_FUNCTION, 'lines'],
  ['branches (cyclomatic complexity)', MOST_BRANCHES, 'complexity'],
  ['parameters', MOST_PARAMETERS, 'parameters'],
] as const) {
  const over = functions.filter((one) => one[figure] > limit).toSorted((a, b) => b[figure] - a[figure]);
  row(
    `functions of more than ${limit} ${what}`,
    over.map((one) => `${one.at}: ${one[figure]}`),
  );
}

for (const [folder, files] of [
  ['src', source],
  ['test', tests],
] as const)
  row(
    `${folder}: comment lines over 120 columns`,
    [...files].flatMap(([file, text]) => wideCommentLines(text).map((line) => `${file}:${line}`)),
  );
row('src: pairs of six and more equal lines', duplicatesIn(source));
row(
  'retired words, each once a file',
  [...source, ...tests]
    .filter(([file]) => !MAY_SAY_RETIRED.test(file))
    .flatMap(([file, text]) => retiredIn(text).map((said) => `${file}: ${said}`)),
);

const widest = Math.max(...rows.map(({ what }) => what.length));
for (const { what, figure } of rows) process.stdout.write(`${what.padEnd(widest)}  ${figure}\n`);
if (list)
  for (const { what, places } of rows)
    if (places.length > 0) process.stdout.write(`\n${what}\n  ${places.join('\n  ')}\n`);
