import { ALLOCATED_ADDRESS, HANDED_OVER, READINESS_GATE, READINESS_REASON } from '../../api/annotations.ts';
import { POD, type Pod } from '../../api/core.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';

/** What a pod is told: the address that it has, to which pod of its Service its EIP went, or that it has none. */
export type Announcement = { readonly ipAddress: string } | { readonly successor: string } | 'nothing';

const gateOf = (says: Announcement): { status: 'True' | 'False'; reason: string; message: string } => {
  if (says === 'nothing')
    return { status: 'False', reason: 'Disassociated', message: 'the EIP is not bound to the pod' };
  if ('ipAddress' in says) return { status: 'True', reason: READINESS_REASON, message: `EIP ${says.ipAddress}` };
  const message = `the EIP is with pod ${says.successor} of the same Knative Service; this pod goes on without it`;
  return { status: 'True', reason: HANDED_OVER, message };
};

/**
 * Tells the pod which address it has, or that it has none. One PATCH of pods/status writes the annotation and the
 * condition together; the API server merges conditions by their type and annotations by their key, so that nobody
 * else's are touched (kubernetes/kubernetes pkg/registry/core/pod/strategy.go: the status endpoint keeps spec and
 * owners). The UID makes sure that it is this pod and not another of the same name, the version that it still is as it
 * was when this was decided: a request that comes late must not tell a pod of an address that it has lost since.
 *
 * The gate of a pod whose EIP goes to another pod of its Knative Service stays open: while it is the only one that
 * serves, requests for its Revision would wait for a pod that does not become ready again, and Knative does not scale a
 * Revision down that was never seen active (pkg/reconciler/autoscaling/kpa/scaler.go, handleScaleToZero) for ten
 * minutes.
 */
export const announce = async (
  kube: Kube,
  pod: Pod,
  { says, isGated, now }: { says: Announcement; isGated: boolean; now: number },
  signal: AbortSignal,
): Promise<void> => {
  const ipAddress = says !== 'nothing' && 'ipAddress' in says ? says.ipAddress : null;
  const condition = {
    type: READINESS_GATE,
    ...gateOf(says),
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
