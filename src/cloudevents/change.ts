import { z } from 'zod';

/**
 * What can happen to an address:
 *
 * - `allocated` the pod's PodEIP has an EIP of its own: bought, made by the virtual node, or taken over from
 *   an earlier pod
 * - `associated` the EIP is bound to the pod's private address · `disassociated` it no longer is
 * - `released` the EIP was given back to the cloud
 * - `failed` no address, or no release, until somebody acts · `conflict` the same, because others want or have the EIP
 * - `drift` something else changed an EIP that was in use
 */
export const CHANGES = ['allocated', 'associated', 'disassociated', 'released', 'failed', 'conflict', 'drift'] as const;

export type ChangeKind = (typeof CHANGES)[number];

const described = <T extends z.ZodType>(type: T, description: string) => type.meta({ description });
const name = (description: string) => described(z.string().min(1), description);

/** What every event says. */
const always = {
  namespace: name('Namespace of the pod and of its PodEIP'),
  pod: name('Name of the pod and of its PodEIP'),
  podUID: described(z.string().optional(), 'UID of the pod'),
  podEIPUID: name('UID of the PodEIP, the record of the address'),
  service: described(z.string().optional(), 'Name of the Knative Service, where the pod is of one'),
  revision: described(z.string().optional(), 'Name of the Knative Revision, where the pod is of one'),
  managedBy: described(z.enum(['Controller', 'ECI']), 'Who makes and releases the address'),
  allocationType: described(
    z.enum(['Auto', 'Static']),
    'Auto: the EIP was made for the pod and goes with it. Static: it is the user’s and is only attached',
  ),
};

const eip = { allocationID: name('ID of the EIP, eip-…') };
const address = { address: name('The public IPv4 address') };
const place = {
  networkInterfaceID: name('ID of the network interface, eni-…'),
  privateIPAddress: described(z.string().optional(), 'The private address of the pod'),
};
const why = {
  reason: name('Why, in CamelCase: the reason of the PodEIP’s condition Ready'),
  message: described(z.string(), 'Why, in words'),
};
const perhaps = {
  allocationID: eip.allocationID.optional(),
  address: address.address.optional(),
};

const OF_KIND = {
  allocated: z.object({ ...always, ...eip, address: perhaps.address }),
  associated: z.object({ ...always, ...eip, ...address, ...place }),
  disassociated: z.object({ ...always, ...eip, ...address, ...place }),
  released: z.object({ ...always, ...eip, address: perhaps.address }),
  failed: z.object({ ...always, ...perhaps, ...why }),
  conflict: z.object({ ...always, ...perhaps, ...why }),
  drift: z.object({ ...always, ...eip, address: perhaps.address, ...why }),
} as const satisfies Record<ChangeKind, z.ZodType>;

/** The data of an event, by what happened. */
export type ChangeData = z.infer<(typeof OF_KIND)[ChangeKind]>;

/** One change as it is written down before anybody is told: all that its event says. */
export interface EipChange {
  readonly kind: ChangeKind;
  /** 1 for the first change of a PodEIP, then counted up. */
  readonly sequence: number;
  /** When it was noticed, wall time in milliseconds; never before the change before it. */
  readonly at: number;
  readonly data: ChangeData;
}

const CHANGE = z.object({ kind: z.enum(CHANGES), sequence: z.int().min(1), at: z.number(), data: z.unknown() });

/** Reads a change that was written down; undefined where it is none. */
export const parseChange = (value: unknown): EipChange | undefined => {
  const { data: change } = CHANGE.safeParse(value);
  if (!change || !OF_KIND[change.kind].safeParse(change.data).success) return undefined;
  // As it was written, so that an event that comes again is the same to the byte.
  return { ...change, data: change.data as ChangeData };
};

/** Name of the schema of an event's data, in the attribute `dataschema` and as the schema's own `$id`. RFC 4151. */
export const schemaId = (kind: ChangeKind): string => `tag:alibabacloud.com,2026:knative-eip/eip.${kind}.v1`;

/** The JSON schema of an event's data, as it is published. Open: data may gain properties within a version. */
export const changeSchema = (kind: ChangeKind): object => {
  const { $schema, ...schema } = z.toJSONSchema(OF_KIND[kind], { io: 'input' });
  return { $schema, $id: schemaId(kind), title: `Data of the CloudEvent eip.${kind}.v1`, ...schema };
};
