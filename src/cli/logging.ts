import { destination, pino, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from '../config/schema.ts';
import type { Log } from '../lib/log.ts';

/** How to log, and where to. */
export interface LogOptions {
  readonly level: Config['logLevel'];
  readonly format: Config['logFormat'];
  /** Whether the lines go to a terminal: what `auto` decides by. */
  readonly terminal: boolean;
  /** Where the lines go; standard error by default. */
  readonly to?: DestinationStream | undefined;
}

/** Keys whose values are not logged, wherever they are. An API's client token is an idempotency token, not a secret. */
const SECRET =
  /secret|password|passphrase|authorization|cookie|credential|access_?key|api_?key|private_?key|kubeconfig|signature|(?<!client_?)token/i;

/** Nothing that is logged is deeper or longer; what is would be a mistake, and a slow one. */
const DEEPEST = 6;
const LONGEST = 100;

const HIDDEN = '[secret]';

/**
 * What of an error goes into a log line: who it is, what it says and what to quote to the provider. Not its stack and
 * not its cause: those of HTTP clients hold whole requests, with their signatures.
 */
const errorFields = (error: Error): Record<string, unknown> => {
  const { code, kind, requestId } = error as { code?: unknown; kind?: unknown; requestId?: unknown };
  return Object.fromEntries(
    Object.entries({ name: error.name, message: error.message, code, kind, requestId }).filter(
      ([key, value]) => value !== undefined && (key === 'name' || key === 'message' || typeof value !== 'object'),
    ),
  );
};

const clean = (value: unknown, depth: number): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (Error.isError(value)) return errorFields(value);
  if (value instanceof Date) return value;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return (value as { toJSON(): unknown }).toJSON();
  if (depth >= DEEPEST) return '[too deep]';
  if (Array.isArray(value)) return value.slice(0, LONGEST).map((item) => clean(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return clean([...value], depth);
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, LONGEST)
      .map(([key, inner]) => [key, SECRET.test(key) ? HIDDEN : clean(inner, depth + 1)]),
  );
};

const fieldsOf = (fields: object) => clean(fields, 0) as Record<string, unknown>;

/** pino formats the fields of lines, but not those of children: they are cleaned here. */
const cleaning = (logger: Logger): Log => {
  const line = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](fieldsOf(fields), message);
  };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => cleaning(logger.child(fieldsOf(fields))),
  };
};

/**
 * The logger of the whole process. Every line is written before the call returns, so there is nothing to flush at the
 * end, and no line is lost when the process dies.
 */
export const createLog = ({ level, format, terminal, to }: LogOptions): Log => {
  const stream = to ?? destination({ dest: 2, sync: true });
  const readable = format === 'pretty' || (format === 'auto' && terminal);
  const prettify = prettyFactory({ colorize: terminal, translateTime: 'SYS:HH:MM:ss.l' });
  return cleaning(
    pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { err: (error: unknown) => error },
      },
      readable ? { write: (line) => stream.write(prettify(line)) } : stream,
    ),
  );
};
