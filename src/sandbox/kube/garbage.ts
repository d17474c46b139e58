import type { Clock } from '../../lib/clock.ts';
import type { Backend } from './backend.ts';
import { deleteObject } from './delete.ts';
import { stringOf, type ApiObject } from './json-values.ts';
import { goesNow } from './metadata.ts';
import type { Kind } from './served-kinds.ts';

const ownersOf = ({ metadata }: ApiObject): string[] =>
  (metadata.ownerReferences ?? []).map(({ uid }) => stringOf(uid));

interface Found {
  readonly kind: Kind;
  readonly object: ApiObject;
}

/** One pass of the garbage collector: what has lost all its owners goes, and owners go after their dependents. */
const collect = (backend: Backend): void => {
  const { storage, registry } = backend;
  const all: Found[] = registry
    .stores()
    .flatMap((kind) => [...storage.list(kind.store)].map((object) => ({ kind, object })));
  const living = new Set(all.map(({ object }) => object.metadata.uid));
  const dependents = new Map<string, Found[]>();
  for (const found of all)
    for (const owner of ownersOf(found.object)) dependents.set(owner, [...(dependents.get(owner) ?? []), found]);

  const remove = ({ kind, object: { metadata } }: Found, policy: string): void => {
    const object = storage.get(kind.store, metadata.namespace, metadata.name);
    if (object === undefined || object.metadata.uid !== metadata.uid || object.metadata.deletionTimestamp !== undefined)
      return;
    const preconditions = { uid: metadata.uid, resourceVersion: '' };
    deleteObject(backend, kind, object, {
      gracePeriodSeconds: undefined,
      propagationPolicy: policy,
      preconditions,
      dryRun: false,
    });
  };
  const withoutFinalizer = ({ kind, object: { metadata } }: Found, finalizer: string): void => {
    const object = storage.get(kind.store, metadata.namespace, metadata.name);
    if (object === undefined) return;
    const left = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    const next: ApiObject = { ...object, metadata: { ...object.metadata, finalizers: left } };
    if (left.length === 0) delete next.metadata.finalizers;
    if (goesNow(next)) storage.remove(kind.store, object);
    else storage.put(kind.store, next);
  };

  for (const found of all) {
    const { metadata } = found.object;
    const owners = ownersOf(found.object);
    if (owners.length > 0 && owners.every((uid) => !living.has(uid))) remove(found, 'Background');
    if (metadata.deletionTimestamp === undefined) continue;
    const mine = dependents.get(metadata.uid) ?? [];
    if (metadata.finalizers?.includes('orphan')) {
      for (const { kind, object } of mine) {
        const current = storage.get(kind.store, object.metadata.namespace, object.metadata.name);
        if (current === undefined) continue;
        const { ownerReferences = [], ...rest } = current.metadata;
        const left = ownerReferences.filter(({ uid }) => uid !== metadata.uid);
        storage.put(kind.store, {
          ...current,
          metadata: left.length === 0 ? rest : { ...rest, ownerReferences: left },
        });
      }
      withoutFinalizer(found, 'orphan');
    } else if (metadata.finalizers?.includes('foregroundDeletion')) {
      if (mine.length === 0) withoutFinalizer(found, 'foregroundDeletion');
      for (const dependent of mine) remove(dependent, 'Foreground');
    }
  }
};

/**
 * Runs the garbage collector: after writes that can concern it, `delayMs` later. Returns the way to stop it.
 * `settle` is called after each pass. Source of the rules: kubernetes pkg/controller/garbagecollector.
 */
export const runGarbageCollector = (
  backend: Backend,
  clock: Clock,
  delayMs: number,
  settle: () => void,
): (() => void) => {
  let cancel: (() => void) | undefined;
  const unsubscribe = backend.storage.subscribe(({ type, object: { metadata } }) => {
    const concerned =
      type === 'DELETED' || metadata.ownerReferences !== undefined || metadata.deletionTimestamp !== undefined;
    if (!concerned || cancel !== undefined) return;
    cancel = clock.timer(delayMs, () => {
      cancel = undefined;
      collect(backend);
      settle();
    });
  });
  return () => {
    unsubscribe();
    cancel?.();
  };
};
