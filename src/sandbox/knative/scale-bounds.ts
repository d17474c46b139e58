import { durationMs } from './chain.ts';
import { AUTOSCALING, type Strings } from './child-metadata.ts';
import type { ResourceCondition, Reachability } from './resources.ts';

/** Requests at once that one pod is given: 70 % of 100, where the Revision names no limit. config-autoscaler. */
const TARGET_CONCURRENCY = 70;
const TARGET_UTILIZATION = 0.7;
/**
 * What a pod that never became ready is given beyond the progress deadline. Source: kpa/scaler.go
 * activationTimeoutBuffer.
 */
const ACTIVATION_BUFFER_MS = 30_000;
/**
 * How often the autoscaler looks: so long a Revision that was given up stays at zero. config-autoscaler tick-interval.
 */
const TICK_MS = 2_000;
/** The shortest window that the annotation may name. Source: pkg/apis/autoscaling/register.go WindowMin. */
const SHORTEST_WINDOW_MS = 6_000;

/** Both spellings count. Source: knative/serving pkg/apis/autoscaling/register.go. */
const numberOf = (annotations: Strings | undefined, kebab: string, camel: string): number | undefined => {
  const text = annotations?.[`${AUTOSCALING}${kebab}`] ?? annotations?.[`${AUTOSCALING}${camel}`];
  return text === undefined || !/^\d+$/u.test(text) ? undefined : Number(text);
};

/**
 * How many pods a new Revision starts with to show that it works. Zero needs allow-zero-initial-scale, off by default.
 */
export const initialScaleOf = (annotations: Strings | undefined): number =>
  Math.max(1, numberOf(annotations, 'initial-scale', 'initialScale') ?? 1);

/** What the autoscaler looks at. Times are milliseconds. */
export interface Load {
  readonly annotations: Strings | undefined;
  readonly reachability: Reachability;
  /** Pods that are Ready now. */
  readonly ready: number;
  /** The condition as it is. */
  readonly active: ResourceCondition | undefined;
  /** How long the condition has been so. */
  readonly activeForMs: number;
  /** Whether the Revision has ever had its initial scale. */
  readonly isInitialized: boolean;
  /** Requests that are under way or wait for a pod. */
  readonly inFlight: number;
  /** Since when no request has been under way; Infinity where there never was one. */
  readonly idleMs: number;
  /** How many requests at once a pod takes; 0 for no limit. */
  readonly containerConcurrency: number;
  /** How long there must be no request. config-autoscaler stable-window; the annotation `window` wins. */
  readonly stableWindowMs: number;
  readonly progressDeadlineMs: number;
  /** Whether it was given up once. It is so only once. */
  readonly hasTimedOut: boolean;
}

/** What the autoscaler does. */
export interface ScaleBounds {
  /** -1 where that is not known yet. */
  readonly desired: number;
  /** Replicas of the Deployment; undefined where they stay as they are. */
  readonly replicas: number | undefined;
  readonly active: ResourceCondition;
  readonly isInitialized: boolean;
  /** When to look again, where nothing happens before; milliseconds. */
  readonly afterMs: number | undefined;
}

const ACTIVE: ResourceCondition = { type: 'Active', status: 'True' };
const INACTIVE = { type: 'Active', status: 'False' } as const;
const NO_TRAFFIC: ResourceCondition = {
  ...INACTIVE,
  reason: 'NoTraffic',
  message: 'The target is not receiving traffic.',
};
const TIMED_OUT: ResourceCondition = { ...INACTIVE, reason: 'TimedOut', message: 'The target could not be activated.' };
const QUEUED: ResourceCondition = {
  type: 'Active',
  status: 'Unknown',
  reason: 'Queued',
  message: 'Requests to the target are being buffered as resources are provisioned.',
};

