import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Kube } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import { patchUnchanged, removeFinalizer } from '../../kube/write.ts';
import { ANNOTATION, LABEL } from './child-metadata.ts';
import {
  CONFIGURATION,
  REVISION,
  ROUTE,
  type ResourceCondition,
  type Configuration,
  type Revision,
  type KnativeRoute,
  type RouteTarget,
} from './resources.ts';
import { knativeConditionOf, overallReadiness, knativeTimestamp, writeStatus, type Hands } from './knative-status.ts';

const FINALIZER = 'routes.serving.knative.dev';

/** The domain of a cluster whose config-domain nobody has edited. */
const DOMAIN = 'example.com';

/**
 * Sends the traffic to the Revisions that the Route names, as soon as they are ready, and tells the Revisions whether
 * they are routed to. Source: knative/serving pkg/reconciler/route/route.go, pkg/reconciler/labeler/metasync.go.
 */
export const syncRoute = async (hands: Hands, key: string): Promise<Requeue> => {
  const { kube } = hands;
  const route = await kube.get(ROUTE, refOf(key));
  if (!route) return 'done';
  const { namespace, name, deletionTimestamp, finalizers = [] } = route.metadata;
  if (deletionTimestamp !== undefined) {
    await removeFinalizer(kube, ROUTE, route, FINALIZER);
    return 'done';
  }
  if (!finalizers.includes(FINALIZER)) {
    await patchUnchanged(kube, ROUTE, route, { metadata: { finalizers: [...finalizers, FINALIZER] } });
    return 'now';
  }
  const revisions = await kube.list(REVISION, { namespace, labelSelector: `${LABEL.service}=${name}` });
  const configuration = await kube.get(CONFIGURATION, { namespace, name });
  const resolved = route.spec.traffic.map((target) => resolve(route, target, configuration, revisions));
  const [problem] = resolved.flatMap((it) => (it.kind === 'unassigned' ? [it.condition] : []));
  const traffic = problem
    ? route.status?.traffic
    : resolved.flatMap((it) => (it.kind === 'assigned' ? [it.target] : []));
  const conditions: ResourceCondition[] = [
    problem ?? { type: 'AllTrafficAssigned', status: 'True' },
    {
      type: 'CertificateProvisioned',
      status: 'True',
      reason: 'TLSNotEnabled',
      message: 'external-domain-tls is not enabled',
    },
    { type: 'IngressReady', status: traffic ? 'True' : 'Unknown' },
  ];
  const follows =
    route.spec.traffic.some(({ revisionName }) => revisionName === undefined) ||
    (traffic ?? []).some(({ latestRevision }) => latestRevision === true);
  const named = [...(traffic ?? []), ...route.spec.traffic].flatMap(({ revisionName }) => revisionName ?? []);
  const routed = new Set([...named, ...(follows ? [configuration?.status?.latestCreatedRevisionName] : [])]);
  const ready = overallReadiness(conditions);
  // As long as it is not known where the traffic goes, no Revision loses its pods.
  for (const revision of revisions)
    if (routed.has(revision.metadata.name)) await label(hands, revision, name, true);
    else if (ready.status !== 'Unknown') await label(hands, revision, name, false);
  await writeStatus(hands, ROUTE, route, {
    conditions: [...conditions, ready],
    url: `http://${name}.${namespace}.${DOMAIN}`,
    address: { url: `http://${name}.${namespace}.svc.cluster.local` },
    traffic,
  });
  return 'done';
};

/** `unassigned`: the target leads nowhere, and the condition says why. */
type ResolvedTarget =
  | { readonly kind: 'assigned'; readonly target: RouteTarget }
  | { readonly kind: 'unassigned'; readonly condition: ResourceCondition };

const unassigned = (status: string, message: string): ResolvedTarget => ({
  kind: 'unassigned',
  condition: { type: 'AllTrafficAssigned', status, reason: 'RevisionMissing', message },
});

const assigned = (target: RouteTarget): ResolvedTarget => ({ kind: 'assigned', target });

/**
 * The Revision that a target leads to now, or why it leads nowhere. Source: pkg/reconciler/route/traffic/traffic.go.
 */
const resolve = (
  { metadata }: KnativeRoute,
  { configurationName, ...target }: RouteTarget,
  configuration: Configuration | undefined,
  revisions: readonly Revision[],
): ResolvedTarget => {
  const url = target.tag && { url: `http://${target.tag}-${metadata.name}.${metadata.namespace}.${DOMAIN}` };
  if (target.revisionName === undefined) {
    const revisionName = configuration?.status?.latestReadyRevisionName;
    if (revisionName !== undefined) return assigned({ ...target, ...url, revisionName, latestRevision: true });
    return knativeConditionOf(configuration, 'Ready')?.status === 'False'
      ? unassigned('False', `Configuration "${configurationName}" does not have any ready Revision.`)
      : unassigned('Unknown', `Configuration "${configurationName}" is waiting for a Revision to become ready.`);
  }
  const revision = revisions.find((it) => it.metadata.name === target.revisionName);
  if (!revision) return unassigned('False', `Revision "${target.revisionName}" referenced in traffic not found.`);
  const ready = knativeConditionOf(revision, 'Ready')?.status;
  if (ready === 'True') return assigned({ ...target, ...url, latestRevision: false });
  return ready === 'False'
    ? unassigned('False', `Revision "${target.revisionName}" failed to become ready.`)
    : unassigned('Unknown', `Revision "${target.revisionName}" is not yet ready.`);
};

/** A Revision that was never routed to stays pending until it is; one that no longer is goes into reserve. */
const label = async ({ kube, clock }: Hands, revision: Revision, route: string, isRouted: boolean): Promise<void> => {
  const state = revision.metadata.labels?.[LABEL.routingState];
  const wanted = isRouted ? 'active' : state === 'active' ? 'reserve' : state;
  if (wanted === state || wanted === undefined) return;
  await setState(kube, revision, {
    labels: { [LABEL.routingState]: wanted },
    annotations: {
      [ANNOTATION.routes]: isRouted ? route : null,
      [ANNOTATION.routingStateModified]: knativeTimestamp(clock),
    },
  });
};

const setState = (kube: Kube, revision: Revision, metadata: object) =>
  patchUnchanged(kube, REVISION, revision, { metadata });
