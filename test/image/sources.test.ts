import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parse } from 'yaml';
import { CONTENT_TYPES } from '../../image/bundle.ts';
import { readDockerfile, textsOf } from './dockerfile.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string): string => readFileSync(`${ROOT}/${name}`, 'utf8');

interface Entry {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly license?: string;
}

const production = (): [string, Entry][] =>
  Object.entries((JSON.parse(read('package-lock.json')) as { packages: Record<string, Entry> }).packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
  );

/**
 * Licences that ask for no more than that their text goes with the code, which image/pack.ts sees to. PSF-2.0 is that
 * of Python, from which argparse came; "Apache License 2.0" is how one package spells Apache-2.0.
 */
const ALLOWED = new Set([
  '0BSD',
  'Apache License 2.0',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
]);

test('every production package has a licence that lets us pass it on', (t) => {
  t.true(production().length > 200);
  t.deepEqual(
    production()
      .filter(([, { license }]) => license === undefined || !ALLOWED.has(license))
      .map(([path, { license }]) => `${path}: ${license}`),
    [],
  );
});

const { args, stages } = readDockerfile(`${ROOT}/Dockerfile`);
const [build, final] = stages;

test('the image is built from the lockfile, and no script of a package is run on the way', (t) => {
  const installs = build && textsOf(build, 'RUN').filter((text) => /npm (?:ci|install|i|add)\b/u.test(text));
  t.deepEqual(installs, ['npm ci --ignore-scripts --no-audit ${NPM_REGISTRY:+--registry=${NPM_REGISTRY}}']);
  t.is(final && textsOf(final, 'RUN').length, 0, 'the image has no shell');
});

test('where everything comes from is an argument: base images, also by digest, and what npm asks', (t) => {
  t.deepEqual(
    stages.map(({ from }) => from),
    ['--platform=${BUILDPLATFORM} ${BUILD_IMAGE}', '${BASE_IMAGE}'],
  );
  t.deepEqual([...args.keys()], ['BUILD_IMAGE', 'BASE_IMAGE']);
  t.deepEqual(build && textsOf(build, 'ARG'), ['NPM_REGISTRY=']);
  // It would name a third image, that BuildKit fetches first.
  t.notRegex(read('Dockerfile'), /^# *syntax *=/mu);
});

test('without the argument npm asks whom it is set up to ask, and with it who is named', (t) => {
  const [command = ''] = (build && textsOf(build, 'RUN')) ?? [];
  const said = (registry: string): string =>
    execFileSync('sh', ['-c', command.replace(/^npm/u, 'echo')], { encoding: 'utf8', env: { NPM_REGISTRY: registry } });
  t.is(said(''), 'ci --ignore-scripts --no-audit\n');
  t.is(said('https://mirror.example'), 'ci --ignore-scripts --no-audit --registry=https://mirror.example\n');
});

test('the user of the image is the one that config/manager demands, and it is not root', (t) => {
  const { spec } = parse(read('config/manager/deployment.yaml')) as {
    spec: { template: { spec: { securityContext: { runAsUser: number; runAsGroup: number; runAsNonRoot: boolean } } } };
  };
  const { runAsUser, runAsGroup, runAsNonRoot } = spec.template.spec.securityContext;
  t.true(runAsNonRoot);
  t.deepEqual(final && textsOf(final, 'USER'), [`${runAsUser}:${runAsGroup}`]);
});

test('npm run sbom lists every production package with its licence and its digest', (t) => {
  const { components } = JSON.parse(
    execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 }),
  ) as { components: { name: string; version: string; licenses?: unknown[]; hashes?: unknown[] }[] };
  const listed = new Set(components.map(({ name }) => name));
  for (const [path] of production()) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    t.true(listed.has(name), name);
  }
  for (const { name, licenses, hashes } of components) t.true(licenses !== undefined && hashes !== undefined, name);
});

test('the image knows each type of content that Koa or a server here names', (t) => {
  const { lookup } = createRequire(createRequire(import.meta.url).resolve('koa'))('mime-types') as {
    lookup: (name: string) => string | false;
  };
  const named = ['node_modules/koa/lib/*.js', 'src/{web,webhook}/*.ts'].map((pattern) =>
    globSync(pattern, { cwd: ROOT }).flatMap((path) =>
      [...read(path).matchAll(/^(?! *\*).*\.type = '([^';]+)/gmu)].map(([, name = '']) => name),
    ),
  );
  t.true(
    named.every(({ length }) => length > 1),
    named.join(),
  );
  t.deepEqual(
    named.flat().filter((name) => !CONTENT_TYPES.some((type) => type === (name.includes('/') ? name : lookup(name)))),
    [],
  );
});
