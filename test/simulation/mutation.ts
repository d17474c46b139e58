import { registerHooks, type ModuleHooks } from 'node:module';

const ROOT = new URL('../../', import.meta.url);

/** One export of the product, and what stands in its place. */
export interface Replacement {
  /** Of the module, below the root of the repository. */
  readonly file: string;
  readonly name: string;
  readonly by: (original: unknown) => unknown;
}

/** A number that is exported may become any other. */
type Replaced<T> = T extends number ? number : T;

/**
 * How exports of one module are replaced. `Module` is the type of the module in `file`: a name that it does not export,
 * or a function that could not stand in the place of the original, does not compile.
 *
 *     import type * as Step from '../../src/controllers/podeip/step.ts';
 *     const step = exportsOf<typeof Step>('src/controllers/podeip/step.ts');
 *     step('POLL_MS', (original) => 2 * original);
 */
export const exportsOf =
  <Module extends object>(file: string) =>
  <Name extends keyof Module & string>(
    name: Name,
    by: (original: Module[Name]) => Replaced<Module[Name]>,
  ): Replacement => ({ file, name, by: by as (original: unknown) => unknown });

/** Marks the module as it is, behind the one that stands in its place. */
const INTACT = '?intact';

/** What is replaced in this thread, by the address of the module. */
const replacedIn = new Map<string, ReadonlyMap<string, Replacement>>();

/** What stands in the place of an export: called by the modules that {@link mutate} makes, and by nothing else. */
export const replaced = (url: string, name: string, original: unknown): unknown => {
  const replacement = replacedIn.get(url)?.get(name);
  if (original === undefined || !replacement) throw new Error(`mutant: ${url} does not export ${name}`);
  return replacement.by(original);
};

/** The module at `url` with some of its exports replaced. Its own calls among each other stay as they are. */
const sourceOf = (url: string, names: Iterable<string>): string =>
  [
    `import * as original from '${url}${INTACT}';`,
    `import { replaced } from '${import.meta.url}';`,
    `export * from '${url}${INTACT}';`,
    ...Array.from(names, (name) => `export const ${name} = replaced('${url}', '${name}', original.${name});`),
  ].join('\n');

/**
 * Replaces exports for every module that is loaded from now on in this thread. The product knows nothing of it: there
 * is no switch in its code. Whoever imports a module that does not export the name gets an error.
 */
export const mutate = (replacements: readonly Replacement[]): ModuleHooks => {
  for (const [url, group] of Map.groupBy(replacements, ({ file }) => new URL(file, ROOT).href))
    replacedIn.set(url, new Map(group.map((replacement) => [replacement.name, replacement])));
  return registerHooks({
    load: (url, context, nextLoad) => {
      const mine = replacedIn.get(url);
      return mine
        ? { format: 'module', source: sourceOf(url, mine.keys()), shortCircuit: true }
        : nextLoad(url, context);
    },
  });
};
