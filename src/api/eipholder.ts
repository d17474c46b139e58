import type { KubeObject, ObjectMeta, Resource } from '../kube/port.ts';
import { EIP_POLICY } from './eippolicy.ts';

/** How a namespace comes to name an existing EIP; see `existingEips` of the configuration. */
export type ExistingEips = 'any' | 'firstUse' | 'granted';

/**
 * Which namespace an existing EIP belongs to: the one that used it first, or the one that an administrator has written
 * here. Named like the EIP, so that there is one for each, and cluster-scoped, so that nobody in a namespace can give
 * it away or take it. Whoever deletes it lets the EIP go.
 */
export interface EipHolder extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly namespace: string;
  /**
   * When something in the namespace named the EIP last, as far as that is written down; RFC 3339. Absent where an
   * administrator has written the object: then it holds until somebody deletes it.
   */
  readonly lastNamed?: string | undefined;
}

export const EIP_HOLDER: Resource<EipHolder> = {
  group: EIP_POLICY.group,
  version: 'v1alpha1',
  plural: 'eipholders',
  kind: 'EipHolder',
  namespaced: false,
};
