import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

test('a simulation that is stopped says what it has shown until then', async (t) => {
  const child = spawn(process.execPath, [MAIN, '--seeds', '1000000', '--jobs', '1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = text(child.stdout);
  // Its first word is how far it is.
  const [progress] = (await once(child.stderr, 'data')) as [Buffer];
  t.regex(progress.toString(), /^10 of 1000000, 0 violations/);
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  t.deepEqual(await ended, [130, null]);
  t.regex(await out, /^stopped by SIGINT\nseeds until then: \d+ runs, .* 0 violations\n$/);
});

test('a reading that there is not is named', async (t) => {
  const child = spawn(process.execPath, [MAIN, '--reading', 'tags'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const said = text(child.stderr);
  t.not((await once(child, 'close'))[0], 0);
  t.regex(await said, /there is no reading tags; there are: tagsIgnored,/);
});
