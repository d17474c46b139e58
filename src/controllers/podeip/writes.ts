import {
  ADOPTED,
  SUCCESSOR_UID,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  EXTERNAL_CONTROLLER,
  FORMER_POD_UID,
  GENERATION,
  GONE_SINCE,
  KEYS,
  REUSABLE,
  POD_UID,
  REGION,
  REQUEST,
} from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { INHERITED_LABELS } from '../../api/knative.ts';
import { FINALIZER, PODEIP, type PodEip, type PodEipSpec } from '../../api/podeip.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, ObjectRef } from '../../kube/port.ts';
import { writeRequest, type EipRequest } from '../../request/request.ts';
import { FOLLOW, type ReleasePolicy } from '../../request/release.ts';
import { readRecord, writeBindings, type NicBinding } from './record.ts';
import type { Action } from './step.ts';

/**
 * Writes of the PodEIP. Each goes through only if the object still is as it was seen; otherwise 409, and a new look.
 */

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

/** In a merge patch null removes the duration of a strategy before this one. */
const allocationType = (isStatic: boolean, release: ReleasePolicy): PodEipSpec['allocationType'] => ({
  type: isStatic ? 'Static' : 'Auto',
  releaseStrategy: release.strategy,
  ...(release.strategy === 'TTL' && { releaseAfter: release.releaseAfter }),
});

/** What is written down about what a pod asks for. */
interface ClaimInput {
  readonly pod: Pod;
  /** The one that holds nothing and is written anew; null where there is none. */
  readonly podEip: PodEip | null;
  readonly request: EipRequest | undefined;
  readonly release: ReleasePolicy;
  readonly generation: number;
  /** Where the EIP is, or will be; undefined where nobody says. */
  readonly region?: string | undefined;
}

/** What a PodEIP says of a request. Without a request nothing is ever held, and no finalizer is needed. */
const claimOf = ({ pod, request, release, generation, region }: Omit<ClaimInput, 'podEip'>) => {
  const namesExisting = KEYS.instanceId.some((key) => pod.metadata.annotations?.[key] !== undefined);
  const isStatic = request ? request.kind === 'existing' : namesExisting;
  const packageId = request?.kind === 'new' ? request.bandwidthPackageId : undefined;
  return {
    labels: inheritedLabels(pod),
    annotations: {
      [CONTROLLER]: CONTROLLER_NAME,
      [POD_UID]: pod.metadata.uid,
      ...(request && { [REQUEST]: writeRequest(request), [GENERATION]: String(generation) }),
      ...(request && region !== undefined && { [REGION]: region }),
    },
    spec: {
      allocationID: '',
      allocationType: allocationType(isStatic, release),
      ...(packageId !== undefined && { bandwidthPackageID: packageId }),
    },
  };
};

const inheritedLabels = ({ metadata: { labels = {} } }: Pod): Readonly<Record<string, string>> =>
  Object.fromEntries(INHERITED_LABELS.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])));

/** Creates the record of an address that a virtual node makes. It holds nothing, and has no finalizer. */
export const createExternal = (kube: Kube, pod: Pod, isExisting: boolean, signal: AbortSignal): Promise<PodEip> => {
  const { group, version, kind } = PODEIP;
  const { namespace, name, uid } = pod.metadata;
  const annotations = { [CONTROLLER]: EXTERNAL_CONTROLLER, [POD_UID]: uid };
  const metadata = { name, namespace, labels: inheritedLabels(pod), annotations };
  const spec = { allocationID: '', allocationType: allocationType(isExisting, FOLLOW) };
  return kube.create(PODEIP, { apiVersion: `${group}/${version}`, kind, metadata, spec }, signal);
};

