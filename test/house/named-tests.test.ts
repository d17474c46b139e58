import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const TESTS = fileURLToPath(new URL('../', import.meta.url));

/** Tables that name tests by file and words of their titles, and what has a row in them. */
const TABLES: readonly { readonly file: string; readonly rows: readonly string[] }[] = [
  {
    file: 'hostile/FINDINGS.md',
    // The review gave no L6.
    rows: [
      ...numbered('C', 3),
      ...numbered('H', 7),
      ...numbered('M', 11),
      ...numbered('L', 7).filter((it) => it !== 'L6'),
    ],
  },
  {
    file: 'virtualnode/TRIALS.md',
    rows: numbered('', 65).filter((number) => !['9', '25', '33'].includes(number)),
  },
];

function numbered(letter: string, last: number): string[] {
  return Array.from({ length: last }, (_, index) => `${letter}${index + 1}`);
}

/** `file` or `file "words"`, as the tables have them. */
const NAMED = /`([\w./-]+\.test\.ts)`(?: "([^"]+)")?/gu;

/** What of a text names a test that is not there, and rows without any test. */
const wrongIn = (text: string): readonly string[] => {
  const wrong: string[] = [];
  for (const line of text.split('\n')) {
    const named = [...line.matchAll(NAMED)];
    const [, row] = /^\| ([A-Z]?\d+) /u.exec(line) ?? [];
    if (row !== undefined && named.length === 0) wrong.push(`${row} names no test`);
    for (const [, file = '', words] of named)
      if (!existsSync(`${TESTS}${file}`)) wrong.push(`${file} is not there`);
      else if (words !== undefined && !readFileSync(`${TESTS}${file}`, 'utf8').includes(words))
        wrong.push(`${file} has no "${words}"`);
  }
  return wrong;
};

for (const { file, rows } of TABLES)
  test(`every finding or trial of ${file} has its row, and every test that it names is there`, (t) => {
    const text = readFileSync(`${TESTS}${file}`, 'utf8');
    t.deepEqual(wrongIn(text), []);
    t.deepEqual(
      [...text.matchAll(/^\| ([A-Z]?\d+) /gmu)].map(([, row]) => row),
      rows,
    );
  });

test('a test that is not there, and a row without one, are found', (t) => {
  t.deepEqual(wrongIn('| C1 | a | `house/named-tests.test.ts` "are found" |\n| C2 | b | none |'), ['C2 names no test']);
  t.deepEqual(wrongIn('see `a.test.ts`, `lockfile.test.ts` "never said"'), [
    'a.test.ts is not there',
    'lockfile.test.ts has no "never said"',
  ]);
});
