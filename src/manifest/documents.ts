import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type Document, type Node } from 'yaml';

/** One object of a file, with the line numbers of its values. */
export interface Manifest {
  readonly object: unknown;
  /** The line of the value at a path of keys, or of its nearest parent that exists; counted from 1. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

interface YamlProblem {
  readonly line: number;
  readonly message: string;
}

interface Documents {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly YamlProblem[];
}

/** Larger than any real file. Larger texts are not parsed, so that no input can keep the process busy for long. */
const LARGEST_BYTES = 16 * 1024 * 1024;
const MOST_ALIASES = 1_000;
const MOST_OBJECTS = 10_000;

/**
 * Reads the objects of a YAML or JSON text: several documents, and Lists, whose items count as objects. Never throws:
 * errors are returned as problems, each with its line.
 */
export const readDocuments = (text: string): Documents => {
  if (text.length > LARGEST_BYTES)
    return { manifests: [], problems: [{ line: 1, message: `the text is longer than ${LARGEST_BYTES} characters` }] };
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined): number => Math.max(1, lines.linePos(offset ?? 0).line);
  const problems: YamlProblem[] = [];
  const manifests: Manifest[] = [];
  let documents: readonly Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      logLevel: 'error',
    });
    documents = [...parsed];
  } catch {
    return { manifests, problems: [{ line: 1, message: 'this is not readable as YAML: it is nested too deeply' }] };
  }
  for (const document of documents) {
    const [error] = [...document.errors, ...document.warnings];
    if (error) {
      problems.push({ line: lineAt(error.pos[0]), message: `not YAML: ${oneLine(error.message)}` });
      continue;
    }
    const value = plain(document);
    if (value.kind === 'unreadable')
      problems.push({ line: lineAt(document.contents?.range?.[0]), message: value.message });
    else if (value.value !== null && value.value !== undefined)
      manifests.push(...unfold(value.value, [], (path) => lineAt(offsetOf(document, path))));
    if (manifests.length > MOST_OBJECTS) {
      problems.push({ line: 1, message: `there are more than ${MOST_OBJECTS} objects` });
      break;
    }
  }
  return { manifests: manifests.slice(0, MOST_OBJECTS), problems };
};

const oneLine = (message: string): string => message.slice(0, 1_000).replaceAll(/\s+/g, ' ').slice(0, 200);

type Plain =
  { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'unreadable'; readonly message: string };

/** The document as plain data. */
const plain = (document: Document.Parsed): Plain => {
  let aliases = 0;
  try {
    visit(document, {
      Alias: () => {
        aliases += 1;
        return aliases > MOST_ALIASES ? visit.BREAK : undefined;
      },
    });
    return aliases > MOST_ALIASES
      ? { kind: 'unreadable', message: `more than ${MOST_ALIASES} aliases (*name): write the values out` }
      : { kind: 'value', value: document.toJS({ maxAliasCount: MOST_ALIASES }) as unknown };
  } catch (error) {
    const message = `not readable: ${oneLine(error instanceof Error ? error.message : String(error))}`;
    return { kind: 'unreadable', message };
  }
};

/** The items of a List, recursively; other objects as they are. */
const unfold = (value: unknown, path: readonly PropertyKey[], lineOf: Manifest['lineOf']): Manifest[] => {
  const { kind, items } = (typeof value === 'object' && value !== null ? value : {}) as {
    kind?: unknown;
    items?: unknown;
  };
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items) && path.length < 10)
    return items.flatMap((item, index) => unfold(item, [...path, 'items', index], lineOf));
  return [{ object: value, lineOf: (inner) => lineOf([...path, ...inner]) }];
};

const offsetOf = (document: Document.Parsed, path: readonly PropertyKey[]): number | undefined => {
  const step = (node: unknown): Node | undefined => (isAlias(node) ? node.resolve(document) : node) as Node | undefined;
  let node = step(document.contents);
  let offset = node?.range?.[0];
  for (const key of path) {
    const pair = isMap(node)
      ? node.items.find(({ key: name }) => isScalar(name) && String(name.value) === String(key))
      : undefined;
    const next = isSeq(node) ? node.items[Number(key)] : pair?.value;
    offset = (pair?.key as Node | undefined)?.range?.[0] ?? (next as Node | null | undefined)?.range?.[0] ?? offset;
    node = step(next);
  }
  return offset;
};
