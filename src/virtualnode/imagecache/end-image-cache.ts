import { CloudFault } from '../../cloud/fault.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { ImageCaches } from '../../cloud/image-caches.ts';

/**
 * Resolves once the deletion was accepted, and also if there is no such cache. No code is documented for that, so any
 * refusal is followed by a read, except for a throttled call, which says nothing about the cache.
 *
 * @throws CloudFault the refusal, if the cache exists all the same, or cannot be read
 */
export const endImageCache = async (
  caches: ImageCaches,
  cache: { readonly imageCacheId: string; readonly clientToken: string },
  signal: AbortSignal,
): Promise<void> => {
  try {
    await caches.deleteImageCache(cache, signal);
  } catch (error) {
    if (!(error instanceof CloudFault)) throw error;
    const { effect, retry } = FAULT[error.kind];
    if (effect === 'absent') return;
    const isAnswered = error.status !== undefined && error.status < 500 && effect !== 'possible';
    if (!isAnswered || retry === 'throttle') throw error;
    const found = await caches.describeImageCaches({ imageCacheId: cache.imageCacheId }, signal).catch(() => {
      throw error;
    });
    if (found.length > 0) throw error;
  }
};
