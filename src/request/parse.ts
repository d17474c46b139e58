import { CREATION_SETTINGS, KEYS, type Setting } from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import type { EipDefaults, EipRequest } from './request.ts';
import { FOLLOW, type ReleasePolicy } from './release-policy.ts';
import * as values from './values.ts';
import { quote } from '../lib/text.ts';

/** What the annotations of a pod mean. */
export interface ParsedRequest {
  /** Whether an address is asked for at all; then there is a request, or a finding that refuses it. */
  readonly wanted: boolean;
  readonly request?: EipRequest | undefined;
  /** When a new EIP is given back; `Follow` where the pod does not say, or says something that is refused. */
  readonly release: ReleasePolicy;
  /** How an existing EIP comes from an older pod of the same Knative Service. */
  readonly handover: values.Handover;
  readonly findings: readonly Finding[];
}

const NOT_WANTED: ParsedRequest = { wanted: false, release: FOLLOW, handover: 'ready', findings: [] };

type Annotations = Readonly<Record<string, string>>;

/**
 * Reads the annotations of a pod. Pure and total: every text gives an answer. All findings are returned at once, so
 * that nobody has to find their mistakes one by one. A request is returned only if nothing refuses it.
 */
export const parseAnnotations = (annotations: Annotations | undefined, defaults: EipDefaults): ParsedRequest => {
  const reader = readerOf(annotations ?? {});
  const withEipKey = reader.find('withEip');
  const instanceKey = reader.find('instanceId');
  if (!withEipKey && !instanceKey) return NOT_WANTED;
  const withEip = reader.read('withEip', values.readBoolean);
  if (instanceKey) return parseExisting(reader, instanceKey, withEipKey && { ...withEipKey, isWanted: withEip });
  // Where another spelling says the opposite, somebody wants one: the virtual node may read that spelling alone.
  if (withEip === false && reader.findings.length === 0) return NOT_WANTED;
  return parseNew(reader, defaults);
};

/** Where a setting stands: the keys that are there, the winning one first, and its text. */
interface Place {
  readonly key: string;
  readonly text: string;
  readonly keys: readonly string[];
}

/** Reads one setting after the other and collects what there is to say of them. */
interface Reader {
  readonly given: Annotations;
  readonly findings: Finding[];
  readonly find: (setting: Setting) => Place | undefined;
  /** Undefined where the setting is not there, or wrong. */
  readonly read: <T>(setting: Setting, reader: (text: string) => values.ParsedValue<T>) => T | undefined;
}

/** Which setting a key makes. */
const SETTING_OF: ReadonlyMap<string, Setting> = new Map(
  (Object.keys(KEYS) as Setting[]).flatMap((setting) => KEYS[setting].map((key) => [key, setting] as const)),
);

const readerOf = (given: Annotations): Reader => {
  const findings: Finding[] = [];
  // A pod has few of some forty keys: the settings that it does not make are not looked for under each spelling.
  const made = new Set(Object.keys(given).map((key) => SETTING_OF.get(key)));
  const find: Reader['find'] = (setting) => {
    if (!made.has(setting)) return undefined;
    const keys = KEYS[setting].filter((key) => Object.hasOwn(given, key));
    const [key] = keys;
    return key === undefined ? undefined : { key, text: given[key] ?? '', keys };
  };
  const read: Reader['read'] = (setting, reader) => {
    const found = find(setting);
    if (!found) return undefined;
    const { key, text, keys } = found;
    if (keys.some((other) => given[other] !== text)) findings.push(disagreement(setting, keys, given));
    const result = reader(text);
    const isWrong = result.kind === 'wrong';
    const said = isWrong ? result.wrong : result.warning;
    if (said) {
      findings.push({
        id: said.id,
        severity: isWrong ? 'refuse' : 'warn',
        keys: [key],
        problem: `annotation ${key}: ${quote(text)} ${said.problem}`,
        remedy: said.remedy,
      });
    }
    return isWrong ? undefined : result.value;
  };
  return { given, findings, find, read };
};

const disagreement = (setting: Setting, keys: readonly string[], given: Annotations): Finding => ({
  id: 'AnnotationsDisagree',
  severity: 'refuse',
  keys,
  problem: `annotations ${keys.map((k) => `${k} (${quote(given[k] ?? '')})`).join(' and ')} mean the same and disagree`,
  remedy: remedyOf(setting, keys, given),
});

