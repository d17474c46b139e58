/** What the product needs of a logger; pino satisfies it. Fields come first, the sentence last. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

const nothing = () => undefined;

/** Drops everything; for tests and for commands that speak through their own output. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog };
