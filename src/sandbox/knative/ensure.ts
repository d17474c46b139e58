import { isDeepStrictEqual } from 'node:util';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';
import type { Wanted } from './chain.ts';

/**
 * The object as it is in the API, created where it was not. Undefined where one of that name has another owner: what a
 * Service of the same name left behind is not taken over, the garbage collector removes it.
 */
export const ensure = async <T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  wanted: Wanted<unknown>,
): Promise<T | undefined> => {
  const object = (await kube.get(resource, wanted.metadata)) ?? (await created(kube, resource, wanted));
  const owners = new Set(wanted.metadata.ownerReferences.map(({ uid }) => uid));
  return object?.metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) ? object : undefined;
};

const created = async <T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  wanted: Wanted<unknown>,
): Promise<T | undefined> => {
  try {
    return await kube.create(resource, wanted);
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'exists') return kube.get(resource, wanted.metadata);
    throw error;
  }
};

/** Replaces labels, annotations and spec by what is wanted. What others wrote goes. */
export const clobber = async <T extends KubeObject & { readonly spec: unknown }>(
  kube: Kube,
  resource: Resource<T>,
  have: T,
  { metadata: { labels, annotations }, spec }: Pick<Wanted<unknown>, 'metadata' | 'spec'>,
): Promise<T> => {
  const is = [have.metadata.labels ?? {}, have.metadata.annotations ?? {}, have.spec];
  if (isDeepStrictEqual(is, [labels, annotations, spec])) return have;
  return kube.replace(resource, have.metadata, { ...have, metadata: { ...have.metadata, labels, annotations }, spec });
};
