import { ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK, HANDED_OVER, READINESS_GATE } from './annotations.ts';
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
  [ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK].some((key) => pod.metadata.annotations?.[key] !== undefined) ||
  isReadyByAddress(pod);

/**
 * The IPv4 address of the pod, wherever it stands among its addresses: EIPs are bound to no other. Undefined where it
 * has none, or none yet.
 */
export const ipv4Of = ({ status }: Pod): string | undefined =>
  [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)].find((ip) => ip !== undefined && isIPv4(ip));

const isIPv4 = (ip: string): boolean => ip.includes('.') && !ip.includes(':');

/** Whether the pod has addresses, and none that an EIP could be bound to. */
export const hasNoIPv4 = (pod: Pod): boolean => Boolean(pod.status?.podIP) && ipv4Of(pod) === undefined;
