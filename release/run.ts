import { execFileSync } from 'node:child_process';

/** Runs a program and returns what it prints; its errors go to the terminal, and end the release. */
export const run = (program: string, args: readonly string[], cwd: string): string =>
  execFileSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] });
