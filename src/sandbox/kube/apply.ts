import { arrayOf, clone, equal, isObject, objectOf, type JsonObject } from './json-values.ts';
import type { StructuralSchema } from './crd-schema.ts';
import { isMergedSet, mergeKeyOf } from './strategic.ts';

const keysOf = (schema: StructuralSchema | undefined, path: readonly string[]): readonly string[] | undefined => {
  if (schema !== undefined && path[0] !== 'metadata')
    return schema['x-kubernetes-list-type'] === 'map'
      ? (arrayOf(schema['x-kubernetes-list-map-keys']) as string[])
      : undefined;
  const key = mergeKeyOf(path);
  return key === undefined ? undefined : [key];
};

const below = (schema: StructuralSchema | undefined, key: string): StructuralSchema | undefined =>
  schema === undefined ? undefined : objectOf(objectOf(schema['properties'])[key] ?? schema['additionalProperties']);

/**
 * What server-side apply makes of an object, without its memory of who owns which field: what is applied is merged in,
 * lists that have keys item by item; nothing is removed and nobody conflicts.
 */
export const applyMerge = (
  target: unknown,
  applied: unknown,
  schema: StructuralSchema | undefined,
  path: readonly string[] = [],
): unknown => {
  if (isObject(applied)) {
    const result: JsonObject = { ...objectOf(target) };
    for (const [key, value] of Object.entries(applied))
      if (value === null) delete result[key];
      else result[key] = applyMerge(result[key], value, below(schema, key), [...path, key]);
    return result;
  }
  if (!Array.isArray(applied)) return applied;
  const existing = arrayOf(target);
  if (isMergedSet(path) || schema?.['x-kubernetes-list-type'] === 'set')
    return [...existing, ...applied.filter((item) => !existing.some((one) => equal(one, item)))];
  const keys = keysOf(schema, path);
  if (keys === undefined) return clone(applied);
  const items = schema === undefined ? undefined : objectOf(schema['items']);
  const same = (a: unknown, b: unknown) => keys.every((key) => equal(objectOf(a)[key], objectOf(b)[key]));
  return [
    ...existing.map((one) => {
      const change = (applied as unknown[]).find((item) => same(item, one));
      return change === undefined ? one : applyMerge(one, change, items, path);
    }),
    ...(applied as unknown[]).filter((item) => !existing.some((one) => same(one, item))),
  ];
};
