import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ALLOW_EIP_ROB,
  CONTROLLER,
  CREATION_SETTINGS,
  EIP_BEFORE_TRAFFIC,
  KEYS,
} from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import { nearest } from '../lib/suggest.ts';
import { placeOfAnnotations } from './place-of-annotations.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import type { Annotations, Workload } from './workload.ts';

const PREFIXES = ['network.alibabacloud.com/', 'k8s.aliyun.com/'] as const;

/** Every key that an annotation can have, of this product or of the virtual nodes, which write some of them. */
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.values(KEYS).flat(),
  EIP_BEFORE_TRAFFIC,
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ALLOW_EIP_ROB,
  CONTROLLER,
  // ACS writes these (ACS documentation of pods with EIPs).
  ...['allocated-eip-id', 'allocated-eip-address', 'allocated-eipAddress'].map((name) => `${PREFIXES[0]}${name}`),
]);

const nameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** What users write, by the part after the slash: what is suggested to them. */
const SUGGESTED: ReadonlyMap<string, readonly string[]> = Map.groupBy(
  [...Object.values(KEYS).flat(), EIP_BEFORE_TRAFFIC].filter((key) => !key.includes('-bandwith-')),
  nameOf,
);
/** Names that nobody else has, whatever stands before them. */
const UNMISTAKABLE = new Set(['pod-with-eip', 'eci-with-eip', 'pod-eip-instanceid', 'eci-eip-instanceid']);

const MOST = 5;
/** Comparing words costs time, and a pod may carry 256 KiB of annotations (apimachinery, TotalAnnotationSizeLimitB). */
const MOST_COMPARED = 50;

/** What people write for the two keys that ask, and what is too far from them to be a slip of the hand. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ...['eip', 'with-eip', 'pod-eip', 'eci-eip', 'enable-eip', 'use-eip', 'allocate-eip'].map(
    (word) => [word, 'pod-with-eip'] as const,
  ),
  ...['eip-id', 'pod-eip-id', 'eip-instanceid', 'eip-instance-id', 'eip-allocation-id', 'eip-address'].map(
    (word) => [word, 'pod-eip-instanceid'] as const,
  ),
]);

/** The key of the setting as it should have been written, under the same prefix where that is one. */
const spelled = (key: string): string | undefined => {
  const word = nameOf(key).toLowerCase().replaceAll('_', '-');
  const name = OTHER_WORDS.get(word) ?? nearest(word, SUGGESTED.keys());
  const keys = name === undefined ? undefined : SUGGESTED.get(name);
  return keys && (nearest(key, keys, Number.POSITIVE_INFINITY) ?? keys[0]);
};

/** Near enough to be a slip of the hand where the word does not mention an EIP: one letter, or two swapped. */
const isSlip = (name: string): boolean =>
  name.length > 6 && name.length < 40 && nearest(name, SUGGESTED.keys(), 1) !== undefined;

/** ECI has dozens of annotations of its own (ECI documentation, "Pod annotations"). */
const isOfEci = (name: string): boolean => name.startsWith('eci-') && !name.startsWith('eci-w');

const isSuspect = (key: string, index: number): boolean => {
  if (KNOWN.has(key) || key.length > 120) return false;
  const name = nameOf(key);
  const isOurs = PREFIXES.some((prefix) => key.toLowerCase().startsWith(prefix.slice(0, -1)));
  if (isOurs) return /(^|[-_])eip([-_]|$)/i.test(name) || (index < MOST_COMPARED && !isOfEci(name) && isSlip(name));
  return UNMISTAKABLE.has(name) || (!key.includes('/') && SUGGESTED.has(name));
};

/** Keys that look like ours and that nobody reads. */
export const unknownKeys = (given: Annotations): readonly Finding[] =>
  Object.keys(given)
    .filter(isSuspect)
    .slice(0, MOST)
    .map((key) => {
      const meant = spelled(key);
      return finding(
        'UnknownKey',
        [key],
        `annotation ${/^[\x21-\x7e]+$/.test(key) ? key : JSON.stringify(key)} means nothing to anybody`,
        meant === undefined ? 'remove it' : `write ${meant} if that is what is meant`,
      );
    });

/**
 * Labels that send a pod to a virtual node (ECI documentation, "Schedule pods to ECI"); as annotations
 * nothing reads them.
 */
const LABELS_OF_ECI = ['alibabacloud.com/eci', 'eci', 'alibabacloud.com/acs'];

