/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** `file:line:column`, or the environment variable. */
  readonly where: string;
  /** The key path as it is written, for example `http.address`; empty where it is about the whole file. */
  readonly key: string;
  /** What was found, what is allowed, what to do. Never holds a secret. */
  readonly message: string;
}

/** Everything that is wrong with the configuration at once. Its message has one line for each problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, key, message }) => `${where}: ${key && `${key}: `}${message}`).join('\n'));
    this.problems = problems;
  }
}

/** The longest text that a problem quotes. */
const LONGEST_QUOTE = 60;

/** A value as a problem speaks of it. */
export const spoken = (value: unknown, secret: boolean): string => {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (secret) return `a ${typeof value === 'string' ? 'text' : typeof value} that is not shown`;
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  if (typeof value !== 'string') return `a ${typeof value}`;
  // A URL may carry a password before its @.
  if (value.includes('@')) return 'a text with an @, which is not shown';
  return `the text ${JSON.stringify(value.length > LONGEST_QUOTE ? `${value.slice(0, LONGEST_QUOTE)}…` : value)}`;
};

/** A key path as people write it: `enableControllers[0]`. */
export const spelled = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`),
    '',
  );
