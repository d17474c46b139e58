import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One text of the product's source, and what stands in its place. */
export interface Replacement {
  /** Below the root of the repository. */
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes every module that is loaded from now on in this thread read as if the texts had been replaced. The product
 * knows nothing of it: there is no switch in its code. Throws, when the module is loaded, where a text is not found
 * exactly once, so that a mutant cannot get lost in a change of the source.
 */
export const mutate = (replacements: readonly Replacement[]): void => {
  const byFile = new Map<string, Replacement[]>();
  for (const replacement of replacements)
    byFile.set(replacement.file, [...(byFile.get(replacement.file) ?? []), replacement]);
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:')) return loaded;
      const path = fileURLToPath(url);
      const mine = path.startsWith(ROOT) ? byFile.get(path.slice(ROOT.length)) : undefined;
      if (!mine) return loaded;
      const { source: original = '' } = loaded;
      let source = typeof original === 'string' ? original : new TextDecoder().decode(original ?? undefined);
      for (const { file, text, by } of mine) {
        const parts = source.split(text);
        if (parts.length !== 2)
          throw new Error(`mutant: the text is ${parts.length - 1} times in ${file}, not once: ${text}`);
        source = parts.join(by);
      }
      return { ...loaded, source };
    },
  });
};
