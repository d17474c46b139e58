import type { Secret } from '../../api/core.ts';
import type { ImageCache } from '../../api/imagecache.ts';
import type { CloudImageCache, ImageCacheSpec } from '../../cloud/image-caches.ts';
import type { NodeSettings } from '../translate/input.ts';

/** The Secrets that an ImageCache names, as `namespace:name`. */
export interface PullSecrets {
  readonly found: ReadonlyMap<string, Secret>;
  readonly missing: readonly string[];
  /** The service account may not read them. */
  readonly forbidden: readonly string[];
}

/** The input of the decision about one ImageCache. What has not been read is undefined. */
export interface ObservedImageCache {
  /** From a quorum read. */
  readonly object: ImageCache;
  /** Those in the account that carry the tags of the object. */
  readonly caches: readonly CloudImageCache[] | undefined;
  /** Those with the IDs that are known for the object, with whatever tags. */
  readonly byIds?: readonly CloudImageCache[] | undefined;
  readonly secrets: PullSecrets | undefined;
  readonly memory: TrackedImageCache;
  /** Wall time, milliseconds. */
  readonly now: number;
}

/** What this process remembers of an ImageCache. All of it may be lost at any time. */
export interface TrackedImageCache {
  /**
   * Since a request was last sent that may have made a cache, or since this process first saw the object; milliseconds.
   */
  readonly quietMs: number;
  /** The cache that CreateImageCache answered with. */
  readonly createdId?: string | undefined;
  /** The request that got no answer; it is sent again as it was. */
  readonly unanswered?: ImageCacheSpec | undefined;
  /** A cache of the object was listed once. */
  readonly wasListed: boolean;
  /** How long, without a break, none has been listed; 0 if one is. */
  readonly missingMs: number;
  /** The deletion that the cloud accepted last, or to which it answered that there is no such cache. */
  readonly deletion?: { readonly imageCacheId: string; readonly agoMs: number } | undefined;
  /** Why the cloud made none. */
  readonly refusal?:
    | {
        readonly reason: string;
        readonly message: string;
        /** How the message begins whenever it is the same that is said. */
        readonly topic: string;
        /** When it is asked again; milliseconds. */
        readonly dueInMs: number;
        /** The attempt whose token the answer was to. */
        readonly attempt: number;
      }
    | undefined;
}

/** The settings of the decision. */
export interface ImageCacheSettings extends Pick<
  NodeSettings,
  'clusterUid' | 'vSwitchIds' | 'securityGroupId' | 'resourceGroupId'
> {
  /** See DecideSettings of the virtual node. */
  readonly settleMs: number;
  readonly missingMs: number;
  readonly readLagMs: number;
}
