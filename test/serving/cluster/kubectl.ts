import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { KubeObject } from '../../../src/kube/port.ts';
import { kubectlProgram } from './assets.ts';

const run = promisify(execFile);

/** What kubectl printed. */
export interface Printed {
  readonly stdout: string;
  /** With warnings of the API server. */
  readonly stderr: string;
}

export interface Kubectl {
  (...args: readonly string[]): Promise<Printed>;
  /** `kubectl apply` of objects, by server-side apply where `--server-side` is among the arguments. */
  readonly apply: (objects: readonly object[], ...args: readonly string[]) => Promise<Printed>;
}

/** The real kubectl with an administrator's kubeconfig. Rejects with what it printed. */
export const createKubectl = (kubeconfig: string, folder: string): Kubectl => {
  let files = 0;
  const kubectl = async (...args: readonly string[]): Promise<Printed> => {
    const options = { env: { PATH: process.env['PATH'], HOME: folder }, maxBuffer: 64 << 20 };
    return run(kubectlProgram(), [`--kubeconfig=${kubeconfig}`, ...args], options);
  };
  const apply = async (objects: readonly object[], ...args: readonly string[]): Promise<Printed> => {
    const path = join(folder, `apply-${(files += 1)}.yaml`);
    await writeFile(path, objects.map((object) => `---\n${stringify(object)}`).join(''));
    return kubectl('apply', '-f', path, ...args);
  };
  return Object.assign(kubectl, { apply });
};

export const isOf =
  (...kinds: readonly string[]) =>
  ({ kind = '' }: KubeObject): boolean =>
    kinds.includes(kind);
