import { KubeFault } from './fault.ts';
import type { Kube, KubeObject, Patch, Resource } from './port.ts';

/**
 * Takes a finalizer off, and nothing else: the patch tests that the object has the same UID and that the entry it
 * removes is this finalizer. Resolves also where the object or its finalizer is gone already. A test that fails is a
 * fault of kind `conflict`: read the object again.
 */
export const removeFinalizer = async <T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  object: T,
  finalizer: string,
): Promise<void> => {
  const index = object.metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (index < 0) return;
  const path = `/metadata/finalizers/${index}`;
  const body = [
    { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
    { op: 'test', path, value: finalizer },
    { op: 'remove', path },
  ];
  try {
    await kube.patch(resource, object.metadata, { type: 'json', body });
  } catch (error) {
    if (!(error instanceof KubeFault)) throw error;
    if (error.kind === 'notFound') return;
    // The API server answers 422 to a test that fails, in the same words as to any patch that it cannot apply.
    throw error.kind === 'invalid' ? asConflict(error, resource, object) : error;
  }
};

/** Fields of the object, and the subresource that they are written through, if any. */
interface ConditionalChange extends Pick<Patch, 'subresource'> {
  readonly metadata?: object;
  readonly [field: string]: unknown;
}

/**
 * Merge patch that goes through only if nobody has written the object since it was read: a fault of kind `conflict`
 * otherwise. A merge patch replaces lists as a whole (RFC 7386), hence the precondition.
 */
export const patchUnchanged = async <T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  object: T,
  { subresource, ...change }: ConditionalChange,
): Promise<T> => {
  const { uid, resourceVersion } = object.metadata;
  const body = { ...change, metadata: { ...change.metadata, uid, resourceVersion } };
  try {
    return await kube.patch(resource, object.metadata, { type: 'merge', body, subresource });
  } catch (error) {
    // Under another UID the same name is another object, which the API server calls an invalid change of the UID.
    const recreated = error instanceof KubeFault && error.kind === 'invalid' && error.message.includes('metadata.uid');
    throw recreated ? asConflict(error, resource, object) : error;
  }
};

const asConflict = (fault: KubeFault, { kind }: Resource<KubeObject>, { metadata }: KubeObject) =>
  new KubeFault({
    kind: 'conflict',
    message: `${kind} ${metadata.name} is no longer the one that was read (${fault.message}).`,
    status: fault.status,
    reason: fault.reason,
  });
