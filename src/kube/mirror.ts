import type { Log } from '../lib/log.ts';
import type { KubeObject, Resource } from './port.ts';
import { createStore, keyOf, type IndexFunction, type Store } from './store.ts';

/** A change in the store, which already shows it. */
export interface StoreEvent<K> {
  readonly type: 'added' | 'updated' | 'deleted';
  /** As it is now; of `deleted`, as it was last. */
  readonly object: K;
  /** As it was before, of `updated`. */
  readonly old?: K | undefined;
  /** Whether it was noticed as it happened or by listing. At the start everything comes from the list. */
  readonly from: 'list' | 'watch';
}

export type StoreHandler<K> = (event: StoreEvent<K>) => void;

interface MirrorOptions<T extends KubeObject, K extends KubeObject> {
  readonly resource: Resource<T>;
  readonly keep: (object: T) => K | undefined;
  readonly indexes?: Readonly<Record<string, IndexFunction<K>>> | undefined;
  readonly log: Log;
}

/** A store, and whoever wants to hear of its changes. Nothing is delivered after a signal's abort. */
interface Mirror<T extends KubeObject, K extends KubeObject> {
  readonly store: Store<K>;
  readonly subscribe: (handler: StoreHandler<K>) => () => void;
  /** The object is there, as it is now. */
  readonly put: (object: T, from: StoreEvent<K>['from'], signal: AbortSignal) => void;
  /** The object is gone; `last` is how it was last, where that is known. */
  readonly drop: (key: string, from: StoreEvent<K>['from'], signal: AbortSignal, last?: T) => void;
  /** Something of its user's threw, and that must not end anything. */
  readonly failed: (error: unknown, what: string) => void;
}

export const createMirror = <T extends KubeObject, K extends KubeObject>({
  resource,
  keep,
  indexes,
  log,
}: MirrorOptions<T, K>): Mirror<T, K> => {
  const store = createStore<K>(indexes);
  const handlers = new Set<StoreHandler<K>>();

  const failed = (error: unknown, what: string) =>
    log.error({ error: error instanceof Error ? error.message : String(error) }, `${what} threw; carrying on.`);

  const tell = (handler: StoreHandler<K>, event: StoreEvent<K>) => {
    try {
      // An async function is assignable to a handler; its rejection must not end the process either.
      const result: unknown = handler(event);
      if (result instanceof Promise) result.catch((error: unknown) => failed(error, 'An event handler'));
    } catch (error) {
      failed(error, 'An event handler');
    }
  };

  const emit = (event: StoreEvent<K>, signal: AbortSignal) => {
    for (const handler of handlers) {
      if (signal.aborted) return;
      tell(handler, event);
    }
  };

  const drop = (key: string, from: 'list' | 'watch', signal: AbortSignal, last?: K) => {
    const old = store.get(key);
    if (old === undefined) return;
    store.remove(key);
    emit({ type: 'deleted', object: last ?? old, from }, signal);
  };

  /** What is worth keeping; where `keep` throws, what was kept before. */
  const kept = (object: T, old: K | undefined): K | undefined => {
    try {
      return keep(object);
    } catch (error) {
      failed(error, `Reading ${resource.kind} ${keyOf(object.metadata)}`);
      return old;
    }
  };

  const put = (object: T, from: 'list' | 'watch', signal: AbortSignal) => {
    const key = keyOf(object.metadata);
    const old = store.get(key);
    const next = kept(object, old);
    if (next === old) return;
    if (next === undefined) return drop(key, from, signal);
    // Another UID under the same name is another object, whether or not the deletion between them was seen.
    const same = old?.metadata.uid === next.metadata.uid;
    if (!same) drop(key, from, signal);
    if (signal.aborted) return;
    try {
      store.put(next);
    } catch (error) {
      return failed(error, `Indexing ${resource.kind} ${key}`);
    }
    emit(same ? { type: 'updated', object: next, old, from } : { type: 'added', object: next, from }, signal);
  };

  return {
    store,
    subscribe(handler) {
      handlers.add(handler);
      for (const object of store.values()) tell(handler, { type: 'added', object, from: 'list' });
      return () => handlers.delete(handler);
    },
    put,
    drop: (key, from, signal, last) => drop(key, from, signal, last && kept(last, store.get(key))),
    failed,
  };
};
