import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { KubeObject } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import { configurationOf, routeOf } from './chain.ts';
import { clobber, ensure } from './ensure.ts';
import {
  CONFIGURATION,
  ROUTE,
  SERVICE,
  type ResourceCondition,
  type Configuration,
  type KnativeRoute,
} from './resources.ts';
import { knativeConditionOf, overallReadiness, writeStatus, type Hands } from './knative-status.ts';

/**
 * Keeps Configuration and Route as the Service says, and tells of both in its status.
 * Source: knative/serving pkg/reconciler/service/service.go, pkg/apis/serving/v1/service_lifecycle.go.
 */
export const syncService = async (hands: Hands, key: string): Promise<Requeue> => {
  const { kube } = hands;
  const service = await kube.get(SERVICE, refOf(key));
  if (!service || service.metadata.deletionTimestamp !== undefined) return 'done';
  const wantedConfiguration = configurationOf(service);
  const wantedRoute = routeOf(service);
  const oldConfiguration = await ensure(kube, CONFIGURATION, wantedConfiguration);
  const configuration = oldConfiguration && (await clobber(kube, CONFIGURATION, oldConfiguration, wantedConfiguration));
  const oldRoute = await ensure(kube, ROUTE, wantedRoute);
  const route = oldRoute && (await clobber(kube, ROUTE, oldRoute, wantedRoute));
  const conditions = [
    configuration ? mirror('ConfigurationsReady', configuration) : notOwned('ConfigurationsReady', service),
    route ? migrated(mirror('RoutesReady', route), route, configuration) : notOwned('RoutesReady', service),
  ];
  const { latestCreatedRevisionName, latestReadyRevisionName } = configuration?.status ?? {};
  const { url, address, traffic } = route?.status ?? {};
  await writeStatus(hands, SERVICE, service, {
    conditions: [...conditions, overallReadiness(conditions)],
    latestCreatedRevisionName,
    latestReadyRevisionName,
    url,
    address,
    traffic,
  });
  return 'done';
};

const mirror = (type: string, object: Configuration | KnativeRoute): ResourceCondition => {
  if (object.status?.observedGeneration !== object.metadata.generation)
    return {
      type,
      status: 'Unknown',
      reason: 'OutOfDate',
      message: 'The object is still working to reflect the latest desired specification.',
    };
  const { severity: _severity, lastTransitionTime: _since, ...ready } = knativeConditionOf(object, 'Ready') ?? UNKNOWN;
  return { ...ready, type };
};

const UNKNOWN: ResourceCondition = { type: 'Ready', status: 'Unknown' };

const notOwned = (type: string, { metadata }: KubeObject): ResourceCondition => ({
  type,
  status: 'False',
  reason: 'NotOwned',
  message: `There is an existing object "${metadata.name}" that we do not own.`,
});

/** A Route that is well but does not lead to the latest ready Revision yet. */
const migrated = (
  condition: ResourceCondition,
  route: KnativeRoute,
  configuration: Configuration | undefined,
): ResourceCondition => {
  const latest = configuration?.status?.latestReadyRevisionName;
  const isBehind = route.status?.traffic?.some((it) => it.latestRevision === true && it.revisionName !== latest);
  return condition.status === 'True' && isBehind
    ? {
        type: condition.type,
        status: 'Unknown',
        reason: 'TrafficNotMigrated',
        message: 'Traffic is not yet migrated to the latest revision.',
      }
    : condition;
};
