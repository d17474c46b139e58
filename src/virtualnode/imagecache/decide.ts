import { IMAGE_CACHE_FINALIZER, type ImageCache, type ImageCacheStatus } from '../../api/imagecache.ts';
import type { CloudImageCache } from '../../cloud/image-caches.ts';
import type { Happening } from '../../kube/recorder.ts';
import { imageCacheAttempt, imageCacheRequest, isChangedSince, ownerOf } from './image-cache-request.ts';
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
/** Interval between reads of a cache that somebody has to delete, before its object can go. */
const HELD_MS = 30_000;
/** Interval between reads of Secrets that are not there, or may not be read. */
const SECRETS_MS = 30_000;

/** So many of the latest events are shown. */
const MOST_EVENTS = 10;

const [GONE, UNTAGGED, OF_ANOTHER] = ['ImageCacheGone', 'ImageCacheUntagged', 'ImageCacheOfAnother'];
const CHANGED = 'ImageCacheUnchanged';
/** What is said of a cache that the status names, and is not told by the cloud. */
const OF_NAMED: ReadonlySet<string> = new Set([GONE, UNTAGGED, OF_ANOTHER]);

type Told = Omit<Happening, 'action'>;

const waitFor = (because: string, ms: number): ImageCacheResult => ({ do: 'Wait', because, ms });

/**
 * The next step for an ImageCache. Pure and total; the first line that applies wins. The process that runs it may have
 * died on any line before, and two may run at once: there is one cache for each UID, since it is looked for by its tags
 * before it is created, and created with a token that the UID determines. What is deleted carries these tags, or is
 * what this process was answered with: an ID that is merely written in the status may be anybody's.
 */
export const decideImageCache = (seen: ObservedImageCache, settings: ImageCacheSettings): ImageCacheStep => {
  const { object, caches, byIds = [] } = seen;
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
  // A list by tags may leave out one that carries them: what is asked for by its ID shows its tags.
  const isUnlisted = (cache: CloudImageCache) =>
    ownerOf(cache, object, settings.clusterUid) === 'ours' &&
    !caches.some(({ imageCacheId }) => imageCacheId === cache.imageCacheId);
  const ours = [...caches, ...byIds.filter(isUnlisted)].toSorted(byAge);
  const kept = ours.find(({ imageCacheId }) => imageCacheId === object.status?.imageCacheId) ?? ours[0];
  const extra = ours.find((cache) => cache !== kept);
  if (extra) return remove(extra, seen, `it is a second image cache of ${object.metadata.name}`);
  if (isGoing) return finish(seen, kept, settings);
  return kept ? follow(seen, kept) : begin(seen, settings);
};

