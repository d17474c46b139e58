import test, { type ExecutionContext } from 'ava';
import {
  ADOPTED,
  BINDINGS,
  CONTROLLER,
  FORMER_POD_UID,
  GENERATION,
  GONE_SINCE,
  QUIET_SINCE,
  KEYS,
  POD_UID,
  REGION,
  REQUEST,
  REUSABLE,
  SUCCESSOR_UID,
  TAG_PODEIP_UID,
} from '../../../src/api/annotations.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import { PODEIP, type PodEip } from '../../../src/api/podeip.ts';
import { definitionOf } from '../../harness/cluster.ts';
import { World } from '../../harness/world.ts';

/**
 * Every field of a PodEIP in use, edited by hand, and what comes of it: while its pod runs, after its pod, and once the
 * PodEIP is deleted. Whatever it is, the EIP of somebody else is as it was, and nothing of it is to be read.
 */

const NEW = { [KEYS.withEip[0]]: 'true' };
const A_WHILE = 45_000;
const VICTIM = 'eip-victim';
const BINDING = { networkInterfaceId: 'eni-9', privateIpAddress: '10.0.9.9', isPrimary: false, podUid: 'victim' };

/**
 * - `given back`: with the pod, or once the PodEIP is deleted, as without the edit
 * - `kept`: nothing releases it any more, and it carries no tag of ours
 * - `swept`: as the request names an EIP of the user's, nothing is released; the tags say whose it is, and garbage
 *   collection releases it
 * - `left alone`: PodEIP and EIP stay, and it is said, because the PodEIP says that it is another controller's
 */
type End = 'given back' | 'kept' | 'swept' | 'left alone';

interface Edit {
  readonly body: object;
  readonly isStatus?: true;
  /** What of the status is as it was edited. @default nothing */
  readonly stays?: object;
  /** The reason of Ready while the pod runs. @default InUse */
  readonly reason?: string;
  /** @default given back */
  readonly end?: End;
}

const note = (key: string, value: string | null): object => ({ metadata: { annotations: { [key]: value } } });
const type = (allocationType: object): object => ({ spec: { allocationType } });
const status = (body: object): Edit => ({ body: { status: body }, isStatus: true });

const EDITS: Readonly<Record<string, Edit>> = {
  'spec.allocationID: emptied': { body: { spec: { allocationID: '' } } },
  'spec.allocationID: another EIP': { body: { spec: { allocationID: VICTIM } } },
  'spec.allocationType.type': { body: type({ type: 'Static' }), end: 'kept' },
  'spec.allocationType.releaseStrategy: Never': { body: type({ releaseStrategy: 'Never' }) },
  'spec.allocationType.releaseStrategy: TTL without a time': { body: type({ releaseStrategy: 'TTL' }) },
  'spec.allocationType.releaseStrategy: TTL': { body: type({ releaseStrategy: 'TTL', releaseAfter: '10s' }) },
  'spec.allocationType.releaseAfter': { body: type({ releaseAfter: 'soon' }) },
  'spec.bandwidthPackageID': { body: { spec: { bandwidthPackageID: 'cbwp-of-others' } } },
  'metadata.finalizers': { body: { metadata: { finalizers: [] } } },
  'metadata.labels': { body: { metadata: { labels: { [SERVICE_LABEL]: 'theirs', [SERVICE_UID]: 'theirs' } } } },
  // The tags of its EIP prove that it is this PodEIP's, and no other controller's: it is taken up again.
  'controller: none': { body: note(CONTROLLER, null) },
  'controller: another': { body: note(CONTROLLER, 'somebody'), end: 'left alone' },
  'controller: the virtual node, which has no finalizer': { body: note(CONTROLLER, 'eci-virtual-node') },
  'pod UID: none': { body: note(POD_UID, null) },
  'pod UID: another': { body: note(POD_UID, 'victim') },
  'request: none': { body: note(REQUEST, null), reason: 'RecordTampered' },
  'request: no JSON': { body: note(REQUEST, '{'), reason: 'RecordTampered' },
  'request: another EIP': {
    body: note(REQUEST, JSON.stringify({ kind: 'existing', allocationId: VICTIM })),
    reason: 'RecordTampered',
    end: 'swept',
  },
  generation: { body: note(GENERATION, '99') },
  region: { body: note(REGION, 'cn-beijing') },
  'bindings: none': { body: note(BINDINGS, null) },
  'bindings: of another pod': { body: note(BINDINGS, JSON.stringify([BINDING])) },
  'gone since': { body: note(GONE_SINCE, '2000-01-01T00:00:00Z') },
  'former pod': { body: note(FORMER_POD_UID, 'victim') },
  'quiet since': { body: note(QUIET_SINCE, '2000-01-01T00:00:00Z') },
  offered: { body: note(REUSABLE, 'true') },
  successor: { body: note(SUCCESSOR_UID, 'victim') },
  adopted: { body: note(ADOPTED, 'somebody') },
  'status.eipAddress': status({ eipAddress: '198.51.100.7' }),
  'status.privateIPAddress': status({ privateIPAddress: '10.0.9.9' }),
  'status.networkInterfaceID': status({ networkInterfaceID: 'eni-9' }),
  'status.status': status({ status: 'Released' }),
  'status.podLastSeen': status({ podLastSeen: '2000-01-01T00:00:00Z' }),
  'status.managedBy': status({ managedBy: 'ECI' }),
  'status.internetChargeType': status({ internetChargeType: 'PayByBandwidth' }),
  'status.isp': status({ isp: 'BGP_PRO' }),
  'status.bandwidth': status({ bandwidth: '9999' }),
  'status.name': status({ name: 'of somebody' }),
  'status.bandwidthPackageID': status({ bandwidthPackageID: 'cbwp-of-others' }),
  'status.publicIpAddressPoolID': status({ publicIpAddressPoolID: 'pippool-of-others' }),
  'status.resourceGroupID': status({ resourceGroupID: 'rg-of-others' }),
  // Of older releases of Terway: nothing reads or writes it.
  'status.period': { ...status({ period: 3 }), stays: { period: 3 } },
  'status.conditions': status({ conditions: [] }),
};

