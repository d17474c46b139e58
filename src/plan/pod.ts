import { ALLOCATED_ADDRESS, HANDED_OVER, READINESS_GATE } from '../api/annotations.ts';
import type { Node, Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { Eip } from '../cloud/port.ts';
import type { GuardSettings, JudgeInput } from '../guard/case.ts';
import { NOTHING_KNOWN, type GuardFacts } from '../guard/facts.ts';
import { judge, weigh } from '../guard/judge.ts';
import { workloadOfPod } from '../guard/workload.ts';
import type { Reading } from '../intent/read.ts';
import { targetOf, type Target } from '../intent/target.ts';
import { isBoundTo, latestPlace, type Notes } from './record.ts';
import type { Settings } from './seen.ts';

/** A pod that will never run again has no use for an address, and its private address may be another's already. */
export const isFinal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Whether the pod waits for the readiness condition. */
export const isGated = (pod: Pod): boolean =>
  pod.spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

/** Whether the pod's owner gives the pod that comes after it the same name. */
export const isStateful = ({ metadata }: Pod, { statefulKinds }: Pick<Settings, 'statefulKinds'>): boolean =>
  metadata.ownerReferences?.some(({ controller, kind }) => controller === true && statefulKinds.includes(kind)) ??
  false;

/** What a pod asks for, as far as the pod itself can say. */
export const readPod = (pod: Pod, settings: GuardSettings): Reading => weigh(inputOf(pod, undefined, settings));

/** Everything that there is to say about a pod, once it is known where it runs. */
export const judgePod = (
  pod: Pod,
  node: Node | null,
  settings: GuardSettings,
  facts: GuardFacts = NOTHING_KNOWN,
): readonly Finding[] => judge(inputOf(pod, targetOf(pod, node ?? undefined), settings, facts));

const inputOf = (
  pod: Pod,
  target: Target | undefined,
  settings: GuardSettings,
  facts: GuardFacts = NOTHING_KNOWN,
): JudgeInput => ({ workload: workloadOfPod(pod), target, settings, facts });

const openGateOf = (pod: Pod) =>
  isGated(pod)
    ? pod.status?.conditions?.find(({ type, status }) => type === READINESS_GATE && status === 'True')
    : undefined;

/** Whether its readiness gate is open, for whatever reason. */
export const isGateOpen = (pod: Pod): boolean => openGateOf(pod) !== undefined;

/** Whether the gate is open although the pod's EIP is with another pod of its Service. */
export const isHandedOver = (pod: Pod): boolean => openGateOf(pod)?.reason === HANDED_OVER;

const isReadyByAddress = (pod: Pod): boolean => isGateOpen(pod) && !isHandedOver(pod);

/** Whether the pod says that it has this address, completely. */
export const isPublished = (pod: Pod, eip: Eip): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] === eip.ipAddress && isGated(pod) === isReadyByAddress(pod);

/** Whether the pod says that it has any address. */
export const isAnnounced = (pod: Pod): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined || isReadyByAddress(pod);

/** Whether the cloud shows something else than what the pod was told. One such reading may be a replica that lags. */
export const isDrifting = (pod: Pod | null, eip: Eip | null, notes: Notes): boolean => {
  if (!pod || !isAnnounced(pod)) return false;
  const place = latestPlace(notes);
  return !(
    eip?.status === 'InUse' &&
    place !== undefined &&
    isBoundTo(eip, place) &&
    place.privateIpAddress === pod.status?.podIP
  );
};
