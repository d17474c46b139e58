import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { NoticingTest } from './mutant.ts';
import { MUTANT } from './mutate-by-name.ts';

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What one test says to the mutant of this name; undefined where it passes. Rejects where it cannot be run. */
export const noticeByTest = async (mutant: string, { file, title }: NoticingTest): Promise<string | undefined> => {
  const child = spawn(
    process.execPath,
    [
      fileOf('../../node_modules/ava/entrypoints/cli.js'),
      '--tap',
      '--no-worker-threads',
      `test/${file}`,
      '--match',
      title,
    ],
    {
      cwd: fileOf('../..'),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, [MUTANT]: mutant, NODE_OPTIONS: `--import=${fileOf('mutate-by-name.ts')}` },
    },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text));
  const [code] = (await once(child, 'close')) as [number | null];
  const lines = said.split('\n');
  const failed = lines.filter((line) => line.startsWith('not ok')).map((line) => line.replace(/^not ok \d+ - /u, ''));
  // A time-out, or an exception outside of the test, says nothing about the mutant.
  const [first = '', ...rest] = title.split('*');
  const isIt = (name: string) => name.startsWith(first) && name.endsWith(rest.at(-1) ?? first);
  const other = failed.find((name) => !isIt(name));
  if (other !== undefined) throw new Error(`test/${file} failed otherwise: ${other}`);
  if (failed[0] !== undefined) return failed[0];
  if (code !== 0 || !lines.some((line) => line.startsWith('ok'))) throw new Error(`test/${file} was not run: ${said}`);
  return undefined;
};
