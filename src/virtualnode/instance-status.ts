import type { PodCondition } from '../api/core.ts';
import type { ContainerGroup, ContainerOfGroup, ContainerState } from '../cloud/container-groups.ts';
import type { WorkloadPod, WorkloadStatus } from './workload-pod.ts';

/** What is written into the status of a pod: only what has changed, and of the conditions only ours. */
export type StatusChange = Readonly<Record<string, unknown>>;

/** The conditions that a kubelet sets. All others are somebody else's. */
const OURS = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'] as const;
type Ours = (typeof OURS)[number];

/** Whether a condition of a pod is written here. */
export const isOwnCondition = (type: string): boolean => OURS.some((own) => own === type);

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

/** Why a pod ended that did not end by itself. */
export interface Failure {
  /** For example `ContainerGroupGone`. */
  readonly reason: string;
  readonly message: string;
}

/**
 * The status of a pod from its instance; undefined where the pod shows it already. A pod that has ended stays so.
 * Sources: kubernetes pkg/kubelet/status/generate.go (conditions), pkg/kubelet/kubelet_pods.go (phase); ECI
 * documentation, "Lifecycle of an elastic container instance".
 *
 * @param hostIP the node's address; the instance's own without one, for on ECI the instance is the host
 */
export const podStatusOf = (
  pod: WorkloadPod,
  group: ContainerGroup,
  { now, hostIP }: { readonly now: number; readonly hostIP: string | undefined },
): StatusChange | undefined => {
  const current: WorkloadStatus = pod.status ?? {};
  const phase = phaseOf(group, current.phase ?? 'Pending');
  const containers = containersOf(pod.spec.containers, group.containers, group);
  const initContainers = containersOf(pod.spec.initContainers ?? [], group.initContainers, group);
  const failure = failureOf(group, phase);
  const { intranetIp } = group;
  const wanted = {
    phase,
    ...failure,
    ...(intranetIp !== undefined && {
      podIP: intranetIp,
      podIPs: [{ ip: intranetIp }],
      hostIP: hostIP ?? intranetIp,
    }),
    startTime: current.startTime ?? wholeSeconds(group.creationTime) ?? timestamp(now),
    containerStatuses: containers,
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
  };
  return changeOf(pod, wanted, verdictsOf(pod, phase, containers, initContainers), now);
};

/** The status of a pod that failed without its containers having said so; undefined where the pod shows it already. */
export const failedStatus = (pod: WorkloadPod, failure: Failure, now: number): StatusChange | undefined => {
  const containers = (pod.status?.containerStatuses ?? []).map((status) => lost(status as ContainerStatus, failure));
  const wanted = {
    phase: 'Failed',
    ...failure,
    ...(containers.length > 0 && { containerStatuses: containers }),
  };
  const unready: Verdict = { status: 'False', reason: 'PodFailed', message: failure.message };
  return changeOf(pod, wanted, { ContainersReady: unready, Ready: unready }, now);
};

/** The status of a pod for which nothing has been bought, and why. */
export const waitingStatus = (pod: WorkloadPod, failure: Failure, now: number): StatusChange | undefined => {
  const unready: Verdict = { status: 'False', ...failure };
  return changeOf(pod, { phase: 'Pending', ...failure }, { ContainersReady: unready, Ready: unready }, now);
};

const PHASES: Readonly<Record<string, string>> = {
  Scheduling: 'Pending',
  Pending: 'Pending',
  Running: 'Running',
  Restarting: 'Running',
  Updating: 'Running',
  Succeeded: 'Succeeded',
  Failed: 'Failed',
  ScheduleFailed: 'Failed',
  Expired: 'Failed',
};

/** What is in transition, or a word that is not known, changes nothing. Nothing comes back from the end. */
const phaseOf = ({ status }: ContainerGroup, before: string): string => {
  if (before === 'Succeeded' || before === 'Failed') return before;
  const phase = PHASES[status] ?? before;
  return before === 'Running' && phase === 'Pending' ? before : phase;
};

const failureOf = ({ status, events }: ContainerGroup, phase: string): Failure | undefined => {
  if (phase !== 'Failed' || status === 'Terminating') return undefined;
  const told = events.findLast(({ type }) => type === 'Warning') ?? events.at(-1);
  const message = told ? `${told.reason}: ${told.message}` : `the elastic container instance is ${status}`;
  return { reason: status === 'Failed' ? 'ContainersFailed' : status, message: message.slice(0, 1024) };
};

interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string | undefined;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly state: object;
  readonly lastState: object;
}

const containersOf = (
  wanted: readonly { readonly name: string; readonly image: string }[],
  found: readonly ContainerOfGroup[],
  { containerGroupId, status }: ContainerGroup,
): ContainerStatus[] =>
  wanted.map(({ name, image }): ContainerStatus => {
    const container = found.find((each) => each.name === name);
    const { currentState, previousState } = container ?? {};
    const isRunning = currentState?.state === 'Running';
    const hasStarted = currentState !== undefined && currentState.state !== 'Waiting';
    return {
      name,
      image,
      imageID: '',
      ...(hasStarted && { containerID: `eci://${containerGroupId}/${name}` }),
      ready: container?.ready === true && isRunning && status !== 'Terminating',
      started: isRunning,
      restartCount: container?.restartCount ?? 0,
      state: stateOf(currentState),
      lastState: previousState?.state === 'Terminated' ? stateOf(previousState) : {},
    };
  });

