import { ALLOCATED_ADDRESS, READINESS_GATE } from '../../src/api/annotations.ts';
import { REVISION_LABEL, SERVICE_UID, type KnativeService } from '../../src/api/knative.ts';
import type { Pod } from '../../src/api/core.ts';
import { isFinal } from '../../src/api/pod.ts';
import { readRecord } from '../../src/controllers/podeip/record.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import { isGateOpen } from './gates.ts';
import { asks } from './asking.ts';
import type { Inspector } from './inspector.ts';
import { wayTo } from './knative.ts';

const isGated = ({ spec }: Pod): boolean =>
  spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

const isRunning = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.phase === 'Running' &&
  (status.conditions?.some(({ type, status: is }) => type === 'ContainersReady' && is === 'True') ?? false);

const isServed = (pod: Pod, eip: EipRecord): boolean =>
  eip.status === 'InUse' &&
  eip.binding?.privateIpAddress === pod.status?.podIP &&
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] === eip.ipAddress &&
  (!isGated(pod) || isGateOpen(pod));

const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[REVISION_LABEL] ?? '';

/** The existing EIP that the PodEIP of a pod asks for: what it asked for when it came, whatever it says by now. */
const askedFor = (pod: Pod, { oracle }: Inspector): string | undefined => {
  const podEip = oracle.podEips.get(pod.metadata.name);
  const request = podEip && oracle.podOf(podEip) === pod ? readRecord(podEip).request : undefined;
  return request?.kind === 'existing' ? request.allocationId : undefined;
};

/** A pod that asks for an existing EIP, whose PodEIP asks for the same. */
const namedBy = (pod: Pod, inspector: Inspector): string | undefined => {
  const allocationId = askedFor(pod, inspector);
  return allocationId !== undefined && asks(pod) === allocationId ? allocationId : undefined;
};

/**
 * I20 at rest: the named EIP is with a pod of the Revision that alone gets the requests, whatever was before; that
 * pod's gate is open, and so are those of the pods that no request gets to.
 */
export const unrestOfService = (
  service: KnativeService,
  inspector: Inspector,
  eips: ReadonlyMap<string, EipRecord>,
): string | undefined => {
  const { oracle, touched } = inspector;
  const pods = [...oracle.pods.values()].filter(
    (pod) => pod.metadata.labels?.[SERVICE_UID] === service.metadata.uid && isRunning(pod) && !isFinal(pod),
  );
  const reached = new Set(pods.map(revisionOf).filter((revision) => wayTo(service, revision) !== 'none'));
  const [alone, ...others] = reached;
  if (alone === undefined || others.length > 0 || wayTo(service, alone) !== 'routed') return undefined;
  const serving = pods.filter((pod) => revisionOf(pod) === alone);
  for (const allocationId of new Set(serving.map((pod) => namedBy(pod, inspector)))) {
    const eip = allocationId === undefined ? undefined : eips.get(allocationId);
    if (!eip || touched.has(eip.allocationId)) continue;
    const isStrangers = [...oracle.podEips.values()].some(
      ({ metadata, spec }) =>
        spec.allocationID === eip.allocationId && metadata.labels?.[SERVICE_UID] !== service.metadata.uid,
    );
    if (isStrangers) continue;
    const mine = serving.filter((pod) => namedBy(pod, inspector) === eip.allocationId);
    if (!serving.some((pod) => askedFor(pod, inspector) === eip.allocationId && isServed(pod, eip)))
      return `I20: all requests get to Revision ${alone}, and its pod ${mine[0]?.metadata.name} does not have ${eip.allocationId}`;
    const closed = pods.find(
      (pod) =>
        wayTo(service, revisionOf(pod)) === 'none' &&
        namedBy(pod, inspector) === eip.allocationId &&
        isGated(pod) &&
        !isGateOpen(pod),
    );
    if (closed)
      return `I20: pod ${closed.metadata.name}, which no request gets to, does not become ready for its Revision to be scaled down`;
  }
  return undefined;
};
