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
interface ScaleBounds {
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
  const limits = limitsOf(load);
  const { isInitialized } = limits;
  const done = (scale: Decision): ScaleBounds => ({ replicas: undefined, afterMs: undefined, ...scale, isInitialized });
  const { active } = load;
  const isActivating = active === undefined || active.status === 'Unknown';
  const giveUpMs = load.progressDeadlineMs + ACTIVATION_BUFFER_MS - (active === undefined ? 0 : load.activeForMs);
  const canGiveUp = isActivating && !isInitialized && !load.hasTimedOut;
  if (canGiveUp && giveUpMs <= 0) return done(GIVEN_UP);

  const restMs = active?.reason === 'TimedOut' ? TICK_MS - load.activeForMs : 0;
  if (restMs > 0) return done({ ...GIVEN_UP, afterMs: restMs });

  const window = windowOf(load);
  const desired = desiredOf(load, limits, window);
  if (desired > 0) return done(some(desired, load, limits, { ...window, giveUpMs: canGiveUp ? giveUpMs : undefined }));
  return done(isActivating ? settling(load, limits, { ...window, giveUpMs }) : none(load, active));
};

type Decision = Partial<ScaleBounds> & Pick<ScaleBounds, 'desired' | 'active'>;

const GIVEN_UP: Decision = { desired: 0, replicas: 0, active: TIMED_OUT };

interface Limits {
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  readonly isInitialized: boolean;
  /** How many pods must be Ready for the Revision to be active. */
  readonly needed: number;
}

const limitsOf = ({ annotations, reachability, ready, isInitialized: wasInitialized }: Load): Limits => {
  const min = reachability === 'Unreachable' ? 0 : (numberOf(annotations, 'min-scale', 'minScale') ?? 0);
  const max = numberOf(annotations, 'max-scale', 'maxScale') || Infinity;
  const initial = initialScaleOf(annotations);
  const isInitialized = wasInitialized || ready >= Math.max(min, initial);
  return { min, max, initial, isInitialized, needed: Math.max(min, isInitialized ? 1 : initial) };
};

interface Window {
  readonly stableMs: number;
  /** How long it counts still as used. */
  readonly leftMs: number;
}

const windowOf = ({ annotations, stableWindowMs, idleMs, active, activeForMs }: Load): Window => {
  const text = annotations?.[`${AUTOSCALING}window`];
  const stableMs = text === undefined ? stableWindowMs : Math.max(SHORTEST_WINDOW_MS, durationMs(text) ?? 0);
  const activeMs = active?.status === 'True' ? stableMs - activeForMs : 0;
  return { stableMs, leftMs: Math.max(0, stableMs - idleMs, activeMs) };
};

/** What the requests ask for, within the limits. */
const desiredOf = (load: Load, { min, max, initial, isInitialized }: Limits, { leftMs }: Window): number => {
  const { inFlight, containerConcurrency, active } = load;
  const perPod = containerConcurrency > 0 ? containerConcurrency * TARGET_UTILIZATION : TARGET_CONCURRENCY;
  const whileIdle = leftMs > 0 && active?.status === 'True' ? 1 : 0;
  const byTraffic = inFlight > 0 ? Math.ceil(inFlight / perPod) : whileIdle;
  const starts = isInitialized || load.hasTimedOut ? 0 : initial;
  return Math.min(max, Math.max(byTraffic, min, starts));
};

const some = (
  desired: number,
  { ready, inFlight }: Load,
  { min, needed }: Limits,
  { leftMs, giveUpMs }: Window & { readonly giveUpMs: number | undefined },
): Decision => {
  const isActive = ready >= needed;
  const isIdling = inFlight === 0 && leftMs > 0 && isActive && desired > min;
  const whenIdle = isIdling ? leftMs : undefined;
  const afterMs = giveUpMs !== undefined && !isActive ? giveUpMs : whenIdle;
  return { desired, replicas: desired, active: isActive ? ACTIVE : QUEUED, afterMs };
};

/** What is on its way up is let up first: it may be needed again, and a Revision must show once that it works. */
const settling = (
  { ready }: Load,
  { needed }: Limits,
  { stableMs, giveUpMs }: Window & { readonly giveUpMs: number },
): Decision => {
  if (ready >= needed) return { desired: 1, active: ACTIVE, afterMs: stableMs };
  return giveUpMs > 0 ? { desired: -1, active: QUEUED, afterMs: giveUpMs } : GIVEN_UP;
};

const none = ({ annotations, activeForMs }: Load, active: ResourceCondition): Decision => {
  if (active.status === 'True') return { desired: 0, active: NO_TRAFFIC };
  if (active.reason === 'TimedOut') return GIVEN_UP;
  const keepMs = durationMs(annotations?.[`${AUTOSCALING}scale-to-zero-pod-retention-period`]) ?? 0;
  const retainMs = keepMs - activeForMs;
  return retainMs > 0
    ? { desired: 0, active: NO_TRAFFIC, afterMs: retainMs }
    : { desired: 0, replicas: 0, active: NO_TRAFFIC };
};
