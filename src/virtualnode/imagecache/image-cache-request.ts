import { createHash } from 'node:crypto';
import { IMAGE_CACHE_ATTEMPT, type ImageCache } from '../../api/imagecache.ts';
import { TAG_CLUSTER_UID, TAG_PREFIX } from '../../api/annotations.ts';
import type { CloudImageCache, ImageCacheSpec } from '../../cloud/image-caches.ts';
import type { Tag } from '../../cloud/port.ts';
import { clientToken } from '../../lib/token.ts';
import { quote } from '../../lib/text.ts';
import { LONGEST_ANNOTATION } from '../../request/instance-choices.ts';
import { bool, list, word } from '../translate/annotation-values.ts';
import { credentialsIn } from '../translate/image-registry.ts';
import { noRemarks, remarkLine, type Remarks } from '../translate/input.ts';
import { pullingOf, type ReadAnnotation } from '../translate/instance-options.ts';
import type { ImageCacheSettings, ObservedImageCache } from './observation.ts';

const K8S = 'k8s.aliyun.com/';
/** ECI documentation, "Annotations supported by ImageCaches": those that CreateImageCache has a parameter for here. */
const HONOURED = new Set(
  [
    'vswitch-ids',
    'security-group-id',
    'resource-group-id',
    'acr-instance-id',
    'acr-instance-ids',
    'acr-service-arns',
    'acr-user-arns',
    'plain-http-registry',
    'insecure-registry',
    'imc-enable-reuse',
    'imc-enable-flash',
  ].map((key) => K8S + key),
);
/** ECI API reference, CreateImageCache: Image.N, at most 20. */
const MOST_IMAGES = 20;
/** ECI documentation, "kubernetes ImageCache API". */
const SIZES_GIB = { least: 20, most: 32_768 };
const RETENTION_DAYS = { least: 1, most: 65_536 };

/** Tag: UID of the ImageCache that an image cache was made for. */
export const TAG_IMAGE_CACHE_UID = `${TAG_PREFIX}image-cache-uid`;

/** The tags of a cache by which it is found again: nothing else proves whose it is. */
export const imageCacheTags = ({ metadata }: ImageCache, clusterUid: string): readonly Tag[] => [
  { key: TAG_CLUSTER_UID, value: clusterUid },
  { key: TAG_IMAGE_CACHE_UID, value: metadata.uid },
];

/**
 * What the tags of a cache say of whose it is: `ours` where they are those of the object, `another` where one of them
 * names somebody else, `nobody` where they name no one.
 */
export const ownerOf = (
  { tags }: CloudImageCache,
  object: ImageCache,
  clusterUid: string,
): 'ours' | 'another' | 'nobody' => {
  const wanted = imageCacheTags(object, clusterUid).map(({ key, value }) => ({ value, given: tags.get(key) }));
  if (wanted.every(({ value, given }) => given === value)) return 'ours';
  return wanted.some(({ value, given }) => given !== undefined && given !== value) ? 'another' : 'nobody';
};

/** Tag: a digest of what an image cache was made of, for it is never changed. */
const TAG_IMAGE_CACHE_SPEC = `${TAG_PREFIX}image-cache-spec`;

/** Of all that decides what is in the cache; how its images are pulled is past. */
const digestOf = ({ metadata: { annotations = {} }, spec }: ImageCache): string => {
  const said = [...HONOURED].flatMap((key) => (annotations[key] ? [[key, annotations[key].trim()]] : []));
  const decisive = [spec.images, spec.imageCacheSize ?? null, spec.retentionDays ?? null, said];
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 16);
};

/** Whether the object says something else by now than when its cache was made. */
export const isChangedSince = ({ tags }: CloudImageCache, object: ImageCache): boolean => {
  const made = tags.get(TAG_IMAGE_CACHE_SPEC);
  return made !== undefined && made !== digestOf(object);
};

/** How often the cloud has finally refused to make the cache; what is no number was written by somebody else. */
export const imageCacheAttempt = ({ metadata }: ImageCache): number => {
  const given = metadata.annotations?.[IMAGE_CACHE_ATTEMPT] ?? '';
  return /^\d{1,9}$/.test(given) ? Number(given) : 0;
};

/** What is asked for, or why nothing can be. */
type ImageCacheRequest =
  | { readonly kind: 'spec'; readonly spec: ImageCacheSpec; readonly notes: readonly string[] }
  | { readonly kind: 'refused'; readonly problem: string };

