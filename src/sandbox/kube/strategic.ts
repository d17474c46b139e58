import { arrayOf, clone, equal, isObject, objectOf, type JsonObject } from './json-values.ts';
import { badRequest } from './failure-status.ts';

/**
 * The lists that are merged by a key instead of being replaced: last part of the field's path, and the key. Where a
 * name means different lists, the longer path comes first. Source: the `patchMergeKey` tags in k8s.io/api.
 */
const MERGE_KEYS: readonly (readonly [path: string, key: string])[] = [
  ['containers.ports', 'containerPort'],
  ['initContainers.ports', 'containerPort'],
  ['spec.ports', 'port'],
  ['containers', 'name'],
  ['initContainers', 'name'],
  ['ephemeralContainers', 'name'],
  ['env', 'name'],
  ['volumes', 'name'],
  ['volumeMounts', 'mountPath'],
  ['volumeDevices', 'devicePath'],
  ['imagePullSecrets', 'name'],
  ['secrets', 'name'],
  ['hostAliases', 'ip'],
  ['topologySpreadConstraints', 'topologyKey'],
  ['conditions', 'type'],
  ['addresses', 'type'],
  ['podIPs', 'ip'],
  ['ownerReferences', 'uid'],
  ['webhooks', 'name'],
];

/** Lists of strings that are merged as sets. Source: `patchStrategy:"merge"` without a key. */
const MERGED_SETS = ['metadata.finalizers', 'spec.podCIDRs'];

const endsWith = (path: readonly string[], suffix: string): boolean => `.${path.join('.')}`.endsWith(`.${suffix}`);

/** The key that a list at this path is merged by, if it is. Paths are field names without indexes. */
export const mergeKeyOf = (path: readonly string[]): string | undefined =>
  MERGE_KEYS.find(([suffix]) => endsWith(path, suffix))?.[1];

export const isMergedSet = (path: readonly string[]): boolean => MERGED_SETS.some((suffix) => endsWith(path, suffix));

/** Source of the order: strategicpatch.mergeSortedSlice of apimachinery. */
const ordered = (serverOnly: unknown[], patched: unknown[], server: readonly unknown[], same: Same): unknown[] => {
  const place = (item: unknown) => server.findIndex((one) => same(one, item));
  const result: unknown[] = [];
  while (serverOnly.length > 0 && patched.length > 0) {
    const [left, right] = [place(serverOnly[0]), place(patched[0])];
    result.push(right >= 0 && left < right ? serverOnly.shift() : patched.shift());
  }
  return [...result, ...serverOnly, ...patched];
};

type Same = (a: unknown, b: unknown) => boolean;

const sameBy =
  (key: string | undefined): Same =>
  (a, b) =>
    key === undefined ? equal(a, b) : equal(objectOf(a)[key], objectOf(b)[key]);

const mergeList = (server: readonly unknown[], patch: readonly unknown[], path: readonly string[], order: unknown) => {
  const key = mergeKeyOf(path);
  const same = sameBy(key);
  let result = [...server];
  let patched: unknown[] = [];
  if (patch.some((item) => objectOf(item)['$patch'] === 'replace'))
    return patch.filter((item) => objectOf(item)['$patch'] !== 'replace').map((item) => strip(item));
  for (const item of patch) {
    if (key !== undefined && (!isObject(item) || item[key] === undefined))
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const existing = result.find((one) => same(one, item));
    result = result.filter((one) => one !== existing);
    if (objectOf(item)['$patch'] !== 'delete')
      patched.push(key === undefined ? item : strategicMerge(objectOf(existing), objectOf(item), path));
  }
  if (!Array.isArray(order)) return ordered(result, patched, server, same);
  const wanted = (item: unknown) => order.findIndex((one) => (key === undefined ? equal(one, item) : same(one, item)));
  patched = [...patched, ...result.filter((one) => wanted(one) >= 0)].sort((a, b) => wanted(a) - wanted(b));
  return ordered(
    result.filter((one) => wanted(one) < 0),
    patched,
    server,
    same,
  );
};

/** The value without directives, as it goes into the object where there is nothing to merge with. */
const strip = (value: unknown): unknown => {
  if (Array.isArray(value))
    return value.filter((item) => objectOf(item)['$patch'] !== 'delete').map((item) => strip(item));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !key.startsWith('$') && item !== null)
      .map(([key, item]) => [key, strip(item)]),
  );
};

const DELETE_FROM = '$deleteFromPrimitiveList/';
const ORDER_OF = '$setElementOrder/';

/**
 * Strategic merge patch of built-in kinds, with the directives `$patch`, `$retainKeys`, `$setElementOrder/…` and
 * `$deleteFromPrimitiveList/…`. Source: apimachinery pkg/util/strategicpatch.
 */
export const strategicMerge = (target: JsonObject, patch: JsonObject, path: readonly string[] = []): JsonObject => {
  if (patch['$patch'] === 'replace') return objectOf(strip(patch));
  if (patch['$patch'] === 'delete') return {};
  let result: JsonObject = { ...target };
  const retained = patch['$retainKeys'];
  if (Array.isArray(retained))
    result = Object.fromEntries(Object.entries(result).filter(([key]) => retained.includes(key)));
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      const field = key.slice(DELETE_FROM.length);
      result[field] = arrayOf(result[field]).filter((item) => !arrayOf(value).includes(item));
    } else if (key.startsWith('$')) continue;
    else if (value === null) delete result[key];
    else if (isObject(value) && isObject(result[key])) result[key] = strategicMerge(result[key], value, [...path, key]);
    else if (Array.isArray(value) && (mergeKeyOf([...path, key]) !== undefined || isMergedSet([...path, key])))
      result[key] = mergeList(arrayOf(result[key]), value, [...path, key], patch[`${ORDER_OF}${key}`]);
    else result[key] = clone(strip(value));
  }
  return result;
};
