import type { Namespace, Node, Pod } from '../../api/core.ts';
import type { EipHolder, ExistingEips } from '../../api/eipholder.ts';
import type { KnativeService } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { BandwidthPackage, Eip, NetworkInterface } from '../../cloud/port.ts';
import type { EipDefaults } from '../../request/request.ts';
import type { Reason } from '../../api/reason.ts';
import type { EffectivePolicy } from '../../policies/policy.ts';
import type { NamespaceLimits, Purchases } from '../../policies/purchases.ts';
import type { QuotaUsage } from '../../policies/usage.ts';
import type { NetworkKey } from './pod-announcement.ts';
import type { Action, UnusableEip } from './step.ts';

/** The input of the decision. What has not been read is undefined; what does not exist is null. */
export interface ObservedState {
  /** From a quorum read. */
  readonly pod: Pod | null;
  /** From the cache: a node's labels do not change under a running pod. */
  readonly node: Node | null;
  /** From a quorum read. */
  readonly podEip: PodEip | null;
  /** The EIP that the last `ReadEip` asked for. */
  readonly eip?: Eip | null | undefined;
  /** Every EIP whose tags, or whose mark where it has no tags, name this cluster and this PodEIP. */
  readonly tagged?: readonly Eip[] | undefined;
  /** Free EIPs without tags that may or may not have been bought for this PodEIP. */
  readonly suspects?: readonly Eip[] | undefined;
  /** The network interfaces of the VPC that hold the pod's address. */
  readonly interfaces?: readonly NetworkInterface[] | undefined;
  /** The network interfaces of the pod's node; read where none holds the pod's address. */
  readonly nodeInterfaces?: readonly NetworkInterface[] | undefined;
  /** The bandwidth package that is asked for; null where it does not exist. 'unreadable': nobody may say. */
  readonly bandwidthPackage?: BandwidthPackage | 'unreadable' | null | undefined;
  /** The namespace of the PodEIP. */
  readonly namespace?: Namespace | null | undefined;
  /** The other PodEIPs that hold the same EIP, whatever their namespace. */
  readonly competitors?: readonly CompetingClaim[] | undefined;
  /** PodEIPs of the same Knative Service whose EIPs are kept for the next pod with the same request. */
  readonly reusable?: readonly PodEip[] | undefined;
  /** UIDs of those of them that other pods have just chosen. @default none */
  readonly claimedOffers?: ReadonlySet<string> | undefined;
  /** The Knative Service of the PodEIP's pod; null where it is going or gone. 'unreadable': nobody may say. */
  readonly service?: KnativeService | 'unreadable' | null | undefined;
  /** The PodEIP that the EIP of this one goes to. */
  readonly successor?: PodEip | null | undefined;
  /** Which namespace the EIP of the last `ReadHolder` belongs to; null where it is nobody's. */
  readonly holder?: EipHolder | null | undefined;
  /** Whether a Knative Service of the holder's namespace names the EIP, with pods or without. */
  readonly isNamedByService?: boolean | undefined;
  /** The policy of the namespace; undefined where there are none at all. */
  readonly policy?: ObservedPolicy | undefined;
  /** How much the namespace holds. */
  readonly quota?: QuotaUsage | undefined;
  /** By UID of PodEIPs that are gone and have a place: whether their EIP is gone too. */
  readonly reclaimable?: ReadonlyMap<string, boolean> | undefined;
  /** What the namespace has bought and holds, as this process has seen it; undefined where nobody counts. */
  readonly purchases?: Purchases | undefined;
  /** Other controllers in the cluster that make EIPs for the same annotations, by name. @default none */
  readonly otherControllers?: readonly string[] | undefined;
  /**
   * Pods of its node that were created before may have an EIP of a Terway that is gone; wall time, milliseconds.
   *
   * @default none have
   */
  readonly terwayUntil?: number | undefined;
  readonly memory: TrackedState;
  /** Wall time, milliseconds: for strategies that count days and survive a restart. Deadlines use the memory's. */
  readonly now: number;
  /**
   * The same by the API server's clock, as its latest answer said, in whole seconds, and so not later than now;
   * undefined where nobody asks it.
   */
  readonly serverNow?: number | undefined;
  /** When the reading of pod and PodEIP began; monotonic milliseconds. @default 0 */
  readonly readAt?: number | undefined;
  /** The last step has sent the EIP to its place. @default false */
  readonly isSent?: boolean | undefined;
  /** And a look has shown it there since; nothing but telling so was done after that. @default false */
  readonly hasArrived?: boolean | undefined;
  /** Versions that the PodEIP has had since, before writes of this process; '' where there was none. @default none */
  readonly versions?: readonly string[] | undefined;
}

/** The policy of the namespace at hand. */
export interface ObservedPolicy {
  readonly effective: EffectivePolicy;
  /**
   * Whether it is from a quorum read of this pass, and not from the cache. Nothing is bought or claimed on the word of
   * the cache.
   */
  readonly isFresh: boolean;
}

/** Another PodEIP that holds the EIP. */
export interface CompetingClaim {
  readonly podEip: PodEip;
  /** Its pod, if it is one of the same Knative Service or of another namespace; null where there is none. */
  readonly pod: Pod | null;
}

/**
 * What this process remembers of a PodEIP. All of it may be lost at any time; losing it costs time, never an address:
 * a process that remembers nothing waits as if the last request had just been sent.
 */
