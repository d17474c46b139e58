import type { Finding } from '../../api/finding.ts';
import { isGated } from '../../api/pod.ts';
import type { Namespace, Pod } from '../../api/core.ts';
import type { EipHolder } from '../../api/eipholder.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { Reason } from '../../api/reason.ts';
import type { PlannedReservation } from '../../policies/usage.ts';
import type { ReleasePolicy } from '../../request/release-policy.ts';
import type { EipRequest, NewEip } from '../../request/request.ts';
import type { NicBinding } from './record.ts';

/** The next step. `Read…` reads, the others change one thing or nothing. */
export type Step = ReadStep | Action | Result;

/** A read that is needed before anything can be decided. */
export type ReadStep =
  | { readonly do: 'ReadEip'; readonly allocationId: string }
  /** Those whose tags name this PodEIP. */
  | {
      readonly do: 'ReadTaggedEips';
      /** What the network interfaces are looked up by at the same time, as with `ReadInterfaces`. */
      readonly privateIpAddress?: string;
    }
  /**
   * The same, and those without tags whose mark names it. A step of its own, because it may keep failing where the look
   * for tags succeeds.
   */
  | { readonly do: 'ReadMarkedEips' }
  | { readonly do: 'ReadInterfaces'; readonly privateIpAddress: string }
  /** The network interfaces of the ECS instance that is the pod's node. */
  | { readonly do: 'ReadNodeInterfaces'; readonly instanceId: string }
  /** The bandwidth package that an EIP is to be bought for. */
  | { readonly do: 'ReadBandwidthPackage'; readonly bandwidthPackageId: string }
  | { readonly do: 'ReadCompetingClaims'; readonly allocationId: string }
  /** Which namespace the EIP belongs to. */
  | { readonly do: 'ReadHolder'; readonly allocationId: string }
  /** Whether a Knative Service of this namespace names the EIP. */
  | { readonly do: 'ReadNamingServices'; readonly allocationId: string; readonly namespace: string }
  | { readonly do: 'ReadReusable' }
  /** The Knative Service of this name and UID. */
  | { readonly do: 'ReadService'; readonly name: string; readonly uid: string }
  | { readonly do: 'ReadSuccessor'; readonly uid: string }
  | { readonly do: 'ReadNamespace' }
  /** The policy of the namespace, and the namespace, by quorum reads. */
  | { readonly do: 'ReadPolicy' }
  | { readonly do: 'ReadQuota' }
  /** Whether the EIP of this PodEIP, which is gone, is gone too. */
  | { readonly do: 'ReadReclaimable'; readonly podEipUid: string };

/** Why an EIP that was bought for a pod cannot be used. */
export interface UnusableEip extends Pick<Result, 'reason' | 'message'> {
  /** What was asked for, as it is written down. */
  readonly request: string;
}

/**
 * One side effect with everything that it needs: carrying it out reads nothing else, and cannot find anything missing.
 */
export type Action = RecordAction | AnnounceAction | EipAction;

