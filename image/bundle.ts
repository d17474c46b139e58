import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { partly } from '../src/kube/client-node.ts';

/** The folder of the package that the file is of, or nothing where it is the program's own. */
export const packageOf = (path: string): string | undefined => {
  const at = path.lastIndexOf(`${sep}node_modules${sep}`);
  if (at === -1) return undefined;
  const parts = path.slice(at).split(sep);
  const depth = (parts[2] ?? '').startsWith('@') ? 4 : 3;
  return path.slice(0, at) + parts.slice(0, depth).join(sep);
};

/** The folders of the packages that something in the bundle is from, in the order of their names. */
export const packagesIn = ({ outputs }: Metafile, root: string): readonly string[] => {
  const folders = new Set<string>();
  for (const { inputs } of Object.values(outputs))
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = packageOf(join(root, path));
      if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
    }
  return [...folders].toSorted((a, b) => (a < b ? -1 : 1));
};

/** How the image's program and the plugin of kubectl are bundled. Names stay, for the sake of stack traces. */
export const BUNDLED = {
  bundle: true,
  metafile: true,
  platform: 'node',
  format: 'esm',
  minifyWhitespace: true,
  minifySyntax: true,
  // An error that nobody handles ends the process with the line where it was thrown.
  lineLimit: 160,
  logLevel: 'warning',
  // CommonJS packages among what is bundled require modules of Node.
  banner: {
    js: "import{createRequire as createRequireHere}from'node:module';const require=createRequireHere(import.meta.url);",
  },
} as const satisfies BuildOptions;

/** What the program has from client-node when it runs from its sources, it has in the bundle, too, and no more. */
const clientNode: Plugin = {
  name: 'client-node',
  setup: (building) => {
    building.onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ importer, path, resolveDir }) =>
      partly.replaces(path, importer) ? { path: resolveDir, namespace: 'client-node' } : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'client-node' }, ({ path }) => ({
      contents: partly.source((part) => part),
      resolveDir: path,
    }));
  },
};

/**
 * What is loaded later, by who loads it. Where each of these had a file of its own, what they share with the controller
 * and with each other would be split into a hundred, and each import of one file by another takes time at every start.
 */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  commands: [
    'cli/eip-read.js',
    'cli/explain-files.js',
    'cli/live.js',
    'cli/run-doctor.js',
    'cli/run-drain.js',
    'cli/run-migrate.js',
    'cli/run-probe.js',
    'config/print.js',
    'config/schema.js',
    'explain/explain-text.js',
    'rules/docs.js',
  ],
  'virtual-node': [
    'manager/virtual-node-manager.js',
    'manager/virtual-node-source.js',
    'manager/virtual-node-wiring.js',
  ],
};

/** @param program the folder of the built program */
const together = (program: string): Plugin => ({
  name: 'together',
  setup: (building) => {
    const groups = new Map(
      Object.entries(TOGETHER).flatMap(([group, files]) => files.map((file) => [join(program, file), group])),
    );
    building.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
      const group = kind === 'dynamic-import' ? groups.get(join(resolveDir, path)) : undefined;
      return group === undefined ? undefined : { path: group, namespace: 'together' };
    });
    building.onLoad({ filter: /^/, namespace: 'together' }, ({ path }) => ({
      contents: (TOGETHER[path] ?? []).map((file) => `export * from ${JSON.stringify(`./${file}`)};`).join(''),
      resolveDir: program,
    }));
  },
});

/**
 * Node's own modules are required, and not imported: for an import, Node reads all that a module has, so that `node:http`
 * alone has it load its WebSocket client, and each of the others a copy of its names.
 */