/**
 * The scale of a Revision. While requests come, enough pods for those at once, within min-scale and max-scale; without
 * any for the whole window, none, unless min-scale holds it up, which counts only where a Route leads to the Revision.
 * The activator is always in the path, as it is with few pods and the default target-burst-capacity: then nothing but
 * the retention period lies between inactive and zero.
 *
 * Source: knative/serving pkg/reconciler/autoscaling/kpa/{kpa,scaler}.go.
 */
export const decideScale = (load: Load): ScaleBounds => {
  const { annotations, ready, active, inFlight } = load;
  const min = load.reachability === 'Unreachable' ? 0 : (numberOf(annotations, 'min-scale', 'minScale') ?? 0);
  const max = numberOf(annotations, 'max-scale', 'maxScale') || Infinity;
  const initial = initialScaleOf(annotations);
  const threshold = (isInitialized: boolean) => Math.max(min, isInitialized ? 1 : initial);
  const isInitialized = load.isInitialized || ready >= threshold(false);
  const needed = threshold(isInitialized);
  const done = (scale: Partial<ScaleBounds> & Pick<ScaleBounds, 'desired' | 'active'>): ScaleBounds => ({
    replicas: undefined,
    afterMs: undefined,
    ...scale,
    isInitialized,
  });

  const isActivating = active === undefined || active.status === 'Unknown';
  const giveUpMs = load.progressDeadlineMs + ACTIVATION_BUFFER_MS - (active === undefined ? 0 : load.activeForMs);
  const canGiveUp = isActivating && !isInitialized && !load.hasTimedOut;
  if (canGiveUp && giveUpMs <= 0) return done({ desired: 0, replicas: 0, active: TIMED_OUT });

  const restMs = active?.reason === 'TimedOut' ? TICK_MS - load.activeForMs : 0;
  if (restMs > 0) return done({ desired: 0, replicas: 0, active: TIMED_OUT, afterMs: restMs });

  const windowMs = Math.max(SHORTEST_WINDOW_MS, durationMs(annotations?.[`${AUTOSCALING}window`]) ?? 0);
  const stableMs = annotations?.[`${AUTOSCALING}window`] === undefined ? load.stableWindowMs : windowMs;
  const leftMs = Math.max(0, stableMs - load.idleMs, active?.status === 'True' ? stableMs - load.activeForMs : 0);
  const perPod = load.containerConcurrency > 0 ? load.containerConcurrency * TARGET_UTILIZATION : TARGET_CONCURRENCY;
  const byTraffic = inFlight > 0 ? Math.ceil(inFlight / perPod) : leftMs > 0 && active?.status === 'True' ? 1 : 0;
  const starts = isInitialized || load.hasTimedOut ? 0 : initial;
  const desired = Math.min(max, Math.max(byTraffic, min, starts));
  if (desired > 0) {
    const condition = ready >= needed ? ACTIVE : QUEUED;
    const isIdling = inFlight === 0 && leftMs > 0 && condition.status === 'True' && desired > min;
    const afterMs = canGiveUp && condition.status !== 'True' ? giveUpMs : isIdling ? leftMs : undefined;
    return done({ desired, replicas: desired, active: condition, afterMs });
  }
  // What is on its way up is let up first: it may be needed again, and a Revision must show once that it works.
  if (isActivating && ready < needed)
    return giveUpMs > 0
      ? done({ desired: -1, active: QUEUED, afterMs: giveUpMs })
      : done({ desired: 0, replicas: 0, active: TIMED_OUT });
  if (isActivating) return done({ desired: 1, active: ACTIVE, afterMs: stableMs });
  if (active.status === 'True') return done({ desired: 0, active: NO_TRAFFIC });
  if (active.reason === 'TimedOut') return done({ desired: 0, replicas: 0, active: TIMED_OUT });
  const keepMs = durationMs(annotations?.[`${AUTOSCALING}scale-to-zero-pod-retention-period`]) ?? 0;
  const retainMs = keepMs - load.activeForMs;
  return retainMs > 0
    ? done({ desired: 0, active: NO_TRAFFIC, afterMs: retainMs })
    : done({ desired: 0, replicas: 0, active: NO_TRAFFIC });
};
