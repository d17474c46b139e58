import { TAG_CLUSTER_UID } from '../../api/annotations.ts';
import { IMAGE_CACHE } from '../../api/imagecache.ts';
import { CloudFault } from '../../cloud/fault.ts';
import type { CloudImageCache, ImageCaches } from '../../cloud/image-caches.ts';
import { FaultHistory } from '../../cloud/fault-history.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import { endImageCache } from './end-image-cache.ts';
import { TAG_IMAGE_CACHE_UID } from './image-cache-request.ts';

interface OrphanPorts {
  readonly kube: Kube;
  readonly imageCaches: ImageCaches;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings: { readonly clusterUid: string };
}

/** Interval between passes; an orphan is deleted at the second one that sees it. */
const PASS_MS = 600_000;

/** The caches of this cluster whose object is gone. What has no tag of an object is none of ours. Pure. */
const orphanedCaches = (caches: readonly CloudImageCache[], alive: ReadonlySet<string>): readonly CloudImageCache[] =>
  caches.filter(({ tags }) => {
    const uid = tags.get(TAG_IMAGE_CACHE_UID);
    return uid !== undefined && !alive.has(uid);
  });

/**
 * Deletes caches whose ImageCache somebody has taken away with its finalizer, until the signal aborts; never rejects.
 * The account is listed first and the objects second, by a quorum read: an object exists before its cache does.
 */
export const collectImageCaches = async (ports: OrphanPorts, signal: AbortSignal): Promise<void> => {
  const { kube, imageCaches, clock, random, log, settings } = ports;
  const subject = `image-cache-orphans/${random.uuid()}`;
  const faults = new FaultHistory(clock);
  let before: ReadonlySet<string> = new Set();
  for (let attempt = 1; ; attempt += 1) {
    await sleepUnlessAborted(clock, PASS_MS, signal);
    if (signal.aborted) return;
    try {
      const tags = [{ key: TAG_CLUSTER_UID, value: settings.clusterUid }];
      const caches = await imageCaches.describeImageCaches({ tags }, signal);
      const objects = caches.length === 0 ? [] : await kube.list(IMAGE_CACHE, {}, signal);
      const orphans = orphanedCaches(caches, new Set(objects.map(({ metadata }) => metadata.uid)));
      const seen = new Set(orphans.map(({ imageCacheId }) => imageCacheId));
      const due = [...seen].filter((id) => before.has(id));
      before = seen;
      faults.keep((imageCacheId) => seen.has(imageCacheId));
      await deleteEach({ ...ports, faults }, due, { subject, attempt }, signal);
    } catch (error) {
      if (signal.aborted) return;
      const isFault = error instanceof CloudFault || error instanceof KubeFault;
      const message = error instanceof Error ? error.message : String(error);
      log[isFault ? 'warn' : 'error'](
        isFault ? { kind: error.kind } : { error },
        `Image caches without an object could not be looked for; the next pass tries again: ${message}`,
      );
    }
  }
};

/** One that cannot be deleted keeps no other from going, and is told once for each answer. */
const deleteEach = async (
  { imageCaches, log, faults }: OrphanPorts & { readonly faults: FaultHistory },
  due: readonly string[],
  caller: Caller,
  signal: AbortSignal,
): Promise<void> => {
  for (const imageCacheId of due) {
    try {
      await endImageCache(imageCaches, withToken('DeleteImageCache', caller, { imageCacheId }), signal);
      faults.forget(imageCacheId);
      log.warn({ imageCacheId }, 'Deleted an image cache whose ImageCache is gone');
    } catch (error) {
      if (signal.aborted || !(error instanceof CloudFault)) throw error;
      const { isUnreported } = faults.failed(imageCacheId, 'DeleteCache', error, { needsSomebody: true });
      const { kind, code, requestId } = error;
      const line = `It was to be deleted and stays, an image cache whose ImageCache is gone: ${error.message}`;
      log[isUnreported ? 'warn' : 'debug']({ imageCacheId, kind, code, requestId }, line);
    }
  }
};
