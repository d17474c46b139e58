import type { ApiObject } from './json-values.ts';
import { expired } from './failure-status.ts';

/** One committed write. `store` is the key of the kind's store, `previous` what was there before. */
export interface StoredChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  readonly store: string;
  readonly object: ApiObject;
  readonly previous: ApiObject | undefined;
}

interface Store {
  readonly objects: Map<string, ApiObject>;
  /** Keys in order; undefined after a key came or went. */
  sorted: string[] | undefined;
}

/** A position among the keys of a store: `namespace/name`, or `name` for cluster-scoped kinds. */
export const storageKeyOf = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

const keyOfObject = ({ metadata }: ApiObject): string => storageKeyOf(metadata.namespace, metadata.name);

/** The first index whose key is not less than `key`. */
const lowerBound = (keys: readonly string[], key: string): number => {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
};

/**
 * The objects of all kinds under one counter of revisions, as in etcd: a revision is one write, and it is the
 * resourceVersion of what was written. The last `historyLimit` changes are kept, for watches and for lists of the past.
 */
export class Storage {
  readonly #stores = new Map<string, Store>();
  readonly #listeners = new Set<(change: StoredChange) => void>();
  readonly #historyLimit: number;
  #history: StoredChange[] = [];
  #revision = 1;
  #compacted = 1;

  constructor(historyLimit: number) {
    this.#historyLimit = historyLimit;
  }

  /** The revision of the last write. */
  get revision(): number {
    return this.#revision;
  }

  /** Everything after this revision is still known. */
  get compactedRevision(): number {
    return this.#compacted;
  }

  #store(name: string): Store {
    let store = this.#stores.get(name);
    if (store === undefined) this.#stores.set(name, (store = { objects: new Map(), sorted: [] }));
    return store;
  }

  get(store: string, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#stores.get(store)?.objects.get(storageKeyOf(namespace, name));
  }

  /**
   * The objects in order of their keys, from `start` on; of one namespace or of all. They may be removed meanwhile.
   */
  *list(store: string, namespace?: string, start = ''): Generator<ApiObject> {
    const found = this.#stores.get(store);
    if (found === undefined) return;
    const keys = (found.sorted ??= [...found.objects.keys()].sort());
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    for (let index = lowerBound(keys, start > prefix ? start : prefix); index < keys.length; index += 1) {
      const key = keys[index] ?? '';
      if (!key.startsWith(prefix)) return;
      const object = found.objects.get(key);
      if (object !== undefined) yield object;
    }
  }

  /**
   * The same at an earlier revision: the present, with the changes since then undone. Throws 410 beyond the history.
   */
  listAt(revision: number, store: string, namespace?: string, start = ''): Iterable<ApiObject> {
    const changes = this.since(store, revision);
    if (changes.length === 0) return this.list(store, namespace, start);
    const objects = new Map([...this.list(store)].map((object) => [keyOfObject(object), object]));
    for (const change of changes.toReversed()) {
      if (change.previous === undefined) objects.delete(keyOfObject(change.object));
      else objects.set(keyOfObject(change.previous), change.previous);
    }
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    return [...objects.entries()]
      .filter(([key]) => key.startsWith(prefix) && key >= start)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  /** The changes of one store after a revision. Throws 410 where some of them are forgotten. */
  since(store: string, revision: number): readonly StoredChange[] {
    if (revision < this.#compacted) throw expired(`too old resource version: ${revision} (${this.#compacted})`);
    let index = this.#history.length;
    while (index > 0 && (this.#history[index - 1]?.revision ?? 0) > revision) index -= 1;
    return this.#history.slice(index).filter((change) => change.store === store);
  }

  /** Writes an object; gives it back with its new resourceVersion. */
  put(store: string, object: ApiObject): ApiObject {
    const { objects } = this.#store(store);
    const key = keyOfObject(object);
    const previous = objects.get(key);
    const revision = this.#revision + 1;
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    objects.set(key, written);
    if (previous === undefined) this.#store(store).sorted = undefined;
    this.#commit({ type: previous === undefined ? 'ADDED' : 'MODIFIED', revision, store, object: written, previous });
    return written;
  }

  /** Removes an object. What watchers see is the object as it was stored last, with the revision of its removal. */
  remove(store: string, object: ApiObject): void {
    const { objects } = this.#store(store);
    const previous = objects.get(keyOfObject(object));
    if (previous === undefined) return;
    objects.delete(keyOfObject(object));
    this.#store(store).sorted = undefined;
    const revision = this.#revision + 1;
    const removed = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    this.#commit({ type: 'DELETED', revision, store, object: removed, previous });
  }

  /** Forgets the history up to a revision, by default all of it. */
  compact(revision = this.#revision): void {
    this.#compacted = Math.max(this.#compacted, Math.min(revision, this.#revision));
    this.#history = this.#history.filter((change) => change.revision > this.#compacted);
  }

  /** Calls `listener` with every change, within the write. Returns the way to stop it. */
  subscribe(listener: (change: StoredChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #commit(change: StoredChange): void {
    this.#revision = change.revision;
    this.#history.push(change);
    // Trimmed by halves, so that a write costs the same on average whatever the limit.
    if (this.#history.length > 2 * this.#historyLimit)
      this.compact(this.#history[this.#history.length - 1 - this.#historyLimit]?.revision);
    for (const listener of this.#listeners) listener(change);
  }
}
