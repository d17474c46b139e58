import type { KubeObject, ObjectRef } from './port.ts';

/** `namespace/name`, or `name` of a cluster-scoped object. */
export const keyOf = ({ namespace, name }: ObjectRef): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** The namespace and name in a key of {@link keyOf}. */
export const refOf = (key: string): ObjectRef => {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

/**
 * What a reflector has seen last. Views are live: they show changes that happen while they are walked through, and cost
 * no copy. The objects are shared; nobody changes them.
 */
export interface Store<T> {
  readonly size: number;
  get(key: string): T | undefined;
  keys(): Iterable<string>;
  values(): Iterable<T>;
  /** The objects that the named index files under `value`. Throws for an index that does not exist. */
  by(index: string, value: string): Iterable<T>;
  /** How many they are. */
  count(index: string, value: string): number;
}

/** Under which values an object is filed, for example the node it runs on. */
export type IndexFunction<T> = (object: T) => Iterable<string>;

/** The store as its owner sees it. */
interface MutableStore<T> extends Store<T> {
  put(object: T): void;
  remove(key: string): void;
}

/** A Map by key with named indexes beside it. An index function that throws leaves the store as it was. */
export const createStore = <T extends KubeObject>(
  indexes: Readonly<Record<string, IndexFunction<T>>> = {},
): MutableStore<T> => {
  const objects = new Map<string, T>();
  const filed = new Map<string, Map<string, Map<string, T>>>();
  for (const index of Object.keys(indexes)) filed.set(index, new Map());

  const shelf = (index: string) => {
    const shelves = filed.get(index);
    if (shelves === undefined)
      throw new Error(`There is no index ${index}; there are: ${[...filed.keys()].join(', ')}.`);
    return shelves;
  };

  const valuesOf = (object: T) =>
    Object.entries(indexes).map(([index, file]) => [index, new Set(file(object))] as const);

  const unfile = (key: string, object: T) => {
    for (const [index, values] of valuesOf(object)) {
      const shelves = shelf(index);
      for (const value of values) {
        const on = shelves.get(value);
        on?.delete(key);
        if (on?.size === 0) shelves.delete(value);
      }
    }
  };

  return {
    get size() {
      return objects.size;
    },
    get: (key) => objects.get(key),
    keys: () => objects.keys(),
    values: () => objects.values(),
    by: (index, value) => shelf(index).get(value)?.values() ?? [],
    count: (index, value) => shelf(index).get(value)?.size ?? 0,
    put(object) {
      const key = keyOf(object.metadata);
      const next = valuesOf(object);
      const old = objects.get(key);
      if (old !== undefined) unfile(key, old);
      objects.set(key, object);
      for (const [index, values] of next) {
        const shelves = shelf(index);
        for (const value of values) {
          const on = shelves.get(value);
          if (on === undefined) shelves.set(value, new Map([[key, object]]));
          else on.set(key, object);
        }
      }
    },
    remove(key) {
      const old = objects.get(key);
      if (old === undefined) return;
      unfile(key, old);
      objects.delete(key);
    },
  };
};
