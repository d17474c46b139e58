import { Command, CommanderError } from 'commander';
import { complete } from './complete.ts';
import { configCommand } from './config.ts';
import { controllerCommand } from './controller-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { drainCommand } from './drain-command.ts';
import { eipCommand } from './eip-command.ts';
import { explainCommand } from './explain-command.ts';
import { migrateCommand } from './migrate-command.ts';
import { probeCommand } from './probe-command.ts';
import { sandboxCommand } from './sandbox.ts';
import type { Shell } from './shell.ts';
import { version, versionCommand } from './version.ts';

export type { RunControllerOptions, DrainOptions, MigrateOptions, Runs, SandboxOptions, Shell } from './shell.ts';

/** Exit codes: success; the work failed; the command line or the configuration is wrong. */
const EXIT = { fine: 0, failed: 1, wrong: 2 } as const;

const EXAMPLES = `
Exit codes:
  0  it went well
  1  the work failed
  2  the command line or the configuration is wrong

Every command explains itself: knative-eip COMMAND --help
`;

/** Parses the command line, runs the command and resolves to the exit code. Never rejects: errors are printed. */
export const runCommand = async (argv: readonly string[], shell: Shell): Promise<number> => {
  let exit: number = EXIT.fine;
  const program = new Command('knative-eip')
    .description('Gives pods on Alibaba Cloud a public address (EIP) of their own, from an annotation.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('Use --help for what is allowed.')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: shell.out,
      writeErr: shell.err,
      getOutHelpWidth: () => shell.columns ?? 100,
      getErrHelpWidth: () => shell.columns ?? 100,
    });
  for (const register of [
    controllerCommand,
    doctorCommand,
    drainCommand,
    migrateCommand,
    eipCommand,
    sandboxCommand,
    probeCommand,
    explainCommand,
    configCommand,
    versionCommand,
  ])
    register(program, shell, (code) => {
      exit = code;
    });
  const [, asked, ...words] = argv;
  const eip = program.commands.find((each) => each.name() === argv[0]);
  if (eip?.name() === 'eip' && asked === '__complete') return complete(eip, words, shell);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.wrong;
    const { name, message } = Error.isError(error) ? error : new Error(String(error));
    if (name === 'ConfigError') {
      shell.err(`knative-eip: the configuration is wrong\n${message.replace(/^/gm, '  ')}\n`);
      return EXIT.wrong;
    }
    shell.err(`knative-eip: ${message}\n`);
    return EXIT.failed;
  }
};
