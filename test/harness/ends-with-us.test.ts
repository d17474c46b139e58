import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { until } from './until.ts';

const HARNESS = new URL('ends-with-us.ts', import.meta.url).href;

/** Has two programs and a folder; says so, and would go on for ever. Its standard output is theirs too. */
const PROGRAM = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
const { endsWithUs, goesWithUs } = await import(${JSON.stringify(HARNESS)});
const begin = (seconds) => endsWithUs(spawn('sleep', [seconds], { stdio: 'inherit' }));
await once(begin('0'), 'exit');
begin('86400');
begin('86400');
goesWithUs(process.argv[1]);
process.stdout.write('begun');
if (process.argv[2] === 'ends') process.exit(0);
setInterval(() => undefined, 1000);
`;

for (const how of ['SIGKILL', 'SIGINT', 'SIGTERM', 'ends'] as const)
  test(`what a test has started goes with it: ${how}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'eip with us-'));
    // A group of its own, so that a signal to all of it, as by Ctrl-C, reaches nobody else.
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, folder, how], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    t.teardown(() => {
      try {
        process.kill(-(child.pid ?? NaN), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    });
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    t.is(first.toString(), 'begun');
    t.true(how === 'ends' || existsSync(folder));
    // Only the program: what it has started is killed by nobody else.
    if (how !== 'ends') child.kill(how);
    // It ends when the last of them has closed it.
    t.is(await text(child.stdout), '');
    await until(
      'the folder is gone',
      async () => existsSync(folder),
      (is) => !is,
    );
  });
