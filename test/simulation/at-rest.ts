import {
  ALLOCATED_ADDRESS,
  HANDED_OVER,
  KEYS,
  READINESS_GATE,
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
} from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { SERVICE_UID } from '../../src/api/knative.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { isFinal } from '../../src/api/pod.ts';
import { isOurs } from '../../src/controllers/podeip/record.ts';
import { readReleaseAfter } from '../../src/request/release-policy.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import { unrestOfService } from './at-rest-service.ts';
import { RECHECK_MS } from './product-process.ts';
import { asks } from './asking.ts';
import type { Inspector } from './inspector.ts';

const readyOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

/**
 * What is not as it has to be once nothing happens any more: the first thing, or undefined. What follows from a change
 * by a human needs a human again, and has to be said in the PodEIP.
 */
export const unrest = (inspector: Inspector, cloud: EmbeddedCloud, now: number): string | undefined => {
  const { touched } = inspector;
  const { pods, podEips } = inspector.oracle;
  const eips = new Map(cloud.eips().map((eip) => [eip.allocationId, eip]));
  const users = inspector.usersEips.problem();
  if (users !== undefined) return users;

  for (const eip of eips.values()) {
    if (eip.status !== 'Available' && eip.status !== 'InUse') return `I10: ${eip.allocationId} is ${eip.status}`;
    const tagged = eip.tags.get(TAG_PODEIP_UID);
    // Where a human took the tags off, it is the human's.
    const uid =
      tagged ?? (touched.has(eip.allocationId) ? undefined : inspector.purchases.buyerOf(eip.allocationId)?.podEipUid);
    const owner = [...podEips.values()].find(({ spec }) => spec.allocationID === eip.allocationId);
    // Somebody declared it theirs: it is left to them once it is bound to nothing and carries no tag of the cluster.
    const declared = inspector.oracle.everPodEips.get(tagged ?? '')?.spec.allocationType.type === 'Static';
    if (declared && !owner && eip.binding === undefined && !eip.tags.has(TAG_CLUSTER_UID)) continue;
    if (uid !== undefined && inspector.isHopeless && owner?.spec.allocationType.releaseStrategy === 'Follow')
      return `I22: ${eip.allocationId} is paid for, and no interface can take it`;
    if (inspector.legacy.has(eip.allocationId) && !owner) return `I1: ${eip.allocationId} has leaked`;
    if (uid !== undefined && owner?.metadata.uid !== uid) return `I1: ${eip.allocationId} has leaked`;
    const isOurBinding = eip.binding !== undefined && !touched.has(eip.allocationId);
    if (isOurBinding && !owner) return `I1: ${eip.allocationId} is still bound to ${eip.binding?.privateIpAddress}`;
  }
  for (const podEip of podEips.values()) {
    const { name, deletionTimestamp } = podEip.metadata;
    const { allocationID } = podEip.spec;
    const ready = readyOf(podEip);
    const excused = touched.has(allocationID) && ready?.status !== 'True';
    if (deletionTimestamp !== undefined && !excused) return `I8: PodEIP ${name} does not go (${ready?.reason})`;
    if (isStale(inspector, ready?.message ?? '')) return `I23: PodEIP ${name} goes on saying: ${ready?.message}`;
    const pod = inspector.oracle.podOf(podEip);
    if (!pod && !excused) {
      const said = unrestOfKept(inspector, podEip, eips, touched, now - inspector.retirements.unwantedSince(name));
      if (said !== undefined) return said;
    }
    if (ready?.status === 'True' && !(pod && isServed(pod, podEip, eips)))
      return `I6: PodEIP ${name} is Ready, and is not in use`;
  }
  for (const pod of pods.values()) {
    const said = unrestOf(pod, inspector, eips, touched);
    if (said !== undefined) return said;
  }
  for (const service of inspector.isHopeless ? [] : inspector.routing.services()) {
    const said = unrestOfService(service, inspector, eips);
    if (said !== undefined) return said;
  }
  return undefined;
};

/**
 * Whether this is what the cloud said to a call, and would not say any more, since nothing goes wrong now. Where no
 * interface can take an EIP, it goes on refusing to bind one.
 */