export interface TrackedState {
  /**
   * Since this process last sent a change to the cloud for this PodEIP, or first saw it; monotonic milliseconds. More
   * where a process before it has written down since when nothing is sent (see quiet.ts).
   */
  readonly quietMs: number;
  /** Whether this process has sent a change for this PodEIP. @default it may have */
  readonly hasSent?: boolean | undefined;
  /**
   * How long ago a look by marks found nothing that was bought, asked for when nothing could take effect any more;
   * undefined where none has since the last change was sent.
   */
  readonly foundNothingMs?: number | undefined;
  /**
   * This process created the PodEIP, and every change that it sent to the cloud for it was answered: no request with an
   * unknown outcome can still take effect.
   */
  readonly isCertain: boolean;
  /**
   * For how long a second process that works on the PodEIP can have sent nothing, at least; negative while it may be
   * about to. @default there was no sign of one
   */
  readonly twinMs?: number | undefined;
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
  /** How long, without a break, no network interface has held the pod's address; 0 if one does. @default 0 */
  readonly noInterfaceMs?: number | undefined;
  /**
   * For how long the look-up of the bandwidth package has failed, as of the last attempt; 0 once it has succeeded, and
   * when it is time for another attempt. @default 0
   */
  readonly packageUnseenMs?: number | undefined;
  /** How long this process has seen the EIP, bought for a pod that is there, bound to nothing. @default 0 */
  readonly unusedMs?: number | undefined;
  /** How long ago a look first showed the EIP in use, since it was bound the last time; 0 if none has. @default 0 */
  readonly inUseMs?: number | undefined;
  /** How long ago a look showed the EIP free after it was detached from any pod; undefined where none did lately. */
  readonly detachedMs?: number | undefined;
  /** Why an EIP was given back for this pod, and none is bought again before some time has passed. */
  readonly givenBack?: GivenBack | undefined;
  /** How often the cloud has answered no to the token with which an EIP is to be bought. @default 0 */
  readonly tokenRefusals?: number | undefined;
  /** The EIP that the cloud has answered this process with when it bought one. */
  readonly bought?: string | undefined;
  /** How many EIPs that were. @default 0 */
  readonly purchases?: number | undefined;
  /** For how long the EIP exists at least. @default Infinity */
  readonly ageMs?: number;
  /** What this process has learnt of the tags of AllocateEipAddress; undefined as long as it has seen neither. */
  readonly allocateTags?: 'kept' | 'dropped' | undefined;
  /** Until the finalizer is put back that somebody keeps taking off, milliseconds; 0 once it is due. @default 0 */
  readonly restoreInMs?: number | undefined;
  /** The cloud refused the last change, and it is not tried again before `dueInMs`. */
  readonly refusal?: RefusedChange | undefined;
}

/** A change that the cloud refused: it is certain that nothing happened. */
export interface RefusedChange {
  readonly action: Action['do'];
  readonly reason: Reason;
  readonly message: string;
  /** How the message begins whenever it is the same that the cloud says. @default all of it is said each time */
  readonly topic?: string | undefined;
  /** It passes by itself: that there is a pause says nothing yet. @default false */
  readonly isPassing?: boolean | undefined;
  /** Until the next attempt, milliseconds; 0 once it is due. */
  readonly dueInMs: number;
}

/** Why an EIP that could not be bound was given back. */
export interface GivenBack extends UnusableEip {
  /** Until one is bought again, milliseconds; 0 once that is due. */
  readonly dueInMs: number;
}

/** The settings of the decision. */
export interface Settings {
  /** UID of the namespace kube-system: names the cluster even when two have the same configured ID. */
  readonly clusterUid: string;
  /** The key of the marks (see `src/lib/mark.ts`); undefined where there is none. */
  readonly markKey?: string | undefined;
  readonly defaults: EipDefaults;
  /** Of the namespace at hand; see `underPolicy`. @default nothing is restricted */
  readonly policy?: EffectivePolicy | undefined;
  /** What each namespace may buy, whatever the policies. @default anything */
  readonly namespaceLimits?: NamespaceLimits | undefined;
  /** The VPC of the nodes; undefined where it is not known. */
  readonly vpcId?: string | undefined;
  /** The region of the cluster, which decides on line types; undefined where it is not known. */
  readonly region?: string | undefined;
  /**
   * `any`: a namespace may name any free EIP. `firstUse`: an EIP is the namespace's that used it first. `granted`: only
   * what the operator grants.
   */
  readonly existingEips: ExistingEips;
  /** Where messages lead to; see `docsLink`. @default nowhere */
  readonly docsURL?: string | undefined;
  /** Existing EIPs that belong to other namespaces, as far as they have been looked up; see `situationOf`. */
  readonly foreignEips?: readonly string[] | undefined;
  /**
   * With `firstUse`: after this long, in which nothing in its namespace has named an EIP, another one may use it;
   * milliseconds. @default never
   */
  readonly existingEipIdleMs?: number | undefined;
  /** With `granted`: namespaces that may name any free EIP. */
  readonly existingEipNamespaces: readonly string[];
  /** Kinds of owners whose pods keep their names, and so may keep their addresses. */
  readonly statefulKinds: readonly string[];
  /** Whether pods on the add-on's virtual nodes are served that carry none of the add-on's own keys. */
  readonly enableVirtualNode: boolean;
  /** Whether an existing EIP may be taken from what it is bound to, in namespaces that say so too. */
  readonly allowEipRob: boolean;
  /** On which pods the address stands under `network.alibabacloud.com/` too. */
  readonly networkKey: NetworkKey;
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
  /** How often the state of the cloud is read although nothing happened; milliseconds. */
  readonly recheckMs: number;
}
