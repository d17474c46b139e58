import * as z from 'zod';

/**
 * The changes of an address that become events:
 *
 * - `allocated`: the PodEIP has an EIP of its own: bought, made by the virtual node, or transferred from an earlier pod
 * - `associated`: the EIP is bound to the pod's private address; `disassociated`: it no longer is
 * - `released`: the EIP was given back to the cloud
 * - `failed`: there will be no address, or no release, until somebody acts; `conflict`: the same, because others want
 * or have the EIP
 * - `drift`: something other than the controller changed an EIP that was in use
 */
export const CHANGES = ['allocated', 'associated', 'disassociated', 'released', 'failed', 'conflict', 'drift'] as const;

export type ChangeKind = (typeof CHANGES)[number];

const described = <T extends z.ZodType>(type: T, description: string) => type.meta({ description });
const name = (description: string) => described(z.string().min(1), description);

/** The properties that all events have. */
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

/**
 * Why an EIP is no longer bound where it was. `HandedOver` and `Moved` are followed by `associated` with the same
 * address: what was entered for it may stay.
 */
const WHY_UNBOUND = ['PodDeleted', 'HandedOver', 'Moved', 'Lost', 'Withdrawn'] as const;

export type WhyUnbound = (typeof WHY_UNBOUND)[number];

const unbound = described(
  // Changes that an earlier version has written down have none.
  z.enum(WHY_UNBOUND).optional(),
  'PodDeleted: the pod has ended. HandedOver: the EIP goes to another pod of the same Knative Service. Moved: the pod has another private address, to which the EIP is bound next. Lost: something other than the controller took the EIP from the pod. Withdrawn: the controller did, while the pod runs',
);

const OF_KIND = {
  allocated: z.object({ ...always, ...eip, address: perhaps.address }),
  associated: z.object({ ...always, ...eip, ...address, ...place }),
  disassociated: z.object({ ...always, ...eip, ...address, ...place, reason: unbound }),
  released: z.object({ ...always, ...eip, address: perhaps.address }),
  failed: z.object({ ...always, ...perhaps, ...why }),
  conflict: z.object({ ...always, ...perhaps, ...why }),
  drift: z.object({ ...always, ...eip, address: perhaps.address, ...why }),
} as const satisfies Record<ChangeKind, z.ZodType>;

/** The data of an event, by the kind of the change. */
export type ChangeData = z.infer<(typeof OF_KIND)[ChangeKind]>;

/** One change as it is stored before it is sent: everything that its event says. */
export interface EipChange {
  readonly kind: ChangeKind;
  /** Numbers the changes of one PodEIP from 1 on. */
  readonly sequence: number;
  /** When it was noticed, wall time in milliseconds; never earlier than the previous change. */
  readonly at: number;
  readonly data: ChangeData;
}

const CHANGE = z.object({ kind: z.enum(CHANGES), sequence: z.int().min(1), at: z.number(), data: z.unknown() });

/** Reads a stored change; undefined if it is none. */
export const parseChange = (value: unknown): EipChange | undefined => {
  const { data: change } = CHANGE.safeParse(value);
  if (!change || !OF_KIND[change.kind].safeParse(change.data).success) return undefined;
  // Unknown properties are kept, so that an event that is sent again is identical to the byte.
  return { ...change, data: change.data as ChangeData };
};

/** The name of the schema of an event's data, for the attribute `dataschema` and the schema's `$id`. RFC 4151. */
export const schemaId = (kind: ChangeKind): string => `tag:alibabacloud.com,2026:knative-eip/eip.${kind}.v1`;

/** The JSON schema of an event's data, as it is published. Open: within a version, data may gain properties. */
export const changeSchema = (kind: ChangeKind): object => {
  const { $schema, ...schema } = z.toJSONSchema(OF_KIND[kind], { io: 'input' });
  return { $schema, $id: schemaId(kind), title: `Data of the CloudEvent eip.${kind}.v1`, ...schema };
};