/** One write of PodEIPs, or of what a namespace holds. */
export type RecordAction =
  /** Write the intent: create the PodEIP, or renew the request and raise the generation of one that bought nothing. */
  | {
      readonly do: 'Claim';
      readonly pod: Pod;
      /** The one that holds nothing and is written anew; null where there is none. */
      readonly podEip: PodEip | null;
      readonly request: EipRequest | undefined;
      readonly release: ReleasePolicy;
      readonly generation: number;
      /** All findings about the request. */
      readonly findings: readonly Finding[];
    }
  /** Write down that a virtual node makes the address of this pod; nothing is held. */
  | {
      readonly do: 'RecordExternal';
      readonly pod: Pod;
      readonly isExisting: boolean;
      readonly findings: readonly Finding[];
    }
  /** Delete the PodEIP, if it still is the one that was seen. From here on the address only goes back. */
  | {
      readonly do: 'Retire';
      readonly podEip: PodEip;
      readonly because: string;
      /** Why the EIP cannot be used, where that is so: the next one is not bought at once. */
      readonly unusable?: UnusableEip;
    }
  /** Write down that the pod is gone and its address is kept for the next pod of the name. */
  | { readonly do: 'Retain'; readonly podEip: PodEip; readonly because: string }
  /** Give the kept address to the pod that has the name now, with the strategy that it asks for. */
  | { readonly do: 'TakeOver'; readonly podEip: PodEip; readonly podUid: string; readonly release: ReleasePolicy }
  /** Write down that the EIP, detached, may go to the next pod of the same Knative Service. */
  | { readonly do: 'MarkReusable'; readonly podEip: PodEip }
  /** Name this PodEIP as the successor of another one's EIP, in the other one. */
  | { readonly do: 'AssignSuccessor'; readonly podEip: PodEip; readonly predecessor: PodEip }
  /** Remove a successor that cannot take the EIP over. */
  | { readonly do: 'CancelTransfer'; readonly predecessor: PodEip }
  /** Take over the PodEIP of another controller: write down what it knew in our own notes. */
  | {
      readonly do: 'Adopt';
      readonly podEip: PodEip;
      readonly from: string;
      /** '' where the pod is gone, since `goneSince`. */
      readonly podUid: string;
      readonly goneSince: number | undefined;
      readonly request: EipRequest;
      readonly bindings: readonly NicBinding[];
    }
  /** Reserve quota of the namespace, and reclaim the reservations of PodEIPs that are gone. */
  | ({ readonly do: 'Reserve' } & PlannedReservation)
  /** Write down that the existing EIP is this namespace's. */
  | {
      readonly do: 'Hold';
      readonly allocationId: string;
      readonly namespace: Namespace;
      /** What was read: the namespace's own, to be renewed, or one that was let go; null where there was none. */
      readonly holder: EipHolder | null;
    }
  /** Remove an EIP that no longer exists, and raise the generation: the next one is bought with a new token. */
  | { readonly do: 'Forget'; readonly podEip: PodEip; readonly allocationId: string; readonly generation: number }
  /** Delete the PodEIP of another pod of the same Knative Service, so that its EIP comes free for this one. */
  | { readonly do: 'Preempt'; readonly competitor: PodEip; readonly allocationId: string }
  /** Give up the claim to an existing EIP that another pod has won. */
  | { readonly do: 'Unclaim'; readonly podEip: PodEip; readonly allocationId: string }
  /** Write down which EIP it is, and where it is about to be sent if that is clear. */
  | {
      readonly do: 'Record';
      readonly podEip: PodEip;
      readonly allocationId: string;
      readonly binding?: NicBinding | undefined;
    }
  /** Write down where the EIP is about to be sent. */
  | { readonly do: 'RecordBinding'; readonly podEip: PodEip; readonly binding: NicBinding }
  /** Write down since when nothing has been sent to the cloud, for processes to come: see quiet.ts. */
  | { readonly do: 'NoteQuiet'; readonly podEip: PodEip; readonly note: string }
  /** Put the finalizer back that somebody took off. */
  | { readonly do: 'RestoreFinalizer'; readonly podEip: PodEip }
  | { readonly do: 'RemoveFinalizer'; readonly podEip: PodEip; readonly because: string };

/** One write of the pod's status. */
export type AnnounceAction =
  /** Tell the pod: annotation, and readiness condition where it declares the gate. */
  | {
      readonly do: 'Publish';
      readonly pod: Pod;
      readonly ipAddress: string;
      readonly isGated: boolean;
      /** What the PodEIP says of it. That is written first: whoever hears of the pod finds it there. */
      readonly message: string;
    }
  /** Withdraw the announcement, before the address is detached. */
  | { readonly do: 'Unpublish'; readonly pod: Pod; readonly isGated: boolean }
  /**
   * Tell the pod that its EIP goes, or has gone, to another pod of the same Knative Service; its readiness gate is
   * open.
   */
  | { readonly do: 'StandAside'; readonly pod: Pod; readonly isGated: boolean; readonly successor: string };