/** The oldest first; of the same age, as their IDs go, so that whoever looks keeps the same one. */
const byAge = (a: CloudImageCache, b: CloudImageCache): number => {
  const [x, y] = [a.creationTime ?? '', b.creationTime ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return Number(a.imageCacheId > b.imageCacheId) - Number(a.imageCacheId < b.imageCacheId);
};

const ofAnother = ({ status }: ImageCache): Told => ({
  type: 'Warning',
  reason: OF_ANOTHER,
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
  { settleMs, readLagMs, clusterUid }: ImageCacheSettings,
): ImageCacheStep => {
  const { createdId, deletion, wasListed, missingMs, quietMs } = seen.memory;
  if (cache) return remove(cache, seen, 'the ImageCache is being deleted');
  // It may not be listed yet, and can be deleted all the same.
  if (createdId !== undefined && !wasListed && deletion?.imageCacheId !== createdId)
    return { do: 'DeleteCache', imageCacheId: createdId, because: 'the ImageCache is being deleted' };
  const isKnown = wasListed || deletion !== undefined;
  const leftMs = Math.max(isKnown ? readLagMs - missingMs : 0, wasListed ? 0 : settleMs - quietMs);
  if (leftMs > 0) return waitFor('a request that got no answer may still take effect', leftMs);
  const imageCacheIds = knownIds(seen);
  if (imageCacheIds.length === 0) return { do: 'LetGo' };
  // Its tags may have been taken away. Once the object is gone, nobody would know of it any more.
  if (!seen.byIds) return { do: 'ReadByIds', imageCacheIds };
  const untagged = seen.byIds.find((each) => ownerOf(each, seen.object, clusterUid) === 'nobody');
  if (!untagged) return { do: 'LetGo' };
  const { imageCacheId } = untagged;
  if (deletion?.imageCacheId === imageCacheId && deletion.agoMs < AGAIN_MS)
    return waitFor(`${imageCacheId} is about to go`, LOOK_MS);
  const rest = waitFor(`${imageCacheId} exists, and has to be deleted by somebody`, HELD_MS);
  const message = `${imageCacheId} exists, but does not carry the tags of this object, and is not deleted; delete it yourself, and this object goes; if it is not of this object, take the finalizer ${IMAGE_CACHE_FINALIZER} off by hand`;
  return holdNamed(seen, 'Failed', { reason: UNTAGGED, message }, rest);
};

/** The IDs under which there may be a cache of the object. None of them proves whose it is. */
const knownIds = ({ object, memory }: ObservedImageCache): readonly string[] =>
  // One that is no ID was written by somebody else, and cannot be asked for.
  [...new Set([object.status?.imageCacheId ?? '', memory.createdId ?? ''])].filter((id) => /^[\w-]{1,128}$/.test(id));

/** The object has its cache: its status follows that of the cache. */
const follow = ({ object, now }: ObservedImageCache, cache: CloudImageCache): ImageCacheStep => {
  const { imageCacheId, status: phase, progress, creationTime, expireDateTime, events } = cache;
  const { metadata, status: before } = object;
  const isNewPhase = before?.phase !== phase;
  const isTold = before?.events?.some(({ reason }) => reason === CHANGED) === true;
  // One Event at a time: that it is Ready comes first.
  const unchanged = isChangedSince(cache, object) && (isTold || !isNewPhase) ? unchangedNews(cache) : undefined;
  const wanted = {
    phase,
    progress,
    imageCacheId,
    startTime: creationTime,
    expireDateTime,
    events: [...events, ...(unchanged ? [unchanged.event] : [])].slice(-MOST_EVENTS),
  };
  if (!says(before, wanted)) {
    const happening = isNewPhase ? newsOf(cache, metadata.name) : isTold ? undefined : unchanged?.told;
    return { do: 'WriteStatus', status: { ...wanted, lastUpdatedTime: timeOf(now) }, happening };
  }
  return waitFor(`${imageCacheId} is ${phase}`, phase === 'Ready' || phase === 'Failed' ? RESTING_MS : CHANGING_MS);
};

/** ECI has UpdateImageCache; the documents of the kind ImageCache know creation and deletion, as does this product. */
const unchangedNews = ({ imageCacheId }: CloudImageCache) => {
  const message = `${imageCacheId} is not changed: a cache is made once, by the spec and the annotations that the object had then; delete this object and create it again, or create another one`;
  return {
    event: { type: 'Warning', reason: CHANGED, message },
    told: { type: 'Warning', reason: CHANGED, note: message } as const,
  };
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

/** What is said of an object that is held. */
interface Held {
  readonly reason: string;
  readonly message: string;
  /** Said before, if the last message begins like this, as of the same answer to another request. */
  readonly topic?: string | undefined;
  /** Events that stay in the status before it. */
  readonly after?: NonNullable<ImageCacheStatus['events']> | undefined;
}

/** Nothing can be made for now: the status says why. */
const hold = (
  { object, now }: ObservedImageCache,
  phase: string,
  { reason, message, topic, after = [] }: Held,
  rest: ImageCacheResult,
): ImageCacheStep => {
  const { lastUpdatedTime: _, ...before } = object.status ?? {};
  const last = before.events?.at(-1);
  const isSaid = topic !== undefined && last?.reason === reason && last.message.startsWith(topic);
  const event = isSaid ? last : { type: 'Warning', reason, message };
  const wanted = { ...before, phase: isSaid ? before.phase : phase, events: [...after, event].slice(-MOST_EVENTS) };
  if (says(object.status, wanted)) return rest;
  const status = { ...wanted, lastUpdatedTime: timeOf(now) };
  return { do: 'WriteStatus', status, happening: { type: 'Warning', reason, note: message } };
};

/**
 * The same, of an object whose status names a cache. Why that cache failed stays there to be read: the cloud deletes
 * one that failed after a day.
 */
const holdNamed = (seen: ObservedImageCache, phase: string, held: Held, rest: ImageCacheResult): ImageCacheStep => {
  const { phase: before = '', events = [] } = seen.object.status ?? {};
  const after = events.filter(({ reason }) => !OF_NAMED.has(reason));
  const hasFailed = before.endsWith('Failed') && (after.length > 0 || events.length === 0);
  return hasFailed ? hold(seen, before, { ...held, after }, rest) : hold(seen, phase, held, rest);
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
  const imageCacheIds = knownIds(seen);
  if (!seen.byIds && imageCacheIds.length > 0) return { do: 'ReadByIds', imageCacheIds };
  const rest = waitFor(`${written} is not the cache of ${object.metadata.name}`, RESTING_MS);
  const found = seen.byIds?.find(({ imageCacheId }) => imageCacheId === written);
  const owner = found && ownerOf(found, object, settings.clusterUid);
  if (owner === 'another') {
    const message = `${written} carries the tags of another object, and is left alone; delete this object and create it again for a cache of its own`;
    return holdNamed(seen, 'Failed', { reason: OF_ANOTHER, message }, rest);
  }
  if (owner === 'nobody') {
    const message = `${written} exists, but does not carry the tags of this object; delete it yourself, then this object, and create it again for another one`;
    return holdNamed(seen, 'Failed', { reason: UNTAGGED, message }, rest);
  }
  const isExpired = Date.parse(object.status?.expireDateTime ?? '') <= now;
  const message = `${written} is gone, because ${isExpired ? 'its time was over' : 'somebody has deleted it'}; delete this object and create it again for another one`;
  // A reading may have been wrong: it is looked for again.
  return holdNamed(
    seen,
    isExpired ? 'Expired' : 'Failed',
    { reason: GONE, message, topic: `${written} is gone` },
    rest,
  );
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
