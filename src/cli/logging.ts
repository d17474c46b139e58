import { destination, pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import type { Log } from '../lib/log.ts';
import { legible } from '../lib/text.ts';

/** The format, level and destination of the log. */
export interface LogOptions {
  readonly level: Config['logLevel'];
  readonly format: Config['logFormat'];
  /** Whether the destination is a terminal: decides the format where it is `auto`. */
  readonly terminal: boolean;
  /** Where the lines go; standard error by default. */
  readonly to?: DestinationStream | undefined;
}

/**
 * Keys whose values are never logged, at any depth. The client token of an API call is an idempotency key, not a
 * secret.
 */
const SECRET =
  /secret|password|passphrase|authorization|cookie|credential|access_?key|api_?key|private_?key|kubeconfig|signature|(?<!client_?)token/i;

/** Limits on depth and length. Legitimate log fields are far below; larger ones would be a mistake, and slow. */
const DEEPEST = 6;
const LONGEST = 100;

const HIDDEN = '[secret]';

/**
 * The fields of an error that are logged: name and message, and code, kind and request ID, which the cloud's support
 * asks for. Not stack and cause: those of HTTP clients contain whole requests with their signatures.
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
  // A line of the log is one line, and shows what it says, whoever wrote a part of it.
  if (typeof value === 'string') return legible(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Error.isError(value)) return clean(errorFields(value), depth + 1);
  if (value instanceof Date) return value;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return clean((value as { toJSON(): unknown }).toJSON(), depth + 1);
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

/**
 * pino applies its formatters to the fields of lines, but not to those of child loggers, so that they are cleaned here.
 */
const cleaning = (logger: Logger): Log => {
  const line = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](fieldsOf(fields), legible(message));
  };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => cleaning(logger.child(fieldsOf(fields))),
  };
};

/** Makes a line of JSON legible for people. */
const prettifier = async (terminal: boolean): Promise<(line: string) => string> => {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({ colorize: terminal, translateTime: 'SYS:HH:MM:ss.l' });
};

/**
 * Creates the logger of the process. Lines are written synchronously: nothing needs to be flushed at the end, and no
 * line is lost when the process dies.
 */
export const createLog = async ({ level, format, terminal, to }: LogOptions): Promise<Log> => {
  const stream = to ?? destination({ dest: 2, sync: true });
  const isPretty = format === 'pretty' || (format === 'auto' && terminal);
  const prettify = isPretty ? await prettifier(terminal) : undefined;
  return cleaning(
    pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { err: (error: unknown) => error },
      },
      prettify ? { write: (line) => stream.write(prettify(line)) } : stream,
    ),
  );
};
