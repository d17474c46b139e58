import { REVISION_LABEL, SERVICE_LABEL } from '../api/knative.ts';
import { heldAddressOf, type PodEip } from '../api/podeip.ts';
import type { Eip } from '../cloud/port.ts';
import { isDrifting } from '../controllers/podeip/pod-request.ts';
import { isAnnounced, isFinal, isHandedOver, ipv4Of } from '../api/pod.ts';
import {
  hasFinalizer,
  isBoundTo,
  isOurs,
  isExternal,
  readRecord,
  type PodEipRecord,
} from '../controllers/podeip/record.ts';
import type { ObservedState } from '../controllers/podeip/observation.ts';
import type { Action, Result } from '../controllers/podeip/step.ts';

/** Where an EIP is bound, and for which pod. */
export interface Bound {
  readonly allocationId: string;
  readonly networkInterfaceId: string;
  readonly privateIpAddress: string | undefined;
  readonly podUid: string;
}

/** Whose address it is; part of every event. */
interface About {
  readonly namespace: string;
  readonly pod: string;
  readonly podUID?: string;
  readonly podEIPUID: string;
  readonly service?: string;
  readonly revision?: string;
  readonly managedBy: 'Controller' | 'ECI';
  readonly allocationType: 'Auto' | 'Static';
}

/** What a reconcile observed and is about to do, reduced to what may become an event. */
export interface EipObservation {
  readonly about: About;
  /** The EIP of the PodEIP; '' while it has none. */
  readonly allocationId: string;
  /** The address of that EIP as the cloud shows it. null: there is no such EIP; undefined: the cloud was not asked. */
  readonly address: string | null | undefined;
  /** The address that the status of the PodEIP shows. */
  readonly statusAddress: string | undefined;
  /** Where the EIP is bound, if that is a binding of the PodEIP's record. */
  readonly bound: Bound | undefined;
  /** The pod of that name, as long as it runs, and its private address. */
  readonly running: { readonly uid: string; readonly address: string | undefined } | undefined;
  /** Whether the pod was told that its EIP goes to another pod of its Knative Service. */
  readonly isHandedOver: boolean;
  /** Whether the pod has the address, and may use it. */
  readonly isUsed: boolean;
  /**
   * Whether an EIP that the cloud shows bound elsewhere can be believed to be there, and is not the answer of a replica
   * that lags.
   */
  readonly isCertain: boolean;
  /** Whether the address is being given back. */
  readonly isLeaving: boolean;
  /** Whether this is the last observation of the PodEIP. */
  readonly isLast: boolean;
  /** Set if something other than the controller took the address from the pod. */
  readonly drift: ReasonGiven | undefined;
  /** Set if somebody has to act. */
  readonly trouble: ReasonGiven | undefined;
}

export interface ReasonGiven {
  readonly reason: string;
  readonly message: string;
}

/** The fixed properties of a PodEIP; undefined for PodEIPs of other controllers. */
const aboutOf = (podEip: PodEip, notes: PodEipRecord): About | undefined => {
  if (!isOurs(podEip) && !isExternal(podEip)) return undefined;
  const { namespace = '', name, uid, labels = {} } = podEip.metadata;
  const { [SERVICE_LABEL]: service, [REVISION_LABEL]: revision } = labels;
  return {
    namespace,
    pod: name,
    ...(notes.podUid !== '' && { podUID: notes.podUid }),
    podEIPUID: uid,
    ...(service !== undefined && { service }),
    ...(revision !== undefined && { revision }),
    managedBy: isExternal(podEip) ? 'ECI' : 'Controller',
    allocationType: podEip.spec.allocationType.type,
  };
};

