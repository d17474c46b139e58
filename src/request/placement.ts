import {
  NODE_TYPE,
  OUR_VIRTUAL_NODE,
  VIRTUAL_KUBELET,
  VIRTUAL_NODE_TAINT,
  VIRTUAL_NODE_TAINT_VALUE,
  VNODE,
} from '../api/annotations.ts';
import type { Node, NodeSelectorTerm, Placement, Taint, Toleration } from '../api/core.ts';

/** What the labels and taints of a node say about it. */
export type NodeKind =
  | { readonly kind: 'ours'; readonly because: string }
  | { readonly kind: 'virtual'; readonly because: string }
  | { readonly kind: 'ecs'; readonly because: string };

/**
 * Whether a node is virtual, and whether this product runs it. Source: ACK documentation of virtual nodes: label
 * `type=virtual-kubelet`, taint `virtual-kubelet.io/provider`; self-managed VNode: label and taint
 * `k8s.aliyun.com/vnode`.
 */
export const kindOf = (node: Node): NodeKind => {
  const labels = node.metadata.labels ?? {};
  if (labels[OUR_VIRTUAL_NODE] === 'true') return { kind: 'ours', because: `node label ${OUR_VIRTUAL_NODE}=true` };
  if (labels[NODE_TYPE] === VIRTUAL_KUBELET)
    return { kind: 'virtual', because: `node label ${NODE_TYPE}=${VIRTUAL_KUBELET}` };
  if (labels[VNODE] === 'true') return { kind: 'virtual', because: `node label ${VNODE}=true` };
  const taint = node.spec?.taints?.find(({ key }) => key === VIRTUAL_NODE_TAINT || key === VNODE);
  if (taint) return { kind: 'virtual', because: `node taint ${taint.key}` };
  return { kind: 'ecs', because: `node ${node.metadata.name} is not virtual` };
};

/**
 * Whether the cloud-controller-manager has written on the node that an ECS instance is behind it: `REGION.i-…`. Nobody
 * who may only write pods may write nodes.
 */
export const isEcsInstance = ({ spec }: Node): boolean =>
  /^(?:alicloud:\/\/)?[a-z0-9-]{1,60}\.i-[a-z0-9-]{1,60}$/i.test((spec?.providerID ?? '').slice(0, LONGEST_ID));

/** Longer than any provider ID, characters. */
const LONGEST_ID = 256;

/** What selectors and affinity say: only virtual nodes will do, only those of ours, none of them, or nothing. */
interface Demand {
  readonly virtual: 'required' | 'excluded' | 'open';
  /** Only nodes of our own provider will do. */
  readonly ours: boolean;
  readonly because: string;
}

const OPEN: Demand = { virtual: 'open', ours: false, because: '' };

const selected = (selector: Readonly<Record<string, string>>): Demand[] => {
  const demands: Demand[] = [];
  if (selector[OUR_VIRTUAL_NODE] === 'true')
    demands.push({ virtual: 'required', ours: true, because: `nodeSelector ${OUR_VIRTUAL_NODE}=true` });
  if (selector[VNODE] === 'true')
    demands.push({ virtual: 'required', ours: false, because: `nodeSelector ${VNODE}=true` });
  const type = selector[NODE_TYPE];
  if (type !== undefined)
    demands.push({
      virtual: type === VIRTUAL_KUBELET ? 'required' : 'excluded',
      ours: false,
      because: `nodeSelector ${NODE_TYPE}=${type}`,
    });
  return demands;
};

/** One term, all of whose expressions must hold. */
const ofTerm = ({ matchExpressions = [] }: NodeSelectorTerm): Demand => {
  const demands = matchExpressions.map(({ key, operator, values = [] }): Demand => {
    const because = `node affinity ${key} ${operator}${values.length > 0 ? ` ${values.join(', ')}` : ''}`;
    if (key === NODE_TYPE) {
      const isOnly = operator === 'In' && values.length > 0;
      if (isOnly && values.every((value) => value === VIRTUAL_KUBELET))
        return { virtual: 'required', ours: false, because };
      const isExcluded =
        (isOnly && !values.includes(VIRTUAL_KUBELET)) ||
        (operator === 'NotIn' && values.includes(VIRTUAL_KUBELET)) ||
        operator === 'DoesNotExist';
      return isExcluded ? { virtual: 'excluded', ours: false, because } : OPEN;
    }
    if (key !== VNODE && key !== OUR_VIRTUAL_NODE) return OPEN;
    const isDemanded =
      operator === 'Exists' || (operator === 'In' && values.length > 0 && values.every((value) => value === 'true'));
    return isDemanded ? { virtual: 'required', ours: key === OUR_VIRTUAL_NODE, because } : OPEN;
  });
  return demands.find(({ ours }) => ours) ?? demands.find(({ virtual }) => virtual !== 'open') ?? OPEN;
};

/** One of the terms must hold; a term without expressions holds nowhere (Kubernetes API, NodeSelectorTerm). */
const afforded = (placement: Placement): Demand => {
  const required = placement.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const demands = (required?.nodeSelectorTerms ?? [])
    .filter((term) => (term.matchExpressions?.length ?? 0) + (term.matchFields?.length ?? 0) > 0)
    .map(ofTerm);
  const [first] = demands;
  if (!first || demands.some(({ virtual }) => virtual !== first.virtual)) return OPEN;
  return { ...first, ours: demands.every(({ ours }) => ours) };
};

/** All that demands something of the node; two of them may contradict each other. Preferences demand nothing. */
export const demandsOf = (placement: Placement): readonly Demand[] =>
  [...selected(placement.nodeSelector ?? {}), afforded(placement)].filter(({ virtual }) => virtual !== 'open');

const TAINTS: readonly Taint[] = [
  { key: VIRTUAL_NODE_TAINT, value: VIRTUAL_NODE_TAINT_VALUE, effect: 'NoSchedule' },
  { key: VNODE, value: 'true', effect: 'NoSchedule' },
];

/** Source: kubernetes/kubernetes, staging/src/k8s.io/api/core/v1/toleration.go, ToleratesTaint. */
const tolerates = ({ key = '', operator = '', value = '', effect = '' }: Toleration, taint: Taint): boolean => {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return (operator === '' || operator === 'Equal') && value === (taint.value ?? '') && key !== '';
};

/** Whether a virtual node's taint would let the pod in. It sends no pod there. */
export const toleratesVirtualNodes = ({ tolerations = [] }: Placement): boolean =>
  TAINTS.some((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
