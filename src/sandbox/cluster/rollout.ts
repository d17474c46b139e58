import type { DeploymentCondition, Strategy, DeployedWorkload } from './workloads.ts';

/** A number, or a percentage of `of`, rounded as asked. */
const amount = (value: number | string, of: number, round: (value: number) => number): number =>
  typeof value === 'number' ? value : round((Number.parseFloat(value) / 100) * of);

const sum = (
  replicaSets: readonly DeployedWorkload[],
  read: (replicaSet: DeployedWorkload) => number | undefined,
): number => replicaSets.reduce((total, replicaSet) => total + (read(replicaSet) ?? 0), 0);

const wantedOf = ({ spec }: DeployedWorkload): number => spec.replicas ?? 1;

/**
 * How many pods each ReplicaSet should have now: new ones come within the surge, old ones go as far as enough stay
 * available. Source: kubernetes/kubernetes pkg/controller/deployment/rolling.go and recreate.go.
 */
export const rollOut = (
  desired: number,
  strategy: Strategy | undefined,
  current: DeployedWorkload,
  old: readonly DeployedWorkload[],
): ReadonlyMap<string, number> => {
  const scales = new Map<string, number>(old.map((replicaSet) => [replicaSet.metadata.name, wantedOf(replicaSet)]));
  const set = (replicaSet: DeployedWorkload, replicas: number) => scales.set(replicaSet.metadata.name, replicas);
  if (desired === 0) {
    for (const replicaSet of [current, ...old]) set(replicaSet, 0);
    return scales;
  }
  if (strategy?.type === 'Recreate') {
    for (const replicaSet of old) set(replicaSet, 0);
    return set(current, sum(old, ({ status }) => status?.replicas) > 0 ? wantedOf(current) : desired);
  }
  const { maxSurge = '25%', maxUnavailable = '25%' } = strategy?.rollingUpdate ?? {};
  const surge = amount(maxSurge, desired, Math.ceil);
  const unavailable = amount(maxUnavailable, desired, Math.floor);
  const total = wantedOf(current) + sum(old, wantedOf);
  const room = Math.max(0, desired + surge - total);
  set(current, Math.min(desired, wantedOf(current) + room));
  const newUnavailable = Math.max(0, wantedOf(current) - (current.status?.availableReplicas ?? 0));
  // With neither surge nor unavailability nothing would ever move: then one may be missing, as the API server demands.
  let removable = total - (desired - (surge + unavailable === 0 ? 1 : unavailable)) - newUnavailable;
  for (const replicaSet of old.toSorted((a, b) => (a.status?.readyReplicas ?? 0) - (b.status?.readyReplicas ?? 0))) {
    const gone = Math.max(0, Math.min(wantedOf(replicaSet), removable));
    set(replicaSet, wantedOf(replicaSet) - gone);
    removable -= gone;
  }
  return scales;
};

/** The counts of a Deployment's status. */
export const countsOf = (current: DeployedWorkload, old: readonly DeployedWorkload[]) => ({
  replicas: sum([current, ...old], ({ status }) => status?.replicas),
  updatedReplicas: current.status?.replicas ?? 0,
  readyReplicas: sum([current, ...old], ({ status }) => status?.readyReplicas),
  availableReplicas: sum([current, ...old], ({ status }) => status?.availableReplicas),
});

type Counts = ReturnType<typeof countsOf>;

const hasMoved = (counts: Counts, before: DeployedWorkload['status']): boolean =>
  counts.updatedReplicas !== (before?.updatedReplicas ?? 0) ||
  counts.availableReplicas > (before?.availableReplicas ?? 0) ||
  counts.readyReplicas > (before?.readyReplicas ?? 0);

/** How long nothing may change until a rollout counts as stuck; seconds. The API server's default. */
const PROGRESS_DEADLINE_S = 600;

/**
 * The condition Progressing, and how long until it may turn False; milliseconds. A rollout that was complete once does
 * not time out again when it only scales. Source: kubernetes/kubernetes pkg/controller/deployment/progress.go.
 */
export const progressOf = (
  deployment: DeployedWorkload,
  { metadata: { name } }: DeployedWorkload,
  { counts, isNew }: { readonly counts: Counts; readonly isNew: boolean },
  now: number,
): { readonly condition: DeploymentCondition; readonly leftMs: number | undefined } => {
  const { spec, status } = deployment;
  const desired = spec.replicas ?? 1;
  const have = status?.conditions?.find(({ type }) => type === 'Progressing');
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const as = (value: string, reason: string, moved = true): DeploymentCondition => ({
    type: 'Progressing',
    status: value,
    reason,
    lastUpdateTime: moved ? time : (have?.lastUpdateTime ?? time),
    lastTransitionTime: have?.status === value ? (have.lastTransitionTime ?? time) : time,
  });
  const deadlineMs = (spec.progressDeadlineSeconds ?? PROGRESS_DEADLINE_S) * 1_000;
  if (isNew || have === undefined) return { condition: as('True', 'NewReplicaSetCreated'), leftMs: deadlineMs };
  const { replicas, updatedReplicas, availableReplicas } = counts;
  if ([replicas, updatedReplicas, availableReplicas].every((count) => count === desired)) {
    const isSame = have.reason === 'NewReplicaSetAvailable';
    return { condition: isSame ? have : as('True', 'NewReplicaSetAvailable'), leftMs: undefined };
  }
  if (have.reason === 'NewReplicaSetAvailable') return { condition: have, leftMs: undefined };
  if (hasMoved(counts, status)) return { condition: as('True', 'ReplicaSetUpdated'), leftMs: deadlineMs };
  const leftMs = Date.parse(have.lastUpdateTime ?? time) + deadlineMs - now;
  if (leftMs > 0) return { condition: have, leftMs };
  return {
    condition:
      have.status === 'False'
        ? have
        : { ...as('False', 'ProgressDeadlineExceeded'), message: `ReplicaSet "${name}" has timed out progressing.` },
    leftMs: undefined,
  };
};
