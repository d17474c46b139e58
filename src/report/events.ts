import type { Pod } from '../api/core.ts';
import { SERVICE, SERVICE_UID } from '../api/knative.ts';
import { sentence } from '../api/finding.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { Reason } from '../api/reason.ts';
import type { Reading } from '../intent/read.ts';
import type { Seen } from '../plan/seen.ts';
import type { Act, Acted } from '../plan/step.ts';

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
const ofService = ({ metadata: { namespace, labels = {} } }: Pod | PodEip): readonly Regarding[] => {
  const { [SERVICE]: name, [SERVICE_UID]: uid } = labels;
  return name === undefined || uid === undefined
    ? []
    : [{ apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace, name, uid }];
};

/**
 * The objects that an Event belongs to: the pod, where people look first, the PodEIP, which outlives it, and the Knative
 * Service, which is what its developer knows.
 */
export const regarding = ({ pod, podEip }: Pick<Seen, 'pod' | 'podEip'>): readonly Regarding[] => [
  ...(pod ? [ofPod(pod)] : []),
  ...(podEip ? [ofPodEip(podEip)] : []),
  ...(pod ? ofService(pod) : podEip ? ofService(podEip) : []),
];

/** What to tell people after an act; undefined for acts that are nobody's news. */
export const eventOf = (step: Act, acted: Acted): EventNote | undefined => {
  const normal = (reason: Reason, note: string): EventNote => ({ type: 'Normal', reason, action: step.do, note });
  switch (step.do) {
    case 'Allocate':
      return normal('Allocated', `allocated EIP ${acted.ipAddress} (${acted.allocationId})`);
    case 'Forget':
      return {
        type: 'Warning',
        reason: 'EipGone',
        action: step.do,
        note: `${step.allocationId} no longer exists, and not because this controller released it; another one is bought`,
      };
    case 'Adopt':
      return normal('Adopted', `taken over from ${step.from}, with ${acted.allocationId}`);
    case 'Park':
      return normal('Kept', `${step.because}; its EIP is kept for the next pod of the name`);
    case 'TakeOver':
      return normal('Kept', `${acted.allocationId} was kept for this pod`);
    case 'Supplant':
      return normal(
        'HandedOver',
        `${step.allocationId} comes from pod ${step.rival.metadata.name} of the same Knative Service, which gives it up`,
      );
    case 'Rob':
      return normal('Disassociated', `detached ${step.allocationId} from ${step.from.instanceId}, as configured`);
    case 'Publish':
      return normal('Associated', `EIP ${step.ipAddress} is bound to the pod`);
    case 'Unassociate':
      return normal(
        'Disassociated',
        `detached ${step.allocationId} from ${step.place.networkInterfaceId} ${step.place.privateIpAddress}`,
      );
    case 'Release':
      return normal('Released', `released ${step.allocationId}`);
    case 'Inherit':
      return normal('HandedOver', `${step.allocationId} comes from an earlier pod of the same Knative Service`);
    case 'Offer':
    case 'Bequeath':
    case 'Decline':
    case 'Claim':
    case 'Reserve':
    case 'Witness':
    case 'Yield':
    case 'Tag':
    case 'Retire':
    case 'Record':
    case 'JoinBandwidthPackage':
    case 'RecordBinding':
    case 'Associate':
    case 'StandAside':
    case 'Unpublish':
    case 'LeaveBandwidthPackage':
    case 'RemoveFinalizer':
      return undefined;
  }
};

/** The warnings about a request that is carried out all the same. */
export const warningsOf = ({ findings }: Pick<Reading, 'findings'>): readonly EventNote[] =>
  findings
    .filter(({ severity }) => severity === 'warn')
    .map((finding) => ({ type: 'Warning', reason: finding.id, action: 'Claim', note: sentence(finding) }));
