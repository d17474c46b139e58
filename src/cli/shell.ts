import type { Command } from 'commander';
import type { Origins } from '../config/load.ts';
import type { CloudReading } from '../cloud/readings.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Terminal } from '../lib/terminal.ts';

/** The options of every long-running command. It resolves to the exit code, and ends soon after `signal` aborts. */
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
  /** The only part that this process runs. */
  readonly only?: 'eip' | 'virtual-node' | undefined;
}

/** The lessons of the sandbox. */
export const SCENARIOS = [
  'rollout',
  'scale-to-zero',
  'quota',
  'outage',
  'tags-ignored',
  'tokens-remember-refusals',
  'eci-spelling',
  'asynchronous-release',
  'tag-filter-lag',
  'read-lag',
  'late-instance-address',
  'gone-codes',
  'primary-filter-only',
  'no-interface',
  'prefix-mode',
] as const;

export type Scenario = (typeof SCENARIOS)[number];

export interface SandboxOptions extends RunOptions {
  /** Ends by itself after this many seconds. */
  readonly forSeconds: number | undefined;
  /** What the embedded cloud is like where the documentation leaves it open. */
  readonly readings: readonly CloudReading[];
  /** Where to listen on 127.0.0.1; 0 takes a free port. */
  readonly ports: { readonly kubernetes: number; readonly cloud: number; readonly http: number };
  /** What happens in it by itself: the demo, nothing, or one lesson. */
  readonly plays: 'demo' | 'nothing' | Scenario;
  /** The log goes to `log`, and not to a file: between the lines of the demo hardly anybody wants it. */
  readonly showsLog: boolean;
  /** Standard output if it is a terminal: then the table is updated in place. */
  readonly terminal: Terminal | undefined;
  /** Writes output for the user to standard output; log lines go to `log`. */
  readonly print: (text: string) => void;
}

/** What a command is given that shows a plan, asks, and carries it out. */
export interface PlanOptions extends Pick<Shell, 'clock' | 'env' | 'out' | 'err' | 'ask'> {
  /** Do not ask before something is changed. */
  readonly yes: boolean;
}

/** The options of `knative-eip drain`. */
export interface DrainOptions extends RunControllerOptions, PlanOptions {
  readonly how: 'release' | 'keep';
  readonly namespace: string | undefined;
  readonly dryRun: boolean;
  /** Drain even while a controller holds the Lease. */
  readonly force: boolean;
  /** Undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  readonly output: 'table' | 'json';
  readonly errIsTerminal: boolean;
}

/** What `knative-eip probe` was asked for. */
export interface ProbeOptions extends RunOptions, PlanOptions {
  readonly vSwitchId: string | undefined;
  readonly securityGroupId: string | undefined;
  readonly packageId: string | undefined;
  readonly withEci: boolean;
  /** The image of the container instances; undefined for a small one of ECI's own. */
  readonly image: string | undefined;
  readonly podAddress: string | undefined;
  /** The ID of a trunk or member interface. */
  readonly networkInterfaceId: string | undefined;
  /** Also ask what takes an hour. */
  readonly isLong: boolean;
  /** Give back what the run of this ID has left, and ask nothing. */
  readonly clean: string | undefined;
  readonly dryRun: boolean;
  /** Where the report is written; undefined for a file named after the run. */
  readonly output: string | undefined;
}

/** The options of `knative-eip migrate`. */
export interface MigrateOptions extends RunControllerOptions, PlanOptions {
  readonly from: 'ack-extend-network-controller' | 'terway';
  /** `plan` and `dryRun` write nothing; the second one names every write. */
  readonly mode: 'plan' | 'dryRun' | 'apply';
  /** Give everything back to the other controller. */
  readonly isRollBack: boolean;
  readonly takeOver: readonly string[];
  readonly output: 'table' | 'json';
  readonly errIsTerminal: boolean;
}

export type RunMigrate = (options: MigrateOptions) => Promise<number>;
export type RunProbe = (options: ProbeOptions) => Promise<number>;
export type RunDrain = (options: DrainOptions) => Promise<number>;
export type RunController = (options: RunControllerOptions) => Promise<number>;
export type RunSandbox = (options: SandboxOptions) => Promise<number>;

/**
 * The long-running commands, behind functions that import their modules only when they are run. A command that is
 * missing here is not offered.
 */
export interface Runs {
  readonly controller?: () => Promise<RunController>;
  readonly sandbox?: () => Promise<RunSandbox>;
  readonly drain?: () => Promise<RunDrain>;
  readonly migrate?: () => Promise<RunMigrate>;
  readonly probe?: () => Promise<RunProbe>;
}

/** The parts of the process that a command may use. */
export interface Shell {
  /** The environment variables; those that may hold credentials are among them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /** Asks a question at the terminal and resolves to the answer; undefined if there is no terminal. */
  readonly ask?: ((question: string, signal?: AbortSignal) => Promise<string>) | undefined;
  /** The width of help texts. */
  readonly columns: number | undefined;
  readonly runs: Runs;
}

/** Adds a command to the program; the command calls `end` with its exit code. */
export type Register = (program: Command, shell: Shell, end: (code: number) => void) => void;

/** What a command takes of the process that shows a plan and asks; without --yes it does ask. */
export const planOptions = ({ clock, env, out, err, ask }: Shell, yes = false): PlanOptions => ({
  yes,
  clock,
  env,
  out,
  err,
  ask,
});
