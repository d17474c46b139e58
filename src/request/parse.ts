import { CREATION_SETTINGS, KEYS, type Setting } from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import type { EipDefaults, EipRequest } from './request.ts';
import { FOLLOW, type ReleasePolicy } from './release.ts';
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
 * Reads the annotations of a pod. Pure and total: every text gives an answer. All findings are returned at once, so that
 * nobody has to find their mistakes one by one. A request is returned only if nothing refuses it.
 */
export const parseAnnotations = (annotations: Annotations | undefined, defaults: EipDefaults): ParsedRequest => {
  const given = annotations ?? {};
  const findings: Finding[] = [];
  /** Where a setting stands: the keys that are there, the winning one first, and its text. */
  const find = (setting: Setting): { key: string; text: string; keys: readonly string[] } | undefined => {
    const keys = KEYS[setting].filter((key) => Object.hasOwn(given, key));
    const [key] = keys;
    return key === undefined ? undefined : { key, text: given[key] ?? '', keys };
  };
  const read = <T>(setting: Setting, reader: (text: string) => values.ParsedValue<T>): T | undefined => {
    const found = find(setting);
    if (!found) return undefined;
    const { key, text, keys } = found;
    if (keys.some((other) => given[other] !== text)) {
      findings.push({
        id: 'AnnotationsDisagree',
        severity: 'refuse',
        keys,
        problem: `annotations ${keys.map((k) => `${k} (${quote(given[k] ?? '')})`).join(' and ')} mean the same and disagree`,
        remedy: `keep ${key} only`,
      });
    }
    const result = reader(text);
    const said = 'wrong' in result ? result.wrong : result.warning;
    if (said) {
      findings.push({
        id: said.id,
        severity: 'wrong' in result ? 'refuse' : 'warn',
        keys: [key],
        problem: `annotation ${key}: ${quote(text)} ${said.problem}`,
        remedy: said.remedy,
      });
    }
    return 'wrong' in result ? undefined : result.value;
  };
  let release: ReleasePolicy = FOLLOW;
  let handover: values.Handover = 'ready';
  const done = (wanted: boolean, request?: EipRequest): ParsedRequest => {
    const isRefused = findings.some(({ severity }) => severity === 'refuse');
    return {
      wanted,
      request: isRefused ? undefined : request,
      release: request?.kind === 'new' ? release : FOLLOW,
      handover,
      findings,
    };
  };

  const withEipKey = find('withEip');
  const instanceKey = find('instanceId');
  if (!withEipKey && !instanceKey) return NOT_WANTED;

  const withEip = read('withEip', values.readBoolean);
  // Where another spelling says the opposite, somebody wants one: the virtual node may read that spelling alone.
  if (!instanceKey && withEip === false && findings.length === 0) return NOT_WANTED;
  if (!instanceKey) release = read('releaseStrategy', values.readReleaseStrategy) ?? FOLLOW;

  const handoverKey = find('handover');
  if (instanceKey) {
    handover = read('handover', values.readHandover) ?? 'ready';
    const allocationId = read('instanceId', values.readId('eip'));
    if (withEipKey) {
      findings.push({
        id: 'ExistingAndNew',
        severity: 'refuse',
        keys: [withEipKey.key, instanceKey.key],
        problem:
          withEip === false
            ? `annotation ${withEipKey.key} wants no EIP and ${instanceKey.key} names one`
            : `annotation ${withEipKey.key} asks for a new EIP and ${instanceKey.key} names an existing one`,
        remedy: `remove ${withEipKey.key} to attach the existing EIP, or ${instanceKey.key} ${withEip === false ? 'to have none' : 'to have one made'}`,
      });
    }
    const ignored = CREATION_SETTINGS.flatMap((setting) => KEYS[setting].filter((key) => Object.hasOwn(given, key)));
    if (ignored.length > 0) {
      findings.push({
        id: 'CreationSettingsIgnored',
        severity: 'warn',
        keys: ignored,
        problem: `${ignored.join(', ')} ${ignored.length > 1 ? 'say' : 'says'} how to make a new EIP and mean${ignored.length > 1 ? '' : 's'} nothing for an existing one`,
        remedy: `remove ${ignored.length > 1 ? 'them' : 'it'}, or change the EIP itself`,
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
    return done(true, allocationId === undefined ? undefined : { kind: 'existing', allocationId });
  }

  if (handoverKey) {
    findings.push({
      id: 'HandoverIgnored',
      severity: 'warn',
      keys: handoverKey.keys,
      problem: `annotation ${handoverKey.key}: ${quote(handoverKey.text)} is about an existing EIP, and each pod has a new one of its own`,
      remedy: `remove ${handoverKey.keys.join(' and ')}`,
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
  return done(true, {
    kind: 'new',
    bandwidthMbps:
      read('bandwidth', (value) => values.readBandwidth(value, internetChargeType)) ??
      Math.min(defaults.bandwidthMbps, values.MAX_BANDWIDTH_MBPS[internetChargeType]),
    internetChargeType,
    isp: read('isp', values.readIsp) ?? defaults.isp,
    ...text,
    securityProtectionTypes: read('securityProtectionTypes', values.readProtectionTypes) ?? [],
    tags: read('tags', values.readTags) ?? [],
  });
};
