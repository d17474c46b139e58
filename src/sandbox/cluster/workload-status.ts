import { isDeepStrictEqual } from 'node:util';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';

interface WithStatus extends KubeObject {
  readonly status?: object | undefined;
}

/** Writes what a controller of Kubernetes says of an object, where that is not said yet. */
export const writeWorkloadStatus = async <T extends WithStatus>(
  kube: Kube,
  resource: Resource<T>,
  object: T,
  status: object,
): Promise<void> => {
  if (isDeepStrictEqual({ ...object.status, ...status }, { ...object.status })) return;
  const { namespace, name, uid } = object.metadata;
  await kube.patch(
    resource,
    { namespace, name },
    { type: 'merge', subresource: 'status', body: { metadata: { uid }, status } },
  );
};
