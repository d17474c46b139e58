import { ECI_INSTANCE_ID, ON_VIRTUAL_NODE, OUR_VIRTUAL_NODE } from '../api/annotations.ts';
import type { Node, Pod, PodSpec } from '../api/core.ts';

/** Where a pod runs, which decides who makes its address; and how that is known. */
export type Target =
  /** An ECS node: this controller allocates. */
  | { readonly on: 'ecs'; readonly because: string }
  /** An Elastic Container Instance: on a virtual node of the cluster's own add-on, or on ours. */
  | { readonly on: 'eci'; readonly by: 'add-on' | 'ours'; readonly because: string }
  /** Alibaba Cloud Container Compute Service: shares virtual nodes with ECI, and has network interfaces of its own. */
  | { readonly on: 'acs'; readonly because: string }
  | { readonly on: 'unknown'; readonly because: string };

type Labels = Readonly<Record<string, string>> | undefined;

/** What there is of a pod before it is one: the pod template of a Knative Service, a Deployment or a StatefulSet. */
export interface Template {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels } | undefined;
  readonly spec?: PodSpec | undefined;
}

/** On pods, and on namespaces for all their pods. Source: ACK documentation, "Schedule pods to elastic container instances". */
const ECI = 'alibabacloud.com/eci';
/** Its older form. */
const LEGACY_ECI = 'eci';
/** Source: ACK documentation, "Use ACS computing power in ACK clusters". */
const ACS = 'alibabacloud.com/acs';
const COMPUTE_CLASS = 'alibabacloud.com/compute-class';
/** Written on ACS pods: `acs-…`. */
const INSTANCE_ID = 'alibabacloud.com/instance-id';
/** On namespaces. Source: ACK documentation, "Deploy the virtual node controller". */
const AFFINITY_INJECTION = 'virtual-node-affinity-injection';
const NODE_TYPE = 'type';
const VIRTUAL_KUBELET = 'virtual-kubelet';
/** Label and taint of self-managed virtual nodes. */
const VNODE = 'k8s.aliyun.com/vnode';
/** Taint of virtual nodes. */
const PROVIDER_TAINT = 'virtual-kubelet.io/provider';

/** Why the pod is one of ACS, as its labels and annotations say. */
const acsBecause = (labels: Labels, annotations: Labels): string | undefined => {
  if (annotations?.[INSTANCE_ID]?.startsWith('acs-')) return `annotation ${INSTANCE_ID}`;
  if (labels?.[ACS] === 'true') return `label ${ACS}=true`;
  return labels?.[COMPUTE_CLASS] === undefined ? undefined : `label ${COMPUTE_CLASS}`;
};

/** Why the node is a virtual one. */
const virtualBecause = ({ metadata: { labels = {} }, spec }: Node): string | undefined => {
  if (labels[NODE_TYPE] === VIRTUAL_KUBELET) return `node label ${NODE_TYPE}=${VIRTUAL_KUBELET}`;
  if (labels[VNODE] === 'true') return `node label ${VNODE}=true`;
  return spec?.taints?.some(({ key }) => key === PROVIDER_TAINT) ? `node taint ${PROVIDER_TAINT}` : undefined;
};

const isOurs = (node: Node | undefined): boolean => node?.metadata.labels?.[OUR_VIRTUAL_NODE] === 'true';

/**
 * Says where a pod runs, from what is proved and not from what was asked for: the marks that a virtual node leaves on the
 * pod, and the labels and taints of the node that the pod is bound to.
 */
export const targetOf = ({ metadata: { labels, annotations }, spec }: Pod, node: Node | undefined): Target => {
  const by = isOurs(node) ? 'ours' : 'add-on';
  if (annotations?.[ECI_INSTANCE_ID]) return { on: 'eci', by, because: `annotation ${ECI_INSTANCE_ID}` };
  if (!spec.nodeName) return { on: 'unknown', because: 'the pod is not scheduled' };
  if (node && isOurs(node)) return { on: 'eci', by, because: `node label ${OUR_VIRTUAL_NODE}=true` };
  const marked = labels?.[ON_VIRTUAL_NODE] === 'true' ? `label ${ON_VIRTUAL_NODE}` : undefined;
  if (!node && marked === undefined) return { on: 'unknown', because: `node ${spec.nodeName} is not known yet` };
  const because = marked ?? (node && virtualBecause(node));
  if (because === undefined) return { on: 'ecs', because: `node ${spec.nodeName} is no virtual node` };
  const acs = acsBecause(labels, annotations);
  return acs === undefined ? { on: 'eci', by, because } : { on: 'acs', because: acs };
};

/** The values that a required node affinity allows for the node's type; undefined where it says nothing of it. */
const affinityFor = (spec: PodSpec | undefined): 'virtual' | 'real' | undefined => {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const verdicts = terms.map(({ matchExpressions = [] }) => {
    const about = matchExpressions.filter(({ key }) => key === NODE_TYPE);
    if (about.some(({ operator, values = [] }) => operator === 'In' && values.every((it) => it === VIRTUAL_KUBELET)))
      return 'virtual';
    return about.some(({ operator, values = [] }) => operator === 'NotIn' && values.includes(VIRTUAL_KUBELET))
      ? 'real'
      : undefined;
  });
  // One of the terms suffices for the scheduler: only where all say the same is anything known.
  const [first] = verdicts;
  return verdicts.every((it) => it === first) ? first : undefined;
};

const eci = (because: string): Target => ({ on: 'eci', by: 'add-on', because });

/**
 * Says where the pods of a template are going to run, as far as it can be inferred: from labels, selectors and affinity of
 * the template, and the labels of its namespace. `unknown` where nothing is said: a resource policy, or a cluster with
 * nothing but virtual nodes, may put them anywhere. A toleration alone puts a pod nowhere.
 */
export const expectedTarget = ({ metadata, spec }: Template, namespaceLabels?: Labels): Target => {
  const labels = metadata?.labels;
  const acs = acsBecause(labels, metadata?.annotations);
  if (acs !== undefined) return { on: 'acs', because: acs };
  for (const key of [ECI, LEGACY_ECI]) {
    if (labels?.[key] === 'true') return eci(`label ${key}=true`);
    if (labels?.[key] === 'false') return { on: 'ecs', because: `label ${key}=false` };
  }
  if (spec?.nodeSelector?.[NODE_TYPE] === VIRTUAL_KUBELET) return eci(`nodeSelector ${NODE_TYPE}=${VIRTUAL_KUBELET}`);
  if (spec?.nodeSelector?.[VNODE] === 'true') return eci(`nodeSelector ${VNODE}=true`);
  const affinity = affinityFor(spec);
  if (affinity === 'virtual') return eci(`node affinity for ${NODE_TYPE}=${VIRTUAL_KUBELET}`);
  if (affinity === 'real') return { on: 'ecs', because: `node affinity against ${NODE_TYPE}=${VIRTUAL_KUBELET}` };
  for (const key of [ECI, LEGACY_ECI])
    if (namespaceLabels?.[key] === 'true') return eci(`label ${key}=true of the namespace`);
  if (namespaceLabels?.[AFFINITY_INJECTION] === 'enabled') return eci(`label ${AFFINITY_INJECTION} of the namespace`);
  return { on: 'unknown', because: 'neither labels nor selectors say which kind of node' };
};
