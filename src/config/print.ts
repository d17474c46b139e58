import { Document, isScalar, visit } from 'yaml';
import type { Origins } from './load.ts';
import { spelled } from './problem.ts';
import { leaves, type Config } from './schema.ts';

/**
 * The effective configuration as YAML, secrets hidden; with `withOrigin`, a comment says where each value comes from.
 */
export const printConfig = ({ config, origins }: { config: Config; origins: Origins }, withOrigin: boolean): string => {
  const document = new Document(JSON.parse(JSON.stringify(config)));
  for (const leaf of withOrigin ? leaves() : []) {
    const node = document.getIn(leaf, true);
    const origin = origins.get(spelled(leaf)) ?? 'default';
    if (isScalar(node)) node.comment = ` ${origin}`;
    else if (node)
      visit(document, {
        Pair: (_, pair) => {
          if (pair.value === node && isScalar(pair.key)) pair.key.commentBefore = ` ${origin}`;
        },
      });
  }
  return document.toString({ lineWidth: 0 });
};
