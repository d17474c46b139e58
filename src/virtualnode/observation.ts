import type { PodEip } from '../api/podeip.ts';
import type { ContainerGroup, ContainerGroupSpec } from '../cloud/container-groups.ts';
import type { Eip } from '../cloud/port.ts';
import type { ObservedPolicy, Settings } from '../controllers/podeip/observation.ts';
import type { References } from './references.ts';
import type { Failure } from './instance-status.ts';
import type { NodeSettings } from './translate/input.ts';
import type { WorkloadPod } from './workload-pod.ts';

/**
 * Everything that the decision about one pod knows. What has not been looked at is undefined; what is not there is
 * null.
 */
export interface ObservedPod {
  /** From a quorum read; bound to this node. */
  readonly pod: WorkloadPod;
  /** The group that runs the pod. */
  readonly group: ContainerGroup | null | undefined;
  /** Further groups with the tags of this pod. There should be none. */
  readonly surplus: readonly ContainerGroup[];
  readonly podEip: PodEip | null | undefined;
  /** The EIP that was looked for last. */
  readonly eip: Eip | null | undefined;
  readonly references: References | undefined;
  /** The policy of the pod's namespace. */
  readonly policy?: ObservedPolicy | undefined;
  readonly memory: TrackedPod;
  /** Wall time, milliseconds. */
  readonly now: number;
}

/**
 * What this process remembers of a pod. All of it may be lost at any time: a process that remembers nothing waits as if
 * the last request had just been sent.
 */
export interface TrackedPod {
  /**
   * Since a request was last sent for this pod that may have made a group, or since this process first saw the pod;
   * Infinity where it saw the pod come and sent none. Milliseconds.
   */
  readonly quietMs: number;
  /** The group that CreateContainerGroup answered with. */
  readonly createdId?: string | undefined;
  /** The request that got no answer; it is sent again as it was. */
  readonly unanswered?: ContainerGroupSpec | undefined;
  /** A group of the pod was listed once. */
  readonly wasListed: boolean;
  /** How long, without a break, none has been listed; 0 if one is. */
  readonly missingMs: number;
  /** The deletion that the cloud accepted last, or to which it answered that there is no such group. */
  readonly deletion?: { readonly containerGroupId: string; readonly agoMs: number } | undefined;
  /** Why nothing could be made, until the next attempt. */
  readonly refusal?: (Failure & { readonly dueInMs: number }) | undefined;
  /** The pod's object was asked to go. */
  readonly isFinished: boolean;
}

/**
 * What the decision is told once and for all. What a pod asks for is read as the PodEIP controller reads it: two
 * readings would buy two EIPs.
 */
export interface DecideSettings extends Pick<
  Settings,
  'defaults' | 'statefulKinds' | 'enableVirtualNode' | 'region' | 'existingEips' | 'existingEipNamespaces'
> {
  readonly nodeName: string;
  readonly node: NodeSettings;
  /** After this long a request that got no answer can no longer take effect, and a reading shows it; milliseconds. */
  readonly settleMs: number;
  /** After this long without a break, a group that this process never saw does not exist; milliseconds. */
  readonly missingMs: number;
  /** How long a Describe may lag; milliseconds. */
  readonly readLagMs: number;
}
