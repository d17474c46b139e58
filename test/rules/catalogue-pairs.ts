import type { RuleSettings } from '../../src/rules/rule.ts';
import type { EipClaim, ClusterFacts } from '../../src/rules/cluster-facts.ts';
import { EXISTING, NEW, pod } from './manifests.ts';

export type Around = Partial<RuleSettings> & { readonly facts?: ClusterFacts };

/** One that has the finding, and the nearest one that has it not. */
export interface Pair {
  readonly say?: string;
  readonly with: object;
  readonly without: object;
  readonly around?: Around;
  /** What is around the one without, where it is not the same. */
  readonly otherwise?: Around;
}

export const K8S = 'k8s.aliyun.com/';

export const NET = 'network.alibabacloud.com/';

export const asks = (annotations: object, more: object = {}) =>
  pod({ annotations: { ...NEW, ...annotations }, ...more });

export const names = (annotations: object, more: object = {}) =>
  pod({ annotations: { ...EXISTING, ...annotations }, ...more });

export const claim = (changes: Partial<EipClaim>): ClusterFacts => ({
  claims: [
    { allocationId: 'eip-bp1', kind: 'Service', namespace: 'default', name: 'other', service: 'other', ...changes },
  ],
});
