import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { runCommand } from './cli/commands.ts';
import { systemClock } from './lib/clock.ts';

// `knative-eip config | head` closes the pipe early: that is the reader's right, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

/** Asks on standard error: standard output may be a file. */
const ask = async (question: string, signal?: AbortSignal): Promise<string> => {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question, signal ? { signal } : {});
  } finally {
    lines.close();
  }
};

/** The image comes without the sandbox (image/pack.ts): there it is not offered. */
const hasSandbox = existsSync(new URL('sandbox', import.meta.url));

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  clock: systemClock,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY,
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
  columns: process.stdout.columns,
  runs: {
    controller: async () => (await import('./cli/run-controller.ts')).runControllerCommand,
    drain: async () => (await import('./cli/run-drain.ts')).runDrain,
    migrate: async () => (await import('./cli/run-migrate.ts')).runMigrate,
    probe: async () => (await import('./cli/run-probe.ts')).runProbe,
    ...(hasSandbox && { sandbox: async () => (await import('./sandbox/run.ts')).runSandbox }),
  },
});
