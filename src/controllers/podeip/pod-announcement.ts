import {
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  EXTERNAL_DNS,
  HANDED_OVER,
  isNetworkKey,
  KEYS,
  READINESS_REASON,
} from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { isGated, isReadyByAddress } from '../../api/pod.ts';

/** What a pod is told: its address, the pod of its Service that its EIP went to, or that it has none. */
export type Announcement =
  | { readonly kind: 'address'; readonly ipAddress: string }
  | { readonly kind: 'handedOver'; readonly successor: string }
  | { readonly kind: 'none' };

/** Which pods have their address under `network.alibabacloud.com/` too. `asked`: those that ask by that prefix. */
export type NetworkKey = 'asked' | 'always' | 'never';

/** The desired condition of the readiness gate. */
export const gateOf = (says: Announcement): { status: 'True' | 'False'; reason: string; message: string } => {
  if (says.kind === 'none')
    return { status: 'False', reason: 'Disassociated', message: 'the EIP is not bound to the pod' };
  if (says.kind === 'address') return { status: 'True', reason: READINESS_REASON, message: `EIP ${says.ipAddress}` };
  const message = `the EIP is with pod ${says.successor} of the same Knative Service; this pod goes on without it`;
  return { status: 'True', reason: HANDED_OVER, message };
};

/** The desired annotations of the pod; null removes one. */
export const annotationsOf = (
  pod: Pod,
  says: Announcement,
  networkKey: NetworkKey,
): Readonly<Record<string, string | null>> => {
  const { annotations = {} } = pod.metadata;
  const ipAddress = says.kind === 'address' ? says.ipAddress : null;
  const isUnderNetwork = networkKey === 'always' || (networkKey === 'asked' && asksByNetworkKey(pod));
  return {
    [ALLOCATED_ADDRESS]: ipAddress,
    ...(((isUnderNetwork && ipAddress !== null) || annotations[ALLOCATED_ADDRESS_NETWORK] !== undefined) && {
      [ALLOCATED_ADDRESS_NETWORK]: isUnderNetwork ? ipAddress : null,
    }),
    ...Object.fromEntries(
      EXTERNAL_DNS.filter((keys) => isOurTarget(annotations, keys, ipAddress)).map(({ target }) => [target, ipAddress]),
    ),
  };
};

const REQUESTS = Object.values(KEYS).flat().filter(isNetworkKey);

const asksByNetworkKey = ({ metadata: { annotations = {} } }: Pod): boolean =>
  REQUESTS.some((key) => annotations[key] !== undefined);

/**
 * Whether the controller may write or remove the target. A target other than the published address was set by the owner
 * of the pod, who may have a reason for it.
 */
const isOurTarget = (
  annotations: Readonly<Record<string, string>>,
  { hostname, target }: (typeof EXTERNAL_DNS)[number],
  ipAddress: string | null,
): boolean => {
  const before = annotations[target];
  if (before === undefined) return ipAddress !== null && annotations[hostname] !== undefined;
  return before === annotations[ALLOCATED_ADDRESS];
};

/** Whether this address is published on the pod completely. */
export const isPublished = (pod: Pod, ipAddress: string, networkKey: NetworkKey): boolean =>
  Object.entries(annotationsOf(pod, { kind: 'address', ipAddress }, networkKey)).every(
    ([key, value]) => (pod.metadata.annotations?.[key] ?? null) === value,
  ) && isGated(pod) === isReadyByAddress(pod);
