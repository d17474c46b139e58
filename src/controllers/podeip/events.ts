import type { Pod } from '../../api/core.ts';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../api/knative.ts';
import { sentence } from '../../api/finding.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { isHandedOver } from '../../api/pod.ts';
import { readRecord } from './record.ts';
import type { ObservedState } from './observation.ts';
import type { Action, ActionOutcome } from './step.ts';
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
export interface Notice {
  readonly about: Regarding;
  readonly event: EventNote;
}

/**
 * What to tell people after an act, and where. Each thing is told once: to the pod while it is there, of what happens to its
 * address; to the PodEIP, of what becomes of the EIP after it; to the Knative Service, of hand-overs. With the two summaries of
 * the Service a pod's life costs at most six Events, hold-off included: some clusters keep them all in etcd for an hour, and
 * client-go's readers drop what comes too fast.
 */
export const noticesOf = (
  step: Action,
  acted: ActionOutcome,
  { pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>,
): readonly Notice[] => {
  const toPod = (reason: Reason, note: string, type: EventNote['type'] = 'Normal'): readonly Notice[] =>
    pod
      ? [{ about: ofPod(pod), event: { type, reason, action: labelOf(step.do), note } }]
      : toPodEip(reason, note, type);
  const toPodEip = (reason: Reason, note: string, type: EventNote['type'] = 'Normal'): readonly Notice[] =>
    podEip ? [{ about: ofPodEip(podEip), event: { type, reason, action: labelOf(step.do), note } }] : [];
  const toService = (reason: Reason, note: string): readonly Notice[] => {
    const about = podEip ? serviceOf(podEip) : undefined;
    return about ? [{ about, event: { type: 'Normal', reason, action: labelOf(step.do), note } }] : [];
  };
  switch (step.do) {
    case 'Allocate':
      return toPod('Allocated', `allocated EIP ${acted.ipAddress} (${acted.allocationId})`);
    case 'Forget':
      return toPod(
        'EipGone',
        `${step.allocationId} no longer exists, and not because this controller released it; another one is bought`,
        'Warning',
      );
    case 'Adopt':
      return toPod('Adopted', `taken over from ${step.from}, with ${acted.allocationId}`);
    case 'Retain':
      return toPodEip('Kept', `${step.because}; its EIP is kept for the next pod`);
    case 'TakeOver':
      return toPod('Kept', `${acted.allocationId} was kept for this pod`);
    case 'Preempt': {
      const { name } = step.competitor.metadata;
      const [from, to] = [step.competitor, podEip].map((it) => it?.metadata.labels?.[REVISION_LABEL]);
      const revisions = from !== to && from !== undefined && to !== undefined ? ` (${from} → ${to})` : '';
      return toService(
        'HandedOver',
        `${step.allocationId} goes from pod ${name} to pod ${podEip?.metadata.name}${revisions}`,
      );
    }
    case 'StandAside':
      return toPod(
        'HandedOver',
        `the EIP is with pod ${step.successor} of the same Knative Service; this pod goes on without it`,
      );
    case 'ForceDetach':
      return toPod('Disassociated', `detached ${step.allocationId} from ${step.from.instanceId}, as configured`);
    case 'Publish':
      return toPod('Associated', `EIP ${step.ipAddress} is bound to pod ${podEip?.metadata.name}`);
    case 'Unassociate': {
      // Of a kept EIP, of one that is handed over and of one that is released next, the other Event says it all.
      const isSaid =
        podEip?.spec.allocationType.type !== 'Static' &&
        (podEip?.metadata.deletionTimestamp !== undefined || (podEip && readRecord(podEip).podUid === ''));
      if (isSaid || (pod && isHandedOver(pod))) return [];
      const note = `detached ${step.allocationId} from ${step.binding.networkInterfaceId} ${step.binding.privateIpAddress}`;
      return podEip?.metadata.deletionTimestamp === undefined
        ? toPod('Disassociated', note)
        : toPodEip('Disassociated', note);
    }
    case 'Release':
      return toPodEip('Released', `released ${step.allocationId}`);
    case 'TransferOwnership':
      return toPod('HandedOver', `${step.allocationId} comes from an earlier pod of the same Knative Service`);
    case 'MarkReusable':
    case 'AssignSuccessor':
    case 'CancelTransfer':
    case 'Claim':
    case 'Reserve':
    case 'RecordExternal':
    case 'Unclaim':
    case 'Tag':
    case 'Retire':
    case 'Record':
    case 'JoinBandwidthPackage':
    case 'RecordBinding':
    case 'Associate':
    case 'Unpublish':
    case 'LeaveBandwidthPackage':
    case 'RemoveFinalizer':
      return [];
  }
};

/** The warnings about a request that is carried out all the same. */
export const warningsOf = ({ findings }: Pick<ParsedRequest, 'findings'>): readonly EventNote[] =>
  findings
    .filter(({ severity }) => severity === 'warn')
    .map((finding) => ({ type: 'Warning', reason: finding.id, action: 'Claim', note: sentence(finding) }));
