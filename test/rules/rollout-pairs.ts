import { READINESS_GATE } from '../../src/api/annotations.ts';
import type { FindingId } from '../../src/api/finding.ts';
import type { ClusterFacts } from '../../src/rules/cluster-facts.ts';
import { UNRESTRICTED } from '../../src/policies/policy.ts';
import { K8S, type Around, type Pair } from './catalogue-pairs.ts';
import { deployment, EXISTING, NEW, ONE, service, statefulSet } from './manifests.ts';

export const GATED = { readinessGates: [{ conditionType: READINESS_GATE }] };

/** The Deployment with this strategy. */
export const rolledOutBy = (strategy: object | undefined, shape: Parameters<typeof deployment>[0]): object => {
  const made = deployment(shape) as { readonly spec: object };
  return { ...made, spec: { ...made.spec, strategy } };
};

const gated = { annotations: EXISTING, spec: GATED };

/** A Service that routes so much, and perhaps a tag, to its first Revision, and the rest to the latest. */
const routed = (percent: number, tag?: string, latest = 'web-00002', annotations: object = { ...EXISTING, ...ONE }) => {
  const traffic = [
    { revisionName: 'web-00001', percent, tag },
    { latestRevision: true, percent: 100 - percent },
  ];
  const made = service({ annotations }) as { readonly spec: object };
  return { ...made, spec: { ...made.spec, traffic }, status: { latestCreatedRevisionName: latest } };
};

const olderRevision = (eip = 'eip-bp1', namespace = 'default'): ClusterFacts => ({
  revisions: [{ namespace, name: 'web-00001', annotations: { [`${K8S}eci-eip-instanceid`]: eip } }],
});

/** A Service that routes to its first two Revisions by name, and whose template has this name. */
const splitByName = (name: string | undefined, annotations: object = { ...EXISTING, ...ONE }): object => {
  const made = service({ annotations }) as { readonly spec: { readonly template: { readonly metadata: object } } };
  const { template } = made.spec;
  const traffic = ['web-00001', 'web-00002'].map((revisionName) => ({ revisionName, percent: 50 }));
  return { ...made, spec: { template: { ...template, metadata: { ...template.metadata, name } }, traffic } };
};

const revisionsNaming = (...eips: readonly string[]): ClusterFacts => ({
  revisions: eips.flatMap((eip, index) =>
    (olderRevision(eip).revisions ?? []).map((it) => ({ ...it, name: `web-0000${index + 1}` })),
  ),
});

const asking = { annotations: NEW };

const limitedTo = (eips: number, held = 0): Around => ({
  policy: { ...UNRESTRICTED, names: ['shops'], limits: { eips } },
  facts: { held: { eips: held, bandwidthMbps: 0 } },
});

