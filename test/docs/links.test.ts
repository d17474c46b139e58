import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ACCOUNT_RATES_PER_MINUTE } from '../../src/cloud/throttle.ts';
import { loadConfig } from '../../src/config/load.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = ['*.md', 'docs/**/*.md', 'knative/**/*.md', 'dashboards/**/*.md', 'config/**/*.md', 'examples/**/*.md'];

const pages = PAGES.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
/** What is in code is shown, and is no link. */
const proseOf = (page: string): string => textOf(page).replaceAll(/```[\s\S]*?```|`[^`\n]*`/gu, '');

/** The anchors that GitHub gives to the headings of a page. */
const anchorsOf = (page: string): string[] =>
  [
    ...textOf(page)
      .replaceAll(/```[\s\S]*?```/gu, '')
      .matchAll(/^#+ (.+)$/gmu),
  ].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );

const isOutside = (link: string): boolean => /^[a-z]+:/u.test(link);

const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/gu)].map(([, link = '']) => link).filter((link) => !isOutside(link));

const isBroken = (page: string, link: string): boolean => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
  if (!existsSync(join(ROOT, target))) return true;
  return anchor !== undefined && !anchorsOf(target).includes(anchor);
};

test('every link between pages leads to a file, and every anchor to a heading', (t) => {
  const links = pages.flatMap((page) => linksOf(page).map((link) => ({ page, link })));
  t.true(links.length > 50, `${links.length} links are found`);
  t.deepEqual(
    links.filter(({ page, link }) => isBroken(page, link)),
    [],
  );
});

test('a link to a page or a heading that is not there is broken', (t) => {
  t.true(isBroken('README.md', 'docs/nothing.md'));
  t.true(isBroken('README.md', 'docs/design.md#nothing'));
  t.false(isBroken('README.md', '#in-a-cluster'));
  t.false(isBroken('docs/README.md', '../CONTRIBUTING.md'));
});

test('every page of the documentation is in its index, and the README is short enough to be read', (t) => {
  const indexed = linksOf('docs/README.md').map((link) => join('docs', link));
  const own = pages.filter((page) => /^docs\/[^/]+\.md$/u.test(page) && page !== 'docs/README.md');
  t.deepEqual(
    own.filter((page) => !indexed.includes(page)),
    [],
  );
  const lines = textOf('README.md').split('\n');
  t.true(lines.length <= 150);
  t.deepEqual(
    lines.filter((line) => line.length > 120),
    [],
    'also its tables can be read in an editor',
  );
});

test('the page about capacity has the rates and the defaults that the code has', (t) => {
  const page = textOf('docs/capacity.md');
  const rates = [...page.matchAll(/^\| `([A-Z]\w+)` +\| ([\d,]+)/gmu)].map(([, action = '', rate = '']) => [
    action,
    Number(rate.replaceAll(',', '')),
  ]);
  t.true(rates.length >= 9, `${rates.length} calls`);
  t.like(ACCOUNT_RATES_PER_MINUTE, Object.fromEntries(rates) as Record<string, number>);
  const { config } = loadConfig({ base: { clusterID: 'c', regionID: 'cn-hangzhou', vpcID: 'vpc-1' }, env: {} });
  const { kubeClientQPS, kubeClientBurst, networkController } = config;
  t.true(page.includes(`${kubeClientQPS} a second in the long run, ${kubeClientBurst} at once`));
  t.true(page.includes(`${networkController.eipController.maxConcurrentReconciles} of each of five groups`));
});

const sources = ['src', 'test', 'image', 'dashboards', 'examples'].flatMap((folder) =>
  globSync(`${folder}/**/*.{ts,js}`, { cwd: ROOT }),
);

/** The files that a page may mean: by a path from the root, or from `src/controllers/podeip`, or by the end of one. */
const filesCalled = (name: string): readonly string[] => {
  const path = name.startsWith('../') ? join('src/controllers/podeip', name) : name;
  return sources.filter((file) => file === path || file.endsWith(`/${path}`));
};

/** Names of files, and functions that are said to be in one, which are not there. */
const missingIn = (text: string): readonly string[] => [
  ...[...text.matchAll(/`((?:\.\.\/)?(?:[\w-]+\/)*[\w-]+\.(?:ts|js))`/gu)].flatMap(([, file = '']) =>
    filesCalled(file).length > 0 ? [] : [file],
  ),
  ...[...text.matchAll(/`((?:src|test|config|dashboards|knative|image|examples)(?:\/[\w.*-]+)*)\/?`/gu)].flatMap(
    ([, path = '']) => (globSync(path, { cwd: ROOT }).length > 0 ? [] : [path]),
  ),
  ...[...text.matchAll(/((?:`\w+`(?:, | and ))*`\w+`) (?:\([^)]*\) )?in `([\w./-]+\.ts)`/gu)].flatMap(
    ([, names = '', file = '']) =>
      [...names.matchAll(/\w+/gu)]
        .filter(([name]) => !filesCalled(file).some((path) => new RegExp(`\\b${name}\\b`, 'u').test(textOf(path))))
        .map(([name]) => `${name} in ${file}`),
  ),
];

test('the files and the functions that a page speaks of are there', (t) => {
  // One is history, and one speaks of another repository's files.
  for (const page of pages.filter((name) => !['CHANGELOG.md', 'knative/crds/README.md'].includes(name)))
    t.deepEqual(missingIn(textOf(page)), [], page);
  t.deepEqual(
    missingIn(
      '`src/kube/nothing.ts`, `src/nowhere`, `nothing.ts`; `decide` in `decide.ts`, `noSuch`, `decide` in `decide.ts`',
    ),
    ['src/kube/nothing.ts', 'nothing.ts', 'src/kube/nothing.ts', 'src/nowhere', 'noSuch in decide.ts'],
  );
});
