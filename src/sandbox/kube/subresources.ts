import type { Backend, RequestTarget } from './backend.ts';
import { decodeBody, timestamp } from './decode.ts';
import { arrayOf, at, isObject, objectOf, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { get } from './read.ts';
import type { ScalePaths } from './served-kinds.ts';
import { badRequest, conflict, notFound } from './failure-status.ts';
import { patcher, update, type Form, type RequestBody, type WriteOptions } from './write-objects.ts';

const selectorText = (selector: unknown): string =>
  Object.entries(objectOf(objectOf(selector)['matchLabels'] ?? selector))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');

/** An object as autoscaling/v1 Scale. */
const scaleOf = (object: ApiObject, paths: ScalePaths): JsonObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = at(object, ...paths.specReplicas.split('.')) ?? 0;
  const selector =
    paths.selector === undefined
      ? selectorText(object.spec?.['selector'])
      : stringOf(at(object, ...paths.selector.split('.')));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: at(object, ...paths.statusReplicas.split('.')) ?? 0, ...(selector === '' ? {} : { selector }) },
  };
};

export const readScale = (backend: Backend, target: RequestTarget, paths: ScalePaths): JsonObject =>
  scaleOf(get(backend, target), paths);

/** What webhooks see of a change of scale: source: ScaleREST of kubernetes pkg/registry/apps/deployment/storage. */
const scaleForm = (paths: ScalePaths): Form => ({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  subresource: 'scale',
  show: (object) => scaleOf(object, paths) as ApiObject,
  take: (shown, object) => {
    const replicas = at(shown, 'spec', 'replicas') ?? 0;
    if (typeof replicas !== 'number')
      throw badRequest('Scale in version "v1" cannot be handled as a Scale: spec.replicas is not a number');
    const resourceVersion = stringOf(at(shown, 'metadata', 'resourceVersion')) || object.metadata.resourceVersion;
    const [parent = 'spec', field = 'replicas'] = paths.specReplicas.split('.');
    return {
      ...object,
      metadata: { ...object.metadata, resourceVersion },
      [parent]: { ...objectOf(object[parent]), [field]: replicas },
    };
  },
});

/** Sets the number of replicas from a Scale, whole or as a patch. */
export const writeScale = async (
  backend: Backend,
  target: RequestTarget,
  paths: ScalePaths,
  { method, body, options }: { readonly method: string; readonly body: RequestBody; readonly options: WriteOptions },
): Promise<JsonObject> => {
  const propose = method === 'PATCH' ? patcher(undefined, body) : () => decodeBody(body.text, body.contentType);
  const whole = { ...target, subresource: undefined };
  const written = await update(backend, whole, { propose, form: scaleForm(paths) }, options);
  return scaleOf(written.object, paths);
};

/** Assigns a pod to a node, as a scheduler does. Source: BindingREST of kubernetes pkg/registry/core/pod/storage. */
export const bindPod = (
  { storage, clock }: Backend,
  { kind, namespace, name = '' }: RequestTarget,
  body: string,
  contentType: string | undefined,
): JsonObject => {
  const pod = storage.get(kind.store, namespace, name);
  if (pod === undefined) throw notFound(kind, name);
  const node = stringOf(at(decodeBody(body, contentType), 'target', 'name'));
  if (node === '') throw badRequest('target.name: Required value');
  const binding = { group: '', plural: 'pods/binding' };
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(binding, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const assigned = stringOf(pod.spec?.['nodeName']);
  if (assigned !== '') throw conflict(binding, name, `pod ${name} is already assigned to node "${assigned}"`);
  const others = arrayOf(pod.status?.['conditions']).filter((one) => isObject(one) && one['type'] !== 'PodScheduled');
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: timestamp(clock.now()),
  };
  storage.put(kind.store, {
    ...pod,
    spec: { ...pod.spec, nodeName: node },
    status: { ...pod.status, conditions: [...others, scheduled] },
  });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
};
