import { formatDuration, parseDuration, toMs } from '../lib/duration.ts';
import { LONGEST_MS, SHORTEST_MS, type ReleasePolicy } from './release-policy.ts';
import { OWN_TAGS, TAG_PREFIX } from '../api/annotations.ts';
import type { FindingId } from '../api/finding.ts';
import { ISPS } from '../api/eip.ts';
import type { InternetChargeType } from '../api/eip.ts';

/**
 * The grammar of each annotation's value. A reader returns the value, or what is wrong with the text.
 * Limits come from the VPC API reference, AllocateEipAddress, unless another source is named.
 */
export type ParsedValue<T> =
  | { readonly kind: 'value'; readonly value: T; readonly warning?: Wrong }
  | { readonly kind: 'wrong'; readonly wrong: Wrong };

interface Wrong {
  readonly id: FindingId;
  /** What was found; the key and the value are put before it by the caller. */
  readonly problem: string;
  readonly remedy: string;
}

const right = <T>(value: T): ParsedValue<T> => ({ kind: 'value', value });

const wrong = (id: FindingId, problem: string, remedy: string): ParsedValue<never> => ({
  kind: 'wrong',
  wrong: { id, problem, remedy },
});

/** `true` and `false`, as the documentation spells them; everything else would be a guess. */
export const readBoolean = (text: string): ParsedValue<boolean> =>
  text === 'true' || text === 'false'
    ? right(text === 'true')
    : wrong('InvalidBoolean', 'is neither "true" nor "false"', 'write "true" or "false"');

/** Highest bandwidth of a PostPaid EIP, Mbit/s. */
export const MAX_BANDWIDTH_MBPS: Readonly<Record<InternetChargeType, number>> = {
  PayByTraffic: 200,
  PayByBandwidth: 500,
};

/** The other metering method allows more. */
const isForBandwidth = (value: number, chargeType: InternetChargeType): string =>
  chargeType === 'PayByTraffic' && value <= MAX_BANDWIDTH_MBPS.PayByBandwidth && value > MAX_BANDWIDTH_MBPS.PayByTraffic
    ? `, or eip-internet-charge-type: "PayByBandwidth", which allows up to ${MAX_BANDWIDTH_MBPS.PayByBandwidth}`
    : '';

/** A whole number of Mbit/s. "5M" is the form of Terway's first documentation: understood, and said. */
export const readBandwidth = (text: string, chargeType: InternetChargeType): ParsedValue<number> => {
  const max = MAX_BANDWIDTH_MBPS[chargeType];
  const digits = /^([1-9][0-9]{0,3})(M?)$/.exec(text);
  const value = Number(digits?.[1]);
  if (!digits || value > max)
    return wrong(
      'InvalidBandwidth',
      `is no bandwidth that ${chargeType} allows`,
      `write a whole number of Mbit/s from 1 to ${max}, such as "5"${isForBandwidth(value, chargeType)}`,
    );
  if (digits[2] === '') return right(value);
  const problem = 'has the old form with a unit and is taken as Mbit/s';
  return { kind: 'value', value, warning: { id: 'LegacyBandwidth', problem, remedy: `write "${value}"` } };
};

export const readInternetChargeType = (text: string): ParsedValue<InternetChargeType> =>
  text === 'PayByTraffic' || text === 'PayByBandwidth'
    ? right(text)
    : wrong('InvalidChargeType', 'is no metering method', 'write "PayByTraffic" or "PayByBandwidth"');

/** Only pay-as-you-go: a subscription cannot be given back when the pod goes. */
export const readInstanceChargeType = (text: string): ParsedValue<'PostPaid'> =>
  text === 'PostPaid'
    ? right(text)
    : wrong(
        'InvalidInstanceChargeType',
        'is no billing method that an EIP of a pod can have',
        'write "PostPaid" or remove the annotation: a subscription could not be given back with the pod',
      );

export const readIsp = (text: string): ParsedValue<string> =>
  ISPS.some((isp) => isp === text)
    ? right(text)
    : wrong('InvalidIsp', 'is no line type', `write one of ${ISPS.join(', ')}`);

/** The ID of a cloud resource: its prefix, a hyphen, lower-case letters and digits. */
export const readId =
  (prefix: 'eip' | 'cbwp' | 'pippool' | 'rg') =>
  (text: string): ParsedValue<string> =>
    text.length <= 64 && text.startsWith(`${prefix}-`) && /^[a-z0-9]+$/.test(text.slice(prefix.length + 1))
      ? right(text)
      : wrong(
          'InvalidId',
          /^\d{1,3}(\.\d{1,3}){3}$/.test(text)
            ? 'is an address, and this annotation takes an ID'
            : 'is not the ID that this annotation takes',
          // Alibaba Cloud's documentation hides the end of the IDs in its examples.
          text.includes('*')
            ? `write the whole ID of one of yours, "${prefix}-…", without asterisks`
            : `write one ID of the form "${prefix}-…"`,
        );

