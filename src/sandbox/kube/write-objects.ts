import { applyMerge } from './apply.ts';
import { fromTheWire, onTheWire, type Backend, type RequestTarget } from './backend.ts';
import { decodeBody, mediaType, normaliseBuiltIn } from './decode.ts';
import {
  arrayOf,
  clone,
  equal,
  isObject,
  objectOf,
  omit,
  stringOf,
  type ApiObject,
  type JsonObject,
} from './json-values.ts';
import { changedMeta, goesNow, metaErrors, metaUpdateErrors, newMeta } from './metadata.ts';
import { jsonPatch, mergePatch } from './patch.ts';
import { groupVersionOf, isCustom, type Kind } from './served-kinds.ts';
import { duplicates, prune, setDefaults, validateSchema } from './crd-schema.ts';
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  forbidden,
  invalid,
  invalidValue,
  methodNotAllowed,
  notFound,
  patchRejected,
  requiredValue,
  unsupportedMediaType,
  type FieldError,
} from './failure-status.ts';
import { strategicMerge } from './strategic.ts';
import { CRD_STORE } from './crd.ts';

/** The result of a write and whether it created the object. */
export interface Written {
  readonly object: ApiObject;
  readonly created: boolean;
}

/** How a write is to be done. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string | undefined;
}

/** The object that a body describes, in stored form. Throws where it is not one of this kind. */
const accept = (kind: Kind, value: unknown): JsonObject => {
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind})`);
  const given = { apiVersion: stringOf(value['apiVersion']), kind: stringOf(value['kind']) };
  const { name = '', generateName = '' } = objectOf(value['metadata']);
  if (typeof name !== 'string' || typeof generateName !== 'string')
    throw badRequest(
      `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: metadata.name is not a string`,
    );
  if (isCustom(kind)) {
    if (given.kind === '' || given.apiVersion === '')
      throw badRequest(
        `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: Object 'Kind' or 'apiVersion' is missing`,
      );
    const wrong: FieldError[] = [];
    if (given.kind !== kind.kind) wrong.push(invalidValue('kind', given.kind, `must be ${kind.kind}`));
    if (given.apiVersion !== groupVersionOf(kind))
      wrong.push(invalidValue('apiVersion', given.apiVersion, `must be ${groupVersionOf(kind)}`));
    if (wrong.length > 0) throw invalid(kind.group, given.kind, name, wrong);
    return value;
  }
  if (given.apiVersion !== '' && given.apiVersion !== groupVersionOf(kind))
    throw badRequest(
      `the API version in the data (${given.apiVersion}) does not match the expected API version (${groupVersionOf(kind)})`,
    );
  if (given.kind !== '' && given.kind !== kind.kind)
    throw badRequest(`${given.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}`);
  return fromTheWire(kind, objectOf(normaliseBuiltIn(value, kind.kind)));
};

/** Brings an object into the form that is stored and throws 422 for what is wrong with it. */
const settle = (
  kind: Kind,
  object: ApiObject,
  current: ApiObject | undefined,
  before: readonly FieldError[],
): ApiObject => {
  let next = object;
  if (isCustom(kind)) {
    next = prune(next, kind.schema) as ApiObject;
    setDefaults(next, kind.schema);
  }
  kind.prepare?.(next, current);
  const errors = [...before, ...metaErrors(next.metadata), ...(kind.errors?.(next, current) ?? [])];
  if (isCustom(kind)) {
    const content = omit(next, 'metadata', 'apiVersion', 'kind');
    const schema = {
      ...kind.schema,
      properties: omit(objectOf(kind.schema['properties']), 'metadata', 'apiVersion', 'kind'),
    };
    errors.push(...validateSchema(content, schema), ...duplicates(content, schema));
  }
  if (errors.length > 0) throw invalid(kind.group, kind.kind, next.metadata.name, errors);
  return next;
};

const inNamespace = ({ storage }: Backend, { kind, namespace }: RequestTarget, name: string): void => {
  if (namespace === undefined) return;
  const found = storage.get('/namespaces', undefined, namespace);
  if (found === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
  if (found.metadata.deletionTimestamp !== undefined)
    throw forbidden(
      kind,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    );
};

const sameNamespace = ({ namespace }: RequestTarget, object: JsonObject): void => {
  const given = stringOf(objectOf(object['metadata'])['namespace']);
  if (given !== '' && given !== (namespace ?? ''))
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
};

/** Creates what a body, already decoded, describes. */
const createFrom = async (
  backend: Backend,
  target: RequestTarget,
  value: unknown,
  options: WriteOptions,
): Promise<ApiObject> => {
  const { kind, namespace } = target;
  const given = accept(kind, value);
  sameNamespace(target, given);
  const metadata = newMeta(given['metadata'], namespace, kind.hasGeneration, backend);
  if (stringOf(objectOf(given['metadata'])['resourceVersion']) !== '')
    throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
  const content = omit(
    given,
    'metadata',
    ...(kind.status !== undefined && !kind.keepsStatusOnCreate ? ['status'] : []),
  );
  let object: ApiObject = clone({
    apiVersion: groupVersionOf(kind),
    kind: kind.kind,
    metadata,
    ...omit(content, 'apiVersion', 'kind'),
  });
  inNamespace(backend, target, metadata.name);
  if (
    backend.storage.get(CRD_STORE, undefined, `${kind.plural}.${kind.group}`)?.metadata.deletionTimestamp !== undefined
  )
    throw methodNotAllowed('create not allowed while custom resource definition is terminating');
  const asked = {
    operation: 'CREATE',
    kind,
    namespace,
    name: metadata.name,
    subresource: undefined,
    oldObject: undefined,
    dryRun: options.dryRun,
    warn: backend.warn,
  } as const;
  if (backend.admission !== undefined) {
    const admitted = await backend.admission({ ...asked, object: onTheWire(kind, object) });
    if (admitted !== undefined) object = fromTheWire(kind, clone(admitted)) as ApiObject;
  }
  object = settle(kind, object, undefined, []);
  if (backend.validation !== undefined) await backend.validation({ ...asked, object: onTheWire(kind, object) });
  if (backend.storage.get(kind.store, namespace, metadata.name) !== undefined) throw alreadyExists(kind, metadata.name);
  if (!options.dryRun) return backend.storage.put(kind.store, object);
  return { ...object, metadata: omit(object.metadata, 'resourceVersion') as typeof metadata };
};

/** The body of a request, as it came. */
export interface RequestBody {
  readonly text: string;
  readonly contentType: string | undefined;
}

export const createObject = async (
  backend: Backend,
  target: RequestTarget,
  body: RequestBody,
  options: WriteOptions,
): Promise<Written> => {
  const object = await createFrom(backend, target, decodeBody(body.text, body.contentType), options);
  return { object: onTheWire(target.kind, object), created: true };
};

/** What a request for a subresource or for the object itself may change, taken from `given`; the rest is `current`. */
const combine = (kind: Kind, subresource: string | undefined, given: JsonObject, current: ApiObject): JsonObject => {
  const status = given['status'] === undefined ? {} : { status: given['status'] };
  if (subresource !== 'status') {
    if (kind.status === undefined) return given;
    return { ...omit(given, 'status'), ...(current.status === undefined ? {} : { status: current.status }) };
  }
  if (kind.status === 'custom') return { ...omit(current, 'status'), ...status };
  const metadata = objectOf(given['metadata']);
  const { labels, ownerReferences } = current.metadata;
  return {
    ...given,
    spec: current.spec,
    metadata:
      kind.status === 'labels'
        ? { ...metadata, labels }
        : kind.status === 'pod'
          ? { ...metadata, ownerReferences }
          : metadata,
  };
};

/** Generations count changes of what is wanted: of the spec, or for custom resources of all but status and metadata. */
const wants = (kind: Kind, object: JsonObject): unknown => {
  if (!isCustom(kind)) return arrayOf([object['spec'], object['webhooks']]);
  return omit(object, 'metadata', ...(kind.status === undefined ? [] : ['status']));
};

const changed = (
  kind: Kind,
  { name, subresource }: RequestTarget,
  given: JsonObject,
  current: ApiObject,
): ApiObject => {
  const metadata = objectOf(given['metadata']);
  if (stringOf(metadata['name']) !== (name ?? ''))
    throw badRequest(
      `the name of the object (${stringOf(metadata['name'])}) does not match the name on the URL (${name})`,
    );
  const version = stringOf(metadata['resourceVersion']);
  if (version === '' && !kind.unconditionalUpdate)
    throw invalid(kind.group, kind.plural, name ?? '', [
      {
        reason: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        message: 'Invalid value: 0x0: must be specified for an update',
      },
    ]);
  if (version !== '' && version !== current.metadata.resourceVersion) throw conflict(kind, name ?? '');
  const combined = clone(combine(kind, subresource, given, current));
  const next = {
    apiVersion: current.apiVersion,
    kind: current.kind,
    metadata: changedMeta(combined['metadata'], current.metadata),
    ...omit(combined, 'apiVersion', 'kind', 'metadata'),
  } as ApiObject;
  if (next.status === undefined) delete next.status;
  const settled = settle(kind, next, current, metaUpdateErrors(metadata, next, current));
  if (kind.hasGeneration && !equal(wants(kind, settled), wants(kind, current)))
    settled.metadata.generation = (current.metadata.generation ?? 0) + 1;
  return settled;
};

/** The form that a subresource gives an object: what clients and webhooks see of it, and may change. */
export interface Form extends Pick<Kind, 'group' | 'version' | 'kind'> {
  readonly subresource: string;
  show(object: ApiObject): ApiObject;
  /** The object with what is shown of it changed to this. */
  take(shown: unknown, object: ApiObject): JsonObject;
}

const whole = (kind: Kind): Pick<Form, 'show' | 'take'> => ({
  show: (object) => onTheWire(kind, object),
  take: (shown) => fromTheWire(kind, objectOf(shown)),
});

/** What is to become of an object as it is on the wire, or in a form of its own. */
interface ProposedChange {
  readonly propose: (current: ApiObject) => unknown;
  readonly form?: Form;
}

/**
 * Changes an object to what `propose` makes of it. Writes nothing where nothing changes, and removes the object where
 * the change takes the last finalizer of one that is being deleted.
 */
export const update = async (
  backend: Backend,
  target: RequestTarget,
  { propose, form }: ProposedChange,
  options: WriteOptions,
): Promise<Written> => {
  const { kind, namespace, name = '' } = target;
  const { show, take } = form ?? whole(kind);
  const { admission, validation } = backend;
  for (;;) {
    const current = backend.storage.get(kind.store, namespace, name);
    if (current === undefined) throw notFound(kind, name);
    const proposed = propose(show(current));
    const given = accept(kind, form ? form.take(proposed, current) : proposed);
    sameNamespace(target, given);
    let next = changed(kind, target, given, current);
    const asked = {
      operation: 'UPDATE',
      kind,
      namespace,
      name,
      subresource: form?.subresource ?? target.subresource,
      form,
      dryRun: options.dryRun,
      oldObject: show(current),
      warn: backend.warn,
    } as const;
    if (admission !== undefined) {
      const admitted = await admission({ ...asked, object: show(next) });
      if (admitted !== undefined) next = settle(kind, take(clone(admitted), next) as ApiObject, current, []);
    }
    if (validation !== undefined) await validation({ ...asked, object: show(next) });
    // Somebody else wrote in the meantime: evaluate the request again by what is there now.
    if (backend.storage.get(kind.store, namespace, name) !== current) continue;
    if (equal(next, current) || options.dryRun) return { object: onTheWire(kind, next), created: false };
    if (goesNow(next)) {
      backend.storage.remove(kind.store, current);
      return { object: onTheWire(kind, next), created: false };
    }
    return { object: onTheWire(kind, backend.storage.put(kind.store, next)), created: false };
  }
};

export const replace = async (
  backend: Backend,
  target: RequestTarget,
  body: RequestBody,
  options: WriteOptions,
): Promise<Written> => {
  const value = decodeBody(body.text, body.contentType);
  const { kind, namespace, name = '', subresource } = target;
  if (
    kind.createOnUpdate &&
    subresource === undefined &&
    backend.storage.get(kind.store, namespace, name) === undefined
  )
    return { object: onTheWire(kind, await createFrom(backend, target, value, options)), created: true };
  return update(backend, target, { propose: () => value }, options);
};

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';

/** The function that applies a patch, by the Content-Type. Throws 415 for one that this kind does not take. */
export const patcher = (
  kind: Kind | undefined,
  { text, contentType }: RequestBody,
): ((current: unknown) => unknown) => {
  const type = mediaType(contentType);
  const custom = kind === undefined || isCustom(kind);
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
  const value = decodeBody(text, contentType);
  if (type === JSON_PATCH) return (current) => jsonPatch(current, value);
  if (!isObject(value)) throw patchRejected();
  if (type === STRATEGIC_PATCH) return (current) => strategicMerge(objectOf(current), value);
  if (type === APPLY_PATCH) return (current) => applyMerge(current, value, kind?.schema);
  return (current) => mergePatch(current, value);
};

export const patch = async (
  backend: Backend,
  target: RequestTarget,
  body: RequestBody,
  options: WriteOptions,
): Promise<Written> => {
  const { kind, namespace, name = '' } = target;
  const applied = patcher(kind, body);
  if (mediaType(body.contentType) === APPLY_PATCH) {
    if (!options.fieldManager)
      throw invalid('meta.k8s.io', 'PatchOptions', '', [requiredValue('fieldManager', 'is required for apply patch')]);
    if (backend.storage.get(kind.store, namespace, name) === undefined && target.subresource === undefined) {
      const object = await createFrom(backend, target, applied({}), options);
      return { object: onTheWire(kind, object), created: true };
    }
  }
  return update(backend, target, { propose: applied }, options);
};
