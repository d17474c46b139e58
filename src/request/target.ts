import {
  ACS_COMPUTE_CLASS,
  ACS_INSTANCE_ID,
  ACS_INSTANCE_PREFIX,
  AFFINITY_INJECTION,
  ECI_INSTANCE_ID,
  NODE_TYPE,
  ON_VIRTUAL_NODE,
  OUR_VIRTUAL_NODE,
  VIRTUAL_KUBELET,
  WANTS_ACS,
  WANTS_ECI,
  WANTS_ECI_LEGACY,
} from '../api/annotations.ts';
import type { Node, Pod, Placement, PodTemplate } from '../api/core.ts';
import { demandsOf, isEcsInstance, kindOf, type NodeKind, toleratesVirtualNodes } from './placement.ts';

/** Who runs a virtual node: the cluster's own add-on (ack-virtual-node), or this product's provider. */
export type Provider = 'add-on' | 'ours';

/** `proved` by what the virtual node or the node itself shows; `inferred` from what was asked for. */
export type Certainty = 'proved' | 'inferred';

/** Where a pod runs, which decides who makes its address. `because` is the end of a sentence, for a person. */
export type Target =
  /** An ECS node. */
  | { readonly on: 'ecs'; readonly certainty: Certainty; readonly because: string }
  /** A virtual node, as an elastic container instance. */
  | { readonly on: 'eci'; readonly by: Provider; readonly certainty: Certainty; readonly because: string }
  /** Container Compute Service: on virtual nodes too, and neither ECS nor ECI. */
  | { readonly on: 'acs'; readonly certainty: Certainty; readonly because: string }
  | { readonly on: 'unknown'; readonly because: string };

type Labels = Readonly<Record<string, string>>;

/**
 * Says where a pod runs. Once it is scheduled only the node proves it: its labels and taints, and the provider ID of an
 * ECS instance. Marks on the pod (annotations, labels) are its author's word, because whoever may edit a pod may write
 * them: they tell ECI from ACS on a node that is virtual, and nothing without one. A pod with such marks on a node that
 * is neither virtual nor shown to be an ECS instance is `unknown`, because either guess could buy a second EIP or show
 * another's.
 *
 * Before a pod is scheduled the answer is inferred as in {@link targetOfTemplate}, and only if the labels of its
 * namespace are given, because they may send it elsewhere; then marks are believed too, because nothing is bought for
 * what is inferred. The add-on's virtual nodes run ECI and ACS alike, so a pod that is bound to one is told apart by
 * its labels, `inferred`, until it carries its instance's ID.
 *
 * Sources: ECI documentation, "Pod annotations" (k8s.aliyun.com/eci-instance-id); ACS documentation of pods with EIPs
 * (alibabacloud.com/instance-id); ACK documentation of virtual nodes.
 *
 * @param provider who runs the virtual nodes of this cluster, where neither node nor pod tell
 */
export const targetOf = (
  pod: Pod,
  node: Node | undefined,
  namespaceLabels?: Labels,
  provider: Provider = 'add-on',
): Target => {
  const kind = pod.spec.nodeName && node ? kindOf(node) : undefined;
  if (kind?.kind === 'ours') return { on: 'eci', by: 'ours', certainty: 'proved', because: kind.because };
  if (kind?.kind === 'ecs' && node) return onMachine(pod, node, kind.because);
  if (!kind && !namespaceLabels) return unproved(pod, namespaceLabels, provider);
  const by = kind ? 'add-on' : pod.spec.nodeSelector?.[OUR_VIRTUAL_NODE] === 'true' ? 'ours' : provider;
  return marked(pod, kind, { by, namespaceLabels }) ?? unproved(pod, namespaceLabels, provider);
};

/** What the marks of a pod say that is on a virtual node, or whose node nobody has seen; undefined without any. */
const marked = (
  pod: Pod,
  kind: NodeKind | undefined,
  { by, namespaceLabels }: { readonly by: Provider; readonly namespaceLabels: Labels | undefined },
): Target | undefined => {
  const { annotations = {}, labels } = pod.metadata;
  const certainty = kind ? 'proved' : 'inferred';
  const acs = [ACS_INSTANCE_ID, ECI_INSTANCE_ID].find((key) => annotations[key]?.startsWith(ACS_INSTANCE_PREFIX));
  if (acs !== undefined) return { on: 'acs', certainty, because: `annotation ${acs}` };
  if (annotations[ECI_INSTANCE_ID]) return { on: 'eci', by, certainty, because: `annotation ${ECI_INSTANCE_ID}` };
  const mark = markOf(pod, kind);
  if (mark === undefined) return undefined;
  const wish = wishOf(labels, namespaceLabels);
  return wish?.for === 'acs'
    ? { on: 'acs', certainty: 'inferred', because: `${mark} and ${wish.because}` }
    : { on: 'eci', by, certainty: 'inferred', because: mark };
};

/** On a node that nothing shows to be virtual. */
const onMachine = (pod: Pod, node: Node, because: string): Target => {
  const { annotations = {}, labels = {} } = pod.metadata;
  const mark =
    [ECI_INSTANCE_ID, ACS_INSTANCE_ID].find((key) => annotations[key]) ??
    (labels[ON_VIRTUAL_NODE] === 'true' ? ON_VIRTUAL_NODE : undefined);
  if (mark === undefined || isEcsInstance(node)) return { on: 'ecs', certainty: 'proved', because };
  return {
    on: 'unknown',
    because: `the pod says by ${mark} that a virtual node runs it, and node ${node.metadata.name} has neither the label ${NODE_TYPE}=${VIRTUAL_KUBELET} of one nor the provider ID of an ECS instance`,
  };
};

