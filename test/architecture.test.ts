import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { BROKEN, LONGEST_FILE } from './house/broken-rules.ts';
import { WIDEST_COMMENT, wideCommentLines } from './house/comment-lines.ts';
import { MAY_IMPORT } from './house/may-import.ts';
import { MAY_SAY_RETIRED, retiredIn } from './house/retired-words.ts';

const PURE = new Set(['request', 'podeip/record', 'policies', 'rules', 'explain', 'decisions', 'doctor', 'migrate']);

/** What carries decisions out, and tells of them; all else in the two folders decides. */
const EFFECTS =
  /^src\/controllers\/(podeip\/(controller|carried|observe|reads|actions|hold-failure|writes|sending|calls|publish|tracker|latency|status|report|events|metrics)|garbagecollection\/(controller|actions|metrics))\.ts$/;

/** Packages that only one place may know at run time. Types may be imported from anywhere where `types` says so. */
const PACKAGES: readonly { name: RegExp; only: RegExp; types?: true }[] = [
  { name: /^@alicloud\//, only: /^src\/cloud\// },
  { name: /^@kubernetes\/client-node(\/|$)/, only: /^src\/kube\/client-node\.ts$/, types: true },
  {
    name: /^@peculiar\/x509$/,
    only: /^src\/(webhook\/make-certificates|virtualnode\/(certificate|signing-request))\.ts$/,
  },
  { name: /^cloudevents$/, only: /^src\/cloudevents\/event\.ts$/ },
  {
    name: /^ws$/,
    only: /^src\/(virtualnode\/streaming\/(cloud-terminal|websocket-channels)|sandbox\/cloud\/run-commands)\.ts$/,
  },
  { name: /^koa$/, only: /^src\/(web\/|webhook\/server\.ts$)/ },
  { name: /^prom-client$/, only: /^src\/(metrics\/definition|manager\/metrics-registry)\.ts$/ },
  { name: /^pino(-pretty)?$/, only: /^src\/cli\/logging\.ts$/ },
  { name: /^commander$/, only: /^src\/cli\// },
  {
    name: /^(cli-truncate|string-width|wrap-ansi)$/,
    only: /^src\/(sandbox\/(screen|text-table)|cli\/doctor-text)\.ts$/,
  },
  {
    name: /^(node:)?process$/,
    only: /^src\/(main\.ts|bin\.js|kubectl-(?:complete-)?eip\.js|config\/load\.ts|cli\/.*)$/,
  },
  { name: /^(node:)?timers(\/promises)?$/, only: /^src\/lib\/clock\.ts$/ },
];

const CLOCK = /^src\/(lib\/clock\.ts$|web\/page\/)/;
const RANDOM = /^src\/lib\/random\.ts$/;

/** Words of the language and of Node that only one place may use. */
const WORDS: readonly { word: RegExp; only: RegExp; say: string }[] = [
  {
    word: /(?<![.\w])process\s*\./,
    only: /^src\/(main\.ts|bin\.js|kubectl-(?:complete-)?eip\.js|config\/load\.ts|cli\/.*)$/,
    say: 'process is for main.ts, bin.js, config/load.ts and cli/',
  },
  { word: /\bDate\s*\.\s*now\b/, only: CLOCK, say: 'take a Clock instead of Date.now()' },
  { word: /(?<!\bnew\s+)(?<![.\w])Date\s*\(/, only: CLOCK, say: 'take a Clock instead of Date()' },
  { word: /\bnew\s+Date\s*(\(\s*\)|[;,)])/, only: CLOCK, say: 'take a Clock instead of new Date()' },
  { word: /\bperformance\s*\.\s*now\b/, only: CLOCK, say: 'take a Clock instead of performance.now()' },
  { word: /\bhrtime\b/, only: CLOCK, say: 'take a Clock instead of hrtime' },
  {
    word: /(?<!\.\s*)\bset(Timeout|Interval)\s*\(|\bglobalThis\s*\.\s*set(Timeout|Interval)\b/,
    only: CLOCK,
    say: 'take a Clock instead of setTimeout and setInterval',
  },
  { word: /\bMath\s*\.\s*random\b/, only: RANDOM, say: 'take a Random instead of Math.random()' },
  {
    word: /\b(randomUUID|randomBytes|randomInt|randomFill|randomFillSync|getRandomValues)\b/,
    only: RANDOM,
    say: 'take a Random instead of the random functions of crypto',
  },
];

const NO_SUBJECT = /(^|\/)(utils?|helpers?|common|types|misc|shared)(\.ts|\/|$)/;

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** Comments go; texts stay. Good enough for source that prettier has formatted; not a parser. */
const TOKENS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
const withoutComments = (source: string) => source.replace(TOKENS, (token) => (token.startsWith('/') ? ' ' : token));
const withoutTexts = (source: string) => source.replace(TOKENS, (token) => (/^['"]/.test(token) ? "''" : token));

const importsOf = (source: string): Import[] => {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (const [, type, from] of code.matchAll(/\b(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g))
    if (from) found.push({ from, typeOnly: type !== undefined });
  for (const [, from] of code.matchAll(/\bimport\s*\(?\s*['"]([^'"]+)['"]/g))
    if (from) found.push({ from, typeOnly: false });
  return found;
};

const partOf = (file: string): string => {
  if (/^src\/kube\/(port|fault|access-reviews)\.ts$/.test(file)) return 'kube/port';
  if (
    /^src\/cloud\/(port|fault|fault-policy|fault-history|container-groups|container-group-volume|image-caches|readings|named-answer|terminal-message)\.ts$/.test(
      file,
    )
  )
    return 'cloud/port';
  if (file === 'src/controllers/podeip/record.ts') return 'podeip/record';
  if (/^src\/virtualnode\/(translate\/|workload-pod\.ts$)/.test(file)) return 'translation';
  if (/^src\/policies\/(policy-cache|read-policy|reservations|holders|purchase-history)\.ts$/.test(file))
    return 'policies/io';
  if (/^src\/controllers\/(podeip|garbagecollection)\//.test(file) && !EFFECTS.test(file)) return 'decisions';
  if (file.startsWith('src/doctor/reader/')) return 'doctor/reader';
  if (/^src\/migrate\/(read-inventory|carry-out|apply-plan|rehearse|guard)\.ts$/.test(file)) return 'migrate/io';
  if (file === 'src/sandbox/run.ts') return 'sandbox/run';
  if (file.startsWith('src/web/page/')) return 'web/page';
  return ['src/main.ts', 'src/bin.js', 'src/kubectl-eip.js', 'src/kubectl-complete-eip.js'].includes(file)
    ? 'main'
    : (file.split('/')[1] ?? '');
};

const cycles = (graph: ReadonlyMap<string, readonly string[]>): string[] => {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    const again = trail.indexOf(file);
    if (again >= 0) found.push(`${[...trail.slice(again), file].join(' → ')}: files import each other in a circle`);
    if (again >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
};

/** What of these has more lines than a file may have. */
const longIn = (files: Iterable<readonly [file: string, source: string]>): string[] =>
  [...files].flatMap(([file, source]) => {
    const lines = source.split('\n').length;
    return lines > LONGEST_FILE ? [`${file}: ${lines} lines; at most ${LONGEST_FILE}, split it by subject`] : [];
  });

/** Everything in these files (path → source) that breaks a rule. */
const violations = (files: ReadonlyMap<string, string>): string[] => {
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of files) {
    const part = partOf(file);
    const allowed = MAY_IMPORT[part];
    if (!allowed) {
      found.push(`${file}: ${part}/ has no place in the table of this test`);
      continue;
    }
    if (NO_SUBJECT.test(file)) found.push(`${file}: the name says nothing about the subject`);
    found.push(...longIn([[file, source]]));

    const neighbours: string[] = [];
    graph.set(file, neighbours);
    for (const { from, typeOnly } of importsOf(source)) {
      if (from.startsWith('.')) {
        const target = join(dirname(file), from);
        const other = partOf(target);
        if (other !== part && !allowed.includes(other))
          found.push(`${file}: ${part} must not import ${other} (${from})`);
        neighbours.push(target);
        continue;
      }
      if (PURE.has(part)) found.push(`${file}: ${part}/ is pure and must not import ${from}`);
      for (const { name, only, types } of PACKAGES)
        if (name.test(from) && !only.test(file) && !(types && typeOnly))
          found.push(`${file}: ${from} must not be imported here`);
    }
    const code = withoutTexts(withoutComments(source));
    if (PURE.has(part) && /\b(async|await|Promise)\b/.test(code))
      found.push(`${file}: ${part}/ is pure and must not wait`);
    for (const { word, only, say } of WORDS) if (word.test(code) && !only.test(file)) found.push(`${file}: ${say}`);
  }
  return [...found, ...cycles(graph)];
};

const root = fileURLToPath(new URL('../src', import.meta.url));
const sources = (): Map<string, string> =>
  new Map(
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|js)$/.test(name))
      .map((name) => [`src/${name.replaceAll('\\', '/')}`, readFileSync(join(root, name), 'utf8')]),
  );

test('every file imports only what its place allows, and uses only its own kind of input', (t) => {
  const files = sources();
  t.true(files.size > 10, 'the sources are found');
  t.deepEqual(violations(files), []);
});

/** The sources and the tests. */
const everything = (): readonly (readonly [file: string, source: string])[] => {
  const tests = fileURLToPath(new URL('.', import.meta.url));
  return [
    ...sources(),
    ...readdirSync(tests, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [`test/${name.replaceAll('\\', '/')}`, readFileSync(join(tests, name), 'utf8')] as const),
  ];
};

test('no file is longer than one can read, the tests neither', (t) => {
  t.deepEqual(longIn(everything()), []);
  t.is(longIn([['test/kube/a.test.ts', '\n'.repeat(LONGEST_FILE)]]).length, 1);
  t.deepEqual(longIn([['test/kube/a.test.ts', '\n'.repeat(LONGEST_FILE - 1)]]), []);
});

test('comments are as wide as code may be', (t) => {
  const found = everything().flatMap(([file, source]) => wideCommentLines(source).map((line) => `${file}:${line}`));
  t.deepEqual(found, [], `at most ${WIDEST_COMMENT} columns`);
  const words = 'a word '.repeat(20);
  t.deepEqual(
    wideCommentLines(`const a = 1;\n/** ${words} */\n  // ${words}\n * ${words}\nconst b = 1; // ${words}`),
    [2, 3, 4, 5],
  );
  t.deepEqual(wideCommentLines(`// https://example.com/${'a'.repeat(200)}\nconst a = '${words}';`), []);
});

test('no word of the private vocabulary comes back', (t) => {
  const found = everything()
    .filter(([file]) => !MAY_SAY_RETIRED.test(file))
    .flatMap(([file, source]) => retiredIn(source).map((said) => `${file}: ${said}`));
  t.deepEqual(found, []);
  t.deepEqual(retiredIn('the heir of an EIP, a LookForRivals, knative_eip_sweeper_strays'), [
    'heirs? → successor',
    'Look(At|For)\\w+ → Read…',
  ]);
});

for (const [rule, file, source] of BROKEN)
  test(`the check catches: ${rule}`, (t) => {
    t.is(violations(new Map([[file, source]])).length, 1, violations(new Map([[file, source]])).join('\n'));
  });

test('the check catches a circle of imports, lazy ones too', (t) => {
  const files = new Map([
    ['src/kube/a.ts', "import { b } from './b.ts';"],
    ['src/kube/b.ts', "import type { C } from './c.ts';"],
    ['src/kube/c.ts', "const a = () => import('./a.ts');"],
  ]);
  t.deepEqual(violations(files), [
    'src/kube/a.ts → src/kube/b.ts → src/kube/c.ts → src/kube/a.ts: files import each other in a circle',
  ]);
});

test('the check lets pass what is allowed', (t) => {
  const fine: readonly (readonly [string, string])[] = [
    ['src/controllers/podeip/a.ts', "// never Date.now() or await\nimport type { Eip } from '../../cloud/port.ts';"],
    ['src/kube/b.ts', "import type { KubeConfig } from '@kubernetes/client-node';\nsocket.setTimeout(5);"],
    [
      'src/controllers/podeip/writes.ts',
      "const at = new Date(clock.now()).toISOString(); const text = 'Date.now() process.env';",
    ],
    ['src/main.ts', "const run = () => import('./sandbox/run.ts');"],
    ['src/sandbox/run.ts', "import { runController } from '../cli/run-controller.ts';"],
  ];
  t.deepEqual(violations(new Map(fine)), []);
});
