import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID, ECI_INSTANCE_ID, EIP_MADE_WITH } from '../api/annotations.ts';
import type { Eip } from '../cloud/port.ts';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import { isFinal } from '../api/pod.ts';
import { createGroup, MADE_WITH_GROUP, TAG_EIP } from './create.ts';
import type { DecideSettings, ObservedPod } from './observation.ts';
import { failedStatus, podStatusOf, type Failure } from './instance-status.ts';
import { waitFor, type PodAction, type PodStep } from './step.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** Between two looks at what changes: the cheap status call is what notices changes; this is in case it does not. */
const FLUX_MS = 15_000;
/** Between two looks at what the status call does not show. */
const LOOK_MS = 3_000;
/** After so long a deletion that was accepted and shows no effect is asked for again. */
const AGAIN_MS = 20_000;

/**
 * The one thing to do next for a pod that is bound to the virtual node. Pure and total; the first line that applies
 * wins. Whoever runs it may have died on any line before, or may run twice at once: there is one group for each UID,
 * because it is looked for by its tags before it is made, and made with a token that the UID determines.
 */
export const decidePod = (seen: ObservedPod, settings: DecideSettings): PodStep => {
  const { pod, group, surplus } = seen;
  if (pod.metadata.deletionTimestamp !== undefined && seen.memory.isFinished) return { do: 'Done' };
  if (group === undefined) return { do: 'ReadGroup' };
  const extra = surplus.find(({ status }) => status !== 'Terminating');
  if (extra) return end(extra, seen, `it is a second instance of pod ${pod.metadata.name}`);
  if (pod.metadata.deletionTimestamp !== undefined) return endPod(seen, group, settings);
  if (isFinal(pod)) return group ? end(group, seen, `the pod has ended (${pod.status?.phase ?? ''})`) : { do: 'Done' };
  return group ? run(seen, group, settings) : begin(seen, settings);
};

/** The group is asked to end, once. */
const end = ({ containerGroupId, status }: ContainerGroup, { memory }: ObservedPod, because: string): PodStep => {
  const { deletion } = memory;
  if (status === 'Terminating') return waitFor(`${containerGroupId} is ending`, FLUX_MS);
  if (deletion?.containerGroupId === containerGroupId && deletion.agoMs < AGAIN_MS)
    return waitFor(`${containerGroupId} is about to end`, LOOK_MS);
  return { do: 'DeleteGroup', containerGroupId, because };
};

/** The pod is to go: first the group, which costs money, then the object, which is the only record of it. */
const endPod = (seen: ObservedPod, group: ContainerGroup | null, settings: DecideSettings): PodStep => {
  const { pod, memory, now } = seen;
  if (group) return end(group, seen, 'the pod is being deleted');
  // Not listed yet, perhaps: it can be ended all the same. Not on the word of the pod: whoever may write it may write
  // the ID of another's instance there.
  const { createdId } = memory;
  if (createdId !== undefined && !memory.wasListed && memory.deletion?.containerGroupId !== createdId)
    return { do: 'DeleteGroup', containerGroupId: createdId, because: 'the pod is being deleted' };
  const isKnownToEnd = memory.wasListed || memory.deletion !== undefined;
  const leftMs = Math.max(
    (isKnownToEnd ? settings.readLagMs : 0) - memory.missingMs,
    memory.wasListed ? 0 : settings.settleMs - memory.quietMs,
  );
  if (leftMs > 0) return waitFor('a request that got no answer may still take effect', leftMs);
  if (pod.metadata.finalizers?.length && !isFinal(pod)) {
    // Whoever holds the pod by a finalizer, such as the Job controller, waits for it to have ended.
    const failure = { reason: 'Terminated', message: 'the pod was deleted and its instance has ended' };
    return { do: 'WriteStatus', status: failedStatus(pod, failure, now) };
  }
  return { do: 'FinishDeletion' };
};

