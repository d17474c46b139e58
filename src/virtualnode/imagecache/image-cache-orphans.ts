import { TAG_CLUSTER_UID } from '../../api/annotations.ts';
import { IMAGE_CACHE } from '../../api/imagecache.ts';
import type { CloudImageCache, ImageCaches } from '../../cloud/image-caches.ts';
import { FaultHistory } from '../../cloud/fault-history.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { withToken } from '../../lib/token.ts';
import { deleteSeenBefore, runPasses } from '../orphan-passes.ts';
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

const ORPHANED_CACHE = { what: 'an image cache whose ImageCache is gone', isHarmless: false };

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
  const pass = async (before: ReadonlySet<string> = new Set(), attempt: number): Promise<ReadonlySet<string>> => {
    const tags = [{ key: TAG_CLUSTER_UID, value: settings.clusterUid }];
    const caches = await imageCaches.describeImageCaches({ tags }, signal);
    const objects = caches.length === 0 ? [] : await kube.list(IMAGE_CACHE, {}, signal);
    const remove = (imageCacheId: string) =>
      endImageCache(imageCaches, withToken('DeleteImageCache', { subject, attempt }, { imageCacheId }), signal);
    const orphans = orphanedCaches(caches, new Set(objects.map(({ metadata }) => metadata.uid))).map(
      ({ imageCacheId }) => ({ ...ORPHANED_CACHE, id: imageCacheId, fields: { imageCacheId } }),
    );
    return (await deleteSeenBefore({ log, faults, remove }, orphans, before, signal)).left;
  };
  const times = { firstMs: PASS_MS, periodMs: PASS_MS, what: 'Image caches without an object' };
  await runPasses(ports, times, pass, signal);
};
