import test from 'ava';
import { ALL_DRIVES, rowOf } from './all-drives.ts';

/**
 * Time of the processor that a drive may take, milliseconds, the least of three. What is linear takes some
 * milliseconds; what is quadratic takes minutes at this size.
 */
const MOST_MS = 250;

/** What patterns stumble over: rows of what they repeat, half of what they look for, and nothing that they end with. */
const ATOMS = [
  '1',
  '1.',
  '-',
  '.',
  ' ',
  '\n',
  'a',
  'A-',
  '_',
  '/',
  ',',
  ':',
  '"',
  '\\',
  '%',
  '=',
  '?',
  '@',
  '\uFFFD',
  'ÿ',
  '\u0000',
  '😀',
  '$(',
  '$$',
  '$(A',
  '[',
  '{"a":',
  '{"a":[',
  "metadata.labels['",
  '1h',
  '1e',
  'a.',
  'a-b.',
  'sg-1,',
  'eip-',

  'http://',
  'https://a:b@',
  'secret=',
  'token: ',
  'eyJ-',
  'LTAI',
  'x-acs-a',
  'a: &a [*a]\n',
  '- ',
  '&a ',
  '*a ',
  '? ',
];

const ROWS = [...ATOMS.map((atom) => rowOf(atom)), rowOf('1', ''), rowOf('a', ''), rowOf('{"a":', '1')];

const cpuMs = (): number => {
  // Of this thread: other test files run in others of the same process.
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

test.serial('no reader is held up by what somebody wrote, whatever it is and however long', async (t) => {
  const slow: string[] = [];
  for (const [name, drive] of Object.entries(ALL_DRIVES))
    for (const row of ROWS) {
      let least = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 3 && least > MOST_MS; attempt += 1) {
        const before = cpuMs();
        await drive(row);
        least = Math.min(least, cpuMs() - before);
      }
      if (least > MOST_MS) slow.push(`${name}: ${JSON.stringify(row.slice(0, 12))}… takes ${least.toFixed(0)} ms`);
    }
  t.deepEqual(slow, []);
});
