import { readFileSync } from 'node:fs';
import test from 'ava';

interface Entry {
  readonly integrity?: string;
  readonly resolved?: string;
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Packages = Readonly<Record<string, Entry>>;

/**
 * What a package asks for and the lockfile does not have, also for other platforms: `npm ci` fails on each,
 * `npm install` adds it.
 */
const missing = (packages: Packages): string[] =>
  Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !foldersAbove(path).some((folder) => `${folder}node_modules/${name}` in packages))
      .map((name) => `${name}, for ${path || 'the project'}`),
  );

/** Where Node looks for what a package imports: in the package, then in each that it lies in, then in the project. */
const foldersAbove = (path: string): string[] => {
  const parts = path.split(/\/(?=node_modules\/)/);
  const within = path === '' ? [] : parts.map((_, index) => `${parts.slice(0, parts.length - index).join('/')}/`);
  return [...within, ''];
};

const read = (): Packages =>
  (JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as { packages: Packages })
    .packages;

test('the lockfile is complete for every platform, so that npm ci works and npm install changes nothing', (t) => {
  t.deepEqual(missing(read()), []);
});

test('a package that another platform needs is missed, also a nested one', (t) => {
  const packages: Packages = {
    '': { dependencies: { a: '1' } },
    'node_modules/a': { optionalDependencies: { '@a/win32': '1', '@a/linux': '1' }, dependencies: { b: '1', c: '1' } },
    'node_modules/a/node_modules/b': { dependencies: { c: '1', '@a/linux': '1', d: '1' } },
    'node_modules/@a/linux': {},
    'node_modules/c': {},
  };
  t.deepEqual(missing(packages), ['@a/win32, for node_modules/a', 'd, for node_modules/a/node_modules/b']);
});

test('the lockfile says what each package must be, and not where it was fetched', (t) => {
  const installed = Object.entries(read()).filter(([path]) => path !== '');
  t.true(installed.length > 400);
  t.deepEqual(
    installed.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? '')).map(([path]) => path),
    [],
  );
  t.deepEqual(
    installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
});

/**
 * npm 10, which comes with Node 20 and 22, takes the field out; npm 11 does without it and leaves the lockfile
 * as it is.
 */
test('npm 10 and npm 11 leave the lockfile as it is: where they do not, npx npm@10 install --package-lock-only mends it', (t) => {
  t.deepEqual(
    Object.entries(read())
      .filter(([, { libc }]) => libc !== undefined)
      .map(([path]) => path),
    [],
  );
});
