import type { PodCondition } from '../api/core.ts';
import type { ContainerGroup, ContainerOfGroup, ContainerState } from '../cloud/container-groups.ts';
import type { WorkloadPod, WorkloadStatus } from './workload-pod.ts';

/** A patch of a pod's status: only what has changed, and only conditions that a kubelet sets. */
export type StatusChange = Readonly<Record<string, unknown>>;

/** The conditions that a kubelet sets. Others belong to other controllers. */
const OURS = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'] as const;
type Ours = (typeof OURS)[number];

/** Whether the virtual node writes this condition. */
export const isOwnCondition = (type: string): boolean => OURS.some((own) => own === type);

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

/** Why a pod does not run, or was ended. */
export interface Failure {
  /** For example `ContainerGroupGone`. */
  readonly reason: string;
  readonly message: string;
}

/** A reason that keeps a pod from running, for its status. */
export interface StatusFailure extends Failure {
  /** Of a message of the cloud's: how it begins whenever it is the same that is said. */
  readonly topic?: string | undefined;
}

/**
 * The reason of a pod that waits for good, in the words of the add-on (ECI documentation, see `onRefusalOf`): also a
 * process that remembers nothing asks for no instance then.
 */
export const GIVEN_UP = 'ContainerInstanceScheduleFailed';

/** The reason of a pod that refers to what is not there, or may not be read or used yet. */
export const REFERENCES_MISSING = 'ReferencesMissing';

/** The reason and message for the status: those that are there already where only the ID of the request differs. */
export const inSameWords = ({ status }: WorkloadPod, { reason, message, topic }: StatusFailure): Failure =>
  topic !== undefined && status?.reason === reason && status.message?.startsWith(topic)
    ? { reason, message: status.message }
    : { reason, message };

/** Whether the status says this already, but for the ID of the request: a process before this one has told it. */
export const isSaid = (pod: WorkloadPod, failure: StatusFailure): boolean =>
  pod.status?.reason === failure.reason && pod.status.message === inSameWords(pod, failure).message;

/**
 * The status of a pod, from its instance; undefined if the pod shows it already. A pod that has ended stays so.
 * Sources: kubernetes pkg/kubelet/status/generate.go (conditions), pkg/kubelet/kubelet_pods.go (phase); ECI
 * documentation, "Lifecycle of an elastic container instance".
 *
 * @param hostIP the node's address; undefined: the instance's own, because on ECI the instance is the host
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
  const { intranetIp, ipv6Address } = group;
  const wanted = {
    phase,
    ...failure,
    ...(intranetIp !== undefined && {
      podIP: intranetIp,
      podIPs: [intranetIp, ipv6Address].flatMap((ip) => (ip === undefined ? [] : [{ ip }])),
      hostIP: hostIP ?? intranetIp,
    }),
    startTime: current.startTime ?? wholeSeconds(group.creationTime) ?? timestamp(now),
    containerStatuses: containers,
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
  };
  return changeOf(pod, wanted, verdictsOf(pod, phase, containers, initContainers), now);
};

/** The status of a pod that failed for a reason outside of its containers; undefined if the pod shows it already. */
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

/** The status of a pod that waits before anything was bought for it. */
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

/**
 * The phase of a pod. An instance in transition, or in an unknown state, does not change it; and a phase never goes
 * back.
 */
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
          // The API server requires an exit code; no process returns -1.
          exitCode: state.exitCode ?? -1,
          // The API server does not store 0, and what it does not store would be written for ever.
          signal: state.signal || undefined,
          reason: state.reason || (state.exitCode === 0 ? 'Completed' : 'Error'),
          message: state.message,
          startedAt: wholeSeconds(state.startTime),
          finishedAt: wholeSeconds(state.finishTime),
        }),
      };
    case 'Waiting':
    case undefined:
      return { waiting: defined({ reason: state?.reason || 'ContainerCreating', message: state?.message }) };
  }
};

/**
 * The status of a container whose instance is gone: it does not run, and how it ended is not known (as the kubelet
 * reports it).
 */
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
  // If a container runs, all init containers have ended, even if the instance still shows otherwise.
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

/** Ready also requires the conditions in the pod's readiness gates, whichever controller sets them. */
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
  // The only other list that a strategic patch merges: what somebody else has put there would stay.
  if (change['podIPs'] !== undefined && current['podIPs'] !== undefined)
    change['podIPs'] = [{ $patch: 'replace' }, ...(change['podIPs'] as object[])];
  // Removes what an earlier status said and this one does not.
  for (const key of ['reason', 'message']) if (!(key in wanted) && current[key] !== undefined) change[key] = null;
  const conditions = OURS.flatMap((type) => {
    const verdict = verdicts[type];
    const before = pod.status?.conditions?.find((condition) => condition.type === type);
    if (!verdict || (before && isSame(told(before), told(verdict)))) return [];
    const since = before?.status === verdict.status ? before.lastTransitionTime : undefined;
    // null removes a field of an earlier condition (as in a JSON merge patch, inside a strategic one).
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

/** Deep equality, in which undefined and an empty object equal an absent value: the API server stores neither. */
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

/** The end of the year 9999, beyond which RFC 3339 has no times. */
const LAST_MS = Date.UTC(10_000, 0);

/**
 * An API timestamp as metav1.Time; undefined if it cannot be parsed, or is none: the zero time of Go, which the API
 * server stores as null, or one that it refuses.
 */
const wholeSeconds = (text: string | undefined): string | undefined => {
  const at = Date.parse(text ?? '');
  return at > 0 && at < LAST_MS ? timestamp(at) : undefined;
};
