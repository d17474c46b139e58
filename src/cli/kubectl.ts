import { execFile } from 'node:child_process';

/** Which cluster and user, by kubectl's own flags; kubectl's defaults hold for what is undefined. */
export interface KubectlFlags {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
  readonly allNamespaces?: boolean | undefined;
}

/** kubectl failed; the message is what it printed. */
export class KubectlError extends Error {
  override readonly name = 'KubectlError';
  readonly isNotFound: boolean;
  constructor(message: string) {
    super(message);
    this.isNotFound = message.includes('(NotFound)');
  }
}

/** Limits the output of kubectl. 10,000 PodEIPs are about 30 MB. */
const MOST_BYTES = 512 * 1024 * 1024;

/**
 * Runs the user's own kubectl and resolves to the JSON that it printed, so that contexts, several kubeconfig files,
 * credential plug-ins and proxies work as in the user's other commands. Rejects with {@link KubectlError}.
 */
export const kubectlJson = async <T>(args: readonly string[], flags: KubectlFlags): Promise<T> => {
  const all = [
    ...args,
    ...(flags.kubeconfig === undefined ? [] : [`--kubeconfig=${flags.kubeconfig}`]),
    ...(flags.context === undefined ? [] : [`--context=${flags.context}`]),
    ...(flags.namespace === undefined ? [] : [`--namespace=${flags.namespace}`]),
    ...(flags.allNamespaces ? ['--all-namespaces'] : []),
    '--output=json',
  ];
  const text = await new Promise<string>((resolve, reject) => {
    execFile('kubectl', all, { maxBuffer: MOST_BYTES, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else if (error.code === 'ENOENT')
        reject(new KubectlError('kubectl is not on the PATH; this command reads the cluster through it'));
      else reject(new KubectlError(stderr.trim() || error.message));
    });
  });
  return JSON.parse(text) as T;
};
