import { KubeFault } from './fault.ts';
import type { KubeObject, Resource } from './port.ts';

/** What stands behind the resource in the path. */
interface ResourcePath {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `v1`, `alibabacloud.com/v1beta1`. */
export const apiVersionOf = ({ group, version }: Resource<KubeObject>): string =>
  group === '' ? version : `${group}/${version}`;

/** Path of a collection, over all namespaces where none is named, with its query. */
export const collectionPath = (resource: Resource<KubeObject>, place: ResourcePath, query: Query = {}): string => {
  const path = [resource.group === '' ? '/api' : '/apis', apiVersionOf(resource)];
  if (place.namespace !== undefined) {
    if (!resource.namespaced) throw unaddressable(resource, `it has no namespaces, but ${place.namespace} was given`);
    path.push('namespaces', segment(resource, 'namespace', place.namespace));
  }
  path.push(resource.plural);
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
  return search.size === 0 ? path.join('/') : `${path.join('/')}?${search.toString()}`;
};

/**
 * Path of one object. A name that is missing is a fault rather than a shorter path: the shorter path is the collection,
 * and DELETE on it deletes everything in it.
 */
export const objectPath = (resource: Resource<KubeObject>, place: ResourcePath): string => {
  if (resource.namespaced && place.namespace === undefined) throw unaddressable(resource, 'its namespace is missing');
  const path = `${collectionPath(resource, place)}/${segment(resource, 'name', place.name ?? '')}`;
  return place.subresource === undefined ? path : `${path}/${place.subresource}`;
};

const segment = (resource: Resource<KubeObject>, what: string, value: string): string => {
  if (value === '' || value === '.' || value === '..' || value.includes('/'))
    throw unaddressable(resource, `${JSON.stringify(value)} is no ${what}`);
  return encodeURIComponent(value);
};

const unaddressable = (resource: Resource<KubeObject>, why: string) =>
  new KubeFault({ kind: 'invalid', message: `A ${resource.kind} cannot be addressed: ${why}.` });