/** The status without the times at which it is written. */
const lasting = (podEip: PodEip | undefined): object => ({
  ...podEip?.status,
  podLastSeen: undefined,
  conditions: podEip?.status?.conditions?.map((it) => ({ ...it, lastTransitionTime: undefined })),
});

const victimOf = (world: World) => world.cloud.eips().find(({ allocationId }) => allocationId === VICTIM);
const oursIn = (world: World) => world.cloud.eips().filter(({ allocationId }) => allocationId !== VICTIM);

const play = async (t: ExecutionContext, edit: Edit) => {
  const { body, isStatus, stays = {}, reason = 'InUse', end = 'given back' } = edit;
  const world = await World.create();
  const victim = world.cloud.world.addEip({ allocationId: VICTIM, name: 'of the neighbours', tags: { team: 'them' } });
  const { ipAddress } = victim;
  await world.runPod('a', NEW);
  await world.pass(A_WHILE);
  const [before] = await world.podEips();
  await world.patchPodEip('a', { type: 'merge', body, ...(isStatus && { subresource: 'status' }) });
  await world.pass(2 * A_WHILE);

  const [podEip] = await world.podEips();
  if (isStatus) t.deepEqual(lasting(podEip), { ...lasting(before), ...stays }, 'it is what the cloud says again');
  if (end !== 'left alone')
    t.is(podEip?.status?.conditions?.find((it) => it.type === 'Ready')?.reason, reason, 'while the pod runs');
  const readable = JSON.stringify([podEip, await world.pod('a'), world.events]);
  t.false(readable.includes(ipAddress), 'no address of others');
  t.false(readable.includes('of the neighbours'));

  await world.deletePod('a');
  await world.pass(A_WHILE);
  await world.deletePodEip('a');
  await world.pass(4 * A_WHILE);
  t.deepEqual(victimOf(world)?.tags, victim.tags);
  t.like(victimOf(world), { status: 'Available', name: 'of the neighbours' });
  t.is(oursIn(world).length, end === 'given back' ? 0 : 1, JSON.stringify(oursIn(world)));
  t.is((await world.podEips()).length, end === 'left alone' ? 1 : 0);
  if (end === 'kept') t.deepEqual([...(oursIn(world)[0]?.tags.keys() ?? [])], [TAG_PODEIP_UID]);
  if (end === 'swept') t.true(oursIn(world)[0]?.tags.has(TAG_PODEIP_UID));
};

for (const [what, edit] of Object.entries(EDITS)) test(`${what}: ${edit.end ?? 'given back'}`, (t) => play(t, edit));

/** The fields of spec and status, with those of the objects in them, by the definition that clusters have. */
const fieldsOf = ({ properties = {} }: Schema, path: string): readonly string[] =>
  Object.entries(properties).flatMap(([name, field]) =>
    field.properties ? fieldsOf(field, `${path}.${name}`) : [`${path}.${name}`],
  );

const isEdited = (field: string) => Object.keys(EDITS).some((what) => what === field || what.startsWith(`${field}:`));

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

test('no field of a PodEIP is left out', (t) => {
  const { spec } = definitionOf(PODEIP) as unknown as {
    spec: { versions: readonly { schema: { openAPIV3Schema: Schema } }[] };
  };
  const { spec: wanted = {}, status: shown = {} } = spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
  const fields = [...fieldsOf(wanted, 'spec'), ...fieldsOf(shown, 'status')];
  t.true(fields.length > 15, fields.join(', '));
  t.deepEqual(
    fields.filter((field) => !isEdited(field)),
    [],
  );
});