/** One change of the cloud on behalf of a PodEIP; each can take effect without an answer. */
export type EipAction = { readonly podEip: PodEip } & (
  | {
      readonly do: 'Allocate';
      readonly request: NewEip;
      readonly generation: number;
      /** Where it will be bound, if that is clear; it is written down with the ID then, once the tags were seen. */
      readonly place?: NicBinding | undefined;
    }
  /** Give the EIP of an adopted PodEIP, or one that lost them at its purchase, the tags that prove whose it is. */
  | { readonly do: 'Tag'; readonly allocationId: string }
  /** Take our tags off an EIP that somebody has declared theirs. */
  | { readonly do: 'Untag'; readonly allocationId: string }
  /** Give the EIP that was handed on the tags that make it this PodEIP's. */
  | { readonly do: 'TransferOwnership'; readonly allocationId: string }
  | { readonly do: 'JoinBandwidthPackage'; readonly allocationId: string; readonly bandwidthPackageId: string }
  | { readonly do: 'Associate'; readonly allocationId: string; readonly binding: NicBinding }
  | { readonly do: 'Unassociate'; readonly allocationId: string; readonly binding: NicBinding }
  /** Detach a user's EIP from where somebody else put it. */
  | { readonly do: 'ForceDetach'; readonly allocationId: string; readonly from: ForeignBinding }
  | { readonly do: 'LeaveBandwidthPackage'; readonly allocationId: string; readonly bandwidthPackageId: string }
  | { readonly do: 'Release'; readonly allocationId: string }
);

/** What an EIP is bound to that was not bound by us, exactly as it is described. */
export interface ForeignBinding {
  readonly instanceId: string;
  readonly instanceType: 'NetworkInterface' | 'EcsInstance';
  readonly privateIpAddress: string;
}

/** The outcome, for reports. */
export interface ActionOutcome {
  /** UID of the PodEIP that the act created. */
  readonly created?: string;
  readonly allocationId?: string;
  readonly ipAddress?: string;
  /** The EIP that was bought, or is offered, as it was read with that; undefined where it has to be read. */
  readonly eip?: Eip;
  /** The one that offers its EIP, as it was written with its successor. */
  readonly predecessor?: PodEip;
  /** What was written, as the API server answered; undefined where everything has to be read after the act. */
  readonly written?: { readonly podEip?: PodEip | undefined; readonly pod?: Pod | undefined } | undefined;
}

/** Nothing to do now. */
export type Result =
  /** The cloud is working, or the obstacle passes by itself. */
  | { readonly do: 'Wait'; readonly reason: Reason; readonly message: string; readonly ms: number }
  /** A person must act. Reconciled again after `ms` and at every change. */
  | {
      readonly do: 'Fail';
      readonly reason: Reason;
      readonly message: string;
      readonly ms: number;
      /** Of a message of the cloud's: how it begins whenever it is the same that is said. */
      readonly topic?: string | undefined;
      /** What only those hear who read the log: fields of its line. */
      readonly logged?: object | undefined;
    }
  /** As wanted. `ms` until the next look at the truth; undefined where only an event can change anything. */
  | { readonly do: 'Done'; readonly reason: Reason; readonly message: string; readonly ms?: number | undefined };

/** Interval between reads of a state that is changing; milliseconds. */
export const POLL_MS = 1_000;
/** Interval between reads of a state that only a person can change and that sends no event; milliseconds. */
export const RETRY_MS = 60_000;

export const wait = (reason: Reason, message: string, ms: number): Result => ({ do: 'Wait', reason, message, ms });
export const fail = (reason: Reason, message: string, ms = RETRY_MS): Extract<Result, { readonly do: 'Fail' }> => ({
  do: 'Fail',
  reason,
  message,
  ms,
});
/** The cloud refused the change, and it is not its turn yet. */
export const refusedUntil = ({
  reason,
  message,
  topic,
  isPassing = false,
  dueInMs,
}: Pick<Extract<Result, { readonly do: 'Fail' }>, 'reason' | 'message' | 'topic'> & {
  readonly isPassing?: boolean | undefined;
  /** Until its turn, milliseconds. */
  readonly dueInMs: number;
}): Result =>
  isPassing
    ? wait(reason, 'the cloud cannot do it at present; it is asked again in a moment', dueInMs)
    : { do: 'Fail', reason, message, ms: dueInMs, topic };
