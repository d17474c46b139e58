import { SECRET, type Secret } from '../../api/core.ts';
import {
  IMAGE_CACHE,
  IMAGE_CACHE_ATTEMPT,
  IMAGE_CACHE_FINALIZER,
  type ImageCache,
  type ImageCacheStatus,
} from '../../api/imagecache.ts';
import { CloudFault, topicOf } from '../../cloud/fault.ts';
import { FaultHistory } from '../../cloud/fault-history.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { CloudImageCache, ImageCaches, ImageCacheSpec } from '../../cloud/image-caches.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { StoreEvent } from '../../kube/mirror.ts';
import type { Kube } from '../../kube/port.ts';
import { createQueue } from '../../kube/queue.ts';
import { runController, type Requeue } from '../../kube/reconcile-loop.ts';
import type { Happening, ObjectReference } from '../../kube/recorder.ts';
import type { Reflector } from '../../kube/reflector.ts';
import { runSteps } from '../../kube/step-loop.ts';
import { keyOf, refOf } from '../../kube/store.ts';
import { patchUnchanged, removeFinalizer } from '../../kube/write.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { withToken } from '../../lib/token.ts';
import { decideImageCache } from './decide.ts';
import { endImageCache } from './end-image-cache.ts';
import { collectImageCaches } from './image-cache-orphans.ts';
import { imageCacheAttempt, imageCacheTags, pullSecretOf } from './image-cache-request.ts';
import type { ImageCacheSettings, ObservedImageCache, PullSecrets } from './observation.ts';
import {
  isImageCacheRead,
  isImageCacheResult,
  type ImageCacheAction,
  type ImageCacheRead,
  type ImageCacheResult,
} from './step.ts';
import { ImageCacheTracker } from './tracker.ts';

interface ImageCachePorts {
  /** With the identity of the service account: a node may not read Secrets that none of its pods refers to. */
  readonly kube: Kube;
  readonly watched: Reflector<ImageCache>;
  readonly imageCaches: ImageCaches;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: (about: ObjectReference, happening: Happening) => void;
  /** Until this resolves, nothing is asked of the cloud. By default everything begins at once. */
  readonly begin?: Promise<void> | undefined;
  readonly settings: ImageCacheSettings;
}

interface Working extends ImageCachePorts {
  readonly tracker: ImageCacheTracker;
  readonly faults: FaultHistory;
}

const BACKOFF = { baseMs: 1_000, capMs: 60_000 };
/** How long after an accepted call its effect is looked for. */
const EFFECT_MS = 3_000;
/** What the cloud says may be long; characters. */
const MOST_SAID = 900;

/**
 * Makes an image cache of ECI for each ImageCache, and deletes it before its object goes, until the signal aborts;
 * resolves once nothing is under way, and never rejects. To be called while this process leads.
 */
export const runImageCaches = async (ports: ImageCachePorts, signal: AbortSignal): Promise<void> => {
  const { clock, random, watched } = ports;
  const log = ports.log.child({ controller: 'imagecaches' });
  const queue = createQueue({ clock, random, backoff: BACKOFF });
  const tracker = new ImageCacheTracker(clock, random);
  const working = { ...ports, log, tracker, faults: new FaultHistory(clock) };
  const watching = watched.run(signal);
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', () => stop(), { once: true });
  await Promise.race([ports.begin, stopped]);
  const unsubscribe = watched.subscribe((event) => {
    if (isRelevant(event)) queue.add(keyOf(event.object.metadata));
  });
  const collecting = collectImageCaches(working, signal);
  const reconcile = (key: string) => reconcileImageCache(working, key, signal);
  await runController({ name: 'imagecaches', queue, workers: 4, clock, log, reconcile }, signal);
  unsubscribe();
  await Promise.all([watching, collecting]);
};

/** What of an object decides something, beside its status, which is this controller's. */
const decisiveOf = ({ metadata, spec }: ImageCache): string => {
  const { uid, deletionTimestamp, annotations, finalizers } = metadata;
  return JSON.stringify([uid, deletionTimestamp, annotations, finalizers, spec]);
};

const isRelevant = ({ type, object, old }: StoreEvent<ImageCache>): boolean =>
  type !== 'updated' || !old || decisiveOf(old) !== decisiveOf(object);

