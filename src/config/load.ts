import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { contradictionsIn } from './config-checks.ts';
import { environment, UNKNOWN_ENDPOINT } from './environment.ts';
import { readYaml, type Located, type ConfigLocation } from './locate.ts';
import { ConfigError, spelled, spoken, type ConfigProblem } from './problem.ts';
import { ALIASES, keysAt, leaves, ruleAt, schema, type Config, type ConfigInput } from './schema.ts';
import { nearest } from '../lib/suggest.ts';

/** Where the value of a key comes from, for example `config.yaml:3:5`, `environment POD_NAME` or `default`. */
export type Origins = ReadonlyMap<string, string>;

interface LoadOptions {
  /** The file. */
  readonly path?: string | undefined;
  /** Its text, where it is not to be read from disk; `path` is then only a name. */
  readonly text?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values that stand in for the schema's defaults; with them, a file is not needed. */
  readonly base?: Partial<ConfigInput> | undefined;
}

type Tree = { [key: string]: unknown };

/** The largest file: a ConfigMap cannot hold more. */
const LARGEST_FILE = 1024 * 1024;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

const read = (tree: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => (isTree(at) && Object.hasOwn(at, key) ? at[key] : undefined), tree);

const write = (tree: Tree, path: readonly string[], value: unknown): void => {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    if (value === undefined) delete tree[key];
    else tree[key] = value;
    return;
  }
  const inner = tree[key];
  const next: Tree = isTree(inner) ? inner : {};
  tree[key] = next;
  write(next, rest, value);
};

const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
};

const textOf = (path: string): string => {
  const refuse = (message: string): never => {
    throw new ConfigError([{ where: path, key: '', message }]);
  };
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such file',
      EISDIR: 'this is a directory: name the file in it',
      EACCES: 'the file may not be read by this user',
    };
    return refuse(`the configuration cannot be read: ${reasons[code] ?? code}`);
  }
  if (bytes.length > LARGEST_FILE)
    return refuse(`the file has ${bytes.length} bytes; at most ${LARGEST_FILE} are allowed`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse('the file is not UTF-8 text');
  }
};

/** What a file says: leaves by their true key paths, and where each of them was written. */
interface FileValues {
  readonly values: Tree;
  readonly written: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly ConfigProblem[];
}

const unknownKey = (path: readonly string[], key: string): string => {
  if (ruleAt(path)?.secret)
    return `a key is unknown here (not shown, it may be a secret); known are ${(keysAt(path) ?? []).join(', ')}`;
  const aliases = ALIASES.filter(({ alias }) => isDeepStrictEqual(alias.slice(0, -1), path)).map(
    ({ alias }) => alias.at(-1) ?? '',
  );
  const siblings = keysAt(path) ?? [];
  const sibling = nearest(key, [...siblings, ...aliases]);
  const elsewhere = leaves().find((leaf) => leaf.at(-1)?.toLowerCase() === key.toLowerCase());
  const meant = elsewhere ? spelled(elsewhere) : sibling && spelled([...path, sibling]);
  return `unknown key; ${meant ? `did you mean ${meant}?` : `known here are ${siblings.join(', ')}`}`;
};

/** Sorts what the file says into known leaves and problems. */
const sort = (located: Located, at: (place: ConfigLocation) => string): FileValues => {
  const values: Tree = {};
  const written = new Map<string, readonly string[]>();
  const problems: ConfigProblem[] = [];

  const take = (key: readonly string[], as: readonly string[], value: unknown) => {
    const before = written.get(spelled(key));
    if (before && !isDeepStrictEqual(read(values, key), value))
      problems.push({
        where: at(located.placeOf(as)),
        key: spelled(as),
        message: `this is another name of ${spelled(before)} (${at(located.placeOf(before))}), which has another value: keep one`,
      });
    if (before) return;
    write(values, key, value);
    written.set(spelled(key), as);
  };
  const visit = (tree: Tree, path: readonly string[]) => {
    for (const [name, value] of Object.entries(tree)) {
      const here = [...path, name];
      const key = ALIASES.find(({ alias }) => isDeepStrictEqual(alias, here))?.key ?? here;
      const rule = ruleAt(key);
      if (!rule) {
        const hidden = ruleAt(path)?.secret;
        problems.push({
          where: at(located.placeOfKey(path, name)),
          key: spelled(hidden ? path : here),
          message: unknownKey(path, name),
        });
      } else if (value === null || value === undefined) {
        // `key:` with nothing after it is a key that is not set, as in Helm values.
      } else if (!keysAt(key)) take(key, here, value);
      else if (isTree(value)) visit(value, here);
      else
        problems.push({
          where: at(located.placeOf(here)),
          key: spelled(here),
          message: `found ${spoken(value, rule.secret ?? false)}; allowed is a mapping with ${(keysAt(key) ?? []).join(', ')}`,
        });
    }
  };
  if (isTree(located.value)) visit(located.value, []);
  return { values, written, problems };
};

/** Stand-ins for required keys that are missing or wrong, so that the checks between other keys can still be made. */
const STAND_INS: Tree = { clusterID: 'x', regionID: 'cn-x', vpcID: 'vpc-x' };

type PlaceOf = (path: readonly PropertyKey[]) => string;

/** What is being put together: every source writes its values over those before it. */
interface Draft {
  readonly values: Tree;
  readonly origins: Map<string, string>;
  readonly problems: ConfigProblem[];
}

/**
 * Reads, completes and checks the configuration: defaults, then `base`, then the file, then the environment.
 * @throws {ConfigError} with everything that is wrong.
 */
