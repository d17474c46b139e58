import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

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

test('the image is built from the lockfile, and no script of a package is run on the way', (t) => {
  const dockerfile = read('Dockerfile');
  const installs = [...dockerfile.matchAll(/npm (?:ci|install|i|add)\b[^\n&]*/gu)].map(([command]) => command.trim());
  t.deepEqual(installs, ['npm ci --ignore-scripts --no-audit']);
});

test('both base images can be given by digest', (t) => {
  const dockerfile = read('Dockerfile');
  const from = [...dockerfile.matchAll(/^FROM (\S+)/gmu)].map(([, image = '']) => image);
  t.deepEqual(from, ['${BUILD_IMAGE}', '${BASE_IMAGE}']);
  for (const name of ['BUILD_IMAGE', 'BASE_IMAGE']) t.regex(dockerfile, new RegExp(`^ARG ${name}=`, 'mu'));
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
