import type { Usage } from '../policies/policy.ts';
import type { Annotations } from './workload.ts';

/** Something in the cluster that names an existing EIP. */
export interface EipClaim {
  readonly allocationId: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The Knative Service that it is, or belongs to: its own pods hand the EIP on to each other. */
  readonly service: string | undefined;
}

/** A Revision, as far as its Service is judged by it. */
export interface RevisionFacts {
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Annotations;
}

/**
 * What is known beside the object and the configuration. What is undefined is not known, and no rule about it speaks.
 */
export interface ClusterFacts {
  /** What the namespace holds already, without what this object and its pods hold. */
  readonly held?: Usage | undefined;
  /** What in the cluster names which existing EIP; the object's own claims may be among them. */
  readonly claims?: readonly EipClaim[] | undefined;
  /** Revisions of the namespace, with the annotations of their pods; those that a Service routes to are among them. */
  readonly revisions?: readonly RevisionFacts[] | undefined;
  /** Other software in the cluster that makes EIPs for the same annotations, by name. */
  readonly otherControllers?: readonly string[] | undefined;
  /** The annotations that the object had before this change; undefined where it is new, or nobody knows. */
  readonly before?: Annotations | undefined;
}

export const NO_FACTS: ClusterFacts = {};
