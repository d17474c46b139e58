import { IMAGE_CACHE_FINALIZER, type ImageCache, type ImageCacheStatus } from '../../api/imagecache.ts';
import type { CloudImageCache } from '../../cloud/image-caches.ts';
import type { Happening } from '../../kube/recorder.ts';
import { imageCacheAttempt, imageCacheRequest } from './image-cache-request.ts';
import type { ImageCacheSettings, ObservedImageCache } from './observation.ts';
import type { ImageCacheResult, ImageCacheStep } from './step.ts';

/** Interval between reads of a cache that is not Ready yet: it takes minutes. */
const CHANGING_MS = 10_000;
/** The same of one that is: it may expire, or be deleted by somebody. */
const RESTING_MS = 600_000;
/** Interval between reads of what is to show the effect of a call. */
const LOOK_MS = 3_000;
/** How long an accepted deletion may have no visible effect before it is requested again. */
const AGAIN_MS = 20_000;
/** Interval between reads of Secrets that are not there, or may not be read. */
const SECRETS_MS = 30_000;

/** So many of the latest events are shown. */
const MOST_EVENTS = 10;

type Told = Omit<Happening, 'action'>;

const waitFor = (because: string, ms: number): ImageCacheResult => ({ do: 'Wait', because, ms });

/**
 * The next step for an ImageCache. Pure and total; the first line that applies wins. The process that runs it may have
 * died on any line before, and two may run at once: there is one cache for each UID, since it is looked for by its tags
 * before it is created, and created with a token that the UID determines. What is deleted carries these tags, or is
 * what this process was answered with: an ID that is merely written in the status may be anybody's.
 */
export const decideImageCache = (seen: ObservedImageCache, settings: ImageCacheSettings): ImageCacheStep => {
  const { object, caches } = seen;
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  const isGoing = deletionTimestamp !== undefined;
  if (!finalizers.includes(IMAGE_CACHE_FINALIZER)) {
    if (isGoing) return { do: 'Done' };
    if ((object.status?.imageCacheId ?? '') === '') return { do: 'Claim' };
    // Another controller has made it, and deletes it; unless the tags say that it was this one.
    if (!caches) return { do: 'ReadCaches' };
    return caches.length > 0 ? { do: 'Claim' } : { do: 'Done', happening: ofAnother(object) };
  }
  if (!caches) return { do: 'ReadCaches' };
  const kept = caches.find(({ imageCacheId }) => imageCacheId === object.status?.imageCacheId) ?? caches[0];
  const extra = caches.find((cache) => cache !== kept);
  if (extra) return remove(extra, seen, `it is a second image cache of ${object.metadata.name}`);
  if (isGoing) return finish(seen, kept, settings);
  return kept ? follow(seen, kept) : begin(seen, settings);
};

const ofAnother = ({ status }: ImageCache): Told => ({
  type: 'Warning',
  reason: 'ImageCacheOfAnother',
  note: `${status?.imageCacheId} was made by another controller, and is left alone; delete this object and create it again for a cache of this one`,
});

/** Asks for the deletion of a cache, once. */
const remove = ({ imageCacheId }: CloudImageCache, { memory }: ObservedImageCache, because: string): ImageCacheStep =>
  memory.deletion?.imageCacheId === imageCacheId && memory.deletion.agoMs < AGAIN_MS
    ? waitFor(`${imageCacheId} is about to go`, LOOK_MS)
    : { do: 'DeleteCache', imageCacheId, because };

/** The object is being deleted: first the cache, which costs money, then the object, which is the only record of it. */
const finish = (
  seen: ObservedImageCache,
  cache: CloudImageCache | undefined,
  { settleMs, readLagMs }: ImageCacheSettings,
): ImageCacheStep => {
  const { createdId, deletion, wasListed, missingMs, quietMs } = seen.memory;
  if (cache) return remove(cache, seen, 'the ImageCache is being deleted');
  // It may not be listed yet, and can be deleted all the same.
  if (createdId !== undefined && !wasListed && deletion?.imageCacheId !== createdId)
    return { do: 'DeleteCache', imageCacheId: createdId, because: 'the ImageCache is being deleted' };
  const isKnown = wasListed || deletion !== undefined;
  const leftMs = Math.max(isKnown ? readLagMs - missingMs : 0, wasListed ? 0 : settleMs - quietMs);
  return leftMs > 0 ? waitFor('a request that got no answer may still take effect', leftMs) : { do: 'LetGo' };
};

/** The object has its cache: its status follows that of the cache. */
const follow = ({ object, now }: ObservedImageCache, cache: CloudImageCache): ImageCacheStep => {
  const { imageCacheId, status: phase, progress, creationTime, expireDateTime, events } = cache;
  const { metadata, status: before } = object;
  const wanted = {
    phase,
    progress,
    imageCacheId,
    startTime: creationTime,
    expireDateTime,
    events: events.slice(-MOST_EVENTS),
  };
  if (!says(before, wanted)) {
    const happening = before?.phase === phase ? undefined : newsOf(cache, metadata.name);
    return { do: 'WriteStatus', status: { ...wanted, lastUpdatedTime: timeOf(now) }, happening };
  }
  return waitFor(`${imageCacheId} is ${phase}`, phase === 'Ready' || phase === 'Failed' ? RESTING_MS : CHANGING_MS);
};

const timeOf = (now: number): string => new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');

