import { IMAGE_CACHE, IMAGE_CACHE_FINALIZER, type ImageCache } from '../../api/imagecache.ts';
import type { Config } from '../../config/schema.ts';
import { KubeFault } from '../../kube/fault.ts';
import { knownAs, type Answer, type ImageCachesFact } from '../facts.ts';
import { ask, type Reading } from './ask.ts';
import { isKindAbsent, missingRights } from './read-cluster.ts';

/** Of what config/virtual-node-image-caches has, that without which nothing works. */
const NEEDED = [{ verb: 'watch' }, { verb: 'patch' }, { verb: 'patch', subresource: 'status' }].map((right) => ({
  group: IMAGE_CACHE.group,
  resource: IMAGE_CACHE.plural,
  ...right,
}));

/** Whoever makes the cache of one has put a finalizer on it before; other controllers have not. */
const isOfAnother = ({ metadata, status }: ImageCache): boolean =>
  (status?.imageCacheId ?? '') !== '' && metadata.finalizers?.includes(IMAGE_CACHE_FINALIZER) !== true;

/** Undefined where the virtual node makes no image caches. */
export const readImageCaches = (
  reading: Reading,
  where: { readonly namespace: string; readonly account: string | undefined; readonly config: Config | undefined },
): Promise<Answer<ImageCachesFact | undefined>> => {
  const { namespace, account, config } = where;
  if (!config?.virtualNode.enabled || !config.virtualNode.imageCaches) return Promise.resolve(knownAs(undefined));
  return ask(reading, async (signal) => {
    const rights =
      account === undefined ? undefined : await missingRights(reading, { namespace, name: account }, NEEDED, signal);
    try {
      const caches = await reading.kube.list(IMAGE_CACHE, {}, signal);
      return { isServed: true, rights, ofOthers: caches.filter(isOfAnother).map(({ metadata }) => metadata.name) };
    } catch (error) {
      if (isKindAbsent(error)) return { isServed: false, rights, ofOthers: [] };
      // In the pod it has the rights that were just asked about.
      const isItsOwn = reading.isInPod && (rights?.missing ?? []).length > 0;
      if (!isItsOwn || !(error instanceof KubeFault) || error.kind !== 'forbidden') throw error;
      return { isServed: undefined, rights, ofOthers: [] };
    }
  });
};
