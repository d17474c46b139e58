import { ALLOCATED_ADDRESS, READINESS_GATE, READINESS_REASON } from '../api/annotations.ts';
import { POD, type Pod } from '../api/core.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';

/**
 * Tells the pod which address it has, or that it has none. One PATCH of pods/status writes the annotation and the
 * condition together; the API server merges conditions by their type and annotations by their key, so that nobody else's
 * are touched (kubernetes/kubernetes pkg/registry/core/pod/strategy.go: the status endpoint keeps spec and owners).
 * The UID makes sure that it is this pod and not another of the same name, the version that it still is as it was when this
 * was decided: a request that comes late must not tell a pod of an address that it has lost since.
 */
export const announce = async (
  kube: Kube,
  pod: Pod,
  { ipAddress, isGated, now }: { ipAddress: string | null; isGated: boolean; now: number },
  signal: AbortSignal,
): Promise<void> => {
  const condition = {
    type: READINESS_GATE,
    status: ipAddress === null ? 'False' : 'True',
    reason: ipAddress === null ? 'Disassociated' : READINESS_REASON,
    message: ipAddress === null ? 'the EIP is not bound to the pod' : `EIP ${ipAddress}`,
    lastProbeTime: null,
    lastTransitionTime: new Date(now).toISOString(),
  };
  const { namespace, name, uid, resourceVersion } = pod.metadata;
  const body = {
    metadata: { uid, resourceVersion, annotations: { [ALLOCATED_ADDRESS]: ipAddress } },
    ...(isGated && { status: { conditions: [condition] } }),
  };
  const after = await kube.patch(POD, { namespace, name }, { type: 'strategic', subresource: 'status', body }, signal);
  // An API server, or a webhook, that drops the annotation would be asked again and again without a pause.
  if ((after.metadata.annotations?.[ALLOCATED_ADDRESS] ?? null) !== ipAddress)
    throw new KubeFault({
      kind: 'invalid',
      message: `the annotation ${ALLOCATED_ADDRESS} of pod ${name} was sent through pods/status and did not stay; look for an admission webhook that removes it`,
    });
};
