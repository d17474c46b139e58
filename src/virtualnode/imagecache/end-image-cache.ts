import type { ImageCaches } from '../../cloud/image-caches.ts';
import { endAndLook } from '../end-and-look.ts';

/** Has an image cache deleted, also one that is not Ready; see {@link endAndLook}. */
export const endImageCache = (
  caches: ImageCaches,
  cache: { readonly imageCacheId: string; readonly clientToken: string },
  signal: AbortSignal,
): Promise<void> =>
  endAndLook(
    () => caches.deleteImageCache(cache, signal),
    () => caches.describeImageCaches({ imageCacheId: cache.imageCacheId }, signal),
  );