const isStale = (inspector: Inspector, message: string): boolean =>
  !inspector.isHopeless && /^[A-Z][A-Za-z]+: \S+ \(HTTP/u.test(message);

/** How long the way out may take once the time of a kept EIP is over; milliseconds. */
const WAY_OUT_MS = 90_000;

/** A PodEIP without its pod: only a strategy keeps it, only for its time, and its EIP is bound to nothing. */
const unrestOfKept = (
  inspector: Inspector,
  { metadata: { name, labels }, spec }: PodEip,
  eips: ReadonlyMap<string, EipRecord>,
  touched: ReadonlySet<string>,
  forMs: number,
): string | undefined => {
  const { releaseStrategy, releaseAfter } = spec.allocationType;
  const isForNobody = inspector.routing.isGone(labels?.[SERVICE_UID] ?? '');
  const isHeldOff = releaseStrategy === 'Follow' && inspector.holdOffMs > 0 && spec.allocationID !== '' && !isForNobody;
  if (releaseStrategy === 'Follow' && !isHeldOff) return `I8: PodEIP ${name} is without a pod`;
  const ttlMs = isHeldOff ? inspector.holdOffMs : (readReleaseAfter(releaseAfter) ?? 0);
  // A pod of the name whose annotations are refused may still have them corrected.
  const pod = inspector.oracle.pods.get(name);
  const hasSuccessor = pod !== undefined && asks(pod) !== undefined;
  // A wall clock that was put forward when the pod went, and back since, keeps it longer: that costs little.
  if (
    (releaseStrategy === 'TTL' || isHeldOff) &&
    !hasSuccessor &&
    !inspector.hasJumps &&
    forMs > ttlMs + Math.min(ttlMs, RECHECK_MS) + WAY_OUT_MS
  )
    return `I18: PodEIP ${name} is kept for ${Math.round(forMs)} ms, and was to be kept for ${ttlMs} ms`;
  const eip = eips.get(spec.allocationID);
  if (touched.has(spec.allocationID)) return undefined;
  if (!eip) return `I18: the EIP that PodEIP ${name} keeps does not exist`;
  return eip.binding
    ? `I1: ${eip.allocationId} is kept, and still bound to ${eip.binding.privateIpAddress}`
    : undefined;
};

const asksToFollow = ({ metadata: { annotations } }: Pod): boolean =>
  KEYS.releaseStrategy.every((key) => (annotations?.[key] ?? 'Follow') === 'Follow');

const isServed = (pod: Pod, podEip: PodEip, eips: ReadonlyMap<string, EipRecord>): boolean => {
  const eip = eips.get(podEip.spec.allocationID);
  return (
    eip?.status === 'InUse' &&
    eip.binding?.privateIpAddress === pod.status?.podIP &&
    pod.metadata.annotations?.[ALLOCATED_ADDRESS] === eip.ipAddress
  );
};

const unrestOf = (
  pod: Pod,
  inspector: Inspector,
  eips: ReadonlyMap<string, EipRecord>,
  touched: ReadonlySet<string>,
): string | undefined => {
  const { name } = pod.metadata;
  const podEip = inspector.oracle.podEips.get(name);
  const isTold =
    pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined ||
    (pod.status?.conditions?.some(
      ({ type, status, reason }) => type === READINESS_GATE && status === 'True' && reason !== HANDED_OVER,
    ) ??
      false);
  const wanted = asks(pod);
  if (isFinal(pod) && isTold) return `I6: pod ${name} has ended, and is told of an address`;
  if (isFinal(pod) || pod.metadata.deletionTimestamp !== undefined || !pod.status?.podIP) return undefined;
  if (wanted === undefined) return isTold ? `I6: pod ${name} is told of an address that it did not ask for` : undefined;
  if (!podEip) return `I7: pod ${name} has no PodEIP`;
  const ready = readyOf(podEip);
  const served = isServed(pod, podEip, eips);
  if (served && ready?.status === 'True') return isTold ? undefined : `I7: pod ${name} is not told of its address`;
  if (isTold) return `I6: pod ${name} is told of an address that it does not have (${ready?.reason})`;
  // Another controller's, and its EIP released by a human: an Event says so, and a status of ours it has none.
  if (!ready && !isOurs(podEip) && touched.has(podEip.spec.allocationID)) return undefined;
  if (served || ready?.status !== 'False') return `I7: PodEIP ${name} says ${ready?.status} (${ready?.reason})`;
  // An EIP of the user's goes to one of several pods, and the others are told that it has it.
  if (inspector.isHopeless && (wanted !== 'new' || ready.reason === 'NoInterface')) return undefined;
  if (inspector.lacksPackage && wanted === 'new' && /does not exist in /u.test(ready.message)) return undefined;
  // Not served, and the PodEIP says why: is that true?
  if (touched.has(podEip.spec.allocationID)) return undefined;
  if (KEYS.bandwidth.some((key) => pod.metadata.annotations?.[key] === 'fast')) return undefined;
  if (ready.reason === 'QuotaOfNamespaceExceeded' && wanted === 'new' && inspector.limit.isFull()) return undefined;
  // Nobody makes another pod of the name, and a human wrote that the EIP is to be kept for it.
  if (ready.reason === 'StatelessOwner' && pod.metadata.ownerReferences === undefined && !asksToFollow(pod))
    return undefined;
  if (ready.reason === 'EipKept' && podEip.spec.allocationType.releaseStrategy === 'Never') return undefined;
  if (wanted !== 'new' && wanted !== podEip.spec.allocationID) {
    const isElsewhere = eips.get(wanted)?.status === 'InUse' || !eips.has(wanted);
    return isElsewhere ? undefined : `I7: pod ${name} does not get ${wanted}, which is free (${ready.reason})`;
  }
  return `I7: pod ${name} is not served: ${ready.reason}, ${ready.message}`;
};
