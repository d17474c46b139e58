import type { VirtualNodeAllowances } from '../api/eippolicy.ts';
import { CHOSEN_ANNOTATIONS, type Allowance } from './instance-table.ts';

/** A volume as far as it chooses something of the account. */
export interface ChoosingVolume {
  readonly name: string;
  readonly nfs?: { readonly server: string; readonly path: string } | undefined;
  readonly flexVolume?:
    { readonly driver: string; readonly options?: Readonly<Record<string, string>> | undefined } | undefined;
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
  /** Infinity where it is no number. */
  | { readonly allowance: AmountAllowance; readonly gib: number }
  /** Nobody may, because nobody knows what it would choose. */
  | { readonly allowance: undefined }
);

/** Allowances that are the most of something. */
type AmountAllowance = 'ephemeralStorageGiB' | 'newDiskGiB';
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
  ...volumes.flatMap(byVolume),
];

const byAnnotation = (key: string, allowance: Allowance, given: string): readonly InstanceChoice[] => {
  const text = given.slice(0, LONGEST_ANNOTATION).trim();
  if (text === '') return [];
  const field = `metadata.annotations[${key}]`;
  if (allowance === 'ephemeralStorageGiB' || allowance === 'newDiskGiB') {
    const gib = gibOf(text);
    // The virtual node reads it in the same way, and refuses what is no size.
    return gib === undefined ? [] : [{ field, key, value: text, allowance, gib }];
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

const byVolume = ({ name, nfs, flexVolume }: ChoosingVolume): readonly InstanceChoice[] => {
  const at = `spec.volumes[${name}]`;
  if (nfs) return [place(`${at}.nfs`, 'fileServers', nfs.server, nfs.path)];
  // A driver is named by whoever writes the pod, `__proto__` too.
  if (!flexVolume || !Object.hasOwn(FLEX_OPTIONS, flexVolume.driver)) return [];
  const known = FLEX_OPTIONS[flexVolume.driver] ?? {};
  const { options = {} } = flexVolume;
  return Object.entries(options).flatMap(([option, text]): readonly InstanceChoice[] => {
    const field = `${at}.flexVolume.options.${option.slice(0, LONGEST_OPTION)}`;
    const allowance = Object.hasOwn(known, option) ? known[option] : undefined;
    const value = text.slice(0, LONGEST_ANNOTATION);
    if (allowance === 'author' || allowance === 'ephemeralStorageGiB') return [];
    if (allowance === 'fileServers' || allowance === 'buckets') {
      const on = options[allowance === 'buckets' ? 'bucket' : 'server'];
      // Where there is no server or bucket, a path is somewhere on whatever there is by default.
      return option === 'path' && on !== undefined ? [] : [place(field, allowance, on ?? '', options['path'] ?? '/')];
    }
    if (allowance === 'newDiskGiB')
      return [{ field, value, allowance, gib: gibOf(value.trim()) ?? Number.POSITIVE_INFINITY }];
    return [{ field, value, allowance }];
  });
};

/**
 * A server or bucket with a `/` in it is none: together with the path it would name another place than the two do, such
 * as `10.0.0.9:/team/../other` and `/..`.
 */
const place = (field: string, allowance: 'fileServers' | 'buckets', on: string, path: string): InstanceChoice => {
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
