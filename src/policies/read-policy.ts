import * as z from 'zod';
import { EIP_POLICY, type EipPolicy } from '../api/eippolicy.ts';
import { workloadKindOf } from '../manifest/read-workload.ts';
import { maybe, oneLineOf, strings, unreadable, type Unreadable } from '../manifest/wire.ts';

const ids = maybe(z.array(z.string()));

/** The fields that are read, with the types of config/crd/eippolicies.podeip-controller.alibabacloud.com.yaml. */
const schema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    namespaces: ids,
    namespaceSelector: maybe(
      z.object({
        matchLabels: maybe(strings),
        matchExpressions: maybe(
          z.array(z.object({ key: z.string(), operator: z.string(), values: maybe(z.array(z.string())) })),
        ),
      }),
    ),
    existingEips: maybe(z.object({ ids, tags: maybe(z.array(strings)) })),
    bandwidthPackages: ids,
    publicIpAddressPools: ids,
    resourceGroups: ids,
    limits: maybe(z.object({ eips: maybe(z.int()), bandwidthMbps: maybe(z.int()) })),
    defaults: maybe(
      z.object({
        bandwidth: maybe(z.int().min(1)),
        internetChargeType: maybe(z.enum(['PayByTraffic', 'PayByBandwidth'])),
        isp: maybe(z.string()),
        bandwidthPackage: maybe(z.string()),
      }),
    ),
    virtualNode: maybe(
      z.object({
        ramRoles: ids,
        securityGroups: ids,
        vSwitches: ids,
        resourceGroups: ids,
        imageCaches: ids,
        instanceTypes: ids,
        disks: ids,
        fileServers: ids,
        buckets: ids,
        mountOptions: ids,
        tagKeys: ids,
        acrInstances: ids,
        acrRoles: ids,
        dataCaches: ids,
        privateAddresses: ids,
        ephemeralStorageGiB: maybe(z.int().min(0)),
        newDiskGiB: maybe(z.int().min(0)),
        ipv6BandwidthMbps: maybe(z.int().min(0)),
      }),
    ),
  }),
});

/** `other`: not an EipPolicy. */
type ReadPolicy = { readonly kind: 'policy'; readonly policy: EipPolicy } | { readonly kind: 'other' } | Unreadable;

/** Reads an EipPolicy. Never throws. */
export const readPolicyObject = (object: unknown): ReadPolicy => {
  if (workloadKindOf(object) !== `${EIP_POLICY.group}/${EIP_POLICY.kind}`) return { kind: 'other' };
  const read = schema.safeParse(object);
  if (!read.success) return unreadable(read.error, object);
  const { metadata, spec } = read.data;
  return { kind: 'policy', policy: { metadata: { name: metadata.name, uid: '', resourceVersion: '' }, spec } };
};

/**
 * The fields of a policy's spec that this version does not know, as paths, and where one has another type than this
 * version expects, why. Empty where all is understood. The definition in the cluster may be newer than the controller.
 */
export const unknownFields = (spec: unknown): readonly string[] => {
  const read = schema.shape.spec.safeParse(spec);
  return read.success ? leftOut(spec, read.data, 'spec') : [oneLineOf(unreadable(read.error, spec), 'spec')];
};

/** The paths of what is in `whole` and not in `read`. */
const leftOut = (whole: unknown, read: unknown, path: string): readonly string[] => {
  if (typeof whole !== 'object' || whole === null) return [];
  return Object.entries(whole).flatMap(([key, value]) => {
    const at = Array.isArray(whole) ? `${path}[${key}]` : `${path}.${key}`;
    if (value === null || value === undefined) return [];
    const there = (read as Readonly<Record<string, unknown>> | undefined)?.[key];
    return there === undefined ? [at] : leftOut(value, there, at);
  });
};
