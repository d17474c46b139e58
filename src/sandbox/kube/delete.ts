import type { AdmissionCall } from './admission.ts';
import { onTheWire, type Backend, type RequestTarget } from './backend.ts';
import { decodeBody, timestamp } from './decode.ts';
import { objectOf, stringOf, type ApiObject, type JsonObject, type Meta } from './json-values.ts';
import { listObjects } from './read.ts';
import type { Kind } from './served-kinds.ts';
import { conflict, forbidden, notFound } from './failure-status.ts';

/** metav1.DeleteOptions, as far as it has an effect here. */
export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagationPolicy: string;
  readonly preconditions: { readonly uid: string; readonly resourceVersion: string };
  readonly dryRun: boolean;
}

/** From the body, or from the query where there is none. */
export const deleteOptions = (
  body: string | undefined,
  contentType: string | undefined,
  query: URLSearchParams,
): DeleteOptions => {
  const given = body === undefined || body === '' ? {} : objectOf(decodeBody(body, contentType));
  const grace = given['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds') ?? undefined;
  const preconditions = objectOf(given['preconditions']);
  return {
    gracePeriodSeconds: grace === undefined ? undefined : Number(grace),
    propagationPolicy: stringOf(given['propagationPolicy'] ?? query.get('propagationPolicy')),
    preconditions: { uid: stringOf(preconditions['uid']), resourceVersion: stringOf(preconditions['resourceVersion']) },
    dryRun: query.has('dryRun') || Array.isArray(given['dryRun']),
  };
};

const check = (kind: Kind, { metadata }: ApiObject, { preconditions }: DeleteOptions): void => {
  const named = { group: kind.group, plural: kind.kind };
  const { uid, resourceVersion } = preconditions;
  if (uid !== '' && uid !== metadata.uid)
    throw conflict(
      named,
      metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion !== '' && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      named,
      metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
};

const DEFAULT_GRACE_SECONDS = 30;

/** How long a pod gets to end; undefined for kinds that know no grace. Source: podStrategy.CheckGracefulDelete. */
const graceOf = (
  kind: Kind,
  { spec, status }: ApiObject,
  { gracePeriodSeconds }: DeleteOptions,
): number | undefined => {
  if (kind.store !== '/pods') return undefined;
  if (stringOf(spec?.['nodeName']) === '' || ['Succeeded', 'Failed'].includes(stringOf(status?.['phase']))) return 0;
  return gracePeriodSeconds ?? Number(spec?.['terminationGracePeriodSeconds'] ?? DEFAULT_GRACE_SECONDS);
};

/** The finalizers with which the garbage collector is told what to do with dependents. */
const withPolicy = (finalizers: readonly string[], policy: string): string[] => {
  if (policy === '') return [...finalizers];
  const others = finalizers.filter((one) => one !== 'orphan' && one !== 'foregroundDeletion');
  if (policy === 'Orphan') return [...others, 'orphan'];
  return policy === 'Foreground' ? [...others, 'foregroundDeletion'] : others;
};

const marked = (object: ApiObject, at: number, grace: number, finalizers: string[]): ApiObject => {
  const { finalizers: _, ...rest } = object.metadata;
  const metadata: Meta = {
    ...rest,
    ...(finalizers.length === 0 ? {} : { finalizers }),
    deletionTimestamp: object.metadata.deletionTimestamp ?? timestamp(at + grace * 1000),
    deletionGracePeriodSeconds: grace,
  };
  if (object.metadata.deletionTimestamp === undefined && metadata.generation !== undefined) metadata.generation += 1;
  return { ...object, metadata };
};

/** The mark with a shorter grace: counted from when deletion was asked for first. */
const shortened = (object: ApiObject, grace: number): ApiObject => {
  const { deletionTimestamp = '', deletionGracePeriodSeconds = 0 } = object.metadata;
  const since = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  const metadata = {
    ...object.metadata,
    deletionTimestamp: timestamp(since + grace * 1000),
    deletionGracePeriodSeconds: grace,
  };
  return { ...object, metadata };
};

interface Deleted {
  /** The object as it is or was last. */
  readonly object: ApiObject;
  /** Whether it is gone, rather than only marked. */
  readonly gone: boolean;
}

/** Source: the admission plugin NamespaceLifecycle. */
const UNDELETABLE = ['default', 'kube-system', 'kube-public'];

const deleteNamespace = ({ storage, clock }: Backend, kind: Kind, namespace: ApiObject): Deleted => {
  if (namespace.metadata.deletionTimestamp !== undefined) return { object: namespace, gone: false };
  const metadata = { ...namespace.metadata, deletionTimestamp: timestamp(clock.now()) };
  return { object: storage.put(kind.store, { ...namespace, metadata, status: { phase: 'Terminating' } }), gone: false };
};

/** Deletes once more what has a grace period left: it only ever gets shorter. */
const hasten = ({ storage }: Backend, kind: Kind, object: ApiObject, options: DeleteOptions): Deleted => {
  const { deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  const wanted = options.gracePeriodSeconds;
  if (wanted === undefined || wanted >= deletionGracePeriodSeconds) return { object, gone: false };
  const next = storage.put(kind.store, shortened(object, wanted));
  if (wanted > 0 || finalizers.length > 0) return { object: next, gone: false };
  storage.remove(kind.store, next);
  return { object: next, gone: true };
};

/**
 * Deletes a stored object, or marks it where finalizers or a grace period hold it.
 * Source: apiserver pkg/registry/generic/registry/store.go Delete and pkg/registry/rest/delete.go BeforeDelete.
 */
export const deleteObject = (backend: Backend, kind: Kind, object: ApiObject, options: DeleteOptions): Deleted => {
  const { storage, clock } = backend;
  check(kind, object, options);
  if (kind.store === '/namespaces' && UNDELETABLE.includes(object.metadata.name))
    throw forbidden(kind, object.metadata.name, 'this namespace may not be deleted');
  if (options.dryRun) return { object, gone: true };
  if (kind.store === '/namespaces') return deleteNamespace(backend, kind, object);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  const deleting = deletionTimestamp !== undefined;
  if (deleting && deletionGracePeriodSeconds > 0) return hasten(backend, kind, object, options);
  const kept = withPolicy(finalizers, options.propagationPolicy);
  const grace = deleting ? undefined : graceOf(kind, object, options);
  let last = object;
  if (grace !== undefined || kept.length > 0) {
    const next = deleting && kept.length === finalizers.length ? object : marked(object, clock.now(), grace ?? 0, kept);
    if (next !== object) last = storage.put(kind.store, next);
    if (kept.length > 0 || (grace ?? 0) > 0) return { object: last, gone: false };
  }
  storage.remove(kind.store, last);
  return { object: last, gone: true };
};

/** The body of the answer: the object where it is still there or its kind wants it so, otherwise a Status. */
export const deletionAnswer = (kind: Kind, { object, gone }: Deleted): JsonObject => {
  if (!gone || kind.returnsDeleted) return onTheWire(kind, object);
  const { name, uid } = object.metadata;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid },
  };
};

