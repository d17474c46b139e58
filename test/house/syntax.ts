import { stripTypeScriptTypes } from 'node:module';
import { parse, type Node } from 'acorn';
import { base, fullAncestor } from 'acorn-walk';

/** One function of a source, however it is written: declaration, expression, arrow, method. */
export interface FunctionFigures {
  /** What it is called where it stands; `(anonymous)` where nothing names it. */
  readonly name: string;
  /** Line of its first word, from 1. */
  readonly line: number;
  readonly lines: number;
  /**
   * Cyclomatic: 1 and one more for each if, loop, case, catch, `?:`, `&&`, `||` and `??`; functions inside count alone.
   */
  readonly complexity: number;
  readonly parameters: number;
}

const BRANCHES = new Set([
  'IfStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'WhileStatement',
  'DoWhileStatement',
  'CatchClause',
  'ConditionalExpression',
  'LogicalExpression',
]);

const isFunction = ({ type }: Node) =>
  type === 'FunctionDeclaration' || type === 'FunctionExpression' || type === 'ArrowFunctionExpression';

const isBranch = (node: Node) =>
  BRANCHES.has(node.type) || (node.type === 'SwitchCase' && 'test' in node && node.test !== null);

const nameIn = (node: Node | undefined): string | undefined => {
  if (!node) return undefined;
  if ('id' in node && node.id) return nameIn(node.id as Node);
  if ('key' in node && node.key) return nameIn(node.key as Node);
  if ('left' in node && node.type === 'AssignmentExpression') return nameIn(node.left as Node);
  if ('property' in node && node.type === 'MemberExpression') return nameIn(node.property as Node);
  return 'name' in node && typeof node.name === 'string' ? node.name : undefined;
};

/** Every function of a TypeScript or JavaScript source, in its order. Throws where it cannot be parsed. */
export const functionsIn = (source: string, isTypeScript: boolean): readonly FunctionFigures[] => {
  // Types become spaces, so that lines stay.
  const program = parse(isTypeScript ? stripTypeScriptTypes(source) : source, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    allowHashBang: true,
    locations: true,
  });
  const complexity = new Map<Node, number>();
  const found: { readonly node: Node; readonly parent: Node | undefined }[] = [];
  fullAncestor(
    program,
    (node, _state, ancestors) => {
      if (isFunction(node)) {
        found.push({ node, parent: ancestors.at(-2) });
        return;
      }
      const within = ancestors.findLast(isFunction);
      if (within && isBranch(node)) complexity.set(within, (complexity.get(within) ?? 1) + 1);
    },
    base,
  );
  return found
    .map(({ node, parent }) => {
      const first = node.loc?.start.line ?? 0;
      return {
        name: nameIn(node) ?? nameIn(parent) ?? '(anonymous)',
        line: first,
        lines: (node.loc?.end.line ?? 0) - first + 1,
        complexity: complexity.get(node) ?? 1,
        parameters: 'params' in node && Array.isArray(node.params) ? node.params.length : 0,
      };
    })
    .toSorted((a, b) => a.line - b.line);
};

const EXPORT =
  /^export (?:declare |default |abstract |async )*(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;

/**
 * Names that a source declares and exports, types too. What it only passes on (`export … from`) is declared elsewhere.
 */
export const exportedNames = (source: string): readonly string[] => {
  const declared = [...source.matchAll(EXPORT)].flatMap(([, name]) => (name ? [name] : []));
  const listed = [...source.matchAll(/^export (?:type )?\{([^}]*)\}(?! from)/gm)].flatMap(([, names]) =>
    (names ?? '').split(',').flatMap(
      (item) =>
        item
          .trim()
          .split(/\s+as\s+/)
          .at(-1) || [],
    ),
  );
  return [...new Set([...declared, ...listed])];
};

const SHORTEST = 6;

/** Pairs of places, in these sources (path → text), where six lines and more say the same but for white space. */
export const duplicatesIn = (sources: ReadonlyMap<string, string>): readonly string[] => {
  interface Line {
    readonly file: string;
    readonly number: number;
    readonly text: string;
  }
  const lines: Line[] = [];
  for (const [file, source] of sources) {
    const code = source.replace(/^import [^;]*;$/gm, (text) => text.replaceAll(/[^\n]/g, ''));
    for (const [at, text] of code.split('\n').entries())
      if (text.trim()) lines.push({ file, number: at + 1, text: text.replaceAll(/\s+/g, '') });
    // What ends a file is like nothing else, so that no run of lines goes beyond it.
    lines.push({ file, number: 0, text: `end of ${file}` });
  }
  const same = (a: number, b: number, length: number) => {
    for (let i = 0; i < length; i += 1) if (lines[a + i]?.text !== lines[b + i]?.text) return false;
    return true;
  };
  const places = new Map<string, number[]>();
  for (let at = 0; at + SHORTEST <= lines.length; at += 1) {
    const key = lines
      .slice(at, at + SHORTEST)
      .map(({ text }) => text)
      .join('\n');
    places.set(key, [...(places.get(key) ?? []), at]);
  }
  const pairs: string[] = [];
  for (const here of places.values())
    for (const [i, a] of here.entries())
      for (const b of here.slice(i + 1)) {
        const goesBack = a > 0 && same(a - 1, b - 1, 1);
        const [one, other] = [lines[a], lines[b]];
        if (!goesBack && one && other) pairs.push(`${one.file}:${one.number} = ${other.file}:${other.number}`);
      }
  return pairs;
};
