import type { Node, NodeSelectorTerm, Placement, Pod, Toleration } from '../../src/api/core.ts';
import type { Target } from '../../src/request/target.ts';

export type Labels = Readonly<Record<string, string>>;

export const OURS = { 'podeip-controller.alibabacloud.com/virtual-node': 'true' };

export const VIRTUAL = { type: 'virtual-kubelet' };

export const TAINT = 'virtual-kubelet.io/provider';

export const pod = (
  spec: Placement,
  { labels, annotations }: { labels?: Labels | undefined; annotations?: Labels } = {},
): Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: '1', labels, annotations },
  spec,
});

export const node = (labels: Labels, taint?: string): Node => ({
  metadata: { name: 'n1', uid: 'n1', resourceVersion: '1', labels },
  spec: taint === undefined ? {} : { taints: [{ key: taint, value: 'alibabacloud', effect: 'NoSchedule' }] },
});

/** A node on which the cloud-controller-manager has written which ECS instance it is. */
export const instance = (providerID: string): Node => ({ ...node({ type: 'gpu' }), spec: { providerID } });

export const affinity = (...nodeSelectorTerms: NodeSelectorTerm[]): Placement => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});

export const term = (key: string, operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchExpressions: [{ key, operator, values }],
});

export const tolerating = (...tolerations: Toleration[]): Placement => ({ tolerations });

/** A target in short: where, who runs it, how sure. */
export const brief = (target: Target): string =>
  [target.on, ...('by' in target ? [target.by] : []), ...('certainty' in target ? [target.certainty] : [])].join(' ');
