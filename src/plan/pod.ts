import { ALLOCATED_ADDRESS, READINESS_GATE } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { Eip } from '../cloud/port.ts';
import { readAnnotations, type Reading } from '../intent/read.ts';
import type { EipDefaults } from '../intent/request.ts';

/** A pod that will never run again has no use for an address, and its private address may be another's already. */
export const isFinal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Whether the pod waits for the readiness condition. */
export const isGated = (pod: Pod): boolean =>
  pod.spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

/** What a pod asks for, as far as the pod itself can say. */
export const readPod = (pod: Pod, defaults: EipDefaults): Reading => {
  const reading = readAnnotations(pod.metadata.annotations, defaults);
  if (!reading.wanted || !pod.spec.hostNetwork) return reading;
  const hostNetwork: Finding = {
    id: 'HostNetwork',
    severity: 'refuse',
    keys: [],
    problem: 'the pod uses the network of its node (hostNetwork: true), so that its EIP would be the whole node’s',
    remedy: 'remove hostNetwork, or the annotation that asks for an EIP',
  };
  return { wanted: true, findings: [...reading.findings, hostNetwork] };
};

const isReadyByGate = (pod: Pod): boolean =>
  isGated(pod) && pod.status?.conditions?.find(({ type }) => type === READINESS_GATE)?.status === 'True';

/** Whether the pod says that it has this address, completely. */
export const isPublished = (pod: Pod, eip: Eip): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] === eip.ipAddress && isGated(pod) === isReadyByGate(pod);

/** Whether the pod says that it has any address. */
export const isAnnounced = (pod: Pod): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined || isReadyByGate(pod);

/** Whether the cloud shows something else than what the pod was told. One such reading may be a replica that lags. */
export const isDrifting = (pod: Pod | null, eip: Eip | null): boolean =>
  pod !== null &&
  isAnnounced(pod) &&
  !(eip?.status === 'InUse' && (!eip.privateIpAddress || eip.privateIpAddress === pod.status?.podIP));
