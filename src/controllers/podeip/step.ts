import type { Finding } from '../../api/finding.ts';
import { isGated } from '../../api/pod.ts';
import type { Namespace, Pod } from '../../api/core.ts';
import type { EipUsage } from '../../api/eippolicy.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { Reason } from '../../api/reason.ts';
import type { ReleasePolicy } from '../../request/release.ts';
import type { EipRequest, NewEip } from '../../request/request.ts';
import type { NicBinding } from './record.ts';

/** The one thing to do next. `Read…` reads, the others change one thing or nothing. */
export type Step = ReadStep | Action | Result;

/** Something must be read before anything can be said. */
export type ReadStep =
  | { readonly do: 'ReadEip'; readonly allocationId: string }
  | { readonly do: 'ReadTaggedEips' }
  | { readonly do: 'ReadInterfaces'; readonly privateIpAddress: string }
  | { readonly do: 'ReadCompetingClaims'; readonly allocationId: string }
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

/** One side effect, with all that it needs: whoever carries it out looks nothing up, and finds nothing missing. */
export type Action = RecordAction | PodAction | CloudAction;

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
      /** Everything that there is to say about the request. */
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
  | { readonly do: 'Retire'; readonly podEip: PodEip; readonly because: string }
  /** Write down that the pod is gone and its address is kept for the next pod of the name. */
  | { readonly do: 'Retain'; readonly podEip: PodEip; readonly because: string }
  /** Give the kept address to the pod that has the name now, with the strategy that it asks for. */
  | { readonly do: 'TakeOver'; readonly podEip: PodEip; readonly podUid: string; readonly release: ReleasePolicy }
  /** Write down that the EIP, detached, may go to the next pod of the same Knative Service. */
  | { readonly do: 'MarkReusable'; readonly podEip: PodEip }
  /** Name this PodEIP as the successor of another one's EIP, in the other one. */
  | { readonly do: 'AssignSuccessor'; readonly podEip: PodEip; readonly predecessor: PodEip }
  /** Give up a bequest. */
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
  /** Take a place under the limits of the namespace, and give up those of PodEIPs that are gone. */
  | {
      readonly do: 'Reserve';
      readonly podEip: PodEip;
      readonly namespace: Namespace;
      /** As it was when it was counted; null where there was none. */
      readonly usage: EipUsage | null;
      readonly bandwidthMbps: number;
      /** UIDs of PodEIPs that are gone, whose places are given up. */
      readonly reclaimed: readonly string[];
    }
  /** Strike out an EIP that no longer exists, and count up the attempts: the next one is bought with a new token. */
  | { readonly do: 'Forget'; readonly podEip: PodEip; readonly allocationId: string; readonly generation: number }
  /** Delete the PodEIP of another pod of the same Knative Service, so that its EIP comes free for this one. */
  | { readonly do: 'Preempt'; readonly competitor: PodEip; readonly allocationId: string }
  /** Take back the claim to an existing EIP that another pod has won. */
  | { readonly do: 'Unclaim'; readonly podEip: PodEip; readonly allocationId: string }
  /** Write down which EIP it is. */
  | { readonly do: 'Record'; readonly podEip: PodEip; readonly allocationId: string }
  /** Write down where the EIP is about to be sent. */
  | { readonly do: 'RecordBinding'; readonly podEip: PodEip; readonly binding: NicBinding }
  | { readonly do: 'RemoveFinalizer'; readonly podEip: PodEip; readonly because: string };

/** One write of the pod's status. */
export type PodAction =
  /** Tell the pod: annotation, and readiness condition where it declares the gate. */
  | { readonly do: 'Publish'; readonly pod: Pod; readonly ipAddress: string; readonly isGated: boolean }
  /** Take that back, before the address is. */
  | { readonly do: 'Unpublish'; readonly pod: Pod; readonly isGated: boolean }
  /**
   * Tell the pod that its EIP goes, or has gone, to another pod of the same Knative Service; its readiness gate is
   * open.
   */
  | { readonly do: 'StandAside'; readonly pod: Pod; readonly isGated: boolean; readonly successor: string };

/** One change of the cloud on behalf of a PodEIP; each can take effect without an answer. */
export type CloudAction = { readonly podEip: PodEip } & (
  | { readonly do: 'Allocate'; readonly request: NewEip; readonly generation: number }
  /** Give the EIP of an adopted PodEIP the tags that prove whose it is. */
  | { readonly do: 'Tag'; readonly allocationId: string }
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

/** What came of it, for those who report. */
export interface ActionOutcome {
  /** UID of the PodEIP that the act created. */
  readonly created?: string;
  readonly allocationId?: string;
  readonly ipAddress?: string;
}

/** Nothing to do now. */
export type Result =
  /** The cloud is under way, or something that passes by itself is in the way. */
  | { readonly do: 'Wait'; readonly reason: Reason; readonly message: string; readonly ms: number }
  /** Somebody must act. Looked at again after `ms` and at every change. */
  | { readonly do: 'Fail'; readonly reason: Reason; readonly message: string; readonly ms: number }
  /** As wanted. `ms` until the next look at the truth; undefined where only an event can change anything. */
  | { readonly do: 'Done'; readonly reason: Reason; readonly message: string; readonly ms?: number | undefined };

/** Between looks at a state that the cloud is leaving; milliseconds. */
export const POLL_MS = 1_000;
/** Between looks at something that only a person can change and that sends no event; milliseconds. */
export const RETRY_MS = 60_000;

export const wait = (reason: Reason, message: string, ms: number): Result => ({ do: 'Wait', reason, message, ms });
export const fail = (reason: Reason, message: string, ms = RETRY_MS): Result => ({ do: 'Fail', reason, message, ms });
export const done = (reason: Reason, message: string, ms?: number): Result => ({ do: 'Done', reason, message, ms });
export const inTransition = (eip: Eip): Result => wait('InTransition', `${eip.allocationId} is ${eip.status}`, POLL_MS);

/** Somebody has edited our own notes: guessing could cost somebody an address. */
export const justTampered = (what: string): Result =>
  fail('RecordTampered', `the ${what} in this PodEIP was edited; delete the PodEIP to start again`);

/** Deletes the PodEIP: whatever it holds is disposed of from there on. */
export const retire = (podEip: PodEip, because: string): Action => ({ do: 'Retire', podEip, because });
/** Takes back from the pod what it was told of its address. */
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
  ReadInterfaces: 'read',
  ReadCompetingClaims: 'read',
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
  Forget: 'record',
  Preempt: 'record',
  Unclaim: 'record',
  Record: 'record',
  RecordBinding: 'record',
  RemoveFinalizer: 'record',
  Publish: 'pod',
  Unpublish: 'pod',
  StandAside: 'pod',
  Allocate: 'cloud',
  Tag: 'cloud',
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
  Readonly<Record<PodAction['do'], 'pod'>> &
  Readonly<Record<CloudAction['do'], 'cloud'>> &
  Readonly<Record<Result['do'], 'none'>>;

export const isReadStep = (step: Step): step is ReadStep => EFFECT[step.do] === 'read';
export const isPodAction = (step: Action): step is PodAction => EFFECT[step.do] === 'pod';
export const isCloudAction = (step: Action): step is CloudAction => EFFECT[step.do] === 'cloud';
