import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml';

/** A place in a file, counted from 1. */
export interface ConfigLocation {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a text as YAML. The sentence never quotes the text: it may hold secrets. */
interface SyntaxProblem extends ConfigLocation {
  readonly message: string;
}

/** A YAML text that has been read, and where everything in it stands. */
export interface Located {
  /** Plain data; undefined where there are problems. */
  readonly value: unknown;
  readonly problems: readonly SyntaxProblem[];
  /** Where the value at a key path stands, or the nearest thing around it. */
  placeOf(path: readonly PropertyKey[]): ConfigLocation;
  /** Where a key stands in the mapping at a key path. */
  placeOfKey(path: readonly PropertyKey[], key: string): ConfigLocation;
}

/** More aliases than any honest file needs; an "alias bomb" needs far more. Small enough that toJS stays quick. */
const MOST_ALIASES = 100;

const TOO_MANY_ALIASES = `the file uses more than ${MOST_ALIASES} aliases (*name): write the values out`;

/** By the code of the yaml package (ErrorCode): what is wrong, and what to do. */
const SENTENCES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key is there twice: keep one',
  TAB_AS_INDENT: 'a tab is used for indentation: YAML wants spaces',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_ALIAS: 'an alias (*name) points to nothing; a text that begins with * must be put in quotes',
  BAD_DQ_ESCAPE: 'a text in double quotes holds an escape that YAML does not know',
  BAD_SCALAR_START: 'a text begins with a character that YAML reserves: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping begins inside another on the same line: is a line break or a quote missing?',
  BLOCK_IN_FLOW: 'an indented block stands inside brackets',
  MISSING_CHAR: 'a character is missing here: a quote, a bracket, a comma or a colon',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines: is a colon missing?',
  MULTIPLE_DOCS: 'the file holds several documents (---): only one is allowed',
  TAG_RESOLVE_FAILED: 'tags (!name) are not allowed',
  UNEXPECTED_TOKEN: 'this does not belong here: is a colon, a quote or a comma missing, or one too many?',
  NON_STRING_KEY: 'a key is not a text',
  RESOURCE_EXHAUSTION: TOO_MANY_ALIASES,
};

/** What is wrong, as a key of SENTENCES, and where in the text. */
interface Slip {
  readonly code: string;
  readonly offset: number | undefined;
}

const START: ConfigLocation = { line: 1, column: 1 };

const failed = (message: string): Located => ({
  value: undefined,
  problems: [{ ...START, message }],
  placeOf: () => START,
  placeOfKey: () => START,
});

const pairIn = (node: unknown, key: PropertyKey) =>
  isMap(node)
    ? node.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(key))
    : undefined;

/** What YAML allows and a configuration does not: keys that are no texts, and aliases to nothing or without number. */
const unwanted = (document: Document.Parsed): Slip[] => {
  const slips: Slip[] = [];
  let aliases = 0;
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key)) slips.push({ code: 'NON_STRING_KEY', offset: (key as Node | null)?.range?.[0] });
    },
    Alias: (_, alias) => {
      aliases += 1;
      if (aliases <= MOST_ALIASES && alias.resolve(document)) return undefined;
      slips.push({ code: aliases > MOST_ALIASES ? 'RESOURCE_EXHAUSTION' : 'BAD_ALIAS', offset: alias.range?.[0] });
      return visit.BREAK;
    },
  });
  return slips;
};

/** Reads a YAML 1.2 text. Never throws: what is wrong with it is in `problems`. */
export const readYaml = (text: string): Located => {
  const lines = new LineCounter();
  const place = (offset: number | undefined): ConfigLocation => {
    if (offset === undefined) return START;
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  let document: Document.Parsed;
  let slips: Slip[];
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, logLevel: 'error' });
    slips = [...document.errors, ...document.warnings].map(({ code, pos: [offset] }) => ({ code, offset }));
    if (slips.length === 0) slips = unwanted(document);
  } catch {
    return failed('this is not readable as YAML: it is nested too deeply');
  }
  const found = new Map<string, SyntaxProblem>();
  for (const { code, offset } of slips) {
    // One slip may break many lines after it: the first place of each kind is the one to look at.
    if (!found.has(code))
      found.set(code, { ...place(offset), message: SENTENCES[code] ?? 'this is not readable as YAML' });
  }
  const problems = [...found.values()];

  let value: unknown;
  if (problems.length === 0)
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES });
    } catch {
      return failed(TOO_MANY_ALIASES);
    }

  const step = (node: unknown): Node | undefined => (isAlias(node) ? node.resolve(document) : node) as Node | undefined;
  const walk = (path: readonly PropertyKey[]) => {
    let node = step(document.contents);
    let offset = node?.range?.[0];
    for (const key of path) {
      const next = isSeq(node) ? node.items[Number(key)] : pairIn(node, key)?.value;
      const own = (next as Node | null | undefined)?.range?.[0];
      if (own === undefined) {
        const pair = pairIn(node, key);
        return { node: undefined, offset: (pair?.key as Node | undefined)?.range?.[0] ?? offset };
      }
      offset = own;
      node = step(next);
    }
    return { node, offset };
  };

  return {
    value,
    problems,
    placeOf: (path) => place(walk(path).offset),
    placeOfKey: (path, key) => {
      const { node, offset } = walk(path);
      return place((pairIn(node, key)?.key as Node | undefined)?.range?.[0] ?? offset);
    },
  };
};
