import type { Config } from '../config/schema.ts';
import type { Origins } from '../config/load.ts';
import type { RunControllerOptions, Shell } from './shell.ts';
import { createLog } from './logging.ts';
import { stopSignal } from './stop.ts';
import { version } from './version.ts';

/** Runs a long-running command with a log and a stop signal, and removes the signal handlers after it has ended. */
export const runLong = async (
  shell: Shell,
  { config, origins }: { config: Config; origins: Origins },
  run: (options: Omit<RunControllerOptions, 'kubeconfig' | 'only'>) => Promise<number>,
): Promise<number> => {
  const log = await createLog({ level: config.logLevel, format: config.logFormat, terminal: shell.errIsTerminal });
  const { signal, dispose } = stopSignal(shell.clock);
  try {
    return await run({ config, origins, log, version: version(), signal });
  } finally {
    dispose();
  }
};