/** Which of them is meant nobody can tell; which one asks for an EIP can be said. */
const remedyOf = (setting: Setting, keys: readonly string[], given: Annotations): string => {
  const asking = keys.filter((key) => given[key] === 'true');
  const others = keys.filter((key) => given[key] === 'false');
  return setting === 'withEip' && asking.length > 0 && others.length > 0
    ? `keep ${asking.join(' and ')} for a new EIP, or ${others.join(' and ')} for none`
    : 'keep the one that you mean';
};

/** The request, unless something refuses it. */
const parsed = (findings: readonly Finding[], request: EipRequest | undefined, how: Partial<ParsedRequest>) => {
  const isRefused = findings.some(({ severity }) => severity === 'refuse');
  return { ...NOT_WANTED, ...how, wanted: true, request: isRefused ? undefined : request, findings };
};

/** A request for an EIP that exists. `withEip` is there where a new one is asked for, or ruled out, beside it. */
const parseExisting = (
  reader: Reader,
  instance: Place,
  withEip: (Place & { readonly isWanted: boolean | undefined }) | undefined,
): ParsedRequest => {
  const { given, findings, find, read } = reader;
  const handover = read('handover', values.readHandover) ?? 'ready';
  const allocationId = read('instanceId', values.readId('eip'));
  if (withEip) {
    const isRuledOut = withEip.isWanted === false;
    findings.push({
      id: 'ExistingAndNew',
      severity: 'refuse',
      keys: [withEip.key, instance.key],
      problem: isRuledOut
        ? `annotation ${withEip.key} wants no EIP and ${instance.key} names one`
        : `annotation ${withEip.key} asks for a new EIP and ${instance.key} names an existing one`,
      remedy: `remove ${withEip.key} to attach the existing EIP, or ${instance.key} ${isRuledOut ? 'to have none' : 'to have one made'}`,
    });
  }
  const ignored = CREATION_SETTINGS.flatMap((setting) => KEYS[setting].filter((key) => Object.hasOwn(given, key)));
  if (ignored.length > 0) {
    const isOne = ignored.length === 1;
    findings.push({
      id: 'CreationSettingsIgnored',
      severity: 'warn',
      keys: ignored,
      problem: `${ignored.join(', ')} ${isOne ? 'says' : 'say'} how to make a new EIP and ${isOne ? 'means' : 'mean'} nothing for an existing one`,
      remedy: `remove ${isOne ? 'it' : 'them'}, or change the EIP itself`,
    });
  }
  const strategy = find('releaseStrategy');
  if (strategy && strategy.text !== 'Follow') {
    findings.push({
      id: 'ReleaseStrategyIgnored',
      severity: 'warn',
      keys: strategy.keys,
      problem: `annotation ${strategy.key}: ${quote(strategy.text)} is about when a new EIP is released, and an existing one never is`,
      remedy: `remove ${strategy.keys.join(' and ')}`,
    });
  }
  return parsed(findings, allocationId === undefined ? undefined : { kind: 'existing', allocationId }, { handover });
};

/** A request for an EIP that is to be made. */
const parseNew = ({ findings, find, read }: Reader, defaults: EipDefaults): ParsedRequest => {
  const release = read('releaseStrategy', values.readReleaseStrategy) ?? FOLLOW;
  const handover = find('handover');
  if (handover) {
    findings.push({
      id: 'HandoverIgnored',
      severity: 'warn',
      keys: handover.keys,
      problem: `annotation ${handover.key}: ${quote(handover.text)} is about an existing EIP, and each pod has a new one of its own`,
      remedy: `remove ${handover.keys.join(' and ')}`,
    });
  }
  read('instanceChargeType', values.readInstanceChargeType);
  const internetChargeType = read('internetChargeType', values.readInternetChargeType) ?? defaults.internetChargeType;
  const text = {
    name: read('name', values.readName),
    description: read('description', values.readDescription),
    publicIpAddressPoolId: read('publicIpAddressPoolId', values.readId('pippool')),
    resourceGroupId: read('resourceGroupId', values.readId('rg')),
    bandwidthPackageId:
      read('bandwidthPackageId', values.readId('cbwp')) ??
      (internetChargeType === 'PayByTraffic' ? defaults.bandwidthPackageId : undefined),
  };
  const request: EipRequest = {
    kind: 'new',
    bandwidthMbps:
      read('bandwidth', (value) => values.readBandwidth(value, internetChargeType)) ??
      Math.min(defaults.bandwidthMbps, values.MAX_BANDWIDTH_MBPS[internetChargeType]),
    internetChargeType,
    isp: read('isp', values.readIsp) ?? defaults.isp,
    ...text,
    securityProtectionTypes: read('securityProtectionTypes', values.readProtectionTypes) ?? [],
    tags: read('tags', values.readTags) ?? [],
  };
  return parsed(findings, request, { release });
};
