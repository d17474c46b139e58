import { ALLOCATED_ADDRESS, KEYS, READINESS_GATE } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { Eip } from '../cloud/port.ts';
import { readAnnotations, type Reading } from '../intent/read.ts';
import { notAllowed } from '../intent/policy.ts';
import { FOLLOW } from '../intent/release.ts';
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
export const readPod = (pod: Pod, settings: Pick<Settings, 'defaults' | 'statefulKinds' | 'policy'>): Reading => {
  const read = readAnnotations(pod.metadata.annotations, settings.defaults);
  const reading = refuseToKeep(refuseByPolicy(read, pod, settings), pod, settings);
  if (!reading.wanted || !pod.spec.hostNetwork) return reading;
  const hostNetwork: Finding = {
    id: 'HostNetwork',
    severity: 'refuse',
    keys: [],
    problem: 'the pod uses the network of its node (hostNetwork: true), so that its EIP would be the whole node’s',
    remedy: 'remove hostNetwork, or the annotation that asks for an EIP',
  };
  return { ...reading, request: undefined, release: FOLLOW, findings: [...reading.findings, hostNetwork] };
};

/** What the policy of the namespace has against it. */
const refuseByPolicy = (reading: Reading, pod: Pod, { policy }: Pick<Settings, 'policy'>): Reading => {
  const refusals = policy && reading.request ? notAllowed(policy, reading.request) : [];
  if (refusals.length === 0) return reading;
  const written = refusals.map((finding) => ({
    ...finding,
    keys: finding.keys.filter((key) => pod.metadata.annotations?.[key] !== undefined),
  }));
  return { ...reading, request: undefined, release: FOLLOW, findings: [...reading.findings, ...written] };
};

/** An EIP is kept for the next pod of the name. Under a stateless owner there is none. */
const refuseToKeep = (reading: Reading, pod: Pod, settings: Pick<Settings, 'statefulKinds'>): Reading => {
  if (reading.release.strategy === 'Follow' || isStateful(pod, settings)) return reading;
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const stateless: Finding = {
    id: 'StatelessOwner',
    severity: 'refuse',
    keys: KEYS.releaseStrategy.filter((key) => pod.metadata.annotations?.[key] !== undefined),
    problem: `the release strategy ${reading.release.strategy === 'TTL' ? reading.release.releaseAfter : reading.release.strategy} keeps the EIP for the next pod of this name, and ${owner ? `the pods of a ${owner.kind} have a new name each time` : 'the pod has no owner that makes one'}`,
    remedy: `write "Follow", or use one of ${settings.statefulKinds.join(', ')}`,
  };
  return { ...reading, request: undefined, release: FOLLOW, findings: [...reading.findings, stateless] };
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
