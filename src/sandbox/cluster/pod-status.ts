import type { Pod, PodCondition } from '../../api/core.ts';

/** Its containers have ended for good. */
export const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** What the kubelet writes, or undefined where the pod says so already. Ready waits for every readiness gate. */
export const runningStatusOf = (pod: Pod, podIP: string, now: string): object | undefined => {
  const conditions = pod.status?.conditions ?? [];
  const is = (type: string) => conditions.find((it) => it.type === type)?.status;
  const isReady = (pod.spec.readinessGates ?? []).every(({ conditionType }) => is(conditionType) === 'True');
  const wanted: PodCondition[] = [
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', status: 'True' },
    { type: 'Ready', status: isReady ? 'True' : 'False', ...(!isReady && { reason: 'ReadinessGatesNotReady' }) },
  ];
  const changed = wanted.filter(({ type, status }) => is(type) !== status);
  if (pod.status?.podIP === podIP && changed.length === 0) return undefined;
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    ...(pod.status?.podIP !== podIP && {
      startTime: now,
      containerStatuses: containersOf(pod, { isRunning: true, state: { running: { startedAt: now } } }),
    }),
    conditions: changed.map((condition) => ({ ...condition, lastTransitionTime: now })),
  };
};

/** As of a process that was killed, which is how a kubelet describes a container that it knows nothing of. */
const KILLED = 137;

/**
 * The last words of a pod that was deleted. Its addresses stay in its status, and so do the conditions of others.
 * Source: kubernetes/kubernetes pkg/kubelet/status/generate.go, for the reasons of the conditions.
 *
 * @param exitCode what its containers ended with
 */
export const endedStatusOf = (pod: Pod, exitCode: number | 'never ran', now: string): object => {
  const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
  const reason = exitCode === 0 ? 'PodCompleted' : 'PodFailed';
  const terminated =
    exitCode === 'never ran'
      ? { exitCode: KILLED, reason: 'ContainerStatusUnknown', finishedAt: now }
      : {
          exitCode,
          reason: exitCode === 0 ? 'Completed' : 'Error',
          startedAt: (pod.status as { readonly startTime?: string } | undefined)?.startTime ?? now,
          finishedAt: now,
        };
  return {
    phase,
    containerStatuses: containersOf(pod, { isRunning: false, state: { terminated } }),
    conditions: ['Ready', 'ContainersReady'].map((type) => ({
      type,
      status: 'False',
      reason,
      lastTransitionTime: now,
    })),
  };
};

const containersOf = (
  { spec }: Pod,
  { isRunning, state }: { isRunning: boolean; state: object },
): readonly object[] => {
  const { containers = [] } = spec as { readonly containers?: readonly { name: string; image: string }[] };
  return containers.map(({ name, image }) => ({
    name,
    image,
    imageID: '',
    ready: isRunning,
    started: isRunning,
    restartCount: 0,
    state,
  }));
};
