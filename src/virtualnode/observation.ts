import type { PodEip } from '../api/podeip.ts';
import type { ContainerGroup, ContainerGroupSpec } from '../cloud/container-groups.ts';
import type { Eip } from '../cloud/port.ts';
import type { ObservedPolicy, Settings } from '../controllers/podeip/observation.ts';
import type { References } from './references.ts';
import type { StatusFailure } from './instance-status.ts';
import type { NodeSettings } from './translate/input.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** The input of the decision about one pod. What has not been read is undefined; what does not exist is null. */
export interface ObservedPod {
  /** From a quorum read; bound to this node. */
  readonly pod: WorkloadPod;
  /** The group that runs the pod. */
  readonly group: ContainerGroup | null | undefined;
  /** How long this process has known that the group has ended, if it has; milliseconds. */
  readonly endedMs?: number | undefined;
  /** Further groups with the tags of this pod. There should be none. */
  readonly surplus: readonly ContainerGroup[];
  readonly podEip: PodEip | null | undefined;
  /** The EIP that was read last. */
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
  /** This process saw the pod come and has never sent a request for it. @default false */
  readonly isNew?: boolean | undefined;
  /** The group that CreateContainerGroup answered with. */
  readonly createdId?: string | undefined;
  /** The request that got no answer; it is sent again as it was. */
  readonly unanswered?: ContainerGroupSpec | undefined;
  /** How often the cloud has refused a token with which a group was to be created. */
  readonly tokenRefusals?: { readonly clientToken: string; readonly times: number } | undefined;
  /** What this process has written of the pod's turn at a claim; undefined for nothing, or where nobody answered. */
  readonly claimTurn?: string | undefined;
  /**
   * How long, without a break, something that the pod refers to has been forbidden to the node, or in use by another
   * pod; milliseconds. @default 0
   */
  readonly keptMs?: number | undefined;
  /** A group of the pod was listed once. */
  readonly wasListed: boolean;
  /** How long, without a break, none has been listed; 0 if one is. */
  readonly missingMs: number;
  /**
   * The only group that this process has ever known of the pod, and for how long, when the account was asked last;
   * undefined for none, or several.
   */
  readonly sole?: { readonly containerGroupId: string; readonly agoMs: number } | undefined;
  /** The deletion that the cloud accepted last, or to which it answered that there is no such group. */
  readonly deletion?: { readonly containerGroupId: string; readonly agoMs: number } | undefined;
  /** The address whose EIP is looked up; undefined where none is. */
  readonly addressLook?: AddressLook | undefined;
  /** Why nothing could be made, until the next attempt. */
  readonly refusal?:
    | (StatusFailure & {
        readonly dueInMs: number;
        /** An EIP was bought for the instance before, and is given back when the pod fails. @default false */
        readonly isEipBought?: boolean | undefined;
        /** The code, where a spot instance was asked for and there is none. See spot-fallback.ts. */
        readonly withoutSpot?: string | undefined;
      })
    | undefined;
  /** The same for another pod of the controller, which failed for it; see OwnerPauses. */
  readonly ownerRefusal?: (StatusFailure & { readonly dueInMs: number }) | undefined;
  /** For how long nothing is asked for, because the cloud is busy. @default 0 */
  readonly pauseMs?: number | undefined;
  /** When the status was put right last, if the one before it had the same cause; see `causeOf`. */
  readonly healed?: { readonly cause: string; readonly agoMs: number } | undefined;
  /** The deletion of the object of the pod was requested. */
  readonly isFinished: boolean;
}

/** The state of the look-up of an address. */
export interface AddressLook {
  readonly ipAddress: string;
  /** How often it was looked up, alone or together with others. */
  readonly looks: number;
  /** Since the last time; milliseconds. */
  readonly agoMs: number;
  /** An EIP was found in a call for others, and has not been read yet. */
  readonly isFound: boolean;
}

/**
 * The settings of the decision. What a pod asks for is parsed exactly as the PodEIP controller does it: two
 * interpretations would buy two EIPs.
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
  /** How long the tokens of pods may live at most; seconds. */
  readonly tokenSeconds: number;
}