/** Translates an ImageCache to the parameters of CreateImageCache. Pure and total. */
export const imageCacheRequest = (
  { object, secrets }: Pick<ObservedImageCache, 'object' | 'secrets'>,
  settings: ImageCacheSettings,
): ImageCacheRequest => {
  const { metadata, spec } = object;
  const remarks = noRemarks();
  const { annotations = {} } = metadata;
  const read: ReadAnnotation = (key, parse, allowed, prefix = K8S) => {
    const text = annotations[prefix + key]?.trim() ?? '';
    if (text === '') return undefined;
    const value = text.length > LONGEST_ANNOTATION ? undefined : parse(text);
    const field = `metadata.annotations[${prefix}${key}]`;
    if (value === undefined)
      remarks.refusals.push({ field, problem: `${quote(text)} is not possible`, remedy: `write ${allowed}` });
    return value;
  };
  const vSwitchIds = read('vswitch-ids', list(/^vsw-[a-z0-9-]{1,60}$/, 10), 'an ID such as vsw-bp1…');
  const pulling = pullingOf(read, (key, problem, remedy) => {
    remarks.refusals.push({ field: `metadata.annotations[${K8S}${key}]`, problem, remedy });
  });
  const asked: ImageCacheSpec = {
    clientToken: clientToken('CreateImageCache', metadata.uid, imageCacheAttempt(object)),
    imageCacheName: metadata.name,
    images: spec.images,
    vSwitchId: (vSwitchIds ?? settings.vSwitchIds)[0] ?? '',
    securityGroupId:
      read('security-group-id', list(/^sg-[a-z0-9-]{1,60}$/, 1), 'one ID such as sg-bp1…')?.[0] ??
      settings.securityGroupId,
    resourceGroupId: read('resource-group-id', word, 'the ID of a resource group') ?? settings.resourceGroupId,
    sizeGiB: spec.imageCacheSize,
    retentionDays: spec.retentionDays,
    reusesLayers: read('imc-enable-reuse', bool, '"true" or "false"'),
    flash: read('imc-enable-flash', bool, '"true" or "false"'),
    plainHttpRegistries: pulling.plainHttpRegistries,
    insecureRegistries: pulling.insecureRegistries,
    acrInstances: pulling.acrInstances,
    registryCredentials: credentialsIn(secrets?.found ?? new Map(), remarks),
    tags: [
      ...imageCacheTags(object, settings.clusterUid),
      { key: `${TAG_PREFIX}image-cache`, value: metadata.name.slice(0, 128) },
      { key: TAG_IMAGE_CACHE_SPEC, value: digestOf(object) },
    ],
  };
  refuseWrongSpec(object, remarks);
  noteUnhonoured(annotations, remarks);
  if ((vSwitchIds?.length ?? 0) > 1)
    remarks.notes.push({
      field: `metadata.annotations[${K8S}vswitch-ids]`,
      problem: 'CreateImageCache takes one vSwitch, and the first is used',
      remedy: 'write the one that has room first',
    });
  const [refusal] = remarks.refusals;
  if (refusal) return { kind: 'refused', problem: remarkLine(refusal) };
  return { kind: 'spec', spec: asked, notes: remarks.notes.map(remarkLine) };
};

const refuseWrongSpec = ({ spec }: ImageCache, remarks: Remarks): void => {
  const { images, imagePullSecrets = [], imageCacheSize, retentionDays } = spec;
  const refuse = (field: string, problem: string, remedy: string) =>
    void remarks.refusals.push({ field: `spec.${field}`, problem, remedy });
  if (images.length === 0 || images.length > MOST_IMAGES)
    refuse('images', `there are ${images.length} images`, `name 1 to ${MOST_IMAGES}`);
  if (images.some((image) => image.trim() === '')) refuse('images', 'an image has no name', 'name it, or leave it out');
  for (const name of imagePullSecrets)
    if (!pullSecretOf(name))
      refuse('imagePullSecrets', `${quote(name)} is no Secret`, 'write namespace:name, such as default:registry');
  for (const [field, value, { least, most }] of [
    ['imageCacheSize', imageCacheSize, SIZES_GIB],
    ['retentionDays', retentionDays, RETENTION_DAYS],
  ] as const)
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
      refuse(field, `it is ${value}`, `write a whole number from ${least} to ${most}, or leave it out`);
};

/** Annotations of ECI that nothing is made of here. */
const noteUnhonoured = (annotations: Readonly<Record<string, string>>, remarks: Remarks): void => {
  for (const key of Object.keys(annotations))
    if (key.startsWith(K8S) && !HONOURED.has(key))
      remarks.notes.push({
        field: `metadata.annotations[${key}]`,
        problem: 'this virtual node does not honour it on an ImageCache',
        remedy: 'leave it out; the cache is made without it',
      });
};

/** `namespace:name`; undefined for anything else: `..` in the place of a name would be a path. */
export const pullSecretOf = (text: string): { readonly namespace: string; readonly name: string } | undefined => {
  const [, namespace, name] =
    /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?):([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/.exec(text) ?? [];
  return namespace !== undefined && name !== undefined ? { namespace, name } : undefined;
};
