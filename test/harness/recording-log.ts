import type { Log } from '../../src/lib/log.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** A log that hands each line on. */
export const logTo = (write: (level: Level, fields: object, message: string) => void): Log => {
  const line = (level: Level) => (fields: object, message: string) => write(level, fields, message);
  const log: Log = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: () => log,
  };
  return log;
};

/** Remembers what was logged, level first. */
export const recordingLog = (): Log & { readonly lines: string[] } => {
  const lines: string[] = [];
  const log = logTo((level, fields, message) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`));
  return { ...log, lines };
};
