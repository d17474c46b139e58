import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kubectl } from './kubectl.ts';

/** What the processes of the pods wrote, by pod and container; pods that are gone included. */
export const readLogs = async (folder: string): Promise<ReadonlyMap<string, string>> => {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return new Map(files.map((name, index) => [name, texts[index] ?? '']));
};

const LAST_LINES = 5;
const LONGEST_LINE = 400;

const lastOf = (text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .slice(-LAST_LINES)
    .map((line) => line.slice(0, LONGEST_LINE))
    .join('\n');

/** Why the stage could not be set: its pods, and the last lines of each. */
export const diagnose = async (kubectl: Kubectl, folder: string): Promise<string> => {
  const pods = await kubectl('get', 'pods,nodes', '-A', '-o', 'wide').then(({ stdout }) => stdout);
  const logs = [...(await readLogs(folder))].map(([name, text]) => `== ${name}\n${lastOf(text)}`);
  return [pods, ...logs].join('\n');
};

/**
 * What the API server refused the product because its roles do not allow it. That nothing new may be written into a
 * namespace that is being deleted is no matter of rights.
 */
export const refusals = (logs: ReadonlyMap<string, string>): readonly string[] =>
  [...logs]
    .filter(([name]) => name.startsWith('knative-eip-'))
    .flatMap(([, text]) => text.split('\n'))
    .filter((line) => /forbidden/iu.test(line) && !line.includes('because it is being terminated'));
