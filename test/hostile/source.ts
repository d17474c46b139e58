import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parse, type Node } from 'acorn';
import { simple } from 'acorn-walk';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A place in the source, `src/lib/duration.ts:17`. */
export type Site = string;

/** A regular expression as it stands in the source. */
export interface Pattern {
  readonly source: string;
  readonly flags: string;
  readonly at: Site;
}

/** What of the source reads texts. */
export interface Readers {
  readonly patterns: readonly Pattern[];
  /** Regular expressions that are put together: `new RegExp(…)`. */
  readonly made: readonly Site[];
  /** Calls of JSON.parse, Date.parse, split and the parser of YAML. */
  readonly parses: readonly Site[];
}

const isRegExp = (callee: Node) => 'name' in callee && callee.name === 'RegExp';

/**
 * Everything in src/ that reads a text by a pattern or a grammar. The parser finds it, so that nothing is forgotten.
 */
export const readersIn = (files: readonly string[]): Readers => {
  const patterns: Pattern[] = [];
  const made: Site[] = [];
  const parses: Site[] = [];
  for (const file of files) {
    const text = readFileSync(`${ROOT}${file}`, 'utf8');
    // Types become spaces, so that lines and columns stay.
    const program = parse(file.endsWith('.ts') ? stripTypeScriptTypes(text) : text, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      allowHashBang: true,
      locations: true,
    });
    const at = ({ loc }: Node): Site => `${file}:${loc?.start.line ?? 0}`;
    simple(program, {
      Literal: (node) => {
        if (node.regex) patterns.push({ source: node.regex.pattern, flags: node.regex.flags, at: at(node) });
      },
      NewExpression: (node) => void (isRegExp(node.callee) && made.push(at(node))),
      CallExpression: (node) => {
        const { callee } = node;
        if (isRegExp(callee)) made.push(at(node));
        if (callee.type === 'Identifier' && /^parse(All)?Documents?$/.test(callee.name)) parses.push(at(node));
        if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
        const { object, property } = callee;
        const isOfBuiltIn = object.type === 'Identifier' && ['JSON', 'Date'].includes(object.name);
        // In a chain over several lines, the engine says the line of the name.
        if (property.name === 'split' || (isOfBuiltIn && property.name === 'parse')) parses.push(at(property));
      },
    });
  }
  return { patterns, made, parses };
};

/** The files of src/, sorted. */
export const sources = (): readonly string[] =>
  globSync('src/**/*.{ts,js}', { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted();