/** The pod has its group: the pod says what the group does. */
const run = (seen: ObservedPod, group: ContainerGroup, { node }: DecideSettings): PodStep => {
  const { pod, eip, now } = seen;
  const said = pod.metadata.annotations ?? {};
  const { internetIp } = group;
  const makesEip = group.tags.get(TAG_EIP) === MADE_WITH_GROUP;
  const mustTell =
    makesEip &&
    internetIp !== undefined &&
    (said[ALLOCATED_ADDRESS] !== internetIp || said[ALLOCATED_INSTANCE_ID] === undefined);
  if (mustTell && eip === undefined) return { do: 'ReadEipByAddress', ipAddress: internetIp };
  const annotations = {
    ...instanceAnnotations(pod, group, makesEip),
    ...(mustTell && eip && isBoundTo(eip, group)
      ? { [ALLOCATED_ADDRESS]: internetIp, [ALLOCATED_INSTANCE_ID]: eip.allocationId }
      : {}),
  };
  const status = podStatusOf(pod, group, { now, hostIP: node.hostIP });
  if (status || Object.keys(annotations).length > 0) return { do: 'WriteStatus', annotations, status };
  return atRest(group, { makesEip, mustTell });
};

/** The instance that the pod has, and whether it came with an EIP of its own; only what the pod does not say yet. */
const instanceAnnotations = ({ metadata }: WorkloadPod, { containerGroupId }: ContainerGroup, makesEip: boolean) => {
  const said = metadata.annotations ?? {};
  return {
    // With the pod's address, at the latest: whoever buys EIPs must know by then that this pod has one.
    ...(makesEip && said[EIP_MADE_WITH] !== containerGroupId && { [EIP_MADE_WITH]: containerGroupId }),
    ...(!makesEip && said[EIP_MADE_WITH] !== undefined && { [EIP_MADE_WITH]: null }),
    ...(said[ECI_INSTANCE_ID] !== containerGroupId && { [ECI_INSTANCE_ID]: containerGroupId }),
  };
};

/** What the address is bound to must be this instance: addresses are given to others once they are released. */
const isBoundTo = ({ instanceId }: Eip, { eniInstanceId, containerGroupId }: ContainerGroup): boolean =>
  instanceId === eniInstanceId || instanceId === containerGroupId;

/** There is nothing to write: the group is looked at again until it runs and its address is known. */
const atRest = (
  { containerGroupId, internetIp, status }: ContainerGroup,
  { makesEip, mustTell }: { readonly makesEip: boolean; readonly mustTell: boolean },
): PodStep => {
  if (mustTell) return waitFor(`${internetIp} is not listed at ${containerGroupId} yet`, LOOK_MS);
  if (makesEip && internetIp === undefined) return waitFor(`${containerGroupId} shows no public address yet`, LOOK_MS);
  return status === 'Running' ? { do: 'Done' } : waitFor(`${containerGroupId} is ${status}`, FLUX_MS);
};

/** The pod has no group: it is about to be shown, it is gone, or there has never been one. */
const begin = (seen: ObservedPod, settings: DecideSettings): PodStep => {
  const { pod, memory, now } = seen;
  const { createdId } = memory;
  const known = instanceOf(pod);
  if (known === undefined && createdId === undefined) return createGroup(seen, settings);
  if (known === undefined && createdId !== undefined) {
    const startTime = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    return { do: 'WriteStatus', annotations: { [ECI_INSTANCE_ID]: createdId }, status: { startTime } };
  }
  const id = known ?? createdId ?? '';
  const leftMs = (memory.wasListed ? settings.readLagMs : settings.missingMs) - memory.missingMs;
  if (leftMs > 0) return waitFor(`${id} is not listed`, Math.min(leftMs, LOOK_MS));
  const failure: Failure = {
    reason: 'ContainerGroupGone',
    message: `the elastic container instance ${id} no longer exists; it was released by somebody else, or reclaimed`,
  };
  const gone: PodAction = { do: 'WriteStatus', status: failedStatus(pod, failure, now), warning: failure };
  return gone;
};

/**
 * The instance that the pod was told to have. The annotation alone proves nothing, because a template may carry a copy;
 * a start time can only come from whoever runs the pod.
 */
const instanceOf = ({ metadata, status }: WorkloadPod): string | undefined =>
  status?.startTime === undefined ? undefined : metadata.annotations?.[ECI_INSTANCE_ID];