const nodeModules: Plugin = {
  name: 'node-modules',
  setup: (building) => {
    building.onResolve({ filter: /^/ }, ({ path, kind }) =>
      kind !== 'require-call' && isBuiltin(path) ? { path, namespace: 'node-modules' } : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'node-modules' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * The HTTP client that client-node has, as far as it is used there: half of it are caches, doubles for tests, WebSockets,
 * cookies. Of an import of anything else there is no build.
 */
const UNDICI = `
  import Agent from './lib/dispatcher/agent.js';
  import Dispatcher from './lib/dispatcher/dispatcher.js';
  import ProxyAgent from './lib/dispatcher/proxy-agent.js';
  import api from './lib/api/index.js';
  import web from './lib/web/fetch/index.js';
  Object.assign(Dispatcher.prototype, api);
  export { Agent, ProxyAgent };
  export const fetch = (request, options) =>
    web.fetch(request, options).catch((error) => {
      // Its own was captured deep inside, and does not say who asked.
      if (typeof error === 'object' && error !== null) Error.captureStackTrace(error, fetch);
      throw error;
    });
`;

const undici: Plugin = {
  name: 'undici',
  setup: (building) => {
    building.onResolve({ filter: /^undici$/ }, async ({ importer, path, resolveDir, kind, pluginData }) => {
      if (pluginData === undici.name || packageOf(importer)?.endsWith('client-node') !== true) return undefined;
      const whole = await building.resolve(path, { importer, resolveDir, kind, pluginData: undici.name });
      // Elsewhere the whole may be wanted.
      return { path: whole.path, suffix: '?of-client-node' };
    });
    building.onLoad({ filter: /undici\Windex\.js$/ }, ({ path, suffix }) =>
      suffix === '' ? undefined : { contents: UNDICI, resolveDir: dirname(path) },
    );
  },
};

/** The types of content that Koa and the servers here name: the data have 2,000 more, three times over. */
export const CONTENT_TYPES = ['text/plain', 'text/html', 'application/json', 'application/octet-stream'] as const;

const contentTypes: Plugin = {
  name: 'content-types',
  setup: (building) => {
    building.onLoad({ filter: /\bmime-db\Wdb\.json$/ }, ({ path }) => {
      const all = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>;
      const named = Object.fromEntries(CONTENT_TYPES.map((type) => [type, all[type]]));
      return { contents: JSON.stringify(named), loader: 'json' };
    });
  },
};

/**
 * The source map, as far as it tells sources and their lines: of each line the first column. Node has the maps of all
 * that is loaded in memory for as long as it runs, and two thirds of them are columns and names.
 */
const ofLines = (text: string): string => {
  const { sources, mappings } = JSON.parse(text) as { sources: readonly string[]; mappings: string };
  const lines = decode(mappings).map((segments) =>
    segments.filter(([, source, line], index) => {
      const [, lastSource, lastLine] = segments[index - 1] ?? [];
      return source !== lastSource || line !== lastLine;
    }),
  );
  const places = lines.map((segments) =>
    segments.map(([column, source = 0, line = 0, inLine = 0]): [number, number, number, number] => [
      column,
      source,
      line,
      inLine,
    ]),
  );
  return JSON.stringify({ version: 3, sources, names: [], mappings: encode(places) });
};

/**
 * Bundles the program for the image: its entry and whatever a thread is started from, and what they share and load
 * later in files beside them. All lie in one folder, because the program looks for its page, its threads and its
 * package.json from where it lies itself. Source maps are beside the files, for stack traces that name sources.
 *
 * @param root where `node_modules/` is
 * @param program the folder of the built program; its `sandbox/` is left out
 * @throws Error also where an import leads nowhere
 */
export const bundleProgram = async (root: string, program: string, into: string): Promise<Metafile> => {
  const outdir = join(program, 'web');
  const { metafile, outputFiles } = await build({
    ...BUNDLED,
    absWorkingDir: root,
    // A thread is started by the name of a file, which is no import.
    entryPoints: ['main.js', 'web/health-thread.js'].map((name) => join(program, name)),
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    // The maps name sources from where the files will lie, and nothing of the machine that builds.
    outdir,
    write: false,
    splitting: true,
    target: `node${process.versions.node}`,
    external: ['./sandbox/*'],
    plugins: [together(program), clientNode, undici, nodeModules, contentTypes],
    // What is to stay with the code stays beside it: the texts of the programs are in memory for as long as they run.
    legalComments: 'linked',
    sourcemap: 'linked',
    sourcesContent: false,
  });
  mkdirSync(into, { recursive: true });
  for (const { path, contents, text } of outputFiles)
    writeFileSync(join(into, relative(outdir, path)), path.endsWith('.map') ? ofLines(text) : contents);
  return metafile;
};