export const labelsAsAnnotations: Rule = ({ workload: { annotations } }) =>
  writtenKeys(LABELS_OF_ECI, annotations).map((key) =>
    finding(
      'UnknownKey',
      [key],
      `annotation ${key} means nothing to anybody: it is a label`,
      `write ${key}: "true" into the labels of the pod if it is to run there`,
    ),
  );

/** Every key that asks for an EIP or says what it is to be like. */
export const READ_KEYS: readonly string[] = [...new Set([...Object.values(KEYS).flat(), EIP_BEFORE_TRAFFIC])];

const NO_LABELS: Annotations = {};

/** Keys of annotations among the labels of the object or its pods, in the order of the settings. */
const keysAmongLabels = ({ template, outsideLabels = NO_LABELS }: Workload): readonly string[] => {
  const inner = template.metadata?.labels ?? NO_LABELS;
  // Nearly every object: its labels are few, and none is looked for under forty keys.
  if (![inner, outsideLabels].some((labels) => Object.keys(labels).some((key) => key.includes('eip')))) return [];
  return READ_KEYS.filter((key) => Object.hasOwn(inner, key) || Object.hasOwn(outsideLabels, key));
};

/** Annotations that were written as labels: `kubectl label` takes the same keys and says nothing. */
export const annotationsAsLabels: Rule = ({ workload }) => {
  const keys = keysAmongLabels(workload).filter((key) => !Object.hasOwn(workload.annotations, key));
  if (keys.length === 0) return [];
  const [are, them] = keys.length > 1 ? ['are labels', 'them'] : ['is a label', 'it'];
  return [
    finding(
      'AnnotationAsLabel',
      keys,
      `${keys.join(', ')} ${are}, and only annotations are read`,
      `write ${them} into ${placeOfAnnotations(workload)}`,
    ),
  ];
};

/** Settings that mean nothing by themselves. */
const SETTINGS: readonly string[] = [
  ...CREATION_SETTINGS.flatMap((setting) => KEYS[setting]),
  ...KEYS.releaseStrategy,
  ...KEYS.handover,
  EIP_BEFORE_TRAFFIC,
];

const ASKING: ReadonlySet<string> = new Set([...KEYS.withEip, ...KEYS.instanceId]);

/** How an EIP is to be is said, and that there is to be one is not. With pod-with-eip: "false" that is meant. */
export const nothingAsked: Rule = ({ workload, parsed: { wanted } }) => {
  if (wanted) return [];
  const { annotations, outside } = workload;
  const written = [...Object.keys(annotations), ...Object.keys(outside), ...keysAmongLabels(workload)];
  if (written.some((key) => ASKING.has(key))) return [];
  const keys = writtenKeys(SETTINGS, annotations);
  const [first] = keys;
  if (first === undefined) return [];
  return [
    finding(
      'SettingsWithoutRequest',
      keys,
      `${keys.join(', ')} ${keys.length > 1 ? 'say' : 'says'} what an EIP is to be like, and nothing asks for one`,
      `write ${first.slice(0, first.indexOf('/') + 1)}pod-with-eip: "true" beside ${keys.length > 1 ? 'them' : 'it'}`,
    ),
  ];
};

/**
 * Spellings that work and that nobody should write any more, with what to write instead: an older name (Terway,
 * daemon/k8s.go), and a slip of the ECI documentation that people have copied since ("Bind an EIP to a pod").
 */
const OLD_SPELLINGS: readonly (readonly [old: string, today: string])[] = [
  ['/eip-charge-type', '/eip-internet-charge-type'],
  ['/eip-common-bandwith-package-id', '/eip-common-bandwidth-package-id'],
];

const todaysSpelling = (key: string): string | undefined => {
  const [old, today] = OLD_SPELLINGS.find(([end]) => key.endsWith(end)) ?? [];
  return old === undefined ? undefined : `${key.slice(0, -old.length)}${today}`;
};

const LEGACY = Object.values(KEYS)
  .flat()
  .flatMap((key) => {
    const today = todaysSpelling(key);
    return today === undefined ? [] : [{ key, today }];
  });

export const legacyKeys: Rule = ({ workload: { annotations }, parsed }) =>
  !parsed.wanted
    ? []
    : LEGACY.filter(({ key }) => Object.hasOwn(annotations, key)).map(({ key, today }) =>
        finding('LegacyKey', [key], `annotation ${key} is an old spelling, which still works`, `write ${today}`),
      );
