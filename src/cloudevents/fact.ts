import { REVISION_LABEL, SERVICE_LABEL } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Eip } from '../cloud/port.ts';
import { isDrifting } from '../controllers/podeip/pod-request.ts';
import { isAnnounced, isFinal } from '../api/pod.ts';
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

/** Whose address it is, as every event says. */
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

/** What one pass of the reconciler saw and is about to do, as far as it can be news. */
export interface Fact {
  readonly about: About;
  /** The EIP that the PodEIP has; '' while it has none. */
  readonly allocationId: string;
  /** The address of that EIP, as the cloud says; null: there is no such EIP, undefined: it was not asked. */
  readonly address: string | null | undefined;
  /** The address that the status of the PodEIP shows. */
  readonly statusAddress: string | undefined;
  /** Where the EIP is bound, if that is where it was sent. */
  readonly bound: Bound | undefined;
  /** The pod has the address, and may use it. */
  readonly isUsed: boolean;
  /** A reading that shows the EIP elsewhere than it was can be believed: it is not one replica that lags. */
  readonly isCertain: boolean;
  /** The address is on its way back. */
  readonly isLeaving: boolean;
  /** Nothing comes after this. */
  readonly isLast: boolean;
  /** Something else took the address from the pod. */
  readonly drift: Trouble | undefined;
  /** Somebody must act. */
  readonly trouble: Trouble | undefined;
}

export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** What there is to say about a PodEIP, apart from what is about to be done. Undefined for others' PodEIPs. */
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

/** Reads what may be news from a pass of the reconciler; undefined where there is nothing to tell of. */
export const factOf = (step: Action | Result, seen: ObservedState): Fact | undefined => {
  const { pod, podEip } = seen;
  if (!podEip) return undefined;
  const notes = readRecord(podEip);
  const about = aboutOf(podEip, notes);
  if (!about) return undefined;
  const allocationId = podEip.spec.allocationID;
  // Before an existing EIP has been won it is looked at too; it is nobody's yet.
  const eip = allocationId === '' || (seen.eip && seen.eip.allocationId !== allocationId) ? undefined : seen.eip;
  const isServed = serves(podEip, pod, notes);
  return {
    about,
    allocationId,
    address: eip?.ipAddress ?? (eip === null ? null : undefined),
    statusAddress: podEip.status?.eipAddress,
    bound: eip ? boundOf(eip, seen, notes) : undefined,
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

/** Nothing comes after this step. */
const isEnd = (step: Action | Result, podEip: PodEip): boolean =>
  step.do === 'RemoveFinalizer' || (step.do === 'Retire' && !hasFinalizer(podEip));

/** The same for a pass that the cloud ended by a refusal. */
export const troubleOf = (podEip: PodEip, trouble: Trouble): Fact | undefined => {
  const about = aboutOf(podEip, readRecord(podEip));
  return (
    about && {
      about,
      allocationId: podEip.spec.allocationID,
      address: undefined,
      statusAddress: undefined,
      bound: undefined,
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
      : { allocationId, networkInterfaceId: eip.instanceId, privateIpAddress: pod?.status?.podIP, podUid };
  const place = bindings.findLast((candidate) => isBoundTo(eip, candidate));
  return place && { allocationId, ...placeOf(place) };
};

const placeOf = ({ networkInterfaceId, privateIpAddress, podUid }: Omit<Bound, 'allocationId'>) => ({
  networkInterfaceId,
  privateIpAddress,
  podUid,
});

/** The reconciler withdraws the address because the cloud shows something else, or because the EIP has vanished. */
const driftOf = (
  step: Action | Result,
  eip: Eip | null,
  { pod }: ObservedState,
  notes: PodEipRecord,
): Trouble | undefined => {
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