/** Creates the PodEIP of a pod, or writes a new request into one that holds nothing. */
export const writeClaim = (kube: Kube, claiming: ClaimInput, signal: AbortSignal): Promise<PodEip> => {
  const { pod, podEip, request } = claiming;
  const { labels, annotations, spec } = claimOf(claiming);
  const { namespace, name } = pod.metadata;
  const others = (podEip?.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  const finalizers = request ? [...others, FINALIZER] : others;
  if (podEip) {
    // In a merge patch null removes the package of a request before this one.
    const renewed = {
      ...spec,
      allocationType: { releaseAfter: null, ...spec.allocationType },
      bandwidthPackageID: spec.bandwidthPackageID ?? null,
    };
    return change(kube, podEip, { metadata: { labels, annotations, finalizers }, spec: renewed }, signal);
  }
  const { group, version, kind } = PODEIP;
  const metadata = { name, namespace, labels, annotations, finalizers };
  return kube.create(PODEIP, { apiVersion: `${group}/${version}`, kind, metadata, spec }, signal);
};

/** Marks the PodEIP for deletion: the point of no return. */
export const deletePodEip = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  const { uid, resourceVersion } = podEip.metadata;
  try {
    await kube.delete(PODEIP, refOf(podEip), { uid, resourceVersion }, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
  }
};

/** Writes down that the pod is gone and its EIP is kept. */
export const markRetained = (kube: Kube, podEip: PodEip, now: number, signal: AbortSignal): Promise<PodEip> =>
  change(
    kube,
    podEip,
    {
      metadata: {
        annotations: {
          [POD_UID]: '',
          [FORMER_POD_UID]: readRecord(podEip).podUid || null,
          [GONE_SINCE]: new Date(now).toISOString(),
        },
      },
    },
    signal,
  );

/** Writes down that the EIP may go to the next pod of the Service. */
export const markReusable = (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<PodEip> =>
  change(kube, podEip, { metadata: { annotations: { [REUSABLE]: 'true' } } }, signal);

/** Names the successor of the EIP of `predecessor`, or strikes it out. */
export const assignSuccessor = (
  kube: Kube,
  predecessor: PodEip,
  successorUid: string | null,
  signal: AbortSignal,
): Promise<PodEip> =>
  change(kube, predecessor, { metadata: { annotations: { [SUCCESSOR_UID]: successorUid } } }, signal);

/** Gives the kept EIP to the pod that has the name now. */
export const assignPod = (
  kube: Kube,
  { podEip, podUid, release }: Extract<Action, { do: 'TakeOver' }>,
  signal: AbortSignal,
): Promise<PodEip> =>
  change(
    kube,
    podEip,
    {
      metadata: { annotations: { [POD_UID]: podUid, [FORMER_POD_UID]: null, [GONE_SINCE]: null } },
      spec: { allocationType: { releaseAfter: null, ...allocationType(false, release) } },
    },
    signal,
  );

/** Writes our notes into another controller's PodEIP; what is in it stays. */
export const writeAdoption = (
  kube: Kube,
  { podEip, from, podUid, goneSince, request, bindings }: Extract<Action, { do: 'Adopt' }>,
  region: string | undefined,
  signal: AbortSignal,
): Promise<PodEip> =>
  change(
    kube,
    podEip,
    {
      metadata: {
        annotations: {
          [CONTROLLER]: CONTROLLER_NAME,
          [ADOPTED]: from,
          [POD_UID]: podUid,
          ...(goneSince !== undefined && { [GONE_SINCE]: new Date(goneSince).toISOString() }),
          [REQUEST]: writeRequest(request),
          [GENERATION]: '1',
          ...(region !== undefined && { [REGION]: region }),
          [BINDINGS]: JSON.stringify(bindings),
        },
      },
    },
    signal,
  );

/** Strikes out an EIP that no longer exists. */
export const forgetEip = (kube: Kube, podEip: PodEip, generation: number, signal: AbortSignal): Promise<PodEip> =>
  change(
    kube,
    podEip,
    {
      metadata: { annotations: { [GENERATION]: String(generation), [BINDINGS]: null } },
      spec: { allocationID: '' },
    },
    signal,
  );

/** Writes down which EIP it is. */
export const recordEip = (kube: Kube, podEip: PodEip, allocationID: string, signal?: AbortSignal): Promise<PodEip> =>
  change(kube, podEip, { spec: { allocationID } }, signal);

/** Writes down where the EIP is about to be sent. */
export const recordBinding = (kube: Kube, podEip: PodEip, binding: NicBinding, signal: AbortSignal): Promise<PodEip> =>
  change(
    kube,
    podEip,
    { metadata: { annotations: { [BINDINGS]: writeBindings(readRecord(podEip).bindings, binding) } } },
    signal,
  );

/** Lets the API server remove the PodEIP. Other controllers' finalizers stay. */
export const dropFinalizer = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  const finalizers = (podEip.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  await change(kube, podEip, { metadata: { finalizers } }, signal);
};
