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
import { dirname, join, relative, resolve, sep } from 'node:path';
import { withoutComments } from './comments.ts';
import { isCode, isModule, packageOf, reach } from './reach.ts';

/**
 * Copies what the built program can load into a folder of its own, for the image:
 *
 *     node --experimental-import-meta-resolve image/pack.ts FOLDER
 *
 * wants `dist/` and `node_modules/` in the working directory, and leaves `package.json`, `dist/` and the reached files of
 * `node_modules/` in FOLDER, without their comments and with the licences of their packages. The sandbox is left out: in a
 * cluster nobody wants an embedded cloud. It says how many packages and bytes a production install has, and how many are
 * left.
 */

/** Their conditions ask for being passed on with the code. */
export const isLicence = (name: string): boolean => /^(?:licen[cs]e|notice|copying|copyright)/iu.test(name);

/** Copies a file, and of code what is run. */
const copy = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true });
  if (isCode(from)) writeFileSync(to, withoutComments(readFileSync(from, 'utf8'), isModule(from)));
  else cpSync(from, to);
};

/** The package.json files between a file and the folder of its package: by them Node knows what a `.js` is. */
const manifestsAbove = (path: string, folder: string): string[] => {
  const above = dirname(path);
  const own = join(above, 'package.json');
  const here = existsSync(own) ? [own] : [];
  return above === folder ? here : [...here, ...manifestsAbove(above, folder)];
};

const licencesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => isLicence(name))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

interface Wanted {
  /** Files of the program itself. */
  readonly own: readonly string[];
  /** Files of other packages. */
  readonly others: readonly string[];
}

/**
 * What goes with the program. Its own files are all entries: a thread is started by the name of a file, which is no import.
 */
const filesToPack = (program: string): Wanted => {
  const sandbox = join(program, 'sandbox');
  const own = filesIn(program).filter((path) => !path.startsWith(sandbox + sep));
  // The page is sent to browsers, and not loaded.
  const page = join(program, 'web/page') + sep;
  const entries = own.filter((path) => isCode(path) && !path.startsWith(page));
  const others = new Set<string>();
  for (const path of reach(entries, sandbox).files) {
    const folder = packageOf(path);
    if (folder === undefined) continue;
    for (const each of [path, ...manifestsAbove(path, folder), ...licencesOf(folder)]) others.add(each);
  }
  return { own, others: [...others] };
};

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

/** How much of other people's software it is. */
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
export const pack = (root: string, program: string, folder: string): Packed => {
  const { own, others: files } = filesToPack(program);
  rmSync(folder, { recursive: true, force: true });
  for (const path of files) copy(path, join(folder, relative(root, path)));
  copy(join(root, 'package.json'), join(folder, 'package.json'));
  for (const path of own) copy(path, join(folder, 'dist', relative(program, path)));
  const production = productionFolders(root);
  return {
    installed: amountOf(
      production.length,
      production.flatMap((each) => filesIn(each)),
    ),
    packed: amountOf(
      new Set(files.map((path) => packageOf(path))).size,
      files.map((path) => join(folder, relative(root, path))),
    ),
  };
};

const line = (what: string, { packages, files, bytes }: Amount): string =>
  `${what}: ${packages} packages, ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`;

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('the folder to pack into is missing: image/pack.ts FOLDER');
  const { installed, packed } = pack(process.cwd(), resolve('dist'), resolve(folder));
  process.stdout.write(line('a production install', installed) + line('what goes into the image', packed));
}