export const done = (reason: Reason, message: string, ms?: number): Result => ({ do: 'Done', reason, message, ms });
export const inTransition = (eip: Eip): Result => wait('InTransition', `${eip.allocationId} is ${eip.status}`, POLL_MS);

/** The record of this controller was edited: guessing could cost somebody an address. */
export const justTampered = (what: string): Result =>
  fail('RecordTampered', `the ${what} in this PodEIP was edited; delete the PodEIP to start again`);

/** Deletes the PodEIP: whatever it holds is disposed of from there on. */
export const retire = (podEip: PodEip, because: string): Action => ({ do: 'Retire', podEip, because });
/** Tells the pod its address, after the PodEIP says so. */
export const publishOn = (pod: Pod, ipAddress: string, message: string): Action => ({
  do: 'Publish',
  pod,
  ipAddress,
  isGated: isGated(pod),
  message,
});
/** Withdraws the address from the pod. */
export const unpublish = (pod: Pod): Action => ({ do: 'Unpublish', pod, isGated: isGated(pod) });

/** A value, or the step without which there is none yet. */
export type Outcome<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'step'; readonly step: Step };

export const valueOf = <T>(value: T): Outcome<T> => ({ kind: 'value', value });
export const stepFirst = (step: Step): Outcome<never> => ({ kind: 'step', step });

/**
 * What each step does: reads, writes to the API server, changes the cloud, or nothing. A new step has to say it here.
 */
const EFFECT = {
  ReadEip: 'read',
  ReadTaggedEips: 'read',
  ReadMarkedEips: 'read',
  ReadInterfaces: 'read',
  ReadNodeInterfaces: 'read',
  ReadBandwidthPackage: 'read',
  ReadCompetingClaims: 'read',
  ReadHolder: 'read',
  ReadNamingServices: 'read',
  ReadReusable: 'read',
  ReadService: 'read',
  ReadSuccessor: 'read',
  ReadNamespace: 'read',
  ReadPolicy: 'read',
  ReadQuota: 'read',
  ReadReclaimable: 'read',
  Claim: 'record',
  RecordExternal: 'record',
  Retire: 'record',
  Retain: 'record',
  TakeOver: 'record',
  MarkReusable: 'record',
  AssignSuccessor: 'record',
  CancelTransfer: 'record',
  Adopt: 'record',
  Reserve: 'record',
  Hold: 'record',
  Forget: 'record',
  Preempt: 'record',
  Unclaim: 'record',
  Record: 'record',
  RecordBinding: 'record',
  NoteQuiet: 'record',
  RestoreFinalizer: 'record',
  RemoveFinalizer: 'record',
  Publish: 'pod',
  Unpublish: 'pod',
  StandAside: 'pod',
  Allocate: 'cloud',
  Tag: 'cloud',
  Untag: 'cloud',
  TransferOwnership: 'cloud',
  JoinBandwidthPackage: 'cloud',
  Associate: 'cloud',
  Unassociate: 'cloud',
  ForceDetach: 'cloud',
  LeaveBandwidthPackage: 'cloud',
  Release: 'cloud',
  Wait: 'none',
  Fail: 'none',
  Done: 'none',
} as const satisfies Readonly<Record<ReadStep['do'], 'read'>> &
  Readonly<Record<RecordAction['do'], 'record'>> &
  Readonly<Record<AnnounceAction['do'], 'pod'>> &
  Readonly<Record<EipAction['do'], 'cloud'>> &
  Readonly<Record<Result['do'], 'none'>>;

export const isReadStep = (step: Step): step is ReadStep => EFFECT[step.do] === 'read';
export const isAnnounceAction = (step: Action): step is AnnounceAction => EFFECT[step.do] === 'pod';
export const isEipAction = (step: Action): step is EipAction => EFFECT[step.do] === 'cloud';
