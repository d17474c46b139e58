import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'ava';
import { parse } from 'acorn';
import { withoutComments } from '../../image/comments.ts';

const CASES: readonly (readonly [what: string, text: string, becomes: string])[] = [
  ['a line', 'a(); // why\nb();', 'a();  \nb();'],
  ['a block in a line', 'a(/* of what */ b);', 'a(  b);'],
  ['lines stay where they are', '/**\n * Why\n */\na();', '\n\n\na();'],
  ['a return ends at the line', 'function f() {\n  return /*\n*/ 1;\n}', 'function f() {\n  return \n 1;\n}'],
  ['words do not run together', 'typeof/**/a;', 'typeof a;'],
  ['texts', "a('// no', `/* ${b /* yes */} */`, /[/]*\\/*/u);", "a('// no', `/* ${b  } */`, /[/]*\\/*/u);"],
  ['a first line for the shell', '#!/usr/bin/env node\na(); // b', '#!/usr/bin/env node\na();  '],
  ['the source map', 'a();\n//# sourceMappingURL=a.js.map', 'a();\n//# sourceMappingURL=a.js.map'],
  ['a licence', '/*! MIT */ a(); /** @license MIT */', '/*! MIT */ a(); /** @license MIT */'],
];

for (const [what, text, becomes] of CASES)
  test(`comments go, and the program stays: ${what}`, (t) => {
    t.is(withoutComments(text, false), becomes);
  });

/** The program without the places in the file. */
const meaning = (text: string): string =>
  JSON.stringify(parse(text, { ecmaVersion: 'latest', sourceType: 'script' }), (key, value: unknown) =>
    key === 'start' || key === 'end' ? undefined : typeof value === 'bigint' ? String(value) : value,
  );

test('a large program means the same without its comments', (t) => {
  const text = readFileSync(createRequire(import.meta.url).resolve('lodash'), 'utf8');
  const without = withoutComments(text, false);
  t.true(without.length < text.length / 2);
  t.is(without.split('\n').length, text.split('\n').length);
  t.is(meaning(without), meaning(text));
});