const stateOf = (state: ContainerState | undefined): object => {
  switch (state?.state) {
    case 'Running':
      return { running: defined({ startedAt: wholeSeconds(state.startTime) }) };
    case 'Terminated':
      return {
        terminated: defined({
          // The API server requires it; -1 is what no process returns.
          exitCode: state.exitCode ?? -1,
          signal: state.signal,
          reason: state.reason ?? (state.exitCode === 0 ? 'Completed' : 'Error'),
          message: state.message,
          startedAt: wholeSeconds(state.startTime),
          finishedAt: wholeSeconds(state.finishTime),
        }),
      };
    case 'Waiting':
    case undefined:
      return { waiting: defined({ reason: state?.reason ?? 'ContainerCreating', message: state?.message }) };
  }
};

/** A container whose instance is gone: it does not run, and nobody knows how it ended (as the kubelet says it). */
const lost = (status: ContainerStatus, { message }: Failure): ContainerStatus => {
  if ('terminated' in status.state) return { ...status, ready: false, started: false };
  const terminated = { exitCode: 137, reason: 'ContainerStatusUnknown', message };
  return { ...status, ready: false, started: false, state: { terminated } };
};

const verdictsOf = (
  pod: WorkloadPod,
  phase: string,
  containers: readonly ContainerStatus[],
  initContainers: readonly ContainerStatus[],
): Readonly<Record<Ours, Verdict>> => {
  const isTrue: Verdict = { status: 'True' };
  const isDone = (status: ContainerStatus) =>
    (status.state as { terminated?: { exitCode?: number } }).terminated?.exitCode === 0;
  const uninitialized = initContainers.filter((status) => !isDone(status)).map(({ name }) => name);
  // Containers that run prove that those before them have ended, whatever is still shown of these.
  const isInitialized =
    uninitialized.length === 0 || phase === 'Succeeded' || containers.some(({ started }) => started);
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const containersReady: Verdict =
    phase === 'Succeeded'
      ? { status: 'False', reason: 'PodCompleted' }
      : phase === 'Failed'
        ? { status: 'False', reason: 'PodFailed' }
        : unready.length === 0
          ? isTrue
          : {
              status: 'False',
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${unready.join(' ')}]`,
            };
  return {
    PodScheduled: isTrue,
    Initialized: isInitialized
      ? isTrue
      : {
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${uninitialized.join(' ')}]`,
        },
    ContainersReady: containersReady,
    Ready: containersReady.status === 'True' ? gatesOf(pod) : containersReady,
  };
};

/** Ready waits for the conditions that the pod names in its readiness gates, whoever sets them. */
const gatesOf = ({ spec, status }: WorkloadPod): Verdict => {
  const closed = (spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = status?.conditions?.find(({ type }) => type === conditionType);
    if (found?.status === 'True') return [];
    return found
      ? [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`]
      : [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
  });
  return closed.length === 0
    ? { status: 'True' }
    : { status: 'False', reason: 'ReadinessGatesNotReady', message: closed.join(', ') };
};

const changeOf = (
  pod: WorkloadPod,
  wanted: Readonly<Record<string, unknown>>,
  verdicts: Partial<Record<Ours, Verdict>>,
  now: number,
): StatusChange | undefined => {
  const current = (pod.status ?? {}) as Readonly<Record<string, unknown>>;
  const change: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) if (!isSame(current[key], value)) change[key] = value;
  // What was said while the pod waited is no longer so.
  for (const key of ['reason', 'message']) if (!(key in wanted) && current[key] !== undefined) change[key] = null;
  const conditions = OURS.flatMap((type) => {
    const verdict = verdicts[type];
    const before = pod.status?.conditions?.find((condition) => condition.type === type);
    if (!verdict || (before && isSame(told(before), told(verdict)))) return [];
    const since = before?.status === verdict.status ? before.lastTransitionTime : undefined;
    // Null takes away what an earlier verdict said (JSON merge patch semantics inside a strategic one).
    return [
      {
        type,
        status: verdict.status,
        reason: verdict.reason ?? null,
        message: verdict.message ?? null,
        lastTransitionTime: since ?? timestamp(now),
      },
    ];
  });
  if (conditions.length > 0) change['conditions'] = conditions;
  return Object.keys(change).length === 0 ? undefined : change;
};

const told = ({ status, reason, message }: Verdict) => [status, reason ?? '', message ?? ''];

/** Deep equality; what is undefined, or an empty object, is as good as absent: the API server stores neither. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (isNothing(a) && isNothing(b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) => isSame(left[key], right[key]));
};

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && !Array.isArray(value) && Object.values(value).every(isNothing));

const defined = (object: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** metav1.Time has no fractions of a second. */
const timestamp = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');

/** A time of the API as metav1.Time; undefined where it is none. */
const wholeSeconds = (text: string | undefined): string | undefined => {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? undefined : timestamp(at);
};
