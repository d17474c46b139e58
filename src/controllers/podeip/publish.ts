import { READINESS_GATE } from '../../api/annotations.ts';
import { POD, type Pod } from '../../api/core.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, Patch } from '../../kube/port.ts';
import type { Log } from '../../lib/log.ts';
import { annotationsOf, gateOf, type Announcement, type NetworkKey } from './pod-announcement.ts';
import { toldAsSeen } from './safeguards.ts';

/**
 * The resource through which a pod is annotated. `status`: pods/status, together with the conditions; that permission
 * allows no other change of a pod. `pod`: the pod itself, so that webhooks and watches of pods notice the change.
 */
type AnnotatedThrough = 'status' | 'pod';

/** The ports and settings that an announcement uses. */
export interface AnnouncePorts {
  readonly kube: Kube;
  readonly networkKey: NetworkKey;
  readonly through: AnnotatedThrough;
  readonly log: Log;
}

/**
 * Publishes on a pod. Resolves to the pod as it is then, undefined where it is gone, which is no error. Rejects with a
 * KubeFault.
 */
export type Announce = (
  pod: Pod,
  what: { readonly says: Announcement; readonly isGated: boolean; readonly now: number },
  signal: AbortSignal,
) => Promise<Pod | undefined>;

/**
 * Publishes on a pod which address it has, or that it has none: annotations and, if the pod declares the gate, the
 * condition. The API server merges conditions by type and annotations by key, so that those of others stay
 * (kubernetes/kubernetes pkg/registry/core/pod/strategy.go: the status endpoint keeps spec and owners). The UID rules
 * out another pod of the same name, and the resource version a change since the decision: a late request must not
 * announce an address that the pod has lost since.
 *
 * Through `status` one PATCH writes everything. Through the pod there are two: the one that opens the gate comes last,
 * and the one that closes it first, so that the address is written whenever the pod receives requests. If the process
 * dies in between, the next one finds the announcement incomplete and repeats it.
 *
 * The gate of a pod whose EIP goes to another pod of its Knative Service stays open: while it is the only one that
 * serves, requests for its Revision would wait for a pod that does not become ready again, and Knative does not scale a
 * Revision down that was never seen active (pkg/reconciler/autoscaling/kpa/scaler.go, handleScaleToZero) for ten
 * minutes.
 */
export const createAnnouncer = ({ kube, networkKey, through, log }: AnnouncePorts): Announce => {
  let isForbiddenSaid = false;

  const patch = (pod: Pod, patched: Patch, signal: AbortSignal): Promise<Pod> => {
    const { namespace, name } = pod.metadata;
    return kube.patch(POD, { namespace, name }, patched, signal);
  };

  /** Undefined where pods may not be written as a whole. */
  const annotateThroughPod = async (pod: Pod, body: object, signal: AbortSignal): Promise<Pod | undefined> => {
    try {
      return await patch(pod, { type: 'strategic', body }, signal);
    } catch (error) {
      if (!(error instanceof KubeFault && error.kind === 'forbidden')) throw error;
      if (!isForbiddenSaid)
        log.warn(
          { error: error.message },
          'announcement.through is "pod", and the controller may not patch pods: addresses are written through pods/status, where webhooks on pods do not see them. Apply config/announce-on-pods, or take the setting out',
        );
      isForbiddenSaid = true;
      return undefined;
    }
  };

  const tell: Announce = async (pod, { says, isGated, now }, signal) => {
    const annotations = annotationsOf(pod, says, networkKey);
    const condition = {
      type: READINESS_GATE,
      ...gateOf(says),
      lastProbeTime: null,
      lastTransitionTime: new Date(now).toISOString(),
    };
    const gate = isGated && { status: { conditions: [condition] } };
    const writeStatus = (it: Pod, metadata: object, rest: object | false): Promise<Pod> =>
      patch(it, { type: 'strategic', subresource: 'status', body: { metadata, ...rest } }, signal);
    const annotate = async (it: Pod): Promise<Pod> => {
      const metadata = { ...toldAsSeen(it), annotations };
      const after = await annotateThroughPod(it, { metadata }, signal);
      return after ?? writeStatus(it, metadata, false);
    };
    const turnGate = (it: Pod) => (gate ? writeStatus(it, toldAsSeen(it), gate) : Promise.resolve(it));

    const inTwo = async (): Promise<Pod> =>
      condition.status === 'True' ? turnGate(await annotate(pod)) : annotate(await turnGate(pod));
    const after = await (through === 'pod' ? inTwo() : writeStatus(pod, { ...toldAsSeen(pod), annotations }, gate));
    assertStays(after, annotations);
    return after;
  };

  return async (pod, what, signal) => {
    try {
      return await tell(pod, what, signal);
    } catch (error) {
      // A pod that has ended is often removed before it can be annotated.
      if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
      return undefined;
    }
  };
};

/**
 * Rejects an answer without the annotations that were just written: an API server or a webhook that drops them would
 * otherwise be written to again and again without a pause.
 */
const assertStays = ({ metadata }: Pod, annotations: Readonly<Record<string, string | null>>): void => {
  for (const [key, value] of Object.entries(annotations))
    if ((metadata.annotations?.[key] ?? null) !== value)
      throw new KubeFault({
        kind: 'invalid',
        message: `the annotation ${key} of pod ${metadata.name} was written and did not stay; look for an admission webhook that removes it`,
      });
};
