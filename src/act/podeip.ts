import { BINDINGS, CONTROLLER, CONTROLLER_NAME, GENERATION, KEYS, POD_UID, REQUEST } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import { FINALIZER, PODEIP, type PodEip } from '../api/podeip.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import { writeRequest, type EipRequest } from '../intent/request.ts';
import { readNotes, writePlaces, type Place } from '../plan/record.ts';

/** Writes of the PodEIP. Each goes through only if the object still is as it was seen; otherwise 409, and a new look. */

const refOf = ({ metadata: { namespace, name } }: PodEip): ObjectRef => ({ namespace, name });

const change = (kube: Kube, podEip: PodEip, body: { metadata?: object; spec?: object }, signal?: AbortSignal) => {
  const { uid, resourceVersion } = podEip.metadata;
  return kube.patch(
    PODEIP,
    refOf(podEip),
    { type: 'merge', body: { ...body, metadata: { ...body.metadata, uid, resourceVersion } } },
    signal,
  );
};

/** What a PodEIP says of a request. Without a request nothing is ever held, and no finalizer is needed. */
const claimOf = (pod: Pod, request: EipRequest | undefined, generation: number) => {
  const namesExisting = KEYS.instanceId.some((key) => pod.metadata.annotations?.[key] !== undefined);
  const isStatic = request ? request.kind === 'existing' : namesExisting;
  const packageId = request?.kind === 'new' ? request.bandwidthPackageId : undefined;
  return {
    annotations: {
      [CONTROLLER]: CONTROLLER_NAME,
      [POD_UID]: pod.metadata.uid,
      ...(request && { [REQUEST]: writeRequest(request), [GENERATION]: String(generation) }),
    },
    spec: {
      allocationID: '',
      allocationType: { type: isStatic ? 'Static' : 'Auto', releaseStrategy: 'Follow' },
      ...(packageId !== undefined && { bandwidthPackageID: packageId }),
    },
  };
};

/** Creates the PodEIP of a pod, or writes a new request into one that holds nothing. */
export const claim = (
  kube: Kube,
  {
    pod,
    podEip,
    request,
    generation,
  }: { pod: Pod; podEip: PodEip | null; request: EipRequest | undefined; generation: number },
  signal: AbortSignal,
): Promise<PodEip> => {
  const { annotations, spec } = claimOf(pod, request, generation);
  const { namespace, name } = pod.metadata;
  const others = (podEip?.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  const finalizers = request ? [...others, FINALIZER] : others;
  if (podEip) {
    // In a merge patch null removes the package of a request before this one.
    const renewed = { ...spec, bandwidthPackageID: spec.bandwidthPackageID ?? null };
    return change(kube, podEip, { metadata: { annotations, finalizers }, spec: renewed }, signal);
  }
  const { group, version, kind } = PODEIP;
  const metadata = { name, namespace, annotations, finalizers };
  return kube.create(PODEIP, { apiVersion: `${group}/${version}`, kind, metadata, spec }, signal);
};

/** Marks the PodEIP for deletion: the point of no return. */
export const retire = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  const { uid, resourceVersion } = podEip.metadata;
  try {
    await kube.delete(PODEIP, refOf(podEip), { uid, resourceVersion }, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
  }
};

/** Writes down which EIP it is. */
export const recordEip = (kube: Kube, podEip: PodEip, allocationID: string, signal?: AbortSignal): Promise<PodEip> =>
  change(kube, podEip, { spec: { allocationID } }, signal);

/** Writes down where the EIP is about to be sent. */
export const recordPlace = (kube: Kube, podEip: PodEip, place: Place, signal: AbortSignal): Promise<PodEip> =>
  change(
    kube,
    podEip,
    { metadata: { annotations: { [BINDINGS]: writePlaces(readNotes(podEip).places, place) } } },
    signal,
  );

/** Lets the API server remove the PodEIP. Other controllers' finalizers stay. */
export const removeFinalizer = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  const finalizers = (podEip.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  await change(kube, podEip, { metadata: { finalizers } }, signal);
};