const reconcileImageCache = async (ports: Working, key: string, signal: AbortSignal): Promise<Requeue> => {
  const { kube, clock, tracker, settings } = ports;
  const object = await kube.get(IMAGE_CACHE, refOf(key), signal);
  if (!object) return 'done';
  const { uid } = object.metadata;
  const observed: ObservedImageCache = {
    object,
    caches: undefined,
    secrets: undefined,
    memory: tracker.of(uid),
    now: clock.now(),
  };
  return runSteps<ObservedImageCache, ImageCacheRead, ImageCacheAction, ImageCacheResult, Requeue>(
    {
      decide: (seen) => decideImageCache(seen, settings),
      isRead: isImageCacheRead,
      isResult: isImageCacheResult,
      read: (step, seen) => readFor(ports, step, seen, signal),
      act: (step, { object: latest }) => act(ports, step, latest, signal),
      settle: async (step, { object: latest }) => {
        if (step.do === 'Wait') return { afterMs: step.ms };
        if (step.happening) tell(ports, latest, 'Look', step.happening);
        return 'done';
      },
      succeeded: (step) => ports.faults.succeeded(uid, step.do),
      failed: async (error, { step }) => onFault(ports, object, step?.do ?? 'Decide', error),
    },
    observed,
    signal,
  );
};

const readFor = async (
  ports: Working,
  step: ImageCacheRead,
  seen: ObservedImageCache,
  signal: AbortSignal,
): Promise<ObservedImageCache> => {
  const { clock, tracker, imageCaches, settings } = ports;
  const { object } = seen;
  const { uid } = object.metadata;
  if (step.do === 'ReadSecrets') return { ...seen, secrets: await readSecrets(ports, object, signal) };
  if (step.do === 'ReadByIds') {
    const byIds: CloudImageCache[] = [];
    for (const imageCacheId of step.imageCacheIds)
      byIds.push(...(await imageCaches.describeImageCaches({ imageCacheId }, signal)));
    return { ...seen, byIds };
  }
  const at = clock.mono();
  const tags = imageCacheTags(object, settings.clusterUid);
  const caches = await imageCaches.describeImageCaches({ tags }, signal);
  tracker.looked(uid, caches.length, at);
  const { quietMs, missingMs, ...memory } = tracker.of(uid);
  // A reading says nothing of the time after it was asked for, however long its answer took.
  const tookMs = clock.mono() - at;
  const asOfAsking = { quietMs: quietMs - tookMs, missingMs: Math.max(0, missingMs - tookMs) };
  return { ...seen, caches, memory: { ...memory, ...asOfAsking } };
};

const readSecrets = async ({ kube }: Working, { spec }: ImageCache, signal: AbortSignal): Promise<PullSecrets> => {
  const found = new Map<string, Secret>();
  const [missing, forbidden]: [string[], string[]] = [[], []];
  for (const name of new Set(spec.imagePullSecrets ?? [])) {
    // What is no name is refused by the translation.
    const ref = pullSecretOf(name);
    if (!ref) continue;
    try {
      const secret = await kube.get(SECRET, ref, signal);
      if (secret) found.set(name, secret);
      else missing.push(name);
    } catch (error) {
      if (!(error instanceof KubeFault) || error.kind !== 'forbidden') throw error;
      forbidden.push(name);
    }
  }
  return { found, missing, forbidden };
};

