import { Document, isScalar, visit } from 'yaml';
import { cutAt } from '../lib/text.ts';
import type { Origins } from './load.ts';
import { spelled } from './problem.ts';
import { leaves, type Config } from './schema.ts';

/** A query may be a secret, such as the token of a sink. */
const shown = (key: string, value: unknown): unknown => {
  if (key !== 'sink' || typeof value !== 'string') return value;
  const [before, query] = cutAt(value, '?');
  return query === '' ? before : `${before}?[hidden]`;
};

/**
 * The effective configuration as YAML, secrets hidden; with `withOrigin`, a comment says where each value comes from.
 */
export const printConfig = ({ config, origins }: { config: Config; origins: Origins }, withOrigin: boolean): string => {
  const document = new Document(JSON.parse(JSON.stringify(config, shown)));
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
