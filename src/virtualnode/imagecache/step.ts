import type { ImageCacheStatus } from '../../api/imagecache.ts';
import type { ImageCacheSpec } from '../../cloud/image-caches.ts';
import type { Happening } from '../../kube/recorder.ts';

/** What must be read before the decision can be made. */
export type ImageCacheRead =
  /** The caches of the object in the account, by their tags. */
  | { readonly do: 'ReadCaches' }
  /** Those with the IDs that are known for it, whatever their tags: it was not found by its tags. */
  | { readonly do: 'ReadByIds'; readonly imageCacheIds: readonly string[] }
  /** The Secrets that it names. */
  | { readonly do: 'ReadSecrets' };

/** One side effect. */
export type ImageCacheAction =
  /** The finalizer, before anything costs money. */
  | { readonly do: 'Claim' }
  /** The next attempt, which has another token. */
  | { readonly do: 'BeginAttempt'; readonly attempt: number }
  | { readonly do: 'CreateCache'; readonly spec: ImageCacheSpec; readonly notes: readonly string[] }
  | { readonly do: 'DeleteCache'; readonly imageCacheId: string; readonly because: string }
  | {
      readonly do: 'WriteStatus';
      readonly status: ImageCacheStatus;
      readonly happening?: Omit<Happening, 'action'> | undefined;
    }
  /** Takes the finalizer off: the account shows that there is no cache, and none can come any more. */
  | { readonly do: 'LetGo' };

/** Nothing to do now. */
export type ImageCacheResult =
  | { readonly do: 'Done'; readonly happening?: Omit<Happening, 'action'> | undefined }
  /** Decided again after `ms`, with a new read of the cloud. */
  | { readonly do: 'Wait'; readonly because: string; readonly ms: number };

/** Exactly one next step for an ImageCache. */
export type ImageCacheStep = ImageCacheRead | ImageCacheAction | ImageCacheResult;

export const isImageCacheRead = (step: ImageCacheStep): step is ImageCacheRead =>
  step.do === 'ReadCaches' || step.do === 'ReadByIds' || step.do === 'ReadSecrets';

export const isImageCacheResult = (step: ImageCacheStep): step is ImageCacheResult =>
  step.do === 'Done' || step.do === 'Wait';
