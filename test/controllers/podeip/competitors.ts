import { READINESS_GATE } from '../../../src/api/annotations.ts';
import {
  CONFIGURATION_GENERATION,
  POD_TEMPLATE_HASH,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
  type KnativeService,
} from '../../../src/api/knative.ts';
import type { Pod } from '../../../src/api/core.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { hasPriorityOver, type RoutingOf } from '../../../src/controllers/podeip/handover-order.ts';
import type { State } from './model.ts';
import { bound, EXISTING, existing, NOW, binding, pod, podEip, quiet, usersEip } from './situation.ts';

/** One of the pods of a Service that want the same EIP. */
export interface Competitor {
  readonly service?: string;
  readonly namespace?: string;
  readonly generation: number;
  readonly hash: string;
  readonly createdAt: string;
  readonly isEnding: boolean;
  readonly isReady: boolean;
}

export const revisionName = (generation: number): string => `hello-0000${generation}`;

const labelsOf = ({ service = 'service', generation, hash }: Competitor) => ({
  [SERVICE_UID]: service,
  [CONFIGURATION_GENERATION]: String(generation),
  [POD_TEMPLATE_HASH]: hash,
  [SERVICE_LABEL]: 'hello',
  [REVISION_LABEL]: revisionName(generation),
});

export const podOf = (it: Competitor, uid: string, annotations: Readonly<Record<string, string>> = EXISTING): Pod => {
  const base = pod({ uid, annotations, labels: labelsOf(it), isEnding: it.isEnding });
  const conditions = [{ type: 'ContainersReady', status: it.isReady ? 'True' : 'False' }];
  return {
    ...base,
    metadata: { ...base.metadata, name: uid, creationTimestamp: it.createdAt },
    status: { ...base.status, conditions },
  };
};

export const podEipOf = (it: Competitor, uid: string, parts: Parameters<typeof podEip>[0] = {}): PodEip => {
  const base = podEip({ request: existing, podUid: uid, ...parts });
  const namespace = it.namespace ?? base.metadata.namespace;
  return { ...base, metadata: { ...base.metadata, name: uid, uid: `${uid}-eip`, namespace, labels: labelsOf(it) } };
};

export const all: readonly Competitor[] = [1, 2].flatMap((generation) =>
  ['x', 'y'].flatMap((hash) =>
    ['2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'].flatMap((createdAt) =>
      [true, false].flatMap((isEnding) =>
        [true, false].map((isReady) => ({ generation, hash, createdAt, isEnding, isReady })),
      ),
    ),
  ),
);

export const unknown: RoutingOf = () => undefined;

export const beats = (a: Competitor, b: Competitor, routing = unknown): boolean =>
  hasPriorityOver(podEipOf(a, 'a'), podOf(a, 'a'), { podEip: podEipOf(b, 'b'), pod: podOf(b, 'b') }, routing);

export const one: Competitor = {
  generation: 1,
  hash: 'x',
  createdAt: '2026-11-21T10:00:00Z',
  isEnding: false,
  isReady: true,
};

export const two: Competitor = { ...one, generation: 2 };

/** As Knative Serving shows a Service. */
export const serviceOf = (spec: KnativeService['spec'], status: KnativeService['status']): KnativeService => ({
  metadata: { name: 'hello', namespace: 'default', uid: 'service', resourceVersion: '1' },
  spec,
  status,
});

export const LATEST = [{ latestRevision: true, percent: 100 }];

export const to = (generation: number, parts: object = { percent: 100 }) => ({
  revisionName: revisionName(generation),
  ...parts,
});

/** The pod of the first Revision after its EIP has gone to the second. */
export const without = (
  service: KnativeService | undefined,
  gate: { status: string; reason?: string } | undefined,
  mine = one,
  theirs = two,
): State => {
  const holder = podOf(theirs, 'new');
  const told = { ...holder.metadata.annotations, 'k8s.aliyun.com/allocated-eipAddress': '203.0.113.1' };
  const base = podOf(mine, 'old');
  return {
    pod: {
      ...base,
      spec: { ...base.spec, readinessGates: [{ conditionType: READINESS_GATE }] },
      status: { ...base.status, conditions: gate ? [{ type: READINESS_GATE, ...gate }] : [] },
    },
    podEip: podEipOf(mine, 'old'),
    eip: usersEip({ ...bound }),
    memory: quiet,
    now: NOW,
    competitors: [
      {
        podEip: podEipOf(theirs, 'new', { allocationID: 'eip-1', bindings: [{ ...binding, podUid: 'new' }] }),
        pod: { ...holder, metadata: { ...holder.metadata, annotations: told } },
      },
    ],
    ...(service && { service }),
  };
};

export const createdAt = (it: PodEip, creationTimestamp: string | undefined): PodEip => ({
  ...it,
  metadata: { ...it.metadata, creationTimestamp },
});
