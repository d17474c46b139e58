import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLED, packagesIn } from '../image/bundle.ts';
import { isLicence } from '../image/pack.ts';
import { run } from './run.ts';

/** A platform that the plugin is built for, and the package of npm that has Node for it. */
export interface Platform {
  readonly name: string;
  /** As Go, and so kubectl and krew, call them. */
  readonly os: string;
  readonly arch: string;
  readonly package: string;
  /** Where Node is in that package. */
  readonly program: string;
  /** The SHA-512 of the package, as in a lockfile. */
  readonly integrity: string;
}

interface NodePackages {
  readonly version: string;
  readonly platforms: readonly Platform[];
}

/** The line of Node of the tests, for each platform. There is no package for Windows on arm64. */
export const NODE = JSON.parse(
  readFileSync(new URL('node-packages.json', import.meta.url), 'utf8'),
) as unknown as NodePackages;

const integrityOf = (path: string): string =>
  `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`;

/** Fetches Node for a platform by npm, checks that it is what the list says, and returns the folder of the package. */
export const fetchNode = (platform: Platform, into: string): string => {
  const folder = join(into, platform.package);
  mkdirSync(folder, { recursive: true });
  const id = `${platform.package}@${NODE.version}`;
  const [file = ''] = run('npm', ['pack', '--silent', '--prefer-offline', '--ignore-scripts', id], folder).split('\n');
  const integrity = integrityOf(join(folder, file));
  if (integrity !== platform.integrity)
    throw new Error(
      `${id} has the integrity ${integrity}, and release/node-packages.json says ${platform.integrity}: do not release with it`,
    );
  run('tar', ['-xzf', file], folder);
  return join(folder, 'package');
};

/** The texts of the licences in a folder, under its name. */
const licencesIn = (folder: string, name: string): string =>
  readdirSync(folder)
    .filter((each) => isLicence(each) && statSync(join(folder, each)).isFile())
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((each) => `${'='.repeat(80)}\n${name}: ${each}\n\n${readFileSync(join(folder, each), 'utf8').trimEnd()}\n\n`)
    .join('');

interface Bundle {
  readonly main: string;
  /** The licences of what is in it. */
  readonly licences: string;
}

/** Makes one file of the plugin and of what it loads. */
export const bundle = async (root: string, into: string): Promise<Bundle> => {
  const main = join(into, 'kubectl-eip.mjs');
  const { metafile } = await build({
    ...BUNDLED,
    absWorkingDir: root,
    entryPoints: ['release/plugin.ts'],
    outfile: main,
    target: `node${NODE.version}`,
    legalComments: 'none',
  });
  const licences = packagesIn(metafile, root)
    .map((folder) => licencesIn(folder, folder.slice(root.length + 1)))
    .join('');
  return { main, licences };
};

/**
 * Makes a single executable: Node for that platform, with the bundle in it. The bundle's path as it is written here goes in,
 * too, and so has no folder of this machine. Neither a snapshot nor V8's code cache goes
 * in: both are of the platform where they are made.
 */
export const buildExecutable = (platform: Platform, node: string, { main }: Bundle, root: string): string => {
  const folder = join(node, '..');
  const output = join(folder, platform.os === 'windows' ? 'kubectl-eip.exe' : 'kubectl-eip');
  const configuration = join(folder, 'sea.json');
  writeFileSync(
    configuration,
    JSON.stringify({
      main: basename(main),
      mainFormat: 'module',
      executable: join(node, platform.program),
      output,
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: false,
      // NODE_OPTIONS of a developer's shell are for other programs.
      execArgvExtension: 'none',
      assets: { 'package.json': join(root, 'package.json') },
    }),
  );
  run(process.execPath, ['--build-sea', configuration], dirname(main));
  return output;
};

/** Node's own licence: not every package of it has one. */
export const nodeLicence = (folders: readonly string[]): string => {
  const folder = folders.find((each) => globSync('LICENSE*', { cwd: each }).length > 0);
  if (folder === undefined || !existsSync(folder)) throw new Error('no package of Node has its licence');
  return licencesIn(folder, `Node.js ${NODE.version}`);
};
