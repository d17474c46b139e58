import type { ContainerGroupSpec } from './container-groups.ts';
import type { Tag } from './port.ts';

/**
 * Image caches: snapshots with images, from which instances start without pulling them. Shapes and limits: ECI API
 * reference 2018-08-08, CreateImageCache, DescribeImageCaches, DeleteImageCache.
 */

/** What CreateImageCache is asked for. */
export interface ImageCacheSpec extends Pick<
  ContainerGroupSpec,
  | 'clientToken'
  | 'securityGroupId'
  | 'resourceGroupId'
  | 'plainHttpRegistries'
  | 'insecureRegistries'
  | 'acrInstances'
  | 'registryCredentials'
> {
  readonly imageCacheName: string;
  readonly images: readonly string[];
  /** Of the instance that pulls the images. */
  readonly vSwitchId: string;
  /** GiB, 20–32768; 20 where it is left out. */
  readonly sizeGiB?: number | undefined;
  /** After so many days the cloud deletes it; never where it is left out. */
  readonly retentionDays?: number | undefined;
  /** Layers that another cache has are taken from there. */
  readonly reusesLayers?: boolean | undefined;
  /** A local snapshot comes first, which is ready sooner. */
  readonly flash?: boolean | undefined;
  readonly tags: readonly Tag[];
}

/** Something that the cloud tells about an image cache. */
interface ImageCacheEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp?: string | undefined;
  readonly lastTimestamp?: string | undefined;
}

/** An image cache as DescribeImageCaches shows it. Empty strings of the API are `undefined` here. */
export interface CloudImageCache {
  readonly imageCacheId: string;
  /** Preparing, Creating, Ready, Failed, Updating or UpdateFailed. */
  readonly status: string;
  /** Such as `100%`. */
  readonly progress?: string | undefined;
  /** ISO 8601. */
  readonly creationTime?: string | undefined;
  /** When the cloud deletes it; ISO 8601. */
  readonly expireDateTime?: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly events: readonly ImageCacheEvent[];
}

/** Which image caches are meant: that of the ID, or all that carry every one of `tags`. */
type ImageCacheFilter = { readonly imageCacheId: string } | { readonly tags: readonly Tag[] };

/**
 * The image caches of ECI, used by the virtual node and by nobody else. Rejects with a {@link CloudFault} and with
 * nothing else, and holds the same promises as the cloud port.
 */
export interface ImageCaches {
  /**
   * Begins a cache; asynchronous. It costs money from here on: an instance and a disk until it is Ready, and a snapshot
   * until it is deleted.
   */
  createImageCache(spec: ImageCacheSpec, signal?: AbortSignal): Promise<{ imageCacheId: string }>;
  /** Deletes a cache, also one that is not Ready. `gone` means that it was deleted before. */
  deleteImageCache(cache: { imageCacheId: string; clientToken: string }, signal?: AbortSignal): Promise<void>;
  /** All pages. One that does not exist is not in the answer. */
  describeImageCaches(filter: ImageCacheFilter, signal?: AbortSignal): Promise<readonly CloudImageCache[]>;
}
