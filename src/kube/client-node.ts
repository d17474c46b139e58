import { registerHooks, type ResolveHookSync, type LoadHookSync } from 'node:module';
import type { KubeConfig, RequestContext, IsomorphicFetchHttpLibrary } from '@kubernetes/client-node';

/** What of client-node is used. */
export interface ClientNode {
  readonly KubeConfig: typeof KubeConfig;
  readonly RequestContext: typeof RequestContext;
  readonly IsomorphicFetchHttpLibrary: typeof IsomorphicFetchHttpLibrary;
}

/** Where `config.js` of client-node, and what it takes from its generated code, are in the package. */
const CONFIG = '/@kubernetes/client-node/dist/config.js';
const GENERATED = './gen/index.js';

/** The parts of the generated code that `config.js` uses, and the module that has them. */
const PARTS = [
  ['createConfiguration', './gen/configuration.js'],
  ['ServerConfiguration', './gen/servers.js'],
] as const;
const PART = 'client-node:configuration';

/**
 * `config.js` takes two functions from the file that has the classes of every kind and every call of the API: 0.4 s of
 * CPU and 80 MiB of memory, which this process never uses. It gets a module with these two instead. If a version of
 * client-node takes more from there, importing it fails at once; if it takes it from elsewhere, everything is loaded.
 */
export const partly = {
  /** Whether the import of a file, by its path or URL, is that of the large one. */
  replaces: (specifier: string, importer: string | undefined): boolean =>
    specifier === GENERATED && importer?.endsWith(CONFIG) === true,
  /** The module in its place. @param at what to write for a path that `config.js` could import */
  source: (at: (path: string) => string): string =>
    PARTS.map(([name, path]) => `export { ${name} } from ${JSON.stringify(at(path))};`).join(''),
};

const createHooks = (): { readonly resolve: ResolveHookSync; readonly load: LoadHookSync } => {
  let parent = '';
  return {
    resolve: (specifier, context, next) => {
      const { parentURL } = context;
      if (parentURL === undefined || !partly.replaces(specifier, parentURL)) return next(specifier, context);
      parent = parentURL;
      return { url: PART, format: 'module', shortCircuit: true };
    },
    load: (url, context, next) =>
      url === PART
        ? { format: 'module', shortCircuit: true, source: partly.source((path) => new URL(path, parent).href) }
        : next(url, context),
  };
};

/** Imports client-node as far as it is used. */
export const importClientNode = async (): Promise<ClientNode> => {
  const hooks = registerHooks(createHooks());
  try {
    const [{ KubeConfig }, { RequestContext }, { IsomorphicFetchHttpLibrary }] = await Promise.all([
      import('@kubernetes/client-node/dist/config.js'),
      import('@kubernetes/client-node/dist/gen/http/http.js'),
      import('@kubernetes/client-node/dist/gen/http/isomorphic-fetch.js'),
    ]);
    return { KubeConfig, RequestContext, IsomorphicFetchHttpLibrary };
  } finally {
    hooks.deregister();
  }
};