/** Derives the observation of a reconcile; undefined if there is nothing to report. */
export const eipObservationOf = (step: Action | Result, seen: ObservedState): EipObservation | undefined => {
  const { pod, podEip } = seen;
  if (!podEip) return undefined;
  const notes = readRecord(podEip);
  const about = aboutOf(podEip, notes);
  if (!about) return undefined;
  const allocationId = podEip.spec.allocationID;
  // An existing EIP is read before it is won, too; until then it is not this PodEIP's.
  const eip = allocationId === '' || (seen.eip && seen.eip.allocationId !== allocationId) ? undefined : seen.eip;
  const isServed = serves(podEip, pod, notes);
  return {
    about,
    allocationId,
    address: eip?.ipAddress ?? (eip === null ? null : undefined),
    statusAddress: heldAddressOf(podEip),
    bound: eip ? boundOf(eip, seen, notes) : undefined,
    running: pod && !isFinal(pod) ? { uid: pod.metadata.uid, address: ipv4Of(pod) } : undefined,
    isHandedOver: step.do === 'StandAside' || (pod !== null && isHandedOver(pod)),
    isUsed: isUse(step),
    isCertain: isWithdrawal(step) || !isServed || pod === null || !isAnnounced(pod),
    isLeaving: !isServed,
    isLast: isEnd(step, podEip),
    drift: isServed && eip !== undefined ? driftOf(step, eip, seen, notes) : undefined,
    trouble: step.do === 'Fail' ? { reason: step.reason, message: step.message } : undefined,
  };
};

const serves = (podEip: PodEip, pod: ObservedState['pod'], { podUid }: PodEipRecord): boolean =>
  pod !== null && pod.metadata.uid === podUid && !isFinal(pod) && podEip.metadata.deletionTimestamp === undefined;

const isUse = (step: Action | Result): boolean =>
  step.do === 'Publish' || (step.do === 'Done' && step.reason === 'InUse');

const isWithdrawal = (step: Action | Result): boolean => step.do === 'Unpublish' || step.do === 'StandAside';

/** Whether no observation can follow this step. */
const isEnd = (step: Action | Result, podEip: PodEip): boolean =>
  step.do === 'RemoveFinalizer' || (step.do === 'Retire' && !hasFinalizer(podEip));

/** Derives the observation of a reconcile that ended with a refusal of the cloud. */
export const troubleOf = (podEip: PodEip, trouble: ReasonGiven): EipObservation | undefined => {
  const about = aboutOf(podEip, readRecord(podEip));
  return (
    about && {
      about,
      allocationId: podEip.spec.allocationID,
      address: undefined,
      statusAddress: undefined,
      bound: undefined,
      running: undefined,
      isHandedOver: false,
      isUsed: false,
      isCertain: false,
      isLeaving: false,
      isLast: false,
      drift: undefined,
      trouble,
    }
  );
};

const boundOf = (eip: Eip, { pod, podEip }: ObservedState, { bindings, podUid }: PodEipRecord): Bound | undefined => {
  const { allocationId } = eip;
  if (eip.status !== 'InUse') return undefined;
  if (podEip && isExternal(podEip))
    return eip.instanceId === undefined
      ? undefined
      : { allocationId, networkInterfaceId: eip.instanceId, privateIpAddress: pod ? ipv4Of(pod) : undefined, podUid };
  const place = bindings.findLast((candidate) => isBoundTo(eip, candidate));
  return place && { allocationId, ...placeOf(place) };
};

const placeOf = ({ networkInterfaceId, privateIpAddress, podUid }: Omit<Bound, 'allocationId'>) => ({
  networkInterfaceId,
  privateIpAddress,
  podUid,
});

/** Set if the controller withdraws the address because the cloud shows another binding, or no such EIP. */
const driftOf = (
  step: Action | Result,
  eip: Eip | null,
  { pod }: ObservedState,
  notes: PodEipRecord,
): ReasonGiven | undefined => {
  if (step.do === 'Forget')
    return { reason: 'EipGone', message: `${step.allocationId} no longer exists; another one is bought` };
  if (step.do !== 'Unpublish' || !isDrifting(pod, eip, notes)) return undefined;
  if (!eip) return { reason: 'EipGone', message: 'the EIP no longer exists' };
  const { allocationId, status, instanceId } = eip;
  if (status !== 'InUse') return { reason: 'Disassociated', message: `${allocationId} is ${status}` };
  return notes.bindings.some((place) => isBoundTo(eip, place))
    ? { reason: 'Disassociated', message: `${allocationId} is bound to an address that the pod no longer has` }
    : { reason: 'EipBoundElsewhere', message: `${allocationId} is bound to ${instanceId ?? 'something else'}` };
};
