import * as z from 'zod';

/** An optional field, which may be absent or null: clients written in Go send both. */
export const maybe = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);

export const strings = z.record(z.string(), z.string());

/** A value that cannot be read: its path of keys, and what to write instead. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An object whose fields do not have the types that Kubernetes defines. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly problems: readonly Problem[];
}

const MOST_PROBLEMS = 20;

/** Converts the issues of a schema check to problems. */
export const unreadable = ({ issues }: z.ZodError, object: unknown): Unreadable => ({
  kind: 'unreadable',
  problems: issues.slice(0, MOST_PROBLEMS).map((issue) => {
    const { path, message } = issue;
    return { path, message: issue.code === 'invalid_type' ? wanted(issue.expected, valueAt(object, path)) : message };
  }),
});

/** The value at a path of keys; undefined if the path leads nowhere. */
export const valueAt = (object: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    object,
  );

const MOST_SAID = 3;
const LONGEST_PATH = 100;

/** The first few problems in one line. */
export const oneLineOf = ({ problems }: Unreadable, whole: string): string =>
  problems
    .slice(0, MOST_SAID)
    .map(({ path, message }) => `${path.map(String).join('.').slice(0, LONGEST_PATH) || whole}: ${message}`)
    .join('; ');

const WANTED: Readonly<Record<string, string>> = {
  string: 'a text',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

const LONGEST_QUOTE = 200;

const described = (value: unknown): string => {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
};

/**
 * Says what was found, what Kubernetes expects, and what to write. The usual cause is a missing pair of quotes around a
 * number, a boolean or a template.
 */
const wanted = (expected: string, value: unknown): string => {
  const problem = `found ${described(value)}, and Kubernetes wants ${WANTED[expected] ?? `a ${expected}`} here`;
  if (expected !== 'string') return problem;
  if (typeof value === 'number' || typeof value === 'boolean') return `${problem}: write "${value}"`;
  if (typeof value !== 'object' || value === null) return problem;
  // Only flat mappings are quoted: others may be deeply nested, or circular.
  if (Object.values(value).some((inner) => typeof inner === 'object' && inner !== null)) return problem;
  const text = JSON.stringify(value).slice(0, LONGEST_QUOTE);
  return text.startsWith('{"{')
    ? `${problem}: render the template first, for example with helm template`
    : `${problem}: write it in quotes, such as '${text}'`;
};
