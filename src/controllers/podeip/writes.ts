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
  OURS,
  REUSABLE,
  POD_UID,
  QUIET_SINCE,
  REGION,
  REQUEST,
} from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { INHERITED_LABELS } from '../../api/knative.ts';
import { FINALIZER, PODEIP, type PodEip, type PodEipSpec } from '../../api/podeip.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, ObjectRef } from '../../kube/port.ts';
import { writeRequest } from '../../request/request.ts';
import { FOLLOW, type ReleasePolicy } from '../../request/release-policy.ts';
import { mayBeQuiet } from './quiet.ts';
import { readRecord, writeBindings, type NicBinding } from './record.ts';
import { deletedAsSeen, finalizersFor, writtenAsSeen } from './safeguards.ts';
import type { Action } from './step.ts';

/**
 * Writes of the PodEIP. Each succeeds only if the object is unchanged since it was read; otherwise 409, and a new pass.
 */

const refOf = ({ metadata: { namespace, name } }: PodEip): ObjectRef => ({ namespace, name });

const change = (kube: Kube, podEip: PodEip, body: { metadata?: object; spec?: object }, signal?: AbortSignal) => {
  const metadata = { ...body.metadata, ...writtenAsSeen(podEip) };
  return kube.patch(PODEIP, refOf(podEip), { type: 'merge', body: { ...body, metadata } }, signal);
};

/** Writes annotations and nothing else; null takes one away. */
const annotate = (
  kube: Kube,
  podEip: PodEip,
  annotations: Readonly<Record<string, string | null>>,
  signal?: AbortSignal,
) => change(kube, podEip, { metadata: { annotations } }, signal);

/** In a merge patch null removes the duration of a strategy before this one. */
const allocationType = (isStatic: boolean, release: ReleasePolicy): PodEipSpec['allocationType'] => ({
  type: isStatic ? 'Static' : 'Auto',
  releaseStrategy: release.strategy,
  ...(release.strategy === 'TTL' && { releaseAfter: release.releaseAfter }),
});

/** The record of what a pod asks for; `region` is where the EIP is, or will be, undefined where nobody says. */
type ClaimInput = Omit<Extract<Action, { do: 'Claim' }>, 'do' | 'findings'> & { readonly region?: string | undefined };

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
  const finalizers = finalizersFor(request, podEip);
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
  try {
    await kube.delete(PODEIP, refOf(podEip), deletedAsSeen(podEip), signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
  }
};

/** Records that the pod is gone and its EIP is kept. */
export const markRetained = (kube: Kube, podEip: PodEip, now: number, signal: AbortSignal): Promise<PodEip> =>
  annotate(
    kube,
    podEip,
    {
      [POD_UID]: '',
      [FORMER_POD_UID]: readRecord(podEip).podUid || null,
      [GONE_SINCE]: new Date(now).toISOString(),
      [QUIET_SINCE]: null,
    },
    signal,
  );

