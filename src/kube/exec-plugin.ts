import { execFile } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { KubeconfigError, type KubeCredential, type SignIn } from './sign-in.ts';

/** `exec` of a user in a kubeconfig (client-go credential plug-in), as it stands there. */
export interface ExecConfig {
  readonly apiVersion?: string | undefined;
  readonly command?: string | undefined;
  readonly args?: readonly string[] | null | undefined;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null | undefined;
  readonly installHint?: string | undefined;
  readonly interactiveMode?: string | undefined;
  readonly provideClusterInfo?: boolean | undefined;
}

/** What a plug-in that asks for it is told of the cluster: `spec.cluster` of an ExecCredential. */
type ClusterInfo = Readonly<Record<string, unknown>>;

interface PluginPlace {
  readonly user: string;
  /** The kubeconfig: a command such as `./login` is looked for beside it. */
  readonly file: string;
  readonly cluster: ClusterInfo;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/** A plug-in prints a token or a certificate. */
const MOST_OUTPUT = 1024 * 1024;
/** So long one may run, milliseconds: otherwise one that hangs would keep the process from ending. */
const LONGEST_RUN_MS = 60_000;

/**
 * Signs in by the plug-in of a user. client-node's own (2.0.1) keeps the plug-in's standard input open, so that one
 * that asks waits for ever, does not tell it what it is asked for (KUBERNETES_EXEC_INFO), hides its exit code, keeps an
 * output that is no credential for good, and repeats it, secrets and all, in its error.
 *
 * @throws KubeconfigError if the plug-in could never work here
 */
export const signInByPlugin = (exec: ExecConfig, place: PluginPlace): SignIn => {
  const { user, file, clock } = place;
  const { command } = exec;
  const failure = (problem: string, remedy: string) =>
    new KubeconfigError(
      `The kubeconfig ${file} cannot be used: the exec plug-in of the user ${user} ${problem}. ${remedy}`,
    );
  if (typeof command !== 'string' || command === '') throw failure('has no command', 'Correct the file.');
  if (exec.interactiveMode === 'Always')
    throw failure(
      `(${command}) wants to ask at the terminal (interactiveMode: Always), which nobody answers here`,
      `Sign in with it first and let kubectl send the requests: kubectl --kubeconfig ${file} proxy, and a kubeconfig ` +
        'whose server is http://127.0.0.1:8001.',
    );

  const run = async (): Promise<PluginAnswer> => {
    const ended = await runPlugin(command, exec, place);
    if (ended.error !== undefined) {
      const hint = exec.installHint ? ` ${exec.installHint.trim()}` : '';
      if (ended.error === 'ENOENT')
        throw failure(`is not there: ${command}`, `Install it, or put it on the PATH of knative-eip.${hint}`);
      // What it says about that may have a secret in it, and is for the terminal of whoever runs it.
      throw failure(
        `failed (${command}, ${ended.error})`,
        `The same with kubectl shows what it says: kubectl --kubeconfig ${file} version.`,
      );
    }
    const answer = readAnswer(ended.stdout);
    if (typeof answer === 'string')
      throw failure(
        `(${command}) printed no credential: ${answer}`,
        `It has to print an ExecCredential with status.token, or with status.clientCertificateData and clientKeyData.`,
      );
    return answer;
  };

  let valid: PluginAnswer | undefined;
  let running: Promise<PluginAnswer> | undefined;
  return {
    credential: async () => {
      if (valid !== undefined && clock.now() < valid.until) return valid;
      // Requests that come together share one run.
      running ??= run().finally(() => (running = undefined));
      return (valid = await running);
    },
    refused: () => (valid = undefined),
  };
};

interface Ended {
  readonly stdout: string;
  /** Why it could not be run, or how it ended. */
  readonly error: string | undefined;
}

const runPlugin = (command: string, exec: ExecConfig, { file, cluster, env }: PluginPlace): Promise<Ended> => {
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.provideClusterInfo === true ? { cluster } : {}) },
  };
  const own = (exec.env ?? []).map(({ name, value }) => [name, value] as const);
  const options = {
    env: { ...env, ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    maxBuffer: MOST_OUTPUT,
    // Whoever waits for it has given up by then; one that asks in a browser has had time.
    timeout: LONGEST_RUN_MS,
    killSignal: 'SIGKILL' as const,
  };
  const path = command.includes('/') ? resolve(dirname(file), command) : command;
  return new Promise((resolve) => {
    const child = execFile(path, exec.args ?? [], options, (error, stdout) =>
      resolve({ stdout, error: error === null ? undefined : howItEnded(error) }),
    );
    child.stdin?.on('error', () => undefined).end();
  });
};

const howItEnded = (error: {
  readonly code?: number | string | null;
  readonly signal?: string | null;
  readonly killed?: boolean;
}): string => {
  if (typeof error.code === 'string') return error.code;
  if (error.killed === true) return `no answer within ${LONGEST_RUN_MS / 1_000} s`;
  return typeof error.code === 'number' ? `exit code ${error.code}` : (error.signal ?? 'ended');
};

interface PluginAnswer extends KubeCredential {
  /** When it is to be asked again, in milliseconds; never, if it does not say. */
  readonly until: number;
}

/** The credential in what a plug-in has printed, or what is wrong with that: never what it printed, which is secret. */
const readAnswer = (output: string): PluginAnswer | string => {
  let printed: unknown;
  try {
    printed = JSON.parse(output);
  } catch {
    return output.trim() === '' ? 'nothing at all' : 'what it printed is not JSON';
  }
  const { kind, status } = fieldsOf(printed);
  if (kind !== 'ExecCredential') return 'the JSON that it printed is of no kind ExecCredential';
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = fieldsOf(status);
  const hasCertificate = isText(cert) && isText(key);
  if (!isText(token) && !hasCertificate)
    return isText(cert) || isText(key)
      ? 'the status of its ExecCredential has one of certificate and key without the other'
      : 'the status of its ExecCredential has neither a token nor a certificate';
  return {
    token: isText(token) ? token : undefined,
    ...(hasCertificate ? { cert, key } : {}),
    until: isText(expirationTimestamp) ? expiresAt(expirationTimestamp) : Infinity,
  };
};

/** A time that nobody can read is as none. */
const expiresAt = (time: string): number => {
  const at = Date.parse(time.slice(0, LONGEST_TIME));
  return Number.isNaN(at) ? Infinity : at;
};
const LONGEST_TIME = 64;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
