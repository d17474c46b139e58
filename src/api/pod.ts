import { ALLOCATED_ADDRESS, HANDED_OVER, READINESS_GATE } from './annotations.ts';
import type { Pod } from './core.ts';

/** A pod that will never run again has no use for an address, and its private address may be another's already. */
export const isFinal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Whether the pod waits for the readiness condition. */
export const isGated = (pod: Pod): boolean =>
  pod.spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

const openGateOf = (pod: Pod) =>
  isGated(pod)
    ? pod.status?.conditions?.find(({ type, status }) => type === READINESS_GATE && status === 'True')
    : undefined;

/** Whether its readiness gate is open, for whatever reason. */
export const isGateOpen = (pod: Pod): boolean => openGateOf(pod) !== undefined;

/** Whether the gate is open although the pod's EIP is with another pod of its Service. */
export const isHandedOver = (pod: Pod): boolean => openGateOf(pod)?.reason === HANDED_OVER;

/** Whether the gate is open because the pod has an address. */
export const isReadyByAddress = (pod: Pod): boolean => isGateOpen(pod) && !isHandedOver(pod);

/** Whether the pod says that it has any address. */
export const isAnnounced = (pod: Pod): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined || isReadyByAddress(pod);
