import type { Pod } from '../../api/core.ts';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../api/knative.ts';
import { sentence } from '../../api/finding.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { isHandedOver } from '../../api/pod.ts';
import { readRecord } from './record.ts';
import type { ObservedState } from './observation.ts';
import { isCloudAction, isPodAction } from './step.ts';
import type { Action, ActionOutcome, CloudAction, PodAction, RecordAction } from './step.ts';
import { labelOf } from './step-label.ts';

/** What an Event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/** An Event that a person reads in `kubectl describe`. */
export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  /** What the controller was doing, CamelCase. */
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

/** The Knative Service of a pod, by the labels that Knative puts on it and a PodEIP has from its pod. */
export const serviceOf = ({ metadata: { namespace, labels = {} } }: Pod | PodEip): Regarding | undefined => {
  const { [SERVICE_LABEL]: name, [SERVICE_UID]: uid } = labels;
  return name === undefined || uid === undefined
    ? undefined
    : { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace, name, uid };
};

/** The pod, where people look first, and the PodEIP, which outlives it: both are told what somebody must act on. */
export const regarding = ({ pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>): readonly Regarding[] => [
  ...(pod ? [ofPod(pod)] : []),
  ...(podEip ? [ofPodEip(podEip)] : []),
];

/** An Event and the object that it is about. */
interface Notice {
  readonly about: Regarding;
  readonly event: EventNote;
}

/**
 * What to tell people after an act, and where. Each thing is told once: to the pod while it is there, of what happens
 * to its address; to the PodEIP, of what becomes of the EIP after it; to the Knative Service, of hand-overs. With the
 * two summaries of the Service a pod's life costs at most six Events, hold-off included: some clusters keep them all in
 * etcd for an hour, and client-go's readers drop what comes too fast.
 */
export const noticesOf = (step: Action, acted: ActionOutcome, seen: Objects): readonly Notice[] => {
  if (isCloudAction(step)) return noticesOfCloud(step, acted, seen);
  return isPodAction(step) ? noticesOfPod(step, seen) : noticesOfRecord(step, acted, seen);
};

type Objects = Pick<ObservedState, 'pod' | 'podEip'>;

/** What there is to say of a step. */
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

/** To the pod, and where there is none to the PodEIP. */
const toPod = (seen: Objects, step: Action, saying: Saying): readonly Notice[] =>
  seen.pod ? notice(ofPod(seen.pod), step, saying) : toPodEip(seen, step, saying);

const toPodEip = ({ podEip }: Objects, step: Action, saying: Saying): readonly Notice[] =>
  podEip ? notice(ofPodEip(podEip), step, saying) : [];

const noticesOfPod = (step: PodAction, seen: Objects): readonly Notice[] => {
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

const noticesOfCloud = (step: CloudAction, acted: ActionOutcome, seen: Objects): readonly Notice[] => {
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

const noticesOfUnassociate = (step: Extract<CloudAction, { do: 'Unassociate' }>, seen: Objects): readonly Notice[] => {
  const { podEip, allocationId, binding } = step;
  const { deletionTimestamp } = podEip.metadata;
  // Of a kept EIP, of one that is handed over and of one that is released next, the other Event says it all.
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
    case 'MarkReusable':
    case 'AssignSuccessor':
    case 'CancelTransfer':
    case 'Claim':
    case 'Reserve':
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

/** The warnings about a request that is carried out all the same. */
export const warningsOf = ({ findings }: Pick<ParsedRequest, 'findings'>): readonly EventNote[] =>
  findings
    .filter(({ severity }) => severity === 'warn')
    .map((finding) => ({ type: 'Warning', reason: finding.id, action: 'Claim', note: sentence(finding) }));
