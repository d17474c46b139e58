import type { Tag } from '../../cloud/port.ts';
import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import type { NodeSettings, Remarks } from './input.ts';

const K8S = 'k8s.aliyun.com/';
const IDS = { vsw: /^vsw-[a-z0-9-]+$/, sg: /^sg-[a-z0-9-]+$/ };

type Annotated = Partial<ContainerGroupSpec> & Pick<ContainerGroupSpec, 'securityGroupId' | 'vSwitchIds'>;

/**
 * What ECI's own annotations on a pod say about its instance. Source: ECI documentation, "Pod annotations supported by
 * ECI". A value that cannot be read is refused: a guess would be paid for.
 */
export const annotated = (
  annotations: Readonly<Record<string, string>>,
  settings: NodeSettings,
  remarks: Remarks,
): { spec: Annotated; tags: readonly Tag[] } => {
  const read = <T>(key: string, parse: (text: string) => T | undefined, allowed: string): T | undefined => {
    const text = annotations[K8S + key]?.trim();
    if (text === undefined || text === '') return undefined;
    const value = parse(text);
    if (value === undefined)
      remarks.refusals.push({
        field: `metadata.annotations[${K8S}${key}]`,
        problem: `${JSON.stringify(text)} is not possible`,
        remedy: `write ${allowed}`,
      });
    return value;
  };
  const oneOf =
    <T extends string>(...values: readonly T[]) =>
    (text: string) =>
      values.find((each) => each === text);
  const number =
    (least: number, most: number, isWhole = true) =>
    (text: string) => {
      const value = /^\d+(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most && (!isWhole || Number.isInteger(value)) ? value : undefined;
    };
  const list = (pattern: RegExp, most: number) => (text: string) => {
    const items = text.split(',').map((each) => each.trim());
    return items.length <= most && items.every((each) => pattern.test(each)) ? items : undefined;
  };
  const word = (text: string) => (/^[\w.@-]{1,128}$/.test(text) ? text : undefined);
  const bool = (text: string) => (text === 'true' ? true : text === 'false' ? false : undefined);

  const vSwitchIds = read('eci-vswitch', list(IDS.vsw, 10), 'at most 10 IDs such as vsw-bp1…, separated by commas');
  const securityGroupId = read(
    'eci-security-group',
    list(IDS.sg, 1),
    'one ID such as sg-bp1…: CreateContainerGroup takes one',
  )?.[0];
  const strategies = ['NoSpot', 'SpotAsPriceGo', 'SpotWithPriceLimit'] as const;
  const spotStrategy = read('eci-spot-strategy', oneOf(...strategies), `one of ${strategies.join(', ')}`);
  const spotPriceLimit = read(
    'eci-spot-price-limit',
    number(0, 100_000, false),
    'a price per hour with at most three decimals',
  );
  if (spotStrategy === 'SpotWithPriceLimit' && spotPriceLimit === undefined)
    remarks.refusals.push({
      field: `metadata.annotations[${K8S}eci-spot-strategy]`,
      problem: 'SpotWithPriceLimit has no limit',
      remedy: `write ${K8S}eci-spot-price-limit too, or SpotAsPriceGo`,
    });
  const spec = {
    vSwitchIds: vSwitchIds ?? settings.vSwitchIds,
    securityGroupId: securityGroupId ?? settings.securityGroupId,
    // A vSwitch is in one zone, which need not be the node's.
    zoneId: vSwitchIds ? undefined : settings.zoneId,
    scheduleStrategy: read(
      'eci-schedule-strategy',
      oneOf('VSwitchOrdered', 'VSwitchRandom'),
      'VSwitchOrdered or VSwitchRandom',
    ),
    instanceTypes: read(
      'eci-use-specs',
      list(/^[a-z0-9.-]+$/, 5),
      'at most 5 instance types such as ecs.c6.large, or 2-4Gi, separated by commas',
    ),
    spotStrategy,
    spotPriceLimit,
    spotDuration: read('eci-spot-duration', number(0, 1), '0 or 1, hours'),
    ramRoleName: read('eci-ram-role-name', word, 'the name of a RAM role'),
    resourceGroupId: settings.resourceGroupId,
    imageSnapshotId:
      read('eci-imc-id', word, 'the ID of an image cache') ??
      read('eci-image-snapshot-id', word, 'the ID of an image cache') ??
      read('eci-image-cache', word, 'the ID of an image cache'),
    autoMatchImageCache:
      read('eci-auto-imc', bool, '"true" or "false"') ?? read('eci-image-cache-auto', bool, '"true" or "false"'),
    ephemeralStorage: read(
      'eci-extra-ephemeral-storage',
      (text) => number(1, 2000)(text.replace(/Gi$/, '')),
      'a size such as 50Gi',
    ),
    ipv6AddressCount: read('eci-enable-ipv6', bool, '"true" or "false"') === true ? 1 : undefined,
  };
  const pairs = read(
    'eci-custom-tags',
    list(/^[^:,]{1,128}:[^,]{0,128}$/, 3),
    'at most three tags as "key:value,key:value"',
  );
  const tags = pairs?.map((pair) => {
    const colon = pair.indexOf(':');
    return { key: pair.slice(0, colon), value: pair.slice(colon + 1) };
  });
  return { spec, tags: tags ?? [] };
};
