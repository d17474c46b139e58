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
const partly = (): { readonly resolve: ResolveHookSync; readonly load: LoadHookSync } => {
  let at = '';
  return {
    resolve: (specifier, context, next) => {
      if (specifier !== GENERATED || context.parentURL?.endsWith(CONFIG) !== true) return next(specifier, context);
      at = context.parentURL;
      return { url: PART, format: 'module', shortCircuit: true };
    },
    load: (url, context, next) => {
      if (url !== PART) return next(url, context);
      const source = PARTS.map(([name, path]) => `export { ${name} } from ${JSON.stringify(new URL(path, at))};`).join(
        '',
      );
      return { format: 'module', shortCircuit: true, source };
    },
  };
};

/** Imports client-node as far as it is used. */
export const importClientNode = async (): Promise<ClientNode> => {
  const hooks = registerHooks(partly());
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
