import type { PodCondition } from '../../../src/api/core.ts';
import type { ContainerHealth } from './health.ts';
import type { KubeletPod } from './pod.ts';

/** How a container of a running pod is. */
export interface ContainerState extends ContainerHealth {
  readonly restarts: number;
  readonly startedAt: string;
}

const condition = (type: string, isTrue: boolean, reason: string): PodCondition => ({
  type,
  status: isTrue ? 'True' : 'False',
  ...(!isTrue && { reason }),
});

/** Conditions whose status is another one than the pod shows, with the time of the change. */
const changed = (pod: KubeletPod, wanted: readonly PodCondition[], now: string): readonly PodCondition[] =>
  wanted
    .filter(({ type, status }) => !pod.status?.conditions?.some((it) => it.type === type && it.status === status))
    .map((it) => ({ ...it, lastTransitionTime: now }));

const sameContainers = (
  pod: KubeletPod,
  containers: readonly { name: string; ready: boolean; started: boolean; restartCount: number }[],
) => {
  const shown = (pod.status?.containerStatuses ?? []) as typeof containers;
  return containers.every((wanted) =>
    shown.some(
      ({ name, ready, started, restartCount }) =>
        name === wanted.name &&
        ready === wanted.ready &&
        started === wanted.started &&
        restartCount === wanted.restartCount,
    ),
  );
};

/**
 * What a kubelet writes of a pod that runs; undefined where the pod says so already. Ready waits for
 * every readiness gate.
 */
export const runningStatus = (
  pod: KubeletPod,
  podIP: string,
  stateOf: (container: string) => ContainerState,
  now: string,
): object | undefined => {
  const containers = pod.spec.containers.map(({ name, image }) => {
    const { started, ready, restarts, startedAt } = stateOf(name);
    return {
      name,
      image,
      imageID: image,
      started,
      ready,
      restartCount: restarts,
      state: { running: { startedAt } },
    };
  });
  const areReady = containers.every(({ ready }) => ready);
  const areGatesOpen = (pod.spec.readinessGates ?? []).every(({ conditionType }) =>
    pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  const conditions = changed(
    pod,
    [
      condition('PodReadyToStartContainers', true, ''),
      condition('Initialized', true, ''),
      condition('ContainersReady', areReady, 'ContainersNotReady'),
      condition('Ready', areReady && areGatesOpen, areReady ? 'ReadinessGatesNotReady' : 'ContainersNotReady'),
    ],
    now,
  );
  if (pod.status?.podIP === podIP && conditions.length === 0 && sameContainers(pod, containers)) return undefined;
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    ...(pod.status?.podIP !== podIP && { startTime: now }),
    containerStatuses: containers,
    conditions,
  };
};

/**
 * What a kubelet writes once the containers of a pod have ended, and before the object goes: since Kubernetes 1.27 the
 * final phase always comes first.
 */
export const finalStatus = (pod: KubeletPod, exitCode: number, now: string): object => {
  const reason = exitCode === 0 ? 'PodCompleted' : 'PodFailed';
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      started: false,
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAt: now } },
    })),
    conditions: changed(pod, [condition('ContainersReady', false, reason), condition('Ready', false, reason)], now),
  };
};
