import { POD } from '../../api/core.ts';
import type { Kube, KubeObject } from '../../kube/port.ts';
import { keyOf } from '../../kube/store.ts';
import { followObjects, type FollowContext } from '../cluster/follow-objects.ts';
import { FULL_DEPLOYMENT } from '../cluster/workloads.ts';
import { createActivator, type SendRequest } from './activator.ts';
import { createAutoscaler } from './autoscaler.ts';
import { syncConfiguration } from './configuration.ts';
import { LABEL } from './child-metadata.ts';
import { CONFIGURATION, FULL_POD_AUTOSCALER, REVISION, ROUTE, SERVICE } from './resources.ts';
import { syncRevision } from './revision.ts';
import { syncRoute } from './reconcile-route.ts';
import { syncService } from './service.ts';
import { Traffic } from './traffic.ts';

/** config-autoscaler stable-window. */
const STABLE_WINDOW_MS = 60_000;

interface KnativeOptions {
  /**
   * How long a Revision must have no request to scale to zero, unless its annotation says it. Default 60 s, Knative's.
   */
  readonly stableWindowMs?: number | undefined;
}

export interface Knative {
  readonly request: SendRequest;
  /** Settles when the signal has aborted and everything has stopped. */
  readonly ended: Promise<unknown>;
}

/** The key of what controls the object, where it is of this kind. */
const ownerKey = ({ metadata }: KubeObject, kind: string): string | undefined => {
  const owner = metadata.ownerReferences?.find((it) => it.kind === kind && it.controller);
  return owner && keyOf({ namespace: metadata.namespace, name: owner.name });
};

const labelKey = ({ metadata }: KubeObject, label: string): string | undefined => {
  const name = metadata.labels?.[label];
  return name === undefined ? undefined : keyOf({ namespace: metadata.namespace, name });
};

/**
 * Stand-in for Knative Serving: its reconcilers, its autoscaler and its activator, as far as they make objects and
 * pods. Its definitions must be installed. Deployments are run, pods started and orphans collected by others.
 */
export const runKnative = (
  context: FollowContext,
  kube: Kube,
  { stableWindowMs = STABLE_WINDOW_MS }: KnativeOptions,
  signal: AbortSignal,
): Knative => {
  const hands = { kube, clock: context.clock };
  const traffic = new Traffic(context.clock);
  const ended = Promise.all([
    followObjects(
      context,
      [
        { resource: SERVICE },
        { resource: CONFIGURATION, keyOf: (it) => ownerKey(it, 'Service') },
        { resource: ROUTE, keyOf: (it) => ownerKey(it, 'Service') },
      ],
      (key) => syncService(hands, key),
      signal,
    ),
    followObjects(
      context,
      [{ resource: CONFIGURATION }, { resource: REVISION, keyOf: (it) => ownerKey(it, 'Configuration') }],
      (key) => syncConfiguration(hands, key),
      signal,
    ),
    followObjects(
      context,
      // A Service's Configuration and Route have its name.
      [
        { resource: ROUTE },
        { resource: CONFIGURATION },
        { resource: REVISION, keyOf: (it) => labelKey(it, LABEL.service) },
      ],
      (key) => syncRoute(hands, key),
      signal,
    ),
    followObjects(
      context,
      [
        { resource: REVISION },
        { resource: FULL_DEPLOYMENT, keyOf: (it) => ownerKey(it, 'Revision') },
        { resource: FULL_POD_AUTOSCALER, keyOf: (it) => ownerKey(it, 'Revision') },
      ],
      (key) => syncRevision(hands, key),
      signal,
    ),
    followObjects(
      { ...context, trigger: traffic.trigger },
      [
        { resource: FULL_POD_AUTOSCALER },
        { resource: FULL_DEPLOYMENT, keyOf: (it) => ownerKey(it, 'Revision') },
        { resource: POD, keyOf: (it) => labelKey(it, LABEL.revision) },
      ],
      createAutoscaler(hands, traffic, stableWindowMs),
      signal,
    ),
  ]);
  return { request: createActivator(hands, context.random, traffic), ended };
};
