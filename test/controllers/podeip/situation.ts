import {
  ALLOCATED_ADDRESS,
  ADOPTED,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  GENERATION,
  GONE_SINCE,
  KEYS,
  POD_UID,
  READINESS_GATE,
  REQUEST,
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
} from '../../../src/api/annotations.ts';
import type { Node, Pod } from '../../../src/api/core.ts';
import { FINALIZER, type PodEip } from '../../../src/api/podeip.ts';
import type { Eip, NetworkInterface } from '../../../src/cloud/port.ts';
import type { ReleasePolicy } from '../../../src/request/release-policy.ts';
import { writeRequest, type EipRequest, type NewEip } from '../../../src/request/request.ts';
import type { NicBinding } from '../../../src/controllers/podeip/record.ts';
import type { TrackedState, ObservedState } from '../../../src/controllers/podeip/observation.ts';
import { CLUSTER_UID, podEipSettings } from '../../harness/settings.ts';

/** The parts of situations: each is as it should be, but for what is said. */

export const settings = podEipSettings({ existingEipNamespaces: ['default'], missingMs: 30_000, networkKey: 'never' });

/** The time of every situation. */
export const NOW = Date.parse('2026-11-21T12:00:00Z');

export const NEW = { [KEYS.withEip[0]]: 'true' };
export const EXISTING = { [KEYS.instanceId[0]]: 'eip-1' };

export const fresh: NewEip = {
  kind: 'new',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  securityProtectionTypes: [],
  tags: [],
};
export const existing: EipRequest = { kind: 'existing', allocationId: 'eip-1' };
export const binding: NicBinding = {
  networkInterfaceId: 'eni-1',
  privateIpAddress: '10.0.0.2',
  isPrimary: false,
  podUid: 'pod',
};

export const node: Node = { metadata: { name: 'node-1', uid: 'node', resourceVersion: '1' } };

export interface PodParts {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly phase?: string;
  /** '' for none. */
  readonly podIP?: string;
  readonly isEnding?: boolean;
  readonly isTold?: boolean;
  readonly isGated?: boolean;
  readonly isGateOpen?: boolean;
  readonly spec?: Partial<Pod['spec']>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Kind of the controlling owner. */
  readonly owner?: string;
}

export const pod = (parts: PodParts = {}): Pod => ({
  metadata: {
    name: 'a',
    namespace: 'default',
    uid: parts.uid ?? 'pod',
    resourceVersion: '1',
    labels: parts.labels,
    annotations: { ...(parts.annotations ?? NEW), ...(parts.isTold && { [ALLOCATED_ADDRESS]: '203.0.113.1' }) },
    ...(parts.isEnding && { deletionTimestamp: '2026-11-20T12:00:00Z' }),
    ...(parts.owner !== undefined && {
      ownerReferences: [{ apiVersion: 'v1', kind: parts.owner, name: 'a', uid: 'owner', controller: true }],
    }),
  },
  spec: {
    nodeName: 'node-1',
    ...(parts.isGated && { readinessGates: [{ conditionType: READINESS_GATE }] }),
    ...parts.spec,
  },
  status: {
    phase: parts.phase ?? 'Running',
    podIP: parts.podIP ?? '10.0.0.2',
    ...(parts.isGateOpen && { conditions: [{ type: READINESS_GATE, status: 'True' }] }),
  },
});

export interface PodEipParts {
  readonly request?: EipRequest | undefined;
  readonly allocationID?: string;
  readonly bindings?: readonly NicBinding[];
  readonly isEnding?: boolean;
  readonly hasFinalizer?: boolean;
  readonly controller?: string;
  readonly generation?: number;
  readonly podUid?: string;
  readonly goneSince?: string;
  readonly isAdopted?: boolean;
  readonly release?: ReleasePolicy;
  readonly creationTimestamp?: string;
}

export const podEip = (parts: PodEipParts = {}): PodEip => {
  const request = 'request' in parts ? parts.request : fresh;
  return {
    metadata: {
      name: 'a',
      namespace: 'default',
      uid: 'podeip',
      resourceVersion: '1',
      annotations: {
        [CONTROLLER]: parts.controller ?? CONTROLLER_NAME,
        [POD_UID]: parts.podUid ?? 'pod',
        ...(parts.goneSince !== undefined && { [GONE_SINCE]: parts.goneSince }),
        ...(parts.isAdopted && { [ADOPTED]: 'ack-extend-network-controller' }),
        [GENERATION]: String(parts.generation ?? 1),
        ...(request && { [REQUEST]: writeRequest(request) }),
        ...(parts.bindings && { [BINDINGS]: JSON.stringify(parts.bindings) }),
      },
      finalizers: (parts.hasFinalizer ?? true) ? [FINALIZER] : [],
      creationTimestamp: parts.creationTimestamp ?? '2026-11-20T11:00:00Z',
      ...(parts.isEnding && { deletionTimestamp: '2026-11-20T12:00:00Z' }),
    },
    spec: {
      allocationID: parts.allocationID ?? '',
      allocationType: {
        type: request?.kind === 'existing' ? 'Static' : 'Auto',
        releaseStrategy: parts.release?.strategy ?? 'Follow',
        ...(parts.release?.strategy === 'TTL' && { releaseAfter: parts.release.releaseAfter }),
      },
    },
  };
};

const ownTags = new Map([
  [TAG_CLUSTER_UID, CLUSTER_UID],
  [TAG_PODEIP_UID, 'podeip'],
]);

export const eip = (parts: Partial<Eip> = {}): Eip => ({
  allocationId: 'eip-1',
  ipAddress: '203.0.113.1',
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: ownTags,
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
  ...parts,
});

/** An EIP of the user's, which was there before every PodEIP. */
export const usersEip = (parts: Partial<Eip> = {}): Eip =>
  eip({ tags: new Map(), allocationTime: '2026-10-01T00:00:00Z', ...parts });

export const bound: Partial<Eip> = {
  status: 'InUse',
  instanceId: 'eni-1',
  instanceType: 'NetworkInterface',
  privateIpAddress: '10.0.0.2',
};
export const boundElsewhere: Partial<Eip> = { ...bound, instanceId: 'eni-of-others' };

export const eni = (parts: Partial<NetworkInterface> = {}): NetworkInterface => ({
  networkInterfaceId: 'eni-1',
  status: 'InUse',
  vpcId: 'vpc-1',
  primaryIpAddress: '10.0.0.1',
  privateIpAddresses: ['10.0.0.1', '10.0.0.2'],
  ...parts,
});

/** A process that has been quiet for long enough. */
export const quiet: TrackedState = { quietMs: 60_000, isCertain: false, driftMs: 0, missingMs: 0, retainedMs: 0 };
/** A process that has just started and knows nothing. */
export const justStarted: TrackedState = { ...quiet, quietMs: 0 };

export const seen = (parts: Partial<ObservedState>): ObservedState => ({
  pod: pod(),
  podEip: null,
  node,
  memory: quiet,
  now: NOW,
  // The interfaces are read at once with the tags, and the marks, where they matter, right after.
  ...(parts.tagged && { interfaces: [eni()], suspects: [] }),
  ...parts,
});
