import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { knativeProgram } from './assets.ts';

const run = promisify(execFile);

/** How `kn` ended, and what it printed. */
export interface KnPrinted {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real `kn`, Knative's command line, with an administrator's kubeconfig. It never rejects because kn failed. */
export const createKn =
  ({ kubeconfig, folder }: { readonly kubeconfig: string; readonly folder: string }) =>
  async (...args: readonly string[]): Promise<KnPrinted> => {
    const options = { env: { PATH: process.env['PATH'], HOME: folder } };
    try {
      const printed = await run(knativeProgram('kn'), [`--kubeconfig=${kubeconfig}`, ...args], options);
      return { code: 0, ...printed };
    } catch (error) {
      const { code, stdout, stderr } = error as Partial<KnPrinted>;
      if (typeof code !== 'number' || stdout === undefined || stderr === undefined) throw error;
      return { code, stdout, stderr };
    }
  };
