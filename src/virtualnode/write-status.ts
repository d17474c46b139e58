import { ALLOCATED_INSTANCE_ID, CLAIM_TURN } from '../api/annotations.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, Patch } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { AddressLookUps } from './address-look-ups.ts';
import type { OwnWrites } from './own-writes.ts';
import type { PodAction } from './step.ts';
import type { PodTracker } from './tracker.ts';
import { referenceTo, troubleEvent } from './trouble.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

interface StatusPorts {
  readonly nodeKube: Kube;
  readonly tracker: PodTracker;
  readonly addresses: AddressLookUps;
  readonly ownWrites: OwnWrites;
  readonly record: (about: ObjectReference, happening: Happening) => void;
}

type WriteStatus = Extract<PodAction, { do: 'WriteStatus' }>;

/**
 * The patch of a step. A strategic patch touches nothing that it does not name, so that the UID is enough, except where
 * it says whose turn it is (claim-turn.ts): one that arrives late, of a process that is dead by now, would take back
 * what was said after it. So it goes through only if nobody has written the pod since it was read.
 */
export const patchOfPod = (
  { metadata: { uid, resourceVersion } }: WorkloadPod,
  { annotations, status }: Pick<WriteStatus, 'annotations' | 'status'>,
) =>
  ({
    type: 'strategic',
    subresource: 'status',
    body: {
      metadata: {
        uid,
        ...(annotations?.[CLAIM_TURN] !== undefined && { resourceVersion }),
        ...(annotations && { annotations }),
      },
      ...(status && { status }),
    },
  }) satisfies Patch;

/** Writes the status of a pod. Resolves to the pod after that; undefined where somebody was first: look again. */
export const writePodStatus = async (
  { nodeKube, tracker, addresses, ownWrites, record }: StatusPorts,
  step: WriteStatus,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<WorkloadPod | undefined> => {
  const { uid, namespace, name } = pod.metadata;
  const { annotations, warning, happenings = [] } = step;
  const turn = annotations?.[CLAIM_TURN] ?? undefined;
  if (annotations?.[ALLOCATED_INSTANCE_ID]) addresses.forget(uid);
  // Until it is answered, nothing is known of it.
  if (turn !== undefined) tracker.saysTurn(uid, undefined);
  let written: WorkloadPod;
  try {
    const patch = patchOfPod(pod, step);
    written = await ownWrites.send(uid, () => nodeKube.patch(WORKLOAD_POD, { namespace, name }, patch, signal));
  } catch (error) {
    if (turn !== undefined && error instanceof KubeFault && error.kind === 'conflict') return undefined;
    throw error;
  }
  if (turn !== undefined) tracker.saysTurn(uid, turn);
  const about = referenceTo(pod.metadata);
  if (warning) record(about, troubleEvent(warning));
  for (const happening of happenings) record(about, happening);
  return written;
};
