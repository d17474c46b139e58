import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Prints the bill of materials of a production install, as CycloneDX: `npm run sbom`.
 *
 * `npm sbom --omit dev` alone will not do: it leaves out each package that a development dependency wants as well. So npm
 * is asked in a folder whose manifest and lockfile know of no development dependencies.
 */
interface Entry {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly license?: string;
  readonly devDependencies?: unknown;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(root, name), 'utf8')) as Record<string, unknown>;

/** How one package spells it; npm lists only what SPDX has. */
const SPELLED: Readonly<Record<string, string>> = { 'Apache License 2.0': 'Apache-2.0' };

const withoutDevelopment = (entry: Entry): Entry => {
  const { devDependencies: _, ...rest } = entry;
  const license = SPELLED[rest.license ?? ''];
  return license === undefined ? rest : { ...rest, license };
};

const packages = Object.entries(read('package-lock.json')['packages'] as Record<string, Entry>)
  .filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true)
  .map(([path, entry]) => [path, withoutDevelopment(entry)]);

const place = mkdtempSync(join(tmpdir(), 'sbom-'));
try {
  // The folder's name is what npm calls the program.
  const folder = join(place, 'knative-eip');
  mkdirSync(folder);
  const write = (name: string, value: unknown): void => writeFileSync(join(folder, name), JSON.stringify(value));
  write('package.json', withoutDevelopment(read('package.json')));
  write('package-lock.json', { ...read('package-lock.json'), packages: Object.fromEntries(packages) });
  const { status } = spawnSync(
    'npm',
    ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'],
    { cwd: folder, stdio: 'inherit' },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
