import { draw } from './call-latency.ts';
import type { Account, Call } from './cloud-account.ts';
import type { ImageCacheRecord } from './records.ts';
import { missing, refusal } from './refusal.ts';
import type { CloudAnswer } from './rpc-wire.ts';
import { carriesTags, tagsOfRequest } from './tagging.ts';
import { cloudTimestamp } from './timestamp.ts';

/*
 * CreateImageCache, DescribeImageCaches and DeleteImageCache (ECI API reference). A cache is Preparing, Creating and
 * then Ready. One with an image of a registry in `.invalid`, the domain that nobody has (RFC 2606), fails.
 */

const MOST_IMAGES = 20;
const DAY_MS = 86_400_000;
/** A cache that failed is kept for a day (UpdateImageCache, RetentionDays). */
const KEEP_FAILED_MS = DAY_MS;

const change = (
  account: Account,
  cache: ImageCacheRecord,
  to: Partial<ImageCacheRecord>,
  { at, event }: { readonly at: number; readonly event: Omit<ImageCacheRecord['events'][number], 'at'> },
): ImageCacheRecord => {
  const changed = { ...cache, ...to, events: [...cache.events, { ...event, at: account.wallTime(at) }] };
  account.imageCaches.put(changed, at);
  return changed;
};

/** Lets the next step happen after a drawn time, unless the cache is gone by then, or in another state. */
const later = (
  account: Account,
  { imageCacheId, status }: ImageCacheRecord,
  at: number,
  step: (cache: ImageCacheRecord, at: number) => void,
): void =>
  account.eventQueue.at(at + draw(account.settings.transitions.imageCache, account.random), (then) => {
    const cache = account.imageCaches.get(imageCacheId);
    if (cache?.status === status) step(cache, then);
  });

const isOfNobody = (image: string): boolean => /^[^/]*\.invalid(?::\d+)?\//.test(image);

const pull = (account: Account, cache: ImageCacheRecord, at: number): void => {
  const image = cache.images.find(isOfNobody);
  if (image !== undefined) {
    change(
      account,
      cache,
      { status: 'Failed', expiresAt: account.wallTime(at) + KEEP_FAILED_MS },
      { at, event: { type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": no such host` } },
    );
    return;
  }
  const event = { reason: 'Pulled', message: 'Pulled all images' };
  const creating = change(account, cache, { status: 'Creating', progress: '50%' }, { at, event });
  later(account, creating, at, (then, when) => {
    const done = { reason: 'Created', message: 'Created the snapshot' };
    change(account, then, { status: 'Ready', progress: '100%' }, { at: when, event: done });
  });
};

/** CreateImageCache. What it costs in the background (an instance, a disk) is not modelled. */
export const createImageCache = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const name = parameters.required('ImageCacheName');
  const securityGroupId = parameters.required('SecurityGroupId');
  const vSwitchId = parameters.required('VSwitchId');
  const images = parameters.list('Image');
  if (images.length === 0) throw missing('Image');
  if (images.length > MOST_IMAGES) throw refusal('InvalidParameter', `Image: ${images.length} of them.`);
  if (!securityGroupId.startsWith('sg-')) throw refusal('InvalidParameter', `SecurityGroupId: "${securityGroupId}".`);
  if (!account.vSwitches.has(vSwitchId)) throw refusal('InvalidVSwitchId.NotFound', `VSwitchId: "${vSwitchId}".`);
  const sizeGiB = parameters.integer('ImageCacheSize', { min: 20, max: 32_768, fallback: 20 });
  const retentionDays = parameters.integer('RetentionDays', { min: 1, max: 65_536 });
  const createdAt = account.wallTime(at);
  const cache: ImageCacheRecord = {
    imageCacheId: account.newId('imc'),
    name,
    images,
    sizeGiB,
    vSwitchId,
    securityGroupId,
    registries: parameters.nested('ImageRegistryCredential').map((each) => each.required('Server')),
    tags: tagsOfRequest(parameters),
    status: 'Preparing',
    progress: '0%',
    createdAt,
    expiresAt: retentionDays === undefined ? undefined : createdAt + retentionDays * DAY_MS,
    events: [],
  };
  account.imageCaches.put(cache, at);
  later(account, cache, at, (then, when) => pull(account, then, when));
  return { ImageCacheId: cache.imageCacheId, ContainerGroupId: account.newId('eci') };
};

/** DeleteImageCache: gone at once. No code is documented for one that is not there. */
export const deleteImageCache = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const id = parameters.required('ImageCacheId');
  if (!account.imageCaches.has(id))
    throw account.is('goneCodes')
      ? refusal('InvalidParameter.NotFound', `"${id}".`)
      : refusal('InvalidImageCacheId.NotFound', `"${id}".`);
  account.imageCaches.remove(id, at);
  return {};
};

const describe = (cache: ImageCacheRecord, regionId: string) => ({
  ImageCacheId: cache.imageCacheId,
  ImageCacheName: cache.name,
  Images: cache.images,
  ImageCacheSize: cache.sizeGiB,
  RegionId: regionId,
  Status: cache.status,
  Progress: cache.progress,
  CreationTime: cloudTimestamp(cache.createdAt),
  ExpireDateTime: cache.expiresAt === undefined ? '' : cloudTimestamp(cache.expiresAt),
  Tags: [...cache.tags].map(([Key, Value]) => ({ Key, Value })),
  Events: cache.events.map(({ type = 'Normal', reason, message, at }) => ({
    Type: type,
    Reason: reason,
    Message: message,
    Count: 1,
    FirstTimestamp: cloudTimestamp(at),
    LastTimestamp: cloudTimestamp(at),
  })),
});

/** DescribeImageCaches: by ID, name and tags; at most 20 at a time, paged with NextToken. */
export const describeImageCaches = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const id = parameters.get('ImageCacheId');
  const name = parameters.get('ImageCacheName');
  const tags = parameters.tags();
  const most = parameters.integer('Limit', { min: 1, max: 20, fallback: 20 });
  const skip = Number(parameters.get('NextToken') ?? 0);
  if (!Number.isInteger(skip) || skip < 0) throw refusal('InvalidParameter.NextToken');
  const found = [...account.readImageCaches(at)].filter(
    (cache) =>
      (id === undefined || cache.imageCacheId === id) &&
      (name === undefined || cache.name === name) &&
      carriesTags(cache.tags, tags),
  );
  return {
    TotalCount: found.length,
    NextToken: found.length > skip + most ? String(skip + most) : '',
    ImageCaches: found.slice(skip, skip + most).map((cache) => describe(cache, account.settings.regionId)),
  };
};
