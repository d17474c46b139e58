import { IMAGE_CACHE_ATTEMPT, IMAGE_CACHE_FINALIZER, type ImageCache } from '../../src/api/imagecache.ts';
import { decideImageCache } from '../../src/virtualnode/imagecache/decide.ts';
import { imageCacheRequest, pullSecretOf } from '../../src/virtualnode/imagecache/image-cache-request.ts';
import type { Drive } from './drive.ts';

const SETTINGS = {
  clusterUid: 'c',
  vSwitchIds: ['vsw-1'],
  securityGroupId: 'sg-1',
  settleMs: 0,
  missingMs: 0,
  readLagMs: 0,
};
const KEYS = [
  'vswitch-ids',
  'security-group-id',
  'resource-group-id',
  'acr-instance-ids',
  'acr-service-arns',
  'acr-user-arns',
  'plain-http-registry',
  'insecure-registry',
  'imc-enable-reuse',
  'imc-enable-flash',
].map((key) => `k8s.aliyun.com/${key}`);

const objectOf = (text: string): ImageCache => ({
  metadata: {
    name: 'x',
    uid: 'u',
    resourceVersion: '1',
    finalizers: [IMAGE_CACHE_FINALIZER],
    annotations: { ...Object.fromEntries(KEYS.map((key) => [key, text])), [IMAGE_CACHE_ATTEMPT]: text, [text]: text },
  },
  spec: { images: [text], imagePullSecrets: [text] },
  status: { phase: text, imageCacheId: text, expireDateTime: text },
});

/** Readers of what an ImageCache says. */
export const IMAGE_CACHE_DRIVES: Readonly<Record<string, Drive>> = {
  'an ImageCache': (text) => {
    const object = objectOf(text);
    const memory = { quietMs: 0, wasListed: false, missingMs: 0 };
    return [
      imageCacheRequest({ object, secrets: undefined }, SETTINGS),
      decideImageCache({ object, caches: [], secrets: undefined, memory, now: 0 }, SETTINGS),
    ];
  },
  'a Secret that an ImageCache names': (text) => [pullSecretOf(text), pullSecretOf(`default:${text}`)],
};
