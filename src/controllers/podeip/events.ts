import type { Pod } from '../../api/core.ts';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../api/knative.ts';
import { sentence } from '../../api/finding.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { isHandedOver } from '../../api/pod.ts';
import { readRecord } from './record.ts';
import type { ObservedState } from './observation.ts';
import { isEipAction, isAnnounceAction } from './step.ts';
import type { Action, ActionOutcome, EipAction, AnnounceAction, RecordAction } from './step.ts';
import { labelOf } from './step-label.ts';

/** The object of an Event. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/** An Event, as people read it in `kubectl describe`. */
export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  /** What the controller was doing, in CamelCase. */
  readonly action: string;
  readonly note: string;
}

const ofPod = ({ metadata: { namespace, name, uid } }: Pod): Regarding => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace,
  name,
  uid,
});

const ofPodEip = ({ metadata: { namespace, name, uid } }: PodEip): Regarding => ({
  apiVersion: `${PODEIP.group}/${PODEIP.version}`,
  kind: PODEIP.kind,
  namespace,
  name,
  uid,
});

/** The Knative Service of a pod, by the labels that Knative sets on pods and that PodEIPs copy. */
export const serviceOf = ({ metadata: { namespace, labels = {} } }: Pod | PodEip): Regarding | undefined => {
  const { [SERVICE_LABEL]: name, [SERVICE_UID]: uid } = labels;
  return name === undefined || uid === undefined
    ? undefined
    : { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace, name, uid };
};

/**
 * The objects for Events that need somebody to act: the pod, where people look first, and the PodEIP, which outlives
 * it.
 */
