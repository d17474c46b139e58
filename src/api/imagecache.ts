import type { KubeObject, ObjectMeta, Resource } from '../kube/port.ts';

/** ECI documentation, "kubernetes ImageCache API": ImageCacheSpec. */
interface WantedImages {
  readonly images: readonly string[];
  /** Each as `namespace:name`. */
  readonly imagePullSecrets?: readonly string[] | undefined;
  /** GiB. */
  readonly imageCacheSize?: number | undefined;
  readonly retentionDays?: number | undefined;
}

/** The same page: ImageCacheStatus. Times are RFC 3339. */
export interface ImageCacheStatus {
  /** The cloud's own word for the state of the cache, or Pending and Expired, which are this product's. */
  readonly phase?: string | undefined;
  /** Such as `100%`. */
  readonly progress?: string | undefined;
  readonly imageCacheId?: string | undefined;
  readonly startTime?: string | undefined;
  readonly lastUpdatedTime?: string | undefined;
  readonly expireDateTime?: string | undefined;
  readonly events?:
    | readonly {
        readonly type: string;
        readonly reason: string;
        readonly message: string;
        readonly count?: number | undefined;
        readonly firstTimestamp?: string | undefined;
        readonly lastTimestamp?: string | undefined;
      }[]
    | undefined;
}

/** A cache of images in the account: the kind of the managed add-on, whose manifests work unchanged. */
export interface ImageCache extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly spec: WantedImages;
  readonly status?: ImageCacheStatus | undefined;
}

export const IMAGE_CACHE: Resource<ImageCache> = {
  group: 'eci.alibabacloud.com',
  version: 'v1',
  plural: 'imagecaches',
  kind: 'ImageCache',
  namespaced: false,
  whole: (cache) => {
    const { spec } = cache as { spec?: Partial<WantedImages> | null };
    return Array.isArray(spec?.images) ? cache : { ...cache, spec: { ...spec, images: [] } };
  },
};

/** Keeps an ImageCache for as long as there may be a cache of it in the account. */
export const IMAGE_CACHE_FINALIZER = 'podeip-controller.alibabacloud.com/image-cache';
/** How often the cloud has finally refused to make the cache; the next attempt has another token. */
export const IMAGE_CACHE_ATTEMPT = 'podeip-controller.alibabacloud.com/image-cache-attempt';
