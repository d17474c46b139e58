import { execFile, type ExecFileException } from 'node:child_process';

/** What kubectl is to be given beside what is asked for; its own defaults hold for the rest. */
export interface KubectlFlags {
  /** Which cluster as whom: see {@link connectionArgs}. */
  readonly connection: readonly string[];
  readonly namespace?: string | undefined;
  readonly allNamespaces?: boolean | undefined;
}

/** kubectl failed; the message is what it printed. */
export class KubectlError extends Error {
  override readonly name = 'KubectlError';
  readonly isNotFound: boolean;
  readonly isForbidden: boolean;
  constructor(message: string) {
    super(message);
    this.isForbidden = message.includes('(Forbidden)');
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
    ...flags.connection,
    ...(flags.namespace === undefined ? [] : [`--namespace=${flags.namespace}`]),
    ...(flags.allNamespaces ? ['--all-namespaces'] : []),
    '--output=json',
  ];
  const text = await new Promise<string>((resolve, reject) => {
    execFile('kubectl', all, { maxBuffer: MOST_BYTES, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else if (error.code === 'ENOENT')
        reject(new KubectlError('kubectl is not on the PATH; this command reads the cluster through it'));
      // Not the message of the error: it has the command line, and with it the token.
      else reject(new KubectlError(stderr.trim() || `kubectl ${args[0] ?? ''} ended with ${endOf(error)}`));
    });
  });
  return JSON.parse(text) as T;
};

/** What kubectl offers at the end of this command line, as it prints it to the shell; undefined where it cannot say. */
export const kubectlCompletion = (args: readonly string[]): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile('kubectl', ['__complete', ...args], { encoding: 'utf8' }, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
  });

const endOf = ({ code, signal }: ExecFileException): string =>
  signal ? `the signal ${signal}` : (code?.toString() ?? 'an unknown error');
