import { loadConfig } from '../config/load.ts';
import type { RunControllerOptions, Shell } from './shell.ts';
import { createLog } from './logging.ts';
import { stopSignal } from './stop.ts';
import { version } from './version.ts';

/**
 * Runs a long-running command with its configuration, a log and a stop signal, and removes the signal handlers after it
 * has ended. Rejects with a ConfigError before anything is begun.
 */
export const runLong = async (
  shell: Shell,
  given: Parameters<typeof loadConfig>[0],
  run: (options: Omit<RunControllerOptions, 'kubeconfig' | 'only'>) => Promise<number>,
): Promise<number> => {
  const { config, origins } = loadConfig(given);
  const log = await createLog({ level: config.logLevel, format: config.logFormat, terminal: shell.errIsTerminal });
  const { signal, dispose } = stopSignal(shell.clock);
  try {
    return await run({ config, origins, log, version: version(), signal });
  } finally {
    dispose();
  }
};
