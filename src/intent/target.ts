import { ECI_INSTANCE_ID, ON_VIRTUAL_NODE } from '../api/annotations.ts';
import type { Node, Pod } from '../api/core.ts';

/** Where a pod runs, which decides who makes its address. */
export type Target =
  /** An ECS node: this controller allocates. */
  | { readonly on: 'ecs' }
  /** A virtual node: the virtual node's own add-on creates the address with the instance. */
  | { readonly on: 'virtual-node'; readonly because: string }
  | { readonly on: 'unknown'; readonly because: string };

/**
 * Says where a pod runs, from what is proved and not from what was asked for: the virtual node's own marks on the pod,
 * and the labels of the node that the pod is bound to.
 * Sources: ECI documentation, "Pod annotations" (k8s.aliyun.com/eci-instance-id) and virtual node labels
 * (`type=virtual-kubelet`, self-managed VNode `k8s.aliyun.com/vnode`).
 */
export const targetOf = (pod: Pod, node: Node | undefined): Target => {
  if (pod.metadata.annotations?.[ECI_INSTANCE_ID])
    return { on: 'virtual-node', because: `annotation ${ECI_INSTANCE_ID}` };
  if (pod.metadata.labels?.[ON_VIRTUAL_NODE] === 'true')
    return { on: 'virtual-node', because: `label ${ON_VIRTUAL_NODE}` };
  if (!pod.spec.nodeName) return { on: 'unknown', because: 'the pod is not scheduled' };
  if (!node) return { on: 'unknown', because: `node ${pod.spec.nodeName} is not known yet` };
  const labels = node.metadata.labels ?? {};
  if (labels['type'] === 'virtual-kubelet') return { on: 'virtual-node', because: 'node label type=virtual-kubelet' };
  if (labels['k8s.aliyun.com/vnode'] === 'true')
    return { on: 'virtual-node', because: 'node label k8s.aliyun.com/vnode=true' };
  return { on: 'ecs' };
};
