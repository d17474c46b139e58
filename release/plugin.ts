import { runCommand } from '../src/cli/commands.ts';
import { systemClock } from '../src/lib/clock.ts';

/** The program of the single executables: `kubectl eip`, and nothing of what works in a cluster or calls the cloud. */
process.exitCode = await runCommand(['eip', ...process.argv.slice(2)], {
  env: process.env,
  clock: systemClock,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY,
  columns: process.stdout.columns,
  runs: {},
});
