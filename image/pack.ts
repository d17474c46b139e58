import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { bundleProgram, packagesIn } from './bundle.ts';

/**
 * Bundles the built program into a folder of its own, for the image:
 *
 *     node image/pack.ts FOLDER
 *
 * wants `dist/` and `node_modules/` in the working directory, and leaves in FOLDER `package.json`, the program in `dist/`,
 * and in `node_modules/` of each package that is in the program its package.json, for scanners, and its licence. The
 * sandbox is left out: in a cluster nobody wants an embedded cloud. It says how many packages, files and bytes a
 * production install has, and how many are left.
 */

/** Their conditions ask for being passed on with the code. */
export const isLicence = (name: string): boolean => /^(?:licen[cs]e|notice|copying|copyright)/iu.test(name);

const copy = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
};

const licencesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => isLicence(name))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

/** The folders of a production install, by the lockfile. */
const productionFolders = (root: string): string[] => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => join(root, path))
    .filter((path) => existsSync(path));
};

const filesIn = (folder: string): string[] =>
  globSync('**/*', { cwd: folder, exclude: (name) => name === 'node_modules' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

/** How much it is: of a production install what other people wrote, of the image everything. */
export interface Amount {
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
}

export interface Packed {
  readonly installed: Amount;
  readonly packed: Amount;
}

const amountOf = (packages: number, files: readonly string[]): Amount => ({
  packages,
  files: files.length,
  bytes: files.reduce((sum, path) => sum + statSync(path).size, 0),
});

/**
 * Packs the program.
 *
 * @param root where `package.json` and `node_modules/` are
 * @param program the folder in it that has the built program
 * @param folder what to pack into; it is emptied first
 */
export const pack = async (root: string, program: string, folder: string): Promise<Packed> => {
  rmSync(folder, { recursive: true, force: true });
  const web = join(folder, 'dist/web');
  const packages = packagesIn(await bundleProgram(root, program, web), root);
  copy(join(program, 'web/page'), join(web, 'page'));
  // What commands name: documents, and the entry point.
  writeFileSync(join(folder, 'dist/main.js'), "import './web/main.js';\n");
  copy(join(root, 'package.json'), join(folder, 'package.json'));
  for (const each of packages)
    for (const path of [join(each, 'package.json'), ...licencesOf(each)])
      copy(path, join(folder, relative(root, path)));
  const production = productionFolders(root);
  return {
    installed: amountOf(
      production.length,
      production.flatMap((each) => filesIn(each)),
    ),
    packed: amountOf(
      packages.length,
      globSync('**/*', { cwd: folder })
        .map((name) => join(folder, name))
        .filter((path) => statSync(path).isFile()),
    ),
  };
};

const line = (what: string, { packages, files, bytes }: Amount): string =>
  `${what}: ${packages} packages, ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`;

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('the folder to pack into is missing: image/pack.ts FOLDER');
  const { installed, packed } = await pack(process.cwd(), resolve('dist'), resolve(folder));
  process.stdout.write(line('a production install', installed) + line('what goes into the image', packed));
}
