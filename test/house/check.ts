import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * `npm run check`: what daily work wants to know, in three minutes: it took 177 s on two quiet cores, and 183 s with
 * nothing compiled. Tests run beside the other parts. Of these the output is shown where they find something.
 * Ends with 1 where any part does.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
const env = {
  ...process.env,
  // Each test file is a process of its own as far as modules are concerned: compiled once, they load in half the time.
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? 'node_modules/.cache/compile',
};

const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1_000).toFixed(0)} s`;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs one script of package.json; whether it found nothing. */
const run = (script: string, args: readonly string[] = [], isShown = false): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
      cwd: root,
      env,
      stdio: ['ignore', isShown ? 'inherit' : 'pipe', isShown ? 'inherit' : 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) say(said);
      say(`${code === 0 ? 'ok' : 'FAILED'}: ${script}, ${seconds()} after the start`);
      resolve(code === 0);
    });
  });

/**
 * Test files at a time. Many wait, for a sandbox, kubectl or a browser, while they do nothing: one file for each
 * processor left the processors idle for half of the time.
 */
const CONCURRENCY = 2 * availableParallelism();

const oneAfterTheOther = async (): Promise<boolean> => {
  const found = [await run('typecheck'), await run('lint')];
  return [...found, await run('format:check', ['--cache'])].every(Boolean);
};
const found = await Promise.all([run('test:quick', ['--concurrency', String(CONCURRENCY)], true), oneAfterTheOther()]);
process.exitCode = found.every(Boolean) ? 0 : 1;
