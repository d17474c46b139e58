import { ADOPTED } from '../api/annotations.ts';
import { isFinal } from '../api/pod.ts';
import type { PodEip } from '../api/podeip.ts';
import { ACK_EXTEND_CONTROLLER, predecessorOf, TERWAY_CONTROLLER } from '../controllers/podeip/adopt.ts';
import { hasFinalizer, isExternal, isOurs, readRecord } from '../controllers/podeip/record.ts';
import { provesOwnership } from '../controllers/podeip/safeguards.ts';
import type { SeenPod, Surroundings } from './inventory.ts';
import { blocked, nothingToDo, planned, type PlannedPod } from './planned.ts';
import type { MigrationStep } from './migration-step.ts';
import { withoutPodEip } from './terway.ts';

const FINISH =
  'start knative-eip (kubectl -n knative-eip-system scale deployment knative-eip --replicas=1) until it is done, stop it, and run this again';

/** Of an EIP that nobody else would release. */
const GIVE_BACK =
  'start knative-eip until it has given the EIP back (a PodEIP with the strategy Never: kubectl delete podeip), stop it, and run this again';

/**
 * What becomes of a PodEIP when the other controller is to have it: our notes and tags go, and nothing else. The EIP
 * stays where it is.
 */
export const planHandBack = (seen: SeenPod, around: Surroundings): PlannedPod => {
  const { podEip } = seen;
  if (!podEip) return nothingToDo(seen, 'there is no PodEIP');
  if (isExternal(podEip))
    return planned(
      seen,
      'discard',
      [{ do: 'Remove', podEip }],
      'it records what a virtual node made, and holds nothing',
    );
  if (!isOurs(podEip)) return finishHandBack(seen, podEip, around);
  if (around.from === 'terway' && podEip.metadata.annotations?.[ADOPTED] === ACK_EXTEND_CONTROLLER)
    return nothingToDo(seen, `it came from ${ACK_EXTEND_CONTROLLER}`);
  const obstacle = obstacleOf(seen, podEip, around);
  if (obstacle) return blocked(seen, obstacle.because, obstacle.todo);
  if (!hasFinalizer(podEip)) return planned(seen, 'discard', [{ do: 'Remove', podEip }], 'it holds nothing');
  const to = around.from === 'terway' ? TERWAY_CONTROLLER : ACK_EXTEND_CONTROLLER;
  const steps: readonly MigrationStep[] = [
    { do: 'HandBack', podEip, to },
    ...untagged(seen, podEip, around),
    ...(around.from === 'terway' ? withoutPodEip(seen) : []),
  ];
  return planned(seen, 'handBack', steps, 'the EIP stays where it is');
};

/** What an earlier run, or a take-over that was not finished, has left. */
const finishHandBack = (seen: SeenPod, podEip: PodEip, around: Surroundings): PlannedPod => {
  const isOfTerway = around.from === 'terway' && predecessorOf(podEip) === TERWAY_CONTROLLER;
  const steps = [...untagged(seen, podEip, around), ...(isOfTerway ? withoutPodEip(seen) : [])];
  return steps.length === 0
    ? nothingToDo(seen, `${predecessorOf(podEip)} looks after it`)
    : planned(seen, 'handBack', steps, 'the EIP stays where it is');
};

const untagged = ({ eip }: SeenPod, podEip: PodEip, { settings }: Surroundings): readonly MigrationStep[] =>
  eip && provesOwnership(eip, podEip, settings.clusterUid)
    ? [{ do: 'Untag', podEip, allocationId: eip.allocationId }]
    : [];

const obstacleOf = (seen: SeenPod, podEip: PodEip, around: Surroundings) => {
  const { eip } = seen;
  const { metadata, spec } = podEip;
  const { request, successorUid } = readRecord(podEip);
  if (metadata.deletionTimestamp !== undefined) return { because: 'its EIP is being given back', todo: FINISH };
  if (!hasFinalizer(podEip)) return undefined;
  if (spec.allocationID === '')
    return { because: request ? 'an EIP may just have been bought for it' : 'its notes were edited', todo: FINISH };
  if (successorUid !== undefined) return { because: 'its EIP goes to another pod', todo: FINISH };
  if (!eip) return { because: `${spec.allocationID} is not listed in this region and account`, todo: FINISH };
  if (eip.status !== 'InUse' && eip.status !== 'Available')
    return { because: `${eip.allocationId} is ${eip.status}`, todo: FINISH };
  return around.from === 'terway' ? unknownToTerway(seen, podEip, around) : undefined;
};

/**
 * Terway remembers the EIPs of the pods that it set up itself, as long as they live. It would never release another.
 */
const unknownToTerway = ({ pod }: SeenPod, podEip: PodEip, { poolOffSince }: Surroundings) => {
  if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined)
    return { because: 'its pod is gone or ending, and Terway would never release the EIP', todo: GIVE_BACK };
  const createdAt = Date.parse(pod.metadata.creationTimestamp ?? '');
  const isOld = poolOffSince !== undefined && createdAt < poolOffSince;
  if (isOld && podEip.metadata.annotations?.[ADOPTED] === TERWAY_CONTROLLER && readRecord(podEip).generation === 1)
    return undefined;
  return {
    because:
      poolOffSince === undefined
        ? 'nobody noted when the EIP pool was switched off, so Terway may not know this EIP, and never release it'
        : 'Terway does not know this EIP, and would never release it',
    todo: `delete its pod; ${GIVE_BACK}`,
  };
};
