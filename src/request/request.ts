import type { InternetChargeType } from '../api/eip.ts';
import type { AllocateEip } from '../cloud/port.ts';

/** What a pod asked for, read once and never changed afterwards. */
export type EipRequest = NewEip | ExistingEip;

/** An EIP to be bought for the pod and given back after it. */
export interface NewEip extends Pick<
  AllocateEip,
  'bandwidthMbps' | 'internetChargeType' | 'isp' | 'name' | 'description' | 'publicIpAddressPoolId' | 'resourceGroupId'
> {
  readonly kind: 'new';
  readonly bandwidthPackageId?: string | undefined;
  readonly securityProtectionTypes: readonly string[];
  /** The user's own tags, in the order in which they were written. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}

/** An EIP of the user's: attached and detached, and otherwise left as it is. */
export interface ExistingEip {
  readonly kind: 'existing';
  readonly allocationId: string;
}

/** What the configuration says where the annotations are silent. */
export interface EipDefaults {
  readonly bandwidthMbps: number;
  readonly internetChargeType: InternetChargeType;
  readonly isp: string;
  /** Of an EIP that is paid by traffic: no other can be in a package. @default none */
  readonly bandwidthPackageId?: string | undefined;
}

/**
 * The request as it is kept in the PodEIP. `undefined` members are left out, so that equal requests are equal strings.
 */
export const writeRequest = (request: EipRequest): string => JSON.stringify(request);

/** Reads {@link writeRequest} back; undefined where the text is not a request, because somebody edited it. */
export const parseRequest = (text: string | undefined): EipRequest | undefined => {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRequest(value) ? value : undefined;
};

const isText = (value: unknown): value is string => typeof value === 'string';
const isTextOrAbsent = (value: unknown): boolean => value === undefined || isText(value);

const isRequest = (value: unknown): value is EipRequest => {
  if (typeof value !== 'object' || value === null) return false;
  const it = value as Partial<Record<keyof NewEip | keyof ExistingEip, unknown>>;
  if (it.kind === 'existing') return isText(it.allocationId);
  return (
    it.kind === 'new' &&
    Number.isInteger(it.bandwidthMbps) &&
    (it.internetChargeType === 'PayByTraffic' || it.internetChargeType === 'PayByBandwidth') &&
    isText(it.isp) &&
    [it.name, it.description, it.publicIpAddressPoolId, it.resourceGroupId, it.bandwidthPackageId].every(
      isTextOrAbsent,
    ) &&
    Array.isArray(it.securityProtectionTypes) &&
    it.securityProtectionTypes.every(isText) &&
    Array.isArray(it.tags) &&
    it.tags.every((tag) => Array.isArray(tag) && tag.length === 2 && tag.every(isText))
  );
};
