/** An object of a JSON document. */
export type JsonObject = Record<string, unknown>;

/** metav1.ObjectMeta, as far as the server itself reads it. */
export interface Meta {
  [field: string]: unknown;
  name: string;
  namespace?: string;
  generateName?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: JsonObject[];
}

/** A stored API object. What is in the store is never changed in place. */
export interface ApiObject {
  [field: string]: unknown;
  apiVersion: string;
  kind: string;
  metadata: Meta;
  spec?: JsonObject;
  status?: JsonObject;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value, if it is an object; otherwise an empty object. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

/** The value, if it is an array; otherwise an empty array. */
export const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

/** The value, if it is a string; otherwise an empty string, as Go's zero value. */
export const stringOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What is at the end of a path of object keys, or undefined. */
export const at = (value: unknown, ...path: readonly string[]): unknown => {
  let current = value;
  for (const key of path) current = isObject(current) && Object.hasOwn(current, key) ? current[key] : undefined;
  return current;
};

/** A deep copy of a JSON value. */
export const clone = <T>(value: T): T => {
  if (Array.isArray(value)) return value.map((item: unknown) => clone(item)) as T;
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = clone(item);
  return copy as T;
};

/** Whether two JSON values are the same; the order of object keys does not count. */
export const equal = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
};

/** A copy without some of the keys. */
export const omit = (object: JsonObject, ...keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
