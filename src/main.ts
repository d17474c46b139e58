import { runCommand } from './cli/commands.ts';
import { systemClock } from './lib/clock.ts';

// `knative-eip config | head` closes the pipe early: that is the reader's right, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  clock: systemClock,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY,
  columns: process.stdout.columns,
  runs: {
    controller: async () => (await import('./cli/run-controller.ts')).runController,
    sandbox: async () => (await import('./sandbox/run.ts')).runSandbox,
  },
});