// eslint-disable-next-line no-control-regex -- finding control characters is the point
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const freeText =
  (id: FindingId, what: string, max: number) =>
  (text: string): ParsedValue<string> => {
    const isFine =
      text.length >= 1 &&
      text.length <= max &&
      text.isWellFormed() &&
      !CONTROL.test(text) &&
      !/^https?:\/\//i.test(text);
    return isFine
      ? right(text)
      : wrong(
          id,
          `is no ${what} that an EIP can have`,
          `write 1 to ${max} characters, none of them a control character, that do not begin with http:// or https://`,
        );
  };

export const readName = freeText('InvalidName', 'name', 128);
export const readDescription = freeText('InvalidDescription', 'description', 256);

/** A comma-separated list in the annotation; the API accepts one type at most. */
export const readProtectionTypes = (text: string): ParsedValue<readonly string[]> =>
  text === '' || text === 'AntiDDoS_Enhanced'
    ? right(text === '' ? [] : [text])
    : wrong('InvalidProtectionType', 'is no security protection that an EIP can have', 'write "AntiDDoS_Enhanced"');

/** How many tags the user may add: an EIP carries 20 at most, and some of them prove whose it is. */
const MAX_USER_TAGS = 20 - OWN_TAGS;
const MAX_TAGS_TEXT = 8192;
const RESERVED_TAG_KEY = /^(aliyun|acs:|https?:\/\/)/i;

/** A JSON object with string values. */
export const readTags = (text: string): ParsedValue<readonly (readonly [string, string])[]> => {
  const bad = (problem: string) =>
    wrong('InvalidTags', problem, `write a JSON object with at most ${MAX_USER_TAGS} strings, such as {"team":"web"}`);
  if (text.length > MAX_TAGS_TEXT) return bad(`is longer than ${MAX_TAGS_TEXT} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('is not a JSON object');
  const tags: [string, string][] = [];
  for (const [key, content] of Object.entries(value)) {
    const shown = JSON.stringify(key.slice(0, 40));
    if (typeof content !== 'string') return bad(`has the key ${shown}, whose value is not a string`);
    if (key.length < 1 || key.length > 128 || content.length > 128)
      return bad(`has the key ${shown}, which is empty or over 128 characters, or whose value is`);
    if (RESERVED_TAG_KEY.test(key) || key.startsWith(TAG_PREFIX))
      return bad(
        `has the key ${shown}, which begins with a reserved prefix (aliyun, acs:, http://, https://, ${TAG_PREFIX})`,
      );
    if (/^https?:\/\//i.test(content)) return bad(`has the key ${shown}, whose value begins with http:// or https://`);
    if (!key.isWellFormed() || !content.isWellFormed() || CONTROL.test(key) || CONTROL.test(content))
      return bad(`has the key ${shown} with a control character or a broken one`);
    tags.push([key, content]);
  }
  return tags.length > MAX_USER_TAGS ? bad(`has ${tags.length} tags`) : right(tags);
};

const noStrategy = (problem: string, remedy: string) => wrong('InvalidReleaseStrategy', problem, remedy);

/** `Follow`, `Never` or a Go duration from {@link SHORTEST_MS} to {@link LONGEST_MS}. */
export const readReleaseStrategy = (text: string): ParsedValue<ReleasePolicy> => {
  if (text === 'Follow' || text === 'Never') return right({ strategy: text });
  const known = ['Follow', 'Never'].find((word) => word.toLowerCase() === text.trim().toLowerCase());
  if (known !== undefined) return noStrategy('is not written as the strategy is', `write "${known}"`);
  const duration = parseDuration(text);
  if (duration === undefined)
    return noStrategy('is no release strategy', 'write "Follow", "Never" or a duration such as "10m" or "1h30m"');
  if (duration <= 0n)
    return noStrategy('is not longer than nothing', 'write "Follow" to have the EIP released with the pod');
  const ms = toMs(duration);
  if (ms < SHORTEST_MS)
    return noStrategy(
      'is over before a pod of the same name can be there',
      `write at least "${formatDuration(SHORTEST_MS)}", or "Follow"`,
    );
  if (ms > LONGEST_MS)
    return noStrategy('is longer than a year', 'write "Never" to keep the EIP until its PodEIP is deleted');
  return right({ strategy: 'TTL', releaseAfter: text });
};

/**
 * How an existing EIP comes to a new pod of the same Knative Service: `ready`, as soon as the new pod's containers are,
 * or `wait`, when the old pod is gone.
 */
export type Handover = 'ready' | 'wait';

export const readHandover = (text: string): ParsedValue<Handover> =>
  text === 'ready' || text === 'wait'
    ? right(text)
    : wrong('InvalidHandover', 'is no way to hand an EIP over', 'write "ready" or "wait"');
