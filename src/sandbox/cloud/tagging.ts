import type { Account, Call } from './cloud-account.ts';
import { missing, refusal } from './refusal.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

/** VPC API reference, TagResources: at most 20 tags per call and per resource, 50 resources per call. */
const MOST_TAGS = 20;
const MOST_RESOURCES = 50;

const forbiddenInTags = (text: string): boolean =>
  text.length > 128 || /^(aliyun|acs:)/i.test(text) || /https?:\/\//i.test(text);

/**
 * The tags of a call, checked: at most 20, keys unique and not empty, keys and values at most 128 characters, not
 * beginning with `aliyun` or `acs:`, without `http://` and `https://` (VPC API reference, TagResources).
 *
 * @throws Refusal
 */
export const tagsOfRequest = (parameters: Parameters): ReadonlyMap<string, string> => {
  const tags = parameters.tags();
  if (tags.length > MOST_TAGS) throw refusal('NumberExceed.Tags');
  const read = new Map<string, string>();
  for (const { key, value } of tags) {
    if (key === '' || forbiddenInTags(key)) throw refusal('InvalidTagKey.Malformed', `Key: "${key}".`);
    if (forbiddenInTags(value)) throw refusal('InvalidTagValue.Malformed', `Key: "${key}".`);
    if (read.has(key)) throw refusal('Duplicate.TagKey', `Key: "${key}".`);
    read.set(key, value);
  }
  return read;
};

/** Whether `tags` has all of `wanted`; a wanted tag without a value is satisfied by any. */
export const carriesTags = (
  tags: ReadonlyMap<string, string>,
  wanted: readonly { key: string; value: string }[],
): boolean => wanted.every(({ key, value }) => (value === '' ? tags.has(key) : tags.get(key) === value));

const readResources = (parameters: Parameters): readonly string[] => {
  const type = parameters.required('ResourceType');
  if (type.toUpperCase() !== 'EIP') throw refusal('InvalidResourceType.NotFound', `ResourceType: "${type}".`);
  const ids = parameters.list('ResourceId');
  if (ids.length > MOST_RESOURCES) throw refusal('NumberExceed.ResourceIds');
  return ids;
};

const existing = (account: Account, ids: readonly string[]) => {
  if (ids.length === 0) throw missing('ResourceId');
  return ids.map((id) => {
    const eip = account.eips.get(id);
    if (!eip) throw refusal('InvalidResourceId.NotFound', `ResourceId: "${id}".`);
    return eip;
  });
};

/** TagResources, for EIPs. All or nothing. */
export const tagResources = (account: Account, call: Call): CloudAnswer => {
  const eips = existing(account, readResources(call.parameters));
  const tags = tagsOfRequest(call.parameters);
  if (tags.size === 0) throw missing('Tag');
  const tagged = eips.map((eip) => ({ ...eip, tags: new Map([...eip.tags, ...tags]) }));
  if (tagged.some((eip) => eip.tags.size > MOST_TAGS)) throw refusal('QuotaExceed.TagsPerResource');
  for (const eip of tagged) {
    account.eips.put(eip, call.at);
    account.record(call, eip);
  }
  return {};
};

/** UnTagResources, for EIPs: the named keys, or with `All` and no key every tag. */
export const untagResources = (account: Account, call: Call): CloudAnswer => {
  const eips = existing(account, readResources(call.parameters));
  const keys = call.parameters.list('TagKey');
  if (keys.length > MOST_TAGS) throw refusal('NumberExceed.Tags');
  const all = call.parameters.boolean('All') && keys.length === 0;
  if (!all && keys.length === 0) throw missing('TagKey');
  for (const eip of eips) {
    const untagged = { ...eip, tags: new Map(all ? [] : [...eip.tags].filter(([key]) => !keys.includes(key))) };
    account.eips.put(untagged, call.at);
    account.record(call, untagged);
  }
  return {};
};

/** ListTagResources, for EIPs: one entry per resource and tag, paged with NextToken. */
export const listTagResources = (account: Account, { parameters, at }: Call): CloudAnswer => {
  parameters.required('RegionId');
  const ids = readResources(parameters);
  const wanted = parameters.tags();
  if (ids.length === 0 && wanted.length === 0) throw refusal('MissingParameter.ResourceIdOrTag');
  const most = parameters.integer('MaxResults', { min: 1, max: 50, fallback: 50 });
  const skip = Number(parameters.get('NextToken') ?? 0);
  if (!Number.isInteger(skip) || skip < 0) throw refusal('InvalidParameter.NextToken');
  const entries = account
    .readTagged(at, (tags) => carriesTags(tags, wanted))
    .filter((eip) => ids.length === 0 || ids.includes(eip.allocationId))
    .flatMap(({ allocationId, tags }) =>
      [...tags].map(([TagKey, TagValue]) => ({ ResourceId: allocationId, ResourceType: 'EIP', TagKey, TagValue })),
    );
  return {
    NextToken: entries.length > skip + most ? String(skip + most) : '',
    TagResources: { TagResource: entries.slice(skip, skip + most) },
  };
};
