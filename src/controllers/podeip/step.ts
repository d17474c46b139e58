import type { Finding } from '../../api/finding.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import type { Reason } from '../../api/reason.ts';
import type { ReleasePolicy } from '../../request/release.ts';
import type { EipRequest, NewEip } from '../../request/request.ts';
import type { NicBinding } from './record.ts';

/** The one thing to do next. `Look…` reads, the others change one thing or nothing. */
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

/** One side effect. */
export type Action =
  /** Write the intent: create the PodEIP, or renew the request and raise the generation of one that bought nothing. */
  | {
      readonly do: 'Claim';
      readonly request: EipRequest | undefined;
      readonly release: ReleasePolicy;
      readonly generation: number;
    }
  /** Write down that a virtual node makes the address of this pod; nothing is held. */
  | { readonly do: 'RecordExternal'; readonly isExisting: boolean; readonly findings: readonly Finding[] }
  /** Delete the PodEIP, if it still is the one that was seen. From here on the address only goes back. */
  | { readonly do: 'Retire'; readonly because: string }
  /** Write down that the pod is gone and its address is kept for the next pod of the name. */
  | { readonly do: 'Retain'; readonly because: string }
  /** Give the kept address to the pod that has the name now, with the strategy that it asks for. */
  | { readonly do: 'TakeOver'; readonly podUid: string; readonly release: ReleasePolicy }
  /** Write down that the EIP, detached, may go to the next pod of the same Knative Service. */
  | { readonly do: 'MarkReusable' }
  /** Name this PodEIP as the successor of another one's EIP, in the other one. */
  | { readonly do: 'AssignSuccessor'; readonly predecessor: PodEip }
  /** Give the EIP that was handed on the tags that make it this PodEIP's. */
  | { readonly do: 'TransferOwnership'; readonly allocationId: string }
  /** Give up a bequest. */
  | { readonly do: 'CancelTransfer'; readonly predecessor: PodEip }
  /** Take over the PodEIP of another controller: write down what it knew in our own notes. */
  | {
      readonly do: 'Adopt';
      readonly from: string;
      /** '' where the pod is gone, since `goneSince`. */
      readonly podUid: string;
      readonly goneSince: number | undefined;
      readonly request: EipRequest;
      readonly bindings: readonly NicBinding[];
    }
  /** Give the EIP of an adopted PodEIP the tags that prove whose it is. */
  | { readonly do: 'Tag'; readonly allocationId: string }
  /** Take a place under the limits of the namespace, and give up those of PodEIPs that are gone. */
  | { readonly do: 'Reserve'; readonly bandwidthMbps: number; readonly reclaimed: readonly string[] }
  | { readonly do: 'Allocate'; readonly request: NewEip; readonly generation: number }
  /** Strike out an EIP that no longer exists, and count up the attempts: the next one is bought with a new token. */
  | { readonly do: 'Forget'; readonly allocationId: string; readonly generation: number }
  /** Delete the PodEIP of another pod of the same Knative Service, so that its EIP comes free for this one. */
  | { readonly do: 'Preempt'; readonly competitor: PodEip; readonly allocationId: string }
  /** Take back the claim to an existing EIP that another pod has won. */
  | { readonly do: 'Unclaim'; readonly allocationId: string }
  /** Write down which EIP it is. */
  | { readonly do: 'Record'; readonly allocationId: string }
  | { readonly do: 'JoinBandwidthPackage'; readonly allocationId: string; readonly bandwidthPackageId: string }
  /** Write down where the EIP is about to be sent. */
  | { readonly do: 'RecordBinding'; readonly binding: NicBinding }
  | { readonly do: 'Associate'; readonly allocationId: string; readonly binding: NicBinding }
  /** Tell the pod: annotation, and readiness condition where it declares the gate. */
  | { readonly do: 'Publish'; readonly ipAddress: string; readonly isGated: boolean }
  /** Take that back, before the address is. */
  | { readonly do: 'Unpublish'; readonly isGated: boolean }
  /** Tell the pod that its EIP goes, or has gone, to another pod of the same Knative Service; its readiness gate is open. */
  | { readonly do: 'StandAside'; readonly isGated: boolean; readonly successor: string }
  | { readonly do: 'Unassociate'; readonly allocationId: string; readonly binding: NicBinding }
  /** Detach a user's EIP from where somebody else put it. */
  | { readonly do: 'ForceDetach'; readonly allocationId: string; readonly from: ForeignBinding }
  | { readonly do: 'LeaveBandwidthPackage'; readonly allocationId: string; readonly bandwidthPackageId: string }
  | { readonly do: 'Release'; readonly allocationId: string }
  | { readonly do: 'RemoveFinalizer'; readonly because: string };

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

export const isReadStep = (step: Step): step is ReadStep => step.do.startsWith('Read');
