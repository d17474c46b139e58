import type { VirtualNodeAllowances } from '../api/eippolicy.ts';
import { CHOSEN_ANNOTATIONS, type Allowance } from './instance-table.ts';

/** A volume as far as it chooses something of the account. */
export interface ChoosingVolume {
  readonly name: string;
  readonly nfs?: { readonly server: string; readonly path: string } | undefined;
  readonly flexVolume?:
    { readonly driver: string; readonly options?: Readonly<Record<string, string>> | undefined } | undefined;
  /** A path of a data cache, where an annotation names its bucket; there is no host. */
  readonly hostPath?: { readonly path: string } | undefined;
}

/** What a pod asks of the account for its instance. */
export type InstanceChoice = {
  /** For example `metadata.annotations[k8s.aliyun.com/eci-vswitch]`. */
  readonly field: string;
  /** Its key, where it is an annotation. */
  readonly key?: string | undefined;
  /** As it was written, at most {@link LONGEST_ANNOTATION} characters. */
  readonly value: string;
} & (
  | { readonly allowance: ListAllowance }
  /** In the unit of {@link UNITS}; Infinity where it is no number. */
  | {
      readonly allowance: AmountAllowance;
      readonly amount: number;
      /** The annotation that the amount is written into, and the one that asks for it, where that is another one. */
      readonly keys?: { readonly amount: string; readonly asks: string } | undefined;
      /** A quota of Kubernetes counts it: where no policy has a word about it, it may be chosen. @default false */
      readonly isCounted?: boolean | undefined;
      /** What is in the value beside the amount, and costs nothing. @default 0 */
      readonly free?: number | undefined;
    }
  /** Nobody may, because nobody knows what it would choose. */
  | { readonly allowance: undefined }
);

/** Allowances that are the most of something. */
type AmountAllowance = 'ephemeralStorageGiB' | 'newDiskGiB' | 'ipv6BandwidthMbps';
/** What the amounts are counted in. */
export const UNITS: Readonly<Record<AmountAllowance, string>> = {
  ephemeralStorageGiB: 'GiB',
  newDiskGiB: 'GiB',
  ipv6BandwidthMbps: 'Mbit/s',
};
/** Allowances that name values. */
export type ListAllowance = Exclude<keyof VirtualNodeAllowances, AmountAllowance>;

/**
 * The longest value of an annotation that is parsed, characters. The longest valid one, three tags, has 773 characters,
 * and there may be spaces.
 */
export const LONGEST_ANNOTATION = 1_024;

/** The items of a list with commas. The virtual node splits by it what is judged by it. */
export const itemsOf = (text: string): readonly string[] => text.split(',').map((each) => each.trim());

/** `50Gi` or `50`: whole GiB. */
export const gibOf = (text: string): number | undefined => {
  const value = /^\d{1,9}(Gi)?$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
};

/** The most that an IPv6 address may have (ECI API reference, CreateContainerGroup, Ipv6GatewayBandwidth). */
export const MOST_IPV6_MBPS = 2_000;

/** `100M`, as the add-on writes it, or `100`, as the API does: whole Mbit/s. */
export const ipv6MbpsOf = (text: string): number | undefined => {
  const value = /^\d{1,5}M?$/.test(text) ? Number.parseInt(text, 10) : 0;
  return value >= 1 && value <= MOST_IPV6_MBPS ? value : undefined;
};

/** On a pod: the bucket of data caches that its volumes of the kind hostPath are of. */
export const DATA_CACHE_BUCKET = 'k8s.aliyun.com/eci-data-cache-bucket';

/** The bucket of data caches that volumes of the kind hostPath are of; without one an instance has none of them. */
export const dataCacheBucketOf = (annotations: Readonly<Record<string, string>> = {}): string | undefined =>
  annotations[DATA_CACHE_BUCKET]?.slice(0, LONGEST_ANNOTATION).trim() || undefined;

const PUBLIC_IPV6 = 'k8s.aliyun.com/eci-ipv6-bandwidth-enable';
const IPV6_BANDWIDTH = 'k8s.aliyun.com/eci-ipv6-bandwidth';

/**
 * Everything that a pod on our virtual node asks of the account: by annotations and by volumes. What the virtual node
 * would refuse in any case, because it cannot read it, may be among them or not. Pure and total.
 */
export const instanceChoices = (
  annotations: Readonly<Record<string, string>> = {},
  volumes: readonly ChoosingVolume[] = [],
): readonly InstanceChoice[] => [
  ...Object.entries(CHOSEN_ANNOTATIONS).flatMap(([key, allowance]) =>
    Object.hasOwn(annotations, key) ? byAnnotation(key, allowance, annotations[key] ?? '') : [],
  ),
  ...byPublicIpv6(annotations),
  ...volumes.flatMap((volume) => byVolume(volume, dataCacheBucketOf(annotations))),
];

/** A public address, which no limit of EIPs counts. */
const byPublicIpv6 = (annotations: Readonly<Record<string, string>>): readonly InstanceChoice[] => {
  const isAsked = (annotations[PUBLIC_IPV6] ?? '').slice(0, LONGEST_ANNOTATION).trim() === 'true';
  if (!isAsked) return [];
  const given = (annotations[IPV6_BANDWIDTH] ?? '').slice(0, LONGEST_ANNOTATION).trim();
  const key = given === '' ? PUBLIC_IPV6 : IPV6_BANDWIDTH;
  // Without a number it is the most that the gateway gives; what is no number is refused by the virtual node.
  const amount = given === '' ? MOST_IPV6_MBPS : (ipv6MbpsOf(given) ?? Number.POSITIVE_INFINITY);
  const value = given === '' ? String(MOST_IPV6_MBPS) : given;
  const keys = { amount: IPV6_BANDWIDTH, asks: PUBLIC_IPV6 };
  return [{ field: `metadata.annotations[${key}]`, key, value, allowance: 'ipv6BandwidthMbps', amount, keys }];
};