/** What says that a virtual node runs the pod, whoever that is. */
const markOf = ({ metadata }: Pod, kind: NodeKind | undefined): string | undefined => {
  if (metadata.labels?.[ON_VIRTUAL_NODE] === 'true') return `label ${ON_VIRTUAL_NODE}`;
  return kind?.kind === 'virtual' ? kind.because : undefined;
};

/** Nothing proves where it runs: it is not scheduled, or its node is not known. */
const unproved = (pod: Pod, namespaceLabels: Labels | undefined, provider: Provider): Target => {
  if (pod.spec.nodeName) return { on: 'unknown', because: `node ${pod.spec.nodeName} is not known yet` };
  return namespaceLabels
    ? targetOfTemplate(pod, namespaceLabels, provider)
    : { on: 'unknown', because: 'the pod is not scheduled' };
};

/**
 * Says where the pods of a template will run, as far as it can be told before they are scheduled; `inferred`, always. A
 * scheduling policy may still send single pods of one Service elsewhere. Annotations are not looked at: those that
 * prove something are written by a virtual node, and in a template they are copies.
 *
 * Labels of the pod win over those of its namespace; contradictions are `unknown`, because no documentation resolves
 * them. Without anything that sends it to a virtual node or lets it in there, a pod goes to an ECS node.
 */
export const targetOfTemplate = (
  template: PodTemplate,
  namespaceLabels: Labels,
  provider: Provider = 'add-on',
): Target => {
  const placement = template.spec ?? {};
  if (placement.nodeName)
    return { on: 'unknown', because: `it names node ${placement.nodeName}, which tells once it is there` };
  const wish = wishOf(template.metadata?.labels, namespaceLabels);
  if (wish?.for === 'both') return { on: 'unknown', because: wish.because };
  const { required, excluded } = strongest(demandsOf(placement));
  const wanted = wish ?? required;
  const isOtherProduct = wish?.for === 'acs' && required?.ours === true;
  const because = isOtherProduct ? bothOf(wish, required) : bothOf(excluded, wanted);
  if (because) return { on: 'unknown', because };
  if (excluded) return { on: 'ecs', certainty: 'inferred', because: excluded.because };
  if (wish?.for === 'acs') return { on: 'acs', certainty: 'inferred', because: wish.because };
  if (!wanted) return undirected(placement);
  const by = required?.ours ? 'ours' : provider;
  return { on: 'eci', by, certainty: 'inferred', because: (required ?? wanted).because };
};

/** What demands a virtual node, ours before others, and what excludes one. */
const strongest = (demands: ReturnType<typeof demandsOf>) => ({
  required: demands.find(({ ours }) => ours) ?? demands.find(({ virtual }) => virtual === 'required'),
  excluded: demands.find(({ virtual }) => virtual === 'excluded'),
});

/** The contradiction between two that are both there. */
const bothOf = (one: { because: string } | undefined, other: { because: string } | undefined): string | undefined =>
  one && other && `${one.because} and ${other.because} contradict each other`;

/** Nothing sends it to a virtual node, or keeps it from one. */
const undirected = (placement: Placement): Target => {
  if (toleratesVirtualNodes(placement))
    return { on: 'unknown', because: 'its tolerations let it onto virtual nodes and do not send it there' };
  return {
    on: 'ecs',
    certainty: 'inferred',
    because: 'nothing sends it to a virtual node, and it does not tolerate their taint',
  };
};

interface Wish {
  readonly for: 'eci' | 'acs' | 'both';
  readonly because: string;
}

/** What the labels ask for. Sources: ACK documentation of virtual nodes; ACS documentation of pods. */
const wishOf = (labels: Labels | undefined, namespaceLabels: Labels | undefined): Wish | undefined =>
  wishOfLabels(labels ?? {}, 'label') ?? wishOfNamespace(labels ?? {}, namespaceLabels ?? {});

const wishOfLabels = (labels: Labels, where: string): Wish | undefined => {
  const eci = [WANTS_ECI, WANTS_ECI_LEGACY].find((key) => labels[key] === 'true');
  const acs =
    labels[WANTS_ACS] === 'true' ? `${WANTS_ACS}=true` : labels[ACS_COMPUTE_CLASS] ? ACS_COMPUTE_CLASS : undefined;
  if (eci !== undefined && acs !== undefined)
    return { for: 'both', because: `${where}s ${eci}=true and ${acs} contradict each other` };
  if (acs !== undefined) return { for: 'acs', because: `${where} ${acs}` };
  return eci === undefined ? undefined : { for: 'eci', because: `${where} ${eci}=true` };
};

const wishOfNamespace = (labels: Labels, namespaceLabels: Labels): Wish | undefined => {
  const wish =
    wishOfLabels(namespaceLabels, 'namespace label') ??
    (namespaceLabels[AFFINITY_INJECTION] === 'enabled'
      ? ({ for: 'eci', because: `namespace label ${AFFINITY_INJECTION}=enabled` } as const)
      : undefined);
  const own = [WANTS_ECI, WANTS_ECI_LEGACY].find((key) => labels[key] !== undefined);
  return wish?.for === 'eci' && own !== undefined
    ? { for: 'both', because: `label ${own}=${labels[own]} and ${wish.because} contradict each other` }
    : wish;
};
