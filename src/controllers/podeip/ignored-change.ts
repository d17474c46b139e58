import { KEYS, type Setting } from '../../api/annotations.ts';
import type { NewEip } from '../../request/request.ts';
import { isItsPod } from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';

/** By which annotation each setting of a new EIP is made. */
const SETTING = {
  bandwidthMbps: 'bandwidth',
  internetChargeType: 'internetChargeType',
  isp: 'isp',
  name: 'name',
  description: 'description',
  bandwidthPackageId: 'bandwidthPackageId',
  publicIpAddressPoolId: 'publicIpAddressPoolId',
  resourceGroupId: 'resourceGroupId',
  securityProtectionTypes: 'securityProtectionTypes',
  tags: 'tags',
} as const satisfies Record<Exclude<keyof NewEip, 'kind'>, Setting>;

const HOW = 'annotations count when the EIP is got; delete the PodEIP to have it given back and another one got';

/**
 * What the annotations of the pod ask for that its EIP is not, and will not be; undefined if there is nothing. An EIP
 * is never changed, so users are told that the change of an annotation had no effect. A change of the configured
 * defaults is not a change of what the pod asks for.
 */
export const ignoredChange = (it: PodEipSituation): string | undefined => {
  const { podEip, record, asked } = it;
  const { allocationID } = podEip.spec;
  if (allocationID === '' || podEip.metadata.deletionTimestamp !== undefined) return undefined;
  if (!asked || !isItsPod(it, asked.pod) || !asked.isWanted) return undefined;
  const [had, wants] = [record.request, asked.parsed.request];
  if (!had || !wants) return undefined;
  if (wants.kind === 'existing')
    return had.kind === 'existing' && had.allocationId === wants.allocationId
      ? undefined
      : `the pod names ${wants.allocationId} now, and has ${allocationID}: ${HOW}`;
  if (had.kind === 'existing') return `the pod asks for an EIP of its own now, and has ${allocationID}: ${HOW}`;
  const { annotations = {} } = asked.pod.metadata;
  const changed = (Object.keys(SETTING) as (keyof typeof SETTING)[]).filter(
    (field) =>
      KEYS[SETTING[field]].some((key) => annotations[key] !== undefined) && textOf(had[field]) !== textOf(wants[field]),
  );
  if (changed.length === 0) return undefined;
  const differences = changed.map(
    (field) => `${SETTING[field]} ${textOf(wants[field])} instead of ${textOf(had[field])}`,
  );
  return `the pod asks for ${differences.join(', ')} now, and ${allocationID} stays as it is: ${HOW}`;
};

const textOf = (value: NewEip[keyof typeof SETTING]): string => (value === undefined ? 'none' : JSON.stringify(value));
