import type { Requeue } from '../../kube/reconcile-loop.ts';
import { refOf } from '../../kube/store.ts';
import { FULL_DEPLOYMENT, type DeployedWorkload } from '../cluster/workloads.ts';
import { deploymentOf, podAutoscalerOf } from './chain.ts';
import { clobber, ensure } from './ensure.ts';
import { LABEL, type Strings } from './child-metadata.ts';
import {
  FULL_POD_AUTOSCALER,
  REVISION,
  type ResourceCondition,
  type FullPodAutoscaler,
  type Reachability,
  type Revision,
} from './resources.ts';
import { initialScaleOf } from './scale-bounds.ts';
import { knativeConditionOf, overallReadiness, writeStatus, type Hands } from './knative-status.ts';

/** Source: knative/serving pkg/apis/serving/v1/revision_helpers.go GetReachability by routing state. */
const reachabilityOf = ({ metadata }: Revision): Reachability => {
  const state = metadata.labels?.[LABEL.routingState];
  return state === 'active' ? 'Reachable' : state === 'reserve' ? 'Unreachable' : '';
};

/**
 * Keeps Deployment and PodAutoscaler of a Revision, and tells in its status whether it can serve.
 * Source: knative/serving pkg/reconciler/revision/{revision,reconcile_resources,cruds}.go.
 */
export const syncRevision = async (hands: Hands, key: string): Promise<Requeue> => {
  const { kube } = hands;
  const revision = await kube.get(REVISION, refOf(key));
  if (!revision || revision.metadata.deletionTimestamp !== undefined) return 'done';
  const replicas = initialScaleOf(revision.metadata.annotations);
  const there = await ensure(kube, FULL_DEPLOYMENT, deploymentOf(revision, replicas));
  const deployment = there && (await updateDeployment(hands, revision, there));
  const autoscaler = await updateAutoscaler(hands, revision);
  const conditions =
    deployment && autoscaler ? conditionsOf(deployment, autoscaler) : conditionsOfForeign(revision.metadata.name);
  const { actualScale, desiredScale } = autoscaler?.status ?? {};
  await writeStatus(hands, REVISION, revision, {
    conditions: [...conditions, overallReadiness(conditions)],
    actualReplicas: actualScale,
    desiredReplicas: desiredScale,
  });
  return 'done';
};

/** Only a Revision that says something else than when the Deployment was written changes it. */
const updateDeployment = async (
  { kube }: Hands,
  revision: Revision,
  have: DeployedWorkload,
): Promise<DeployedWorkload> => {
  const wanted = deploymentOf(revision, 1, have);
  if (have.metadata.labels?.[LABEL.deploymentHash] === wanted.metadata.labels[LABEL.deploymentHash]) return have;
  return clobber(kube, FULL_DEPLOYMENT, have, wanted);
};

const isThere = (all: Strings, found: Strings = {}): boolean =>
  Object.entries(all).every(([key, value]) => found[key] === value);

/** What others wrote on a PodAutoscaler stays. */
const updateAutoscaler = async ({ kube }: Hands, revision: Revision): Promise<FullPodAutoscaler | undefined> => {
  const wanted = podAutoscalerOf(revision, reachabilityOf(revision));
  const have = await ensure(kube, FULL_POD_AUTOSCALER, wanted);
  if (!have) return undefined;
  const { labels, annotations } = wanted.metadata;
  const isSame =
    have.spec.reachability === wanted.spec.reachability &&
    isThere(labels, have.metadata.labels) &&
    isThere(annotations, have.metadata.annotations);
  if (isSame) return have;
  const body = { metadata: { uid: have.metadata.uid, labels, annotations }, spec: wanted.spec };
  return kube.patch(FULL_POD_AUTOSCALER, have.metadata, { type: 'merge', body });
};

const deploying = (type: string): ResourceCondition => ({ type, status: 'Unknown', reason: 'Deploying' });

/**
 * Healthy once as many pods as it starts with were Ready together; from then on only a Deployment that fails can change
 * that, and not the scale. Source: pkg/apis/serving/v1/revision_lifecycle.go PropagateDeploymentStatus,
 * PropagateAutoscalerStatus.
 */
const conditionsOf = (deployment: DeployedWorkload, autoscaler: FullPodAutoscaler): ResourceCondition[] => {
  const progress = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  const isInitialized = knativeConditionOf(autoscaler, 'ScaleTargetInitialized')?.status === 'True';
  const active = knativeConditionOf(autoscaler, 'Active');
  const resources: ResourceCondition =
    progress?.status === 'False'
      ? {
          type: 'ResourcesAvailable',
          status: 'False',
          reason: progress.reason ?? 'ProgressDeadlineExceeded',
          message: progress.message,
        }
      : active?.reason === 'TimedOut' && !isInitialized
        ? {
            type: 'ResourcesAvailable',
            status: 'False',
            reason: 'ProgressDeadlineExceeded',
            message: 'Initial scale was never achieved',
          }
        : isInitialized
          ? { type: 'ResourcesAvailable', status: 'True' }
          : deploying('ResourcesAvailable');
  return [
    {
      type: 'Active',
      status: active?.status ?? 'Unknown',
      reason: active ? active.reason : 'Deploying',
      message: active?.message,
      severity: 'Info',
    },
    isInitialized ? { type: 'ContainerHealthy', status: 'True' } : deploying('ContainerHealthy'),
    resources,
  ];
};

const conditionsOfForeign = (name: string): ResourceCondition[] => [
  {
    type: 'ResourcesAvailable',
    status: 'False',
    reason: 'NotOwned',
    message: `There is an existing Deployment or PodAutoscaler of the name "${name}" that we do not own.`,
  },
];