/** Findings about what happens when pods are replaced, or share the requests. */
export const ROLLOUT_PAIRS = {
  ExistingEipBlocksRollout: [
    { with: deployment(gated), without: rolledOutBy({ type: 'Recreate' }, gated) },
    {
      say: 'another gate',
      with: deployment(gated),
      without: deployment({ annotations: EXISTING, spec: { readinessGates: [{ conditionType: 'x/y' }] } }),
    },
    { say: 'a new EIP for each pod', with: deployment(gated), without: deployment({ ...gated, annotations: NEW }) },
    { say: 'a StatefulSet stops a pod first', with: deployment(gated), without: statefulSet(gated) },
    { say: 'no pods', with: deployment({ ...gated, replicas: 1 }), without: deployment({ ...gated, replicas: 0 }) },
  ],
  ExistingEipLateInRollout: [
    { with: deployment({ annotations: EXISTING }), without: deployment(gated) },
    {
      say: 'stopped first',
      with: deployment({ annotations: EXISTING }),
      without: rolledOutBy({ type: 'Recreate' }, { annotations: EXISTING }),
    },
  ],
  ExistingEipInTwoRevisions: [
    { say: 'half and half', with: routed(50), without: routed(0), around: { facts: olderRevision() } },
    { say: 'by a tag alone', with: routed(0, 'old'), without: routed(0), around: { facts: olderRevision() } },
    {
      say: 'the older one names another EIP',
      with: routed(50),
      without: routed(50),
      around: { facts: olderRevision() },
      otherwise: { facts: olderRevision('eip-bp2') },
    },
    {
      say: 'the one that is named is the latest one',
      with: routed(50),
      without: routed(50, undefined, 'web-00001'),
      around: { facts: olderRevision() },
    },
    {
      say: 'the template asks for an EIP of each pod’s own',
      with: routed(50),
      without: routed(50, undefined, undefined, NEW),
      around: { facts: olderRevision() },
    },
    {
      say: 'a Revision of another namespace',
      with: routed(50),
      without: routed(50),
      around: { facts: olderRevision() },
      otherwise: { facts: olderRevision('eip-bp1', 'elsewhere') },
    },
    {
      say: 'the latest one by the name that its template gives it',
      with: splitByName('web-00002'),
      without: splitByName('web-00003'),
      around: { facts: olderRevision() },
    },
    {
      say: 'two that are named, of which neither is the latest',
      with: splitByName(undefined),
      without: splitByName(undefined),
      around: { facts: revisionsNaming('eip-bp1', 'eip-bp1') },
      otherwise: { facts: revisionsNaming('eip-bp1', 'eip-bp2') },
    },
    {
      say: 'two that are named, and a template that asks for nothing any more',
      with: splitByName(undefined, {}),
      without: splitByName(undefined, {}),
      around: { facts: revisionsNaming('eip-bp1', 'eip-bp1') },
      otherwise: { facts: {} },
    },
  ],
  NoRoomForRollout: [
    { with: service(asking), without: service(asking), around: limitedTo(1), otherwise: limitedTo(2) },
    {
      say: 'with what others hold',
      with: service(asking),
      without: service(asking),
      around: limitedTo(5, 4),
      otherwise: limitedTo(5, 3),
    },
    {
      say: 'as many as it keeps at least',
      with: service({ annotations: { ...NEW, 'autoscaling.knative.dev/min-scale': '3' } }),
      without: service({ annotations: { ...NEW, 'autoscaling.knative.dev/min-scale': '2' } }),
      around: limitedTo(5),
    },
    {
      say: 'no room for the first pod is more than that',
      with: service(asking),
      without: service(asking),
      around: limitedTo(1),
      otherwise: limitedTo(1, 1),
    },
    {
      say: 'an existing EIP',
      with: service(asking),
      without: service({ annotations: EXISTING }),
      around: limitedTo(1),
    },
    {
      say: 'a Deployment whose pods are Ready without',
      with: deployment({ ...asking, spec: GATED }),
      without: deployment(asking),
      around: limitedTo(1),
    },
    {
      say: 'a Deployment of four may miss one',
      with: deployment({ ...asking, spec: GATED, replicas: 3 }),
      without: deployment({ ...asking, spec: GATED, replicas: 4 }),
      around: limitedTo(3),
      otherwise: limitedTo(4),
    },
    {
      say: 'stopped first',
      with: deployment({ ...asking, spec: GATED }),
      without: rolledOutBy({ type: 'Recreate' }, { ...asking, spec: GATED }),
      around: limitedTo(1),
    },
    {
      say: 'a StatefulSet',
      with: service(asking),
      without: statefulSet({ ...asking, spec: GATED }),
      around: limitedTo(1),
    },
  ],
  RevisionNotKnown: [
    {
      with: routed(50),
      without: routed(50),
      around: { facts: { revisions: [] } },
      otherwise: { facts: olderRevision('eip-bp2') },
    },
    { say: 'not routed to', with: routed(50), without: routed(0), around: { facts: { revisions: [] } } },
    {
      say: 'by name',
      with: splitByName('web-00002'),
      without: splitByName('web-00003'),
      around: { facts: { revisions: [] } },
    },
    {
      say: 'new EIPs',
      with: routed(50),
      without: routed(50, undefined, undefined, NEW),
      around: { facts: { revisions: [] } },
    },
    {
      say: 'nobody has looked for Revisions',
      with: routed(50),
      without: routed(50),
      around: { facts: { revisions: [] } },
      otherwise: { facts: {} },
    },
  ],
} satisfies Partial<Record<FindingId, readonly Pair[]>>;
