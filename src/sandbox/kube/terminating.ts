import type { Backend } from './backend.ts';
import { CRD_CLEANUP, CRD_STORE, kindsOf } from './crd.ts';
import { deleteObject, type DeleteOptions } from './delete.ts';
import type { ApiObject } from './json-values.ts';
import type { Kind } from './served-kinds.ts';

const BACKGROUND: DeleteOptions = {
  gracePeriodSeconds: undefined,
  propagationPolicy: 'Background',
  preconditions: { uid: '', resourceVersion: '' },
  dryRun: false,
};

/** Deletes what is not being deleted yet; gives whether nothing is left. */
const emptied = (backend: Backend, kind: Kind, namespace?: string): boolean => {
  let left = 0;
  for (const object of backend.storage.list(kind.store, namespace))
    if (object.metadata.deletionTimestamp !== undefined || !deleteObject(backend, kind, object, BACKGROUND).gone)
      left += 1;
  return left === 0;
};

const isDeleting = ({ metadata }: ApiObject): boolean => metadata.deletionTimestamp !== undefined;

/**
 * Carries on the deletion of namespaces and of CustomResourceDefinitions: their objects first, each with its own
 * finalizers and grace, then they themselves. Real clusters do this in the namespace controller and in the finalizing
 * controller of apiextensions; here it runs after each write, so that nothing is pending when nothing happens.
 */
export const continueDeletions = (backend: Backend): void => {
  const { storage, registry } = backend;
  for (const namespace of [...storage.list('/namespaces')].filter(isDeleting)) {
    const kinds = registry.stores().filter(({ namespaced }) => namespaced);
    const empty = kinds.map((kind) => emptied(backend, kind, namespace.metadata.name));
    if (empty.every(Boolean)) storage.remove('/namespaces', namespace);
  }
  for (const crd of [...storage.list(CRD_STORE)].filter(isDeleting)) {
    const finalizers = crd.metadata.finalizers ?? [];
    const [kind] = kindsOf(crd);
    if (!finalizers.includes(CRD_CLEANUP) || (kind !== undefined && !emptied(backend, kind))) continue;
    const left = finalizers.filter((one) => one !== CRD_CLEANUP);
    const next = storage.put(CRD_STORE, { ...crd, metadata: { ...crd.metadata, finalizers: left } });
    if (left.length === 0) storage.remove(CRD_STORE, next);
  }
};