const admit = async (
  { admission, validation, warn }: Backend,
  { kind, namespace }: RequestTarget,
  object: ApiObject,
  dryRun: boolean,
): Promise<void> => {
  const { name } = object.metadata;
  const asked: AdmissionCall = {
    operation: 'DELETE',
    kind,
    namespace,
    name,
    subresource: undefined,
    object: undefined,
    dryRun,
    oldObject: onTheWire(kind, object),
    warn,
  };
  await admission?.(asked);
  await validation?.(asked);
};

export const deleteOne = async (backend: Backend, target: RequestTarget, options: DeleteOptions): Promise<Deleted> => {
  const { kind, namespace, name = '' } = target;
  for (;;) {
    const object = backend.storage.get(kind.store, namespace, name);
    if (object === undefined) throw notFound(kind, name);
    if (backend.admission !== undefined || backend.validation !== undefined) {
      await admit(backend, target, object, options.dryRun);
      if (backend.storage.get(kind.store, namespace, name) !== object) continue;
    }
    return deleteObject(backend, kind, object, options);
  }
};

/** Deletes what a list with the same query gives; answers with that list. */
export const deleteCollection = async (
  backend: Backend,
  target: RequestTarget,
  query: URLSearchParams,
  options: DeleteOptions,
): Promise<ReturnType<typeof listObjects>> => {
  const listed = listObjects(backend, target, query);
  for (const { metadata } of listed.items) {
    const one = { ...target, namespace: metadata.namespace, name: metadata.name };
    if (backend.storage.get(target.kind.store, one.namespace, one.name) !== undefined)
      await deleteOne(backend, one, options);
  }
  return listed;
};
