import type { Kube } from '../kube/port.ts';
import { WORKLOAD_POD } from './workload-pod.ts';

/**
 * A client with the identity of a node. Of a pod that is gone the Node authorizer knows no more that it was the node's,
 * and answers 403 instead of 404: so a pod is looked for by name among those of the node, which is allowed whether
 * there is one or not (KEP-4601), and is a quorum read of one object as well.
 */
export const nodeScoped = (kube: Kube, nodeName: string): Kube => ({
  ...kube,
  get: async (resource, ref, signal) => {
    if (resource.group !== WORKLOAD_POD.group || resource.plural !== WORKLOAD_POD.plural)
      return kube.get(resource, ref, signal);
    const fieldSelector = `metadata.name=${ref.name},spec.nodeName=${nodeName}`;
    const [found] = await kube.list(resource, { namespace: ref.namespace, fieldSelector }, signal);
    return found;
  },
});
