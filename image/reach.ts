import { readFileSync, readdirSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse, type Node } from 'acorn';
import { full } from 'acorn-walk';

/** One import of a file: what it names, and by which of Node's two ways it is looked for. */
interface Edge {
  readonly specifier: string;
  readonly isRequire: boolean;
}

interface Scan {
  readonly edges: readonly Edge[];
  /** Whether the file loads or reads by a name that is only known when it runs. */
  readonly isOpaque: boolean;
}

/** What a program reaches. Paths are absolute. */
export interface Reach {
  readonly files: ReadonlySet<string>;
  /** Packages of which everything is kept, because a file of them looks for others by a computed name. */
  readonly whole: ReadonlySet<string>;
  /** Imports that lead nowhere, `FILE: NAME`: optional ones, in a `try`. */
  readonly missing: ReadonlySet<string>;
}

type Fields = Node & Readonly<Record<string, unknown>>;

const isNamed = (node: unknown, name: string): boolean =>
  (node as Fields | undefined)?.type === 'Identifier' && (node as Fields)['name'] === name;

const textOf = (node: unknown): string | undefined => {
  const { type, value, expressions, quasis } = (node ?? {}) as Record<string, unknown>;
  if (type === 'Literal' && typeof value === 'string') return value;
  if (type !== 'TemplateLiteral' || (expressions as unknown[]).length > 0) return undefined;
  return (quasis as { value: { cooked: string } }[])[0]?.value.cooked;
};

const parsed = (text: string, isModule: boolean): Node =>
  parse(text, {
    ecmaVersion: 'latest',
    sourceType: isModule ? 'module' : 'script',
    allowHashBang: true,
    allowReturnOutsideFunction: true,
  });

/** `require(…)` and `require.resolve(…)`, and no call of anything else. */
const isRequireCall = (callee: unknown): boolean =>
  isNamed(callee, 'require') ||
  ((callee as Fields).type === 'MemberExpression' && isNamed((callee as Fields)['object'], 'require'));

const IMPORTS = new Set(['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression']);

const isOwnPlace = (node: Fields): boolean =>
  node.type === 'MetaProperty' || isNamed(node, '__dirname') || isNamed(node, '__filename');

const isMakingRequire = (node: Fields): boolean => isNamed(node, 'createRequire');

/** What the file asks for, by its text alone. */
export const scan = (text: string, isModule: boolean): Scan => {
  const edges: Edge[] = [];
  let isOpaque = false;
  const add = (named: unknown, isRequire: boolean): void => {
    const specifier = textOf(named);
    if (specifier === undefined) isOpaque = true;
    else edges.push({ specifier, isRequire });
  };
  full(parsed(text, isModule), (each) => {
    const node = each as Fields;
    if (IMPORTS.has(node.type) && node['source'] !== null && node['source'] !== undefined) add(node['source'], false);
    else if (node.type === 'CallExpression' && isRequireCall(node['callee']))
      add((node['arguments'] as unknown[])[0], true);
    else if (isOwnPlace(node) || isMakingRequire(node)) isOpaque = true;
  });
  return { edges, isOpaque };
};

const CODE = new Set(['.js', '.mjs', '.cjs']);

export const isCode = (path: string): boolean => CODE.has(extname(path));

/** The folder of the package that the file is of, or nothing where it is the program's own. */
export const packageOf = (path: string): string | undefined => {
  const at = path.lastIndexOf(`${sep}node_modules${sep}`);
  if (at === -1) return undefined;
  const parts = path.slice(at).split(sep);
  const depth = (parts[2] ?? '').startsWith('@') ? 4 : 3;
  return path.slice(0, at) + parts.slice(0, depth).join(sep);
};

/** Whether Node takes a `.js` of this folder for an ECMAScript module: by the nearest package.json. */
const isModuleFolder = (folder: string): boolean => {
  try {
    const { type } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { type?: string };
    return type === 'module';
  } catch {
    const above = dirname(folder);
    return above !== folder && isModuleFolder(above);
  }
};

/** Whether Node takes the file for an ECMAScript module. */
export const isModule = (path: string): boolean => {
  const ending = extname(path);
  return ending === '.mjs' || (ending === '.js' && isModuleFolder(dirname(path)));
};

const resolved = ({ specifier, isRequire }: Edge, from: string): string | undefined => {
  if (isBuiltin(specifier)) return undefined;
  if (isRequire) return createRequire(from).resolve(specifier);
  return fileURLToPath(import.meta.resolve(specifier, pathToFileURL(from)));
};

/** What packages ship for those who change them: no program of theirs looks there for a name that it computes. */
const NOT_THE_PROGRAM = new Set(['node_modules', 'test', 'tests', '__tests__', 'benchmarks', 'examples', 'docs']);

/** Source maps, types and texts. */
const isNotLoaded = (name: string): boolean => /\.(?:map|md|ts|[cm]ts|markdown)$/u.test(name);

/** Files of a package itself, and not of the packages that lie in it. */
const filesOfPackage = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_THE_PROGRAM.has(entry.name) ? [] : filesOfPackage(path);
    return isNotLoaded(entry.name) ? [] : [path];
  });

/**
 * Every file that the entries can load, by following imports as Node resolves them: static ones, `import()` and
 * `require()` of a literal. A package in which any of its reached files computes a name, or asks where it lies itself,
 * is kept whole. So what this leaves out cannot be loaded; what it keeps may never be.
 *
 * @param without a folder of which nothing is kept, nor what only it leads to
 *
 * Needs Node's flag `--experimental-import-meta-resolve`: without it imports cannot be resolved from another file.
 */
export const reach = (entries: readonly string[], without?: string): Reach => {
  const files = new Set<string>();
  const whole = new Set<string>();
  const missing = new Set<string>();
  const open = [...entries];
  const follow = (edge: Edge, from: string): void => {
    try {
      const path = resolved(edge, from);
      if (path !== undefined) open.push(path);
    } catch {
      missing.add(`${from}: ${edge.specifier}`);
    }
  };
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (files.has(path) || (without !== undefined && path.startsWith(without + sep))) continue;
    files.add(path);
    if (!isCode(path)) continue;
    const { edges, isOpaque } = scan(readFileSync(path, 'utf8'), isModule(path));
    for (const edge of edges) follow(edge, path);
    const folder = packageOf(path);
    if (!isOpaque || folder === undefined || whole.has(folder)) continue;
    whole.add(folder);
    open.push(...filesOfPackage(folder));
  }
  return { files, whole, missing };
};