export const regarding = ({ pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>): readonly Regarding[] => [
  ...(pod ? [ofPod(pod)] : []),
  ...(podEip ? [ofPodEip(podEip)] : []),
];

/** An Event and its object. */
interface Notice {
  readonly about: Regarding;
  readonly event: EventNote;
}

/**
 * The Events for an action. Each fact is recorded once: on the pod, while it exists, what happens to its address; on
 * the PodEIP, what happens to the EIP after that; on the Knative Service, hand-overs. Including the two summaries of
 * the Service, a pod's life causes at most six Events, even with hold-off: some clusters keep Events in etcd for an
 * hour, and client-go's event recorders drop Events that come too fast.
 */
export const noticesOf = (step: Action, acted: ActionOutcome, seen: Objects): readonly Notice[] => {
  if (isEipAction(step)) return noticesOfCloud(step, acted, seen);
  return isAnnounceAction(step) ? noticesOfPod(step, seen) : noticesOfRecord(step, acted, seen);
};

type Objects = Pick<ObservedState, 'pod' | 'podEip'>;

/** The text of an Event. */
interface Saying {
  readonly reason: Reason;
  readonly note: string;
  /** @default Normal */
  readonly type?: EventNote['type'];
}

const notice = (
  about: Regarding,
  { do: step }: Action,
  { reason, note, type = 'Normal' }: Saying,
): readonly Notice[] => [{ about, event: { type, reason, action: labelOf(step), note } }];

/** Records on the pod or, if there is none, on the PodEIP. */
const toPod = (seen: Objects, step: Action, saying: Saying): readonly Notice[] =>
  seen.pod ? notice(ofPod(seen.pod), step, saying) : toPodEip(seen, step, saying);

const toPodEip = ({ podEip }: Objects, step: Action, saying: Saying): readonly Notice[] =>
  podEip ? notice(ofPodEip(podEip), step, saying) : [];

const noticesOfPod = (step: AnnounceAction, seen: Objects): readonly Notice[] => {
  switch (step.do) {
    case 'Publish':
      return toPod(seen, step, {
        reason: 'Associated',
        note: `EIP ${step.ipAddress} is bound to pod ${seen.podEip?.metadata.name}`,
      });
    case 'StandAside':
      return toPod(seen, step, {
        reason: 'HandedOver',
        note: `the EIP is with pod ${step.successor} of the same Knative Service; this pod goes on without it`,
      });
    case 'Unpublish':
      return [];
  }
};

const noticesOfCloud = (step: EipAction, acted: ActionOutcome, seen: Objects): readonly Notice[] => {
  switch (step.do) {
    case 'Allocate':
      return toPod(seen, step, {
        reason: 'Allocated',
        note: `allocated EIP ${acted.ipAddress} (${acted.allocationId})`,
      });
    case 'ForceDetach':
      return toPod(seen, step, {
        reason: 'Disassociated',
        note: `detached ${step.allocationId} from ${step.from.instanceId}, as configured`,
      });
    case 'Unassociate':
      return noticesOfUnassociate(step, seen);
    case 'Release':
      return toPodEip(seen, step, { reason: 'Released', note: `released ${step.allocationId}` });
    case 'Untag':
      return toPodEip(seen, step, {
        reason: 'Kept',
        note: `${step.allocationId} is not released: type Static was written into the PodEIP; its tags of knative-eip are taken off, and it is yours from now on`,
      });
    case 'TransferOwnership':
      return toPod(seen, step, {
        reason: 'HandedOver',
        note: `${step.allocationId} comes from an earlier pod of the same Knative Service`,
      });
    case 'Tag':
    case 'JoinBandwidthPackage':
    case 'Associate':
    case 'LeaveBandwidthPackage':
      return [];
  }
};

const noticesOfUnassociate = (step: Extract<EipAction, { do: 'Unassociate' }>, seen: Objects): readonly Notice[] => {
  const { podEip, allocationId, binding } = step;
  const { deletionTimestamp } = podEip.metadata;
  // For an EIP that is kept, handed over, or released next, the Event of that step says everything.
  const isSaid =
    podEip.spec.allocationType.type !== 'Static' &&
    (deletionTimestamp !== undefined || readRecord(podEip).podUid === '');
  if (isSaid || (seen.pod && isHandedOver(seen.pod))) return [];
  const note = `detached ${allocationId} from ${binding.networkInterfaceId} ${binding.privateIpAddress}`;
  return (deletionTimestamp === undefined ? toPod : toPodEip)(seen, step, { reason: 'Disassociated', note });
};

const noticesOfRecord = (step: RecordAction, acted: ActionOutcome, seen: Objects): readonly Notice[] => {
  switch (step.do) {
    case 'Forget':
      return toPod(seen, step, {
        reason: 'EipGone',
        note: `${step.allocationId} no longer exists, and not because this controller released it; another one is bought`,
        type: 'Warning',
      });
    case 'Adopt':
      return toPod(seen, step, { reason: 'Adopted', note: `taken over from ${step.from}, with ${acted.allocationId}` });
    case 'Retain':
      return toPodEip(seen, step, { reason: 'Kept', note: `${step.because}; its EIP is kept for the next pod` });
    case 'TakeOver':
      return toPod(seen, step, { reason: 'Kept', note: `${acted.allocationId} was kept for this pod` });
    case 'Preempt':
      return noticesOfPreempt(step, seen);
    case 'RestoreFinalizer':
      return toPodEip(seen, step, {
        reason: 'RecordTampered',
        note: `the finalizer ${FINALIZER} had been taken off and is put back: without it the EIP would be left behind, bound to the next pod of the address; delete the PodEIP to give the EIP back`,
        type: 'Warning',
      });
    case 'NoteQuiet':
    case 'MarkReusable':
    case 'AssignSuccessor':
    case 'CancelTransfer':
    case 'Claim':
    case 'Reserve':
    case 'Hold':
    case 'RecordExternal':
    case 'Unclaim':
    case 'Retire':
    case 'Record':
    case 'RecordBinding':
    case 'RemoveFinalizer':
      return [];
  }
};

const noticesOfPreempt = (step: Extract<RecordAction, { do: 'Preempt' }>, { podEip }: Objects): readonly Notice[] => {
  const about = podEip ? serviceOf(podEip) : undefined;
  if (!about) return [];
  const [from, to] = [step.competitor, podEip].map((it) => it?.metadata.labels?.[REVISION_LABEL]);
  const revisions = from !== to && from !== undefined && to !== undefined ? ` (${from} → ${to})` : '';
  const note = `${step.allocationId} goes from pod ${step.competitor.metadata.name} to pod ${podEip?.metadata.name}${revisions}`;
  return notice(about, step, { reason: 'HandedOver', note });
};

/** Warnings about a request that is carried out all the same. */
export const warningsOf = ({ findings }: Pick<ParsedRequest, 'findings'>): readonly EventNote[] =>
  findings
    .filter(({ severity }) => severity === 'warn')
    .map((finding) => ({ type: 'Warning', reason: finding.id, action: 'Claim', note: sentence(finding) }));