/** Whether the status says this, whenever it was written. */
const says = (before: ImageCacheStatus | undefined, wanted: ImageCacheStatus): boolean =>
  inOrder(before) === inOrder(wanted);

/** The fields in an order of our own: an API server gives them back in another one. */
const inOrder = (status: ImageCacheStatus = {}): string => {
  const { phase, progress, imageCacheId, startTime, expireDateTime, events = [] } = status;
  const told = events.map(({ type, reason, message, ...times }) => {
    const { count, firstTimestamp, lastTimestamp } = times;
    return [type, reason, message, count, firstTimestamp, lastTimestamp];
  });
  return JSON.stringify([phase, progress, imageCacheId, startTime, expireDateTime, told]);
};

/** What is worth an Event; undefined for what the status says as well. */
const newsOf = ({ imageCacheId, status, events }: CloudImageCache, name: string): Told | undefined => {
  if (status === 'Ready') return { type: 'Normal', reason: 'ImageCacheReady', note: `${imageCacheId} is ready` };
  if (!status.endsWith('Failed')) return undefined;
  const why = events.findLast(({ type }) => type === 'Warning')?.message ?? 'the cloud does not say why';
  const note = `${imageCacheId}: ${why}. The cloud keeps it for a day; delete the ImageCache ${name} and create it again once that is mended`;
  return { type: 'Warning', reason: 'ImageCacheFailed', note };
};

/** Nothing can be made for now: the status says why. */
const hold = (
  { object, now }: ObservedImageCache,
  phase: string,
  { reason, message }: { readonly reason: string; readonly message: string },
  rest: ImageCacheResult,
): ImageCacheStep => {
  const { lastUpdatedTime: _, ...before } = object.status ?? {};
  const wanted = { ...before, phase, events: [{ type: 'Warning', reason, message }] };
  if (says(object.status, wanted)) return rest;
  const status = { ...wanted, lastUpdatedTime: timeOf(now) };
  return { do: 'WriteStatus', status, happening: { type: 'Warning', reason, note: message } };
};

/** The object has no cache: it is not listed yet, it is gone, or there never was one. */
const begin = (seen: ObservedImageCache, settings: ImageCacheSettings): ImageCacheStep => {
  const { object, memory, now } = seen;
  const { createdId, wasListed, missingMs } = memory;
  const written = object.status?.imageCacheId ?? '';
  if (createdId !== undefined && written !== createdId)
    return {
      do: 'WriteStatus',
      status: { phase: 'Creating', progress: '0%', imageCacheId: createdId, lastUpdatedTime: timeOf(now) },
    };
  if (written === '') return create(seen, settings);
  const leftMs = (wasListed ? settings.readLagMs : settings.missingMs) - missingMs;
  if (leftMs > 0) return waitFor(`${written} is not listed`, Math.min(leftMs, LOOK_MS));
  const isExpired = Date.parse(object.status?.expireDateTime ?? '') <= now;
  const message = `${written} is gone, because ${isExpired ? 'its time was over' : 'somebody has deleted it'}; delete this object and create it again for another one`;
  return hold(seen, isExpired ? 'Expired' : 'Failed', { reason: 'ImageCacheGone', message }, { do: 'Done' });
};

/** The step of an object that never had a cache. Nothing is asked for before everything is known to be valid. */
const create = (seen: ObservedImageCache, settings: ImageCacheSettings): ImageCacheStep => {
  const { object, memory, secrets } = seen;
  const { refusal, unanswered, quietMs } = memory;
  if (refusal && refusal.dueInMs > 0) {
    const rest = waitFor('the cloud has refused to make a cache', refusal.dueInMs);
    return hold(seen, 'Failed', refusal, rest);
  }
  // The same token with other contents would be refused, and the outcome of the first request would stay unknown.
  if (unanswered) return { do: 'CreateCache', spec: unanswered, notes: [] };
  const attempt = imageCacheAttempt(object);
  if (refusal && refusal.attempt === attempt) {
    // An earlier request with the token, perhaps of another process, may have made a cache, or still may.
    const leftMs = settings.settleMs - quietMs;
    return leftMs > 0
      ? waitFor('a request that got no answer may still take effect', leftMs)
      : { do: 'BeginAttempt', attempt: attempt + 1 };
  }
  if (!secrets && (object.spec.imagePullSecrets ?? []).length > 0) return { do: 'ReadSecrets' };
  const request = imageCacheRequest(seen, settings);
  if (request.kind === 'refused')
    return hold(seen, 'Failed', { reason: 'ImageCacheInvalid', message: request.problem }, { do: 'Done' });
  const [forbidden, missing] = [secrets?.forbidden ?? [], secrets?.missing ?? []];
  const rest = waitFor('a Secret cannot be read', SECRETS_MS);
  if (forbidden.length > 0) {
    const message = `the virtual node may not read the Secret ${forbidden.join(', ')}; give its service account the right to get it, by a Role in that namespace with its name`;
    return hold(seen, 'Pending', { reason: 'ImageCacheSecretForbidden', message }, rest);
  }
  if (missing.length > 0) {
    const message = `there is no Secret ${missing.join(', ')}; create it, or take it out of spec.imagePullSecrets`;
    return hold(seen, 'Pending', { reason: 'ImageCacheSecretMissing', message }, rest);
  }
  return { do: 'CreateCache', spec: request.spec, notes: request.notes };
};
