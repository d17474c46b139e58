import type { Command } from 'commander';
import type { Origins } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Terminal } from '../lib/terminal.ts';

/** What every long-running command is given. It resolves to the exit code, and ends soon after `signal` aborts. */
interface RunOptions {
  readonly config: Config;
  readonly origins: Origins;
  readonly log: Log;
  readonly version: string;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface RunControllerOptions extends RunOptions {
  /** A kubeconfig file; without it, the service account of the pod. */
  readonly kubeconfig: string | undefined;
}

export interface SandboxOptions extends RunOptions {
  /** Ends by itself after so many seconds. */
  readonly forSeconds: number | undefined;
  /** Where to listen on 127.0.0.1; 0 takes a free port. */
  readonly ports: { readonly kubernetes: number; readonly cloud: number; readonly http: number };
  /** Whether standard error is a terminal: then the log goes to a file, out of the way of what is drawn. */
  readonly errIsTerminal: boolean;
  /** Standard output, where that is a terminal: then a table is drawn in place. */
  readonly terminal: Terminal | undefined;
  /** Writes to standard output, for what the user is told; log lines go to `log`. */
  readonly print: (text: string) => void;
}

/** What `knative-eip drain` was asked for. */
export interface DrainOptions extends RunControllerOptions {
  readonly how: 'release' | 'keep';
  readonly namespace: string | undefined;
  readonly dryRun: boolean;
  /** Not to ask before anything is changed. */
  readonly yes: boolean;
  /** Also while a controller holds the Lease. */
  readonly force: boolean;
  /** Undefined for as long as it takes. */
  readonly timeoutMs: number | undefined;
  readonly output: 'table' | 'json';
  readonly clock: Clock;
  /** The variables that credentials may come from. */
  readonly env: Shell['env'];
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly errIsTerminal: boolean;
  /** Asks the person at the terminal; undefined where there is none. */
  readonly ask: Shell['ask'];
}

export type RunDrain = (options: DrainOptions) => Promise<number>;
export type RunController = (options: RunControllerOptions) => Promise<number>;
export type RunSandbox = (options: SandboxOptions) => Promise<number>;

/**
 * How the long-running commands are reached, so that nothing is loaded before it is needed. One that is missing
 * is not offered.
 */
export interface Runs {
  readonly controller?: () => Promise<RunController>;
  readonly sandbox?: () => Promise<RunSandbox>;
  readonly drain?: () => Promise<RunDrain>;
}

/** What a command may touch of the process. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /** Asks a question on the terminal and resolves to the answer; undefined where nobody can answer. */
  readonly ask?: ((question: string, signal?: AbortSignal) => Promise<string>) | undefined;
  /** The width of help texts. */
  readonly columns: number | undefined;
  readonly runs: Runs;
}

/** Adds itself to the program; `end` takes the exit code. */
export type Register = (program: Command, shell: Shell, end: (code: number) => void) => void;