const act = async (
  ports: Working,
  step: ImageCacheAction,
  object: ImageCache,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { kube, log, tracker, imageCaches } = ports;
  const { name, uid, finalizers = [] } = object.metadata;
  switch (step.do) {
    case 'Claim':
      await patchUnchanged(kube, IMAGE_CACHE, object, {
        metadata: { finalizers: [...finalizers, IMAGE_CACHE_FINALIZER] },
      });
      return 'now';
    case 'BeginAttempt':
      await patchUnchanged(kube, IMAGE_CACHE, object, {
        metadata: { annotations: { [IMAGE_CACHE_ATTEMPT]: String(step.attempt) } },
      });
      return 'now';
    case 'CreateCache':
      return createCache(ports, object, step, signal);
    case 'DeleteCache': {
      const caller = { subject: `${tracker.process}/${uid}`, attempt: tracker.nextDeletion(uid) };
      const { imageCacheId } = step;
      await endImageCache(imageCaches, withToken('DeleteImageCache', caller, { imageCacheId }), signal);
      tracker.deleted(uid, imageCacheId);
      log.info({ imageCache: name, imageCacheId }, `Deleted an image cache, because ${step.because}`);
      return { afterMs: EFFECT_MS };
    }
    case 'WriteStatus':
      await writeStatus(kube, object, step.status);
      if (step.happening) tell(ports, object, 'WriteStatus', step.happening);
      return 'now';
    case 'LetGo':
      await removeFinalizer(kube, IMAGE_CACHE, object, IMAGE_CACHE_FINALIZER);
      tracker.forget(uid);
      ports.faults.forget(uid);
      return 'done';
  }
};

/** What the status does not say any more is null in the patch: a merge patch keeps what it does not name. */
const EMPTY: Readonly<Record<keyof ImageCacheStatus, null>> = {
  phase: null,
  progress: null,
  imageCacheId: null,
  startTime: null,
  lastUpdatedTime: null,
  expireDateTime: null,
  events: null,
};

const writeStatus = (kube: Kube, object: ImageCache, status: ImageCacheStatus): Promise<ImageCache> => {
  const said = Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));
  return patchUnchanged(kube, IMAGE_CACHE, object, { subresource: 'status', status: { ...EMPTY, ...said } });
};

const createCache = async (
  ports: Working,
  object: ImageCache,
  { spec, notes }: { readonly spec: ImageCacheSpec; readonly notes: readonly string[] },
  signal: AbortSignal,
): Promise<Requeue> => {
  const { log, tracker, imageCaches } = ports;
  const { name, uid } = object.metadata;
  tracker.sends(uid, spec);
  let made: { readonly imageCacheId: string };
  try {
    made = await imageCaches.createImageCache(spec, signal);
  } catch (error) {
    if (!(error instanceof CloudFault)) throw error;
    const { effect, tell: whom, reason } = FAULT[error.kind];
    // It may have been made, or nothing was decided: the same request is sent again once the account was looked at.
    if (effect === 'possible' || whom === 'nobody') throw error;
    tracker.refused(uid, {
      reason,
      message: error.message.slice(0, MOST_SAID),
      topic: topicOf(error).slice(0, MOST_SAID),
      attempt: imageCacheAttempt(object),
    });
    log.warn({ imageCache: name, kind: error.kind, code: error.code, requestId: error.requestId }, error.message);
    return 'now';
  }
  tracker.created(uid, made.imageCacheId);
  log.info({ imageCache: name, imageCacheId: made.imageCacheId }, 'Began an image cache');
  const note = `began the image cache ${made.imageCacheId}`;
  tell(ports, object, 'CreateCache', { type: 'Normal', reason: 'ImageCacheCreated', note });
  for (const each of notes)
    tell(ports, object, 'CreateCache', { type: 'Warning', reason: 'ChangedForECI', note: each });
  return 'now';
};

const tell = ({ record }: Working, { metadata }: ImageCache, action: string, told: Omit<Happening, 'action'>): void => {
  const { group, version, kind } = IMAGE_CACHE;
  const about = { apiVersion: `${group}/${version}`, kind, name: metadata.name, uid: metadata.uid };
  record(about, { ...told, action });
};

/** People are told of what the cloud keeps saying; all else is for the queue, which tries again later and later. */
const onFault = (ports: Working, object: ImageCache, step: string, error: unknown): Requeue => {
  if (!(error instanceof CloudFault)) {
    if (error instanceof KubeFault && error.kind === 'conflict') return 'now';
    throw error;
  }
  const { trouble, isUnreported } = ports.faults.failed(object.metadata.uid, step, error);
  if (trouble && isUnreported) {
    ports.log.warn({ imageCache: object.metadata.name, kind: error.kind, code: error.code }, error.message);
    tell(ports, object, step, { type: 'Warning', reason: trouble.reason, note: trouble.message.slice(0, MOST_SAID) });
  }
  return error.retryAfterMs === undefined ? 'backoff' : { afterMs: error.retryAfterMs };
};
