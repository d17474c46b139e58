import { POD, type Node, type Pod } from '../../api/core.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import { ipv4Of, isFinal } from '../../api/pod.ts';
import type { Kube, ObjectRef } from '../../kube/port.ts';
import { keyOf } from '../../kube/store.ts';
import { recallPolicy, type Policies } from '../../policies/policy-cache.ts';
import type { Carried, CarriedPorts } from './carried.ts';
import type { ObservedState, Settings, TrackedState } from './observation.ts';
import { isDrifting } from './pod-request.ts';
import { asOfAsking, quietByNote } from './quiet.ts';
import { isExternal, isOurs, readRecord } from './record.ts';
import { provesOwnership } from './safeguards.ts';
import { UNTRACKED, type Tracker } from './tracker.ts';

/** Through what pods and PodEIPs are looked at. */
export interface ObservePorts extends CarriedPorts {
  readonly kube: Kube;
  readonly tracker: Tracker;
  readonly settings: Settings;
  readonly policies?: Policies | undefined;
  /** Other controllers of EIPs in the cluster; undefined if they are not looked for. */
  readonly otherControllers?: (() => readonly string[] | undefined) | undefined;
  /** See {@link ObservedState.terwayUntil}. */
  readonly terwayUntil?: ((nodeName: string | undefined) => number | undefined) | undefined;
  /** The node of this name, from the cache. */
  readonly nodeOf: (name: string) => Node | undefined;
  /** The API server's clock, in milliseconds; undefined where nobody asks it. */
  readonly serverTime?: (() => number | undefined) | undefined;
}

/** What is known before anything is asked of the cloud. */
export const observe = async (
  ref: ObjectRef,
  ports: ObservePorts,
  carried: Carried,
  signal: AbortSignal,
): Promise<ObservedState> => {
  const { clock, nodeOf, otherControllers } = ports;
  const left = carried.take(keyOf(ref), ports);
  const { pod, podEip, readAt, policy, ...rest } = left ?? (await readBoth(ref, ports, signal));
  if (podEip) ports.tracker.retained(podEip.metadata.uid, isWithoutPod(podEip, pod), readRecord(podEip).goneSince);
  const nodeName = pod?.spec.nodeName;
  const clocks = { now: clock.now(), serverNow: ports.serverTime?.() };
  const memory = recalled({ podEip, pod, ...clocks }, ports);
  return {
    ...rest,
    pod,
    podEip,
    node: (nodeName === undefined ? undefined : nodeOf(nodeName)) ?? null,
    otherControllers: otherControllers?.(),
    terwayUntil: ports.terwayUntil?.(nodeName),
    policy: policy ?? (await policyFor(ref, { pod, podEip }, ports, signal)),
    // What was read before is held against the time when it was asked for.
    memory: left && left.eip !== undefined ? asOfAsking(memory, left.memory) : memory,
    ...clocks,
    readAt,
  };
};

type Both = Pick<ObservedState, 'pod' | 'podEip'>;

const readBoth = async (
  ref: ObjectRef,
  { kube, clock }: ObservePorts,
  signal: AbortSignal,
): Promise<Both & Partial<ObservedState>> => {
  const readAt = clock.mono();
  const [podEip, pod] = await Promise.all([kube.get(PODEIP, ref, signal), kube.get(POD, ref, signal)]);
  return { pod: pod ?? null, podEip: podEip ?? null, readAt };
};

const policyFor = async (
  ref: ObjectRef,
  { pod, podEip }: Both,
  { policies, kube }: ObservePorts,
  signal: AbortSignal,
): Promise<ObservedState['policy']> => {
  // Without a pod nothing is requested, and the policy makes no difference.
  const isAsking = pod !== null && podEip?.metadata.deletionTimestamp === undefined;
  if (!policies || !isAsking) return undefined;
  return { effective: await recallPolicy(policies, kube, ref.namespace ?? '', signal), isFresh: false };
};

/** The EIP that the PodEIP has, or names. */
const eipOf = (podEip: PodEip): string => {
  const { request } = readRecord(podEip);
  return podEip.spec.allocationID || (request?.kind === 'existing' ? request.allocationId : '');
};

/** What this process remembers of the PodEIP. */
export const recalled = (
  seen: Pick<ObservedState, 'now' | 'serverNow' | 'pod' | 'podEip'>,
  { tracker, settings }: Pick<ObservePorts, 'tracker' | 'settings'>,
): TrackedState => {
  const { podEip, pod } = seen;
  if (!podEip) return UNTRACKED;
  const memory = besideTwin(tracker.recall(podEip.metadata.uid), podEip, { tracker, settings });
  const noted = quietByNote(podEip, seen, settings);
  return {
    ...memory,
    // Negative where a twin may be about to send; then only a note that counts says more.
    quietMs: noted > 0 ? Math.max(memory.quietMs, noted) : memory.quietMs,
    // Without a pod, whatever is sent for it ends the quiet; what is kept is detached before it is.
    retainedMs: readRecord(podEip).podUid === '' ? Math.max(memory.retainedMs, noted) : memory.retainedMs,
    detachedMs: tracker.detachedMs(eipOf(podEip)),
    givenBack: pod ? tracker.givenBack.of(pod.metadata.uid) : undefined,
  };
};

/** The same, as far as it holds beside a twin. */
const besideTwin = (
  memory: TrackedState,
  podEip: PodEip,
  { tracker, settings }: Pick<ObservePorts, 'tracker' | 'settings'>,
): TrackedState => {
  const twinMs = settings.isUnelected === true ? tracker.twins.see(podEip) : Infinity;
  if (twinMs === Infinity) return memory;
  return { ...memory, twinMs, quietMs: Math.min(memory.quietMs, twinMs), isUntouched: false };
};

/** When the pod was last told that it has an address, or has none, as the PodEIP says. */
const toldAt = ({ status }: PodEip): string | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;

/** Updates the times since which the EIP has been missing, elsewhere or unused, from this read of it. */
export const remember = (
  allocationId: string,
  { pod, podEip, eip }: ObservedState,
  { tracker, settings }: Pick<ObservePorts, 'tracker' | 'settings'>,
): void => {
  const uid = podEip?.metadata.uid ?? '';
  tracker.observed(uid, allocationId, {
    isDrifting: podEip !== null && isDrifting(pod, eip ?? null, readRecord(podEip)),
    isMissing: eip === null,
    toldAt: podEip ? toldAt(podEip) : undefined,
  });
  if (eip?.status === 'InUse') tracker.sawInUse(uid, allocationId);
  if (eip?.status === 'Available') tracker.sawDetached(uid, allocationId);
  const isOwn = podEip !== null && eip && provesOwnership(eip, podEip, settings.clusterUid);
  if (isOwn) tracker.sawTags(uid, allocationId, 'kept');
  const isWaiting = pod !== null && pod.metadata.uid === (podEip ? readRecord(podEip).podUid : '');
  // Not while there is no address to bind it to, nor while it is locked: that time does not count as unused.
  const couldBeUsed = isWaiting && ipv4Of(pod) !== undefined && eip?.lockReasons.length === 0;
  tracker.sawUnused(uid, allocationId, Boolean(isOwn) && couldBeUsed && eip.status === 'Available');
};

/** Whether the PodEIP outlives its pod at present. */
const isWithoutPod = (podEip: PodEip, pod: Pod | null): boolean => {
  const { podUid } = readRecord(podEip);
  return isOurs(podEip) ? podUid === '' : isExternal(podEip) && (!pod || isFinal(pod) || pod.metadata.uid !== podUid);
};
