import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import { keyOf } from '../../kube/store.ts';
import { isFinal } from '../../api/pod.ts';
import { regarding, type EventNote, type Regarding } from '../podeip/events.ts';
import type { Caches } from '../caches.ts';

/** How waiting pods are told. */
interface WaitingPodPorts {
  readonly caches: Pick<Caches, 'pods' | 'podEips'>;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  readonly warnService: (of: Pod | PodEip, event: EventNote) => void;
}

/** Reports an obstacle to the work of the whole controller. */
interface WaitingPodNotifier {
  /**
   * To be called with the reason why nothing is done for any pod, as a sentence that says what to do; undefined once
   * work begins.
   */
  readonly told: (why: string | undefined) => void;
}

/**
 * Records on each pod that waits for an address, and on its Knative Service, why the controller does not work: an alert
 * reaches operators only, and users look at their pods. Each pod gets each reason once.
 */
export const createWaitingPodNotifier = ({ caches, record, warnService }: WaitingPodPorts): WaitingPodNotifier => {
  let why: string | undefined;
  /** UIDs of the pods that have the current reason. */
  let told = new Set<string>();
  const tell = (pod: Pod): void => {
    if (why === undefined || told.has(pod.metadata.uid) || !isWaiting(pod, caches)) return;
    told.add(pod.metadata.uid);
    const event: EventNote = { type: 'Warning', reason: 'CloudMisconfigured', action: 'CheckAccount', note: why };
    for (const object of regarding({ pod, podEip: null })) record(object, event);
    warnService(pod, event);
  };
  caches.pods.subscribe(({ type, object }) => {
    if (type === 'deleted') told.delete(object.metadata.uid);
    else tell(object);
  });
  return {
    told: (now) => {
      if (now === why) return;
      why = now;
      told = new Set();
      for (const pod of caches.pods.store.values()) tell(pod);
    },
  };
};

/** Whether the pod runs and has no address. Before it has a private address, it could not get one in any case. */
const isWaiting = (pod: Pod, { podEips }: Pick<Caches, 'podEips'>): boolean =>
  !isFinal(pod) &&
  pod.metadata.deletionTimestamp === undefined &&
  pod.status?.podIP !== undefined &&
  podEips.store
    .get(keyOf(pod.metadata))
    ?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') !== true;
