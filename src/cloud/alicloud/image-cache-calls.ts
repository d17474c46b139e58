import type * as Eci from '@alicloud/eci20180808';
import { CloudFault } from '../fault.ts';
import { FAULT } from '../fault-policy.ts';
import type { CloudImageCache, ImageCaches, ImageCacheSpec } from '../image-caches.ts';
import { check, inconsistent, refuse } from './answer-checks.ts';
import {
  bodyOf,
  isRecord,
  optional,
  records,
  resourceId,
  tagsOfAnswer,
  textOfAnswer,
  wordOfAnswer,
} from './answers.ts';
import { createCaller } from './call.ts';
import { createClients } from './clients.ts';
import type { CloudSettings } from './vpc.ts';

const CREATE = 'CreateImageCache';
/** ECI API reference, CreateImageCache: Image.N. */
const MOST_IMAGES = 20;
/** ECI API reference, DescribeImageCaches: Limit. */
const PAGE_SIZE = 20;
/** More pages than this mean that the token leads in a circle. */
const MOST_PAGES = 1_000;

const readEvents = (value: unknown): CloudImageCache['events'] =>
  (Array.isArray(value) ? value.filter(isRecord) : []).map((event) => ({
    type: textOfAnswer(event['type']),
    reason: textOfAnswer(event['reason']),
    message: textOfAnswer(event['message']),
    count: Number.isInteger(event['count']) ? Number(event['count']) : 1,
    firstTimestamp: optional(event['firstTimestamp']),
    lastTimestamp: optional(event['lastTimestamp']),
  }));

/**
 * What says whose a cache is and whether it is there must be as the API reference has it, or the whole answer counts as
 * unreadable; what only describes is taken as it is.
 */
const readCaches = (body: Eci.DescribeImageCachesResponseBody): readonly CloudImageCache[] =>
  records('ImageCaches', body.imageCaches).map((given) => ({
    imageCacheId: resourceId('ImageCacheId', given['imageCacheId']),
    status: wordOfAnswer('Status', given['status']),
    progress: optional(given['progress']),
    creationTime: optional(given['creationTime']),
    expireDateTime: optional(given['expireDateTime']),
    tags: tagsOfAnswer(given['tags'] ?? undefined),
    events: readEvents(given['events']),
  }));

/** @throws CloudFault of kind `refused` for what cannot be said in this API */
const checkSpec = ({ clientToken, securityGroupId, vSwitchId, images }: ImageCacheSpec): void => {
  check(CREATE, [securityGroupId, vSwitchId], clientToken);
  if (images.length === 0 || images.length > MOST_IMAGES)
    throw refuse(CREATE, `${images.length} images; there must be 1–${MOST_IMAGES}`);
};

/** The image caches of the ECI API on Alibaba Cloud's SDK: one API call for each function, for a list one a page. */
export const createImageCaches = (settings: CloudSettings): ImageCaches => {
  const clients = createClients(settings);
  const call = createCaller(settings);
  const regionId = clients.region;

  return {
    createImageCache: async (spec, signal) => {
      const secrets = (spec.registryCredentials ?? []).map(({ password }) => password);
      const asked = `an image cache of ${spec.images.join(' and ')}`;
      return call({ action: CREATE, signal, secrets, asked }, clients.eci, async ({ client, sdk }) => {
        checkSpec(spec);
        const request = new sdk.CreateImageCacheRequest({
          regionId,
          clientToken: spec.clientToken,
          imageCacheName: spec.imageCacheName,
          image: [...spec.images],
          imageCacheSize: spec.sizeGiB,
          retentionDays: spec.retentionDays,
          securityGroupId: spec.securityGroupId,
          vSwitchId: spec.vSwitchId,
          resourceGroupId: spec.resourceGroupId,
          autoMatchImageCache: spec.reusesLayers,
          flash: spec.flash,
          plainHttpRegistry: spec.plainHttpRegistries?.join(','),
          insecureRegistry: spec.insecureRegistries?.join(','),
          acrRegistryInfo: spec.acrInstances?.map((each) => new sdk.CreateImageCacheRequestAcrRegistryInfo(each)),
          imageRegistryCredential: spec.registryCredentials?.map(
            (each) => new sdk.CreateImageCacheRequestImageRegistryCredential(each),
          ),
          tag: spec.tags.map((each) => new sdk.CreateImageCacheRequestTag(each)),
        });
        return {
          imageCacheId: resourceId('ImageCacheId', bodyOf(await client.createImageCache(request)).imageCacheId),
        };
      });
    },

    deleteImageCache: async ({ imageCacheId, clientToken }, signal) => {
      const action = 'DeleteImageCache';
      check(action, [imageCacheId], clientToken);
      await call({ action, signal }, clients.eci, async ({ client, sdk }) => {
        bodyOf(await client.deleteImageCache(new sdk.DeleteImageCacheRequest({ regionId, imageCacheId, clientToken })));
      });
    },

    describeImageCaches: async (filter, signal) => {
      const action = 'DescribeImageCaches';
      const isById = 'imageCacheId' in filter;
      if (isById) check(action, [filter.imageCacheId]);
      else if (filter.tags.length === 0)
        throw refuse(action, 'no tags: this would list every image cache of the account');
      const query = isById ? filter : { tag: filter.tags.map(({ key, value }) => ({ key, value })) };
      const found = new Map<string, CloudImageCache>();
      try {
        let nextToken: string | undefined;
        for (let pages = 0; pages === 0 || nextToken !== undefined; pages += 1) {
          if (pages >= MOST_PAGES) throw inconsistent(action, 'the pages do not end');
          if (pages > 0) await settings.nextPage?.(action, signal);
          const page = await call({ action, signal }, clients.eci, async ({ client, sdk }) => {
            const request = new sdk.DescribeImageCachesRequest({
              regionId,
              limit: PAGE_SIZE,
              ...query,
              ...(nextToken !== undefined && { nextToken }),
            });
            const body = bodyOf(await client.describeImageCaches(request));
            return { caches: readCaches(body), nextToken: optional(body.nextToken) };
          });
          for (const cache of page.caches) found.set(cache.imageCacheId, cache);
          nextToken = page.nextToken;
        }
      } catch (error) {
        if (!isById || !(error instanceof CloudFault) || FAULT[error.kind].effect !== 'absent') throw error;
      }
      // An API that ignores the filter must not hand us caches of others.
      return [...found.values()].filter((cache) =>
        isById
          ? cache.imageCacheId === filter.imageCacheId
          : filter.tags.every(({ key, value }) => cache.tags.get(key) === value),
      );
    },
  };
};
