import type { EipUsage } from '../../api/eippolicy.ts';
import type { Namespace, Node, Pod } from '../../api/core.ts';
import type { KnativeService } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip, NetworkInterface } from '../../cloud/port.ts';
import type { EipDefaults } from '../../request/request.ts';
import type { Reason } from '../../api/reason.ts';
import type { EffectivePolicy } from '../../request/policy.ts';
import type { Action } from './step.ts';

/** Everything that the decision knows. What has not been looked at is undefined; what is not there is null. */
export interface ObservedState {
  /** From a quorum read. */
  readonly pod: Pod | null;
  /** From the cache: a node's labels do not change under a running pod. */
  readonly node: Node | null;
  /** From a quorum read. */
  readonly podEip: PodEip | null;
  /** The EIP that the last `ReadEip` asked for. */
  readonly eip?: Eip | null | undefined;
  /** Every EIP whose tags name this cluster and this PodEIP. */
  readonly tagged?: readonly Eip[] | undefined;
  /** The network interfaces of the VPC that hold the pod's address. */
  readonly interfaces?: readonly NetworkInterface[] | undefined;
  /** The namespace of the PodEIP. */
  readonly namespace?: Namespace | null | undefined;
  /** The other PodEIPs that hold the same EIP, whatever their namespace. */
  readonly competitors?: readonly CompetingClaim[] | undefined;
  /** PodEIPs of the same Knative Service whose EIPs are kept for the next pod with the same request. */
  readonly reusable?: readonly PodEip[] | undefined;
  /** The Knative Service of the PodEIP's pod; null where it is going or gone. 'unreadable': nobody may say. */
  readonly service?: KnativeService | 'unreadable' | null | undefined;
  /** The PodEIP that the EIP of this one goes to. */
  readonly successor?: PodEip | null | undefined;
  /** The policy of the namespace; undefined where there are none at all. */
  readonly policy?: ObservedPolicy | undefined;
  /** How much the namespace holds. */
  readonly quota?: QuotaUsage | undefined;
  /** By UID of PodEIPs that are gone and have a place: whether their EIP is gone too. */
  readonly reclaimable?: ReadonlyMap<string, boolean> | undefined;
  /** Other controllers in the cluster that make EIPs for the same annotations, by name. @default none */
  readonly otherControllers?: readonly string[] | undefined;
  readonly memory: TrackedState;
  /** Wall time, milliseconds: for strategies that count days and survive a restart. Deadlines use the memory's. */
  readonly now: number;
}

/** The policy of the namespace at hand. */
export interface ObservedPolicy {
  readonly effective: EffectivePolicy;
  /**
   * Whether it is from a quorum read of this pass, and not from the cache. Nothing is bought or won on the cache's
   * word.
   */
  readonly isFresh: boolean;
}

/**
 * How much a namespace holds. The usage was read first and the PodEIPs after it: a place whose PodEIP is not among them
 * was taken by one that is gone, not by one that is new.
 */
export interface QuotaUsage {
  /** Null where nobody has taken a place yet. */
  readonly usage: EipUsage | null;
  /** All of the namespace, from a quorum read. */
  readonly podEips: readonly PodEip[];
}

/** Another PodEIP that holds the EIP. */
export interface CompetingClaim {
  readonly podEip: PodEip;
  /** Its pod, if it is one of the same Knative Service; null where there is none, or none was looked for. */
  readonly pod: Pod | null;
}

/**
 * What this process remembers of a PodEIP. All of it may be lost at any time; losing it costs time, never an address:
 * a process that remembers nothing waits as if the last request had just been sent.
 */
export interface TrackedState {
  /** Since this process last sent a change to the cloud for this PodEIP, or first saw it; monotonic milliseconds. */
  readonly quietMs: number;
  /**
   * This process made the PodEIP itself and every change that it sent to the cloud for it was answered: nothing that
   * nobody knows of can still take effect.
   */
  readonly isCertain: boolean;
  /** This process has created the PodEIP and has sent nothing for it yet. @default false */
  readonly isUntouched?: boolean | undefined;
  /** How long, without a break, the cloud has shown something else than what the pod was told; 0 if it has not. */
  readonly driftMs: number;
  /** How long, without a break, the EIP has not been listed; 0 if it is, or was not looked at. */
  readonly missingMs: number;
  /** For how long this process has seen the PodEIP without a pod, without a break; 0 if it has one. */
  readonly retainedMs: number;
  /** The change that the cloud accepted last. */
  readonly accepted?: Action['do'] | undefined;
  /** The cloud accepted the release of this allocation ID, or said that it does not exist. */
  readonly released?: string | undefined;
  /** The cloud refused the last change, and it is not tried again before `dueInMs`. */
  readonly refusal?: RefusedChange | undefined;
}

/** A change that the cloud refused: it is certain that nothing happened. */
interface RefusedChange {
  readonly action: Action['do'];
  readonly reason: Reason;
  readonly message: string;
  /** Until the next attempt, milliseconds; 0 once it is due. */
  readonly dueInMs: number;
}

/** What the decision is told once and for all. */
export interface Settings {
  /** UID of the namespace kube-system: names the cluster even when two have the same configured ID. */
  readonly clusterUid: string;
  readonly defaults: EipDefaults;
  /** Of the namespace at hand; see `underPolicy`. @default nothing is restricted */
  readonly policy?: EffectivePolicy | undefined;
  /** The region of the cluster, which decides on line types; undefined where it is not known. */
  readonly region?: string | undefined;
  /** `any`: a namespace may name any free EIP. `granted`: only what the operator grants. */
  readonly existingEips: 'any' | 'granted';
  /** With `granted`: namespaces that may name any free EIP. */
  readonly existingEipNamespaces: readonly string[];
  /** Kinds of owners whose pods keep their names, and so may keep their addresses. */
  readonly statefulKinds: readonly string[];
  /** Whether pods on the add-on's virtual nodes are served that carry none of the add-on's own keys. */
  readonly enableVirtualNode: boolean;
  /** Whether an existing EIP may be taken from what it is bound to, in namespaces that say so too. */
  readonly allowEipRob: boolean;
  /** PodEIPs of another controller that were made before this wall time (milliseconds) are taken over. */
  readonly adoptBefore: number | undefined;
  /**
   * How long the EIP of a Knative pod that is gone is kept for the next pod of its Service; milliseconds, 0 for not at
   * all.
   */
  readonly holdOffMs: number;
  /** After this long without a change of ours, a request that got no answer can no longer take effect; milliseconds. */
  readonly settleMs: number;
  /** There is no leader election: another process may be at work on the same PodEIPs. @default false */
  readonly isUnelected?: boolean | undefined;
  /** How long a read may lag behind an accepted change; milliseconds. */
  readonly readLagMs: number;
  /** After this long without a break, an EIP that is not listed no longer exists; milliseconds. */
  readonly missingMs: number;
  /** How often the truth is looked at although nothing happened; milliseconds. */
  readonly recheckMs: number;
}