/** Records that the EIP may go to the next pod of the Service. */
export const markReusable = (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<PodEip> =>
  annotate(kube, podEip, { [REUSABLE]: 'true' }, signal);

/** Names the successor of the EIP of `predecessor`, or removes it. */
export const assignSuccessor = (
  kube: Kube,
  predecessor: PodEip,
  successorUid: string | null,
  signal: AbortSignal,
): Promise<PodEip> => annotate(kube, predecessor, { [SUCCESSOR_UID]: successorUid, [QUIET_SINCE]: null }, signal);

/** Gives the kept EIP to the pod that has the name now. */
export const assignPod = (
  kube: Kube,
  { podEip, podUid, release }: Extract<Action, { do: 'TakeOver' }>,
  signal: AbortSignal,
): Promise<PodEip> => {
  const isStatic = podEip.spec.allocationType.type === 'Static';
  return change(
    kube,
    podEip,
    {
      metadata: { annotations: { [POD_UID]: podUid, [FORMER_POD_UID]: null, [GONE_SINCE]: null, [QUIET_SINCE]: null } },
      // An EIP that was declared the property of the user stays so.
      spec: { allocationType: { releaseAfter: null, ...allocationType(isStatic, release) } },
    },
    signal,
  );
};

/** Writes our record into the PodEIP of another controller; its other contents stay. */
export const writeAdoption = (
  kube: Kube,
  { podEip, from, podUid, goneSince, request, bindings }: Extract<Action, { do: 'Adopt' }>,
  region: string | undefined,
  signal: AbortSignal,
): Promise<PodEip> =>
  annotate(
    kube,
    podEip,
    {
      [CONTROLLER]: CONTROLLER_NAME,
      [ADOPTED]: from,
      [POD_UID]: podUid,
      ...(goneSince !== undefined && { [GONE_SINCE]: new Date(goneSince).toISOString() }),
      [REQUEST]: writeRequest(request),
      [GENERATION]: '1',
      ...(region !== undefined && { [REGION]: region }),
      [BINDINGS]: JSON.stringify(bindings),
    },
    signal,
  );

/** Creates the PodEIP of a pod in the name of the controller that looks after its EIP; the finalizer is the same. */
export const createAsForeign = (
  kube: Kube,
  { metadata: { namespace, name } }: Pod,
  { spec, controller }: { readonly spec: PodEipSpec; readonly controller: string },
  signal: AbortSignal,
): Promise<PodEip> => {
  const { group, version, kind } = PODEIP;
  const metadata = { name, namespace, annotations: { [CONTROLLER]: controller }, finalizers: [FINALIZER] };
  return kube.create(PODEIP, { apiVersion: `${group}/${version}`, kind, metadata, spec }, signal);
};

/** Takes our notes off the PodEIP, and names the controller that looks after it from here on. */
export const handBack = (kube: Kube, podEip: PodEip, to: string, signal: AbortSignal): Promise<PodEip> => {
  const notes = Object.keys(podEip.metadata.annotations ?? {}).filter((key) => key.startsWith(OURS));
  const annotations = { ...Object.fromEntries(notes.map((key) => [key, null])), [CONTROLLER]: to };
  return annotate(kube, podEip, annotations, signal);
};

/**
 * Removes an EIP that no longer exists. The next one is bought by this controller, even if this one was declared the
 * property of the user.
 */
export const forgetEip = (kube: Kube, podEip: PodEip, generation: number, signal: AbortSignal): Promise<PodEip> =>
  change(
    kube,
    podEip,
    {
      metadata: { annotations: { [GENERATION]: String(generation), [BINDINGS]: null } },
      spec: { allocationID: '', allocationType: { type: 'Auto' } },
    },
    signal,
  );

/**
 * Records the ID of the EIP, and where it is about to be bound, if that is said; the note that was written before the
 * purchase goes.
 */
export const recordEip = (
  kube: Kube,
  podEip: PodEip,
  allocationID: string,
  { binding, signal }: { readonly binding?: NicBinding | undefined; readonly signal?: AbortSignal } = {},
): Promise<PodEip> => {
  const annotations = {
    ...(!mayBeQuiet(podEip) && { [QUIET_SINCE]: null }),
    ...(binding && { [BINDINGS]: writeBindings(readRecord(podEip).bindings, binding) }),
  };
  return change(kube, podEip, { metadata: { annotations }, spec: { allocationID } }, signal);
};

/** Records the binding that is about to be requested. */
export const recordBinding = (kube: Kube, podEip: PodEip, binding: NicBinding, signal: AbortSignal): Promise<PodEip> =>
  annotate(kube, podEip, { [BINDINGS]: writeBindings(readRecord(podEip).bindings, binding) }, signal);

/** Writes down since when nothing has been sent to the cloud, or that something is being sent. */
export const writeQuietNote = (kube: Kube, podEip: PodEip, note: string, signal?: AbortSignal): Promise<PodEip> =>
  annotate(kube, podEip, { [QUIET_SINCE]: note }, signal);

/** Puts our finalizer beside those that there are. */
export const restoreFinalizer = (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<PodEip> =>
  change(kube, podEip, { metadata: { finalizers: [...(podEip.metadata.finalizers ?? []), FINALIZER] } }, signal);

/**
 * Lets go of an EIP that is to stay as it is: with the finalizer goes what says that something is held, so that a
 * controller which finds the PodEIP neither puts the finalizer back nor releases anything for it.
 */
export const letGo = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  const annotations = { [REQUEST]: null, [BINDINGS]: null };
  await change(kube, podEip, { metadata: { finalizers: withoutOurs(podEip), annotations } }, signal);
};

const withoutOurs = ({ metadata: { finalizers = [] } }: PodEip): readonly string[] =>
  finalizers.filter((finalizer) => finalizer !== FINALIZER);

/** Lets the API server remove the PodEIP. Other controllers' finalizers stay. */
export const dropFinalizer = async (kube: Kube, podEip: PodEip, signal: AbortSignal): Promise<void> => {
  await change(kube, podEip, { metadata: { finalizers: withoutOurs(podEip) } }, signal);
};