const byAnnotation = (key: string, allowance: Allowance, given: string): readonly InstanceChoice[] => {
  const text = given.slice(0, LONGEST_ANNOTATION).trim();
  if (text === '') return [];
  const field = `metadata.annotations[${key}]`;
  // It depends on another annotation.
  if (allowance === 'ipv6BandwidthMbps') return [];
  if (allowance === 'ephemeralStorageGiB' || allowance === 'newDiskGiB') {
    const amount = gibOf(text);
    // The virtual node reads it in the same way, and refuses what is no size.
    return amount === undefined ? [] : [{ field, key, value: text, allowance, amount }];
  }
  // ECI looks for a cache by itself: it may be anybody's, with what needs a password to be pulled. And it keeps
  // whatever address of the vSwitch the instance had.
  if (OF_ANY_VALUE.has(key)) return text === 'false' ? [] : [{ field, key, value: ANY, allowance }];
  const values = itemsOf(text);
  if (allowance === 'tagKeys')
    return values.map((pair) => ({ field, key, value: pair.split(':', 1)[0] ?? '', allowance }));
  return values.map((value) => ({ field, key, value, allowance }));
};

/** A choice of no value in particular: only an allowance of everything allows it. */
export const ANY = '*';

const OF_ANY_VALUE: ReadonlySet<string> = new Set([
  'k8s.aliyun.com/eci-auto-imc',
  'k8s.aliyun.com/eci-image-cache',
  'k8s.aliyun.com/eci-fixed-ip',
  // The disk that is made of the cache, faster than it is by itself.
  'k8s.aliyun.com/eci-data-cache-pl',
  'k8s.aliyun.com/eci-data-cache-provisionedIops',
  'k8s.aliyun.com/eci-data-cache-burstingEnabled',
]);

/**
 * The options of the drivers that ECI has. Source: ECI documentation, "Mount a disk", "Mount a NAS file system", "Mount
 * an OSS bucket" (volumes of the type FlexVolume). `author`: it chooses nothing of the account.
 */
const FLEX_OPTIONS: Readonly<Record<string, Readonly<Record<string, Allowance | 'author'>>>> = {
  'alicloud/disk': { volumeId: 'disks', volumeSize: 'newDiskGiB', deleteWithInstance: 'author' },
  'alicloud/nas': { server: 'fileServers', path: 'fileServers', vers: 'author', options: 'mountOptions' },
  'alicloud/oss': {
    bucket: 'buckets',
    path: 'buckets',
    url: 'author',
    otherOpts: 'mountOptions',
    ramRole: 'ramRoles',
    // Somebody's own key opens what it opens; the bucket has to be allowed beside it.
    akId: 'author',
    akSecret: 'author',
  },
};

/** The flexVolume drivers that ECI has. */
export const FLEX_DRIVERS: ReadonlySet<string> = new Set(Object.keys(FLEX_OPTIONS));

const byVolume = (
  { name, nfs, flexVolume, hostPath }: ChoosingVolume,
  bucket: string | undefined,
): readonly InstanceChoice[] => {
  const at = `spec.volumes[${name}]`;
  if (hostPath) return bucket === undefined ? [] : [place(`${at}.hostPath`, 'dataCaches', bucket, hostPath.path)];
  if (nfs) return [place(`${at}.nfs`, 'fileServers', nfs.server, nfs.path)];
  // A driver is named by whoever writes the pod, `__proto__` too.
  if (!flexVolume || !Object.hasOwn(FLEX_OPTIONS, flexVolume.driver)) return [];
  const known = FLEX_OPTIONS[flexVolume.driver] ?? {};
  const { options = {} } = flexVolume;
  return Object.entries(options).flatMap(([option, text]): readonly InstanceChoice[] => {
    const field = `${at}.flexVolume.options.${option.slice(0, LONGEST_OPTION)}`;
    const allowance = Object.hasOwn(known, option) ? known[option] : undefined;
    const value = text.slice(0, LONGEST_ANNOTATION);
    if (allowance === 'author' || allowance === 'ephemeralStorageGiB' || allowance === 'ipv6BandwidthMbps') return [];
    if (allowance === 'fileServers' || allowance === 'buckets') {
      const on = options[allowance === 'buckets' ? 'bucket' : 'server'];
      // Where there is no server or bucket, a path is somewhere on whatever there is by default.
      return option === 'path' && on !== undefined ? [] : [place(field, allowance, on ?? '', options['path'] ?? '/')];
    }
    if (allowance === 'newDiskGiB')
      return [{ field, value, allowance, amount: gibOf(value.trim()) ?? Number.POSITIVE_INFINITY }];
    return [{ field, value, allowance }];
  });
};

/** Allowances of paths on something. */
type PlaceAllowance = 'fileServers' | 'buckets' | 'dataCaches';

/**
 * A server or bucket with a `/` in it is none: together with the path it would name another place than the two do, such
 * as `10.0.0.9:/team/../other` and `/..`.
 */
const place = (field: string, allowance: PlaceAllowance, on: string, path: string): InstanceChoice => {
  const value = `${on}:${straight(path)}`.slice(0, LONGEST_ANNOTATION);
  return { field, value, allowance: on.includes('/') ? undefined : allowance };
};

/** The longest name of an option of a volume that is repeated, characters. */
const LONGEST_OPTION = 60;

/** A path without `.`, `..` and empty parts, as whoever mounts it goes it. */
const straight = (path: string): string => {
  const parts: string[] = [];
  for (const part of path.split('/'))
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  return `/${parts.join('/')}`;
};