export const loadConfig = ({ path, text, env, base }: LoadOptions): { config: Config; origins: Origins } => {
  const name = path ?? 'configuration';
  const given = text ?? (path === undefined ? undefined : textOf(path));
  const values: Tree = base ? structuredClone(base as Tree) : {};
  const origins = new Map(
    leaves().map((leaf) => [spelled(leaf), read(values, leaf) === undefined ? 'default' : 'preset']),
  );
  const draft: Draft = { values, origins, problems: [] };
  if (given === undefined && !base)
    throw new ConfigError([{ where: name, key: '', message: 'no file is named: pass --config FILE' }]);
  const placeOf = given === undefined ? () => name : takeFile(draft, name, given);
  takeEnvironment(draft, env);
  const config = check(draft, (leaf) => {
    const origin = origins.get(spelled(leaf)) ?? '';
    return origin.startsWith('environment ') ? origin : placeOf(leaf);
  });
  return { config, origins };
};

/**
 * Takes what the file says. Returns where in it a key stands.
 * @throws {ConfigError} where there is nothing to take.
 */
const takeFile = ({ values, origins, problems }: Draft, name: string, text: string): PlaceOf => {
  const at = ({ line, column }: ConfigLocation) => `${name}:${line}:${column}`;
  const located = readYaml(text);
  const wrong = located.problems.map(({ message, ...place }) => ({ where: at(place), key: '', message }));
  if (wrong.length > 0) throw new ConfigError(wrong);
  if (!isTree(located.value)) {
    const message =
      located.value === null || located.value === undefined
        ? 'the file is empty: clusterID, regionID and vpcID are required'
        : 'the file is not a mapping: it must consist of lines such as clusterID: "c11ba3"';
    throw new ConfigError([{ where: at({ line: 1, column: 1 }), key: '', message }]);
  }
  const file = sort(located, at);
  problems.push(...file.problems);
  for (const [key, as] of file.written) {
    const leaf = leaves().find((each) => spelled(each) === key);
    if (!leaf) continue;
    write(values, leaf, read(file.values, leaf));
    origins.set(key, `${at(located.placeOf(as))}${spelled(as) === key ? '' : ` (as ${spelled(as)})`}`);
  }
  return ([first = '', ...rest]) => {
    // A key path may go on with an index into a list; the part that names the key may have been written as an alias.
    const whole = [first, ...rest];
    const known = [...file.written].find(([key]) => spelled(whole) === key || spelled(whole).startsWith(`${key}[`));
    const depth = known ? (leaves().find((leaf) => spelled(leaf) === known[0]) ?? []).length : 0;
    return at(located.placeOf(known ? [...known[1], ...whole.slice(depth)] : whole));
  };
};

const takeEnvironment = ({ values, origins, problems }: Draft, env: LoadOptions['env']): void => {
  for (const { variable, key, value, weak } of environment(env)) {
    const was = origins.get(spelled(key)) ?? 'default';
    if (weak && was !== 'default') continue;
    write(values, key, value);
    origins.set(spelled(key), value === undefined ? 'default' : `environment ${variable}`);
  }
  for (const variable of Object.keys(env).filter((each) => UNKNOWN_ENDPOINT.test(each)))
    problems.push({
      where: `environment ${variable}`,
      key: '',
      message: 'there is no such API; known are KNATIVE_EIP_ENDPOINT_VPC, _ECS, _ECI and _STS',
    });
};

/**
 * The configuration, if each key is right and no two contradict each other.
 * @throws {ConfigError} with everything that is wrong.
 */
const check = ({ values, problems }: Draft, whereIs: PlaceOf): Config => {
  const failed = new Set<string>();
  for (const { path } of schema.safeParse(values).error?.issues ?? []) {
    const key = spelled(path);
    const leaf = leafOf(path);
    if (failed.has(key)) continue;
    failed.add(key).add(spelled(leaf));
    problems.push({ where: whereIs(path), key, message: mismatch(values, path, leaf) });
    write(values, leaf.map(String), STAND_INS[String(leaf[0])]);
  }
  const parsed = schema.safeParse(values);
  if (parsed.success)
    for (const { keys, message } of contradictionsIn(parsed.data)) {
      const [first = []] = keys;
      if (keys.some((key) => failed.has(spelled(key)))) continue;
      problems.push({ where: whereIs(first), key: spelled(first), message });
    }
  if (problems.length > 0 || !parsed.success)
    throw new ConfigError(problems.toSorted((a, b) => a.where.localeCompare(b.where, 'en', { numeric: true })));
  return freeze(parsed.data);
};

/** The key that a path leads to, or into. */
const leafOf = (path: readonly PropertyKey[]): readonly PropertyKey[] => {
  let leaf = path;
  while (leaf.length > 0 && !ruleAt(leaf)) leaf = leaf.slice(0, -1);
  return leaf;
};

/** What was found and what is allowed. */
const mismatch = (values: Tree, path: readonly PropertyKey[], leaf: readonly PropertyKey[]): string => {
  const rule = ruleAt(leaf);
  const found = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], values);
  if (found === undefined) return `this key is required: ${rule?.description ?? ''}`;
  const quote = typeof found === 'number' && rule?.allowed.match(/number|whole/) === null ? ', in quotes' : '';
  return `found ${spoken(found, rule?.secret ?? false)}; allowed is ${rule?.allowed ?? 'something else'}${quote}`;
};

/**
 * A configuration made of values in the program, the rest being defaults; for the sandbox and for tests.
 * @throws {ConfigError} as {@link loadConfig}.
 */
export const defaultConfig = (values: ConfigInput): Config => loadConfig({ base: values, env: {} }).config;
