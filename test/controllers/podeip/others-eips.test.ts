import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  CONTROLLER,
  ECI_INSTANCE_ID,
  EXTERNAL_CONTROLLER,
  KEYS,
  POD_UID,
  TAG_ALLOW_NAMESPACES,
} from '../../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES, POD } from '../../../src/api/core.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import { Operating } from '../../harness/operating.ts';
import { NAMESPACE, World } from '../../harness/world.ts';

/* What a namespace learns of EIPs that it may not name, and what it can do to whoever may. */

const THEIRS = 'eip-theirs';
const EXISTING = { [KEYS.instanceId[0]]: THEIRS };
const NEW = { [KEYS.withEip[0]]: 'true' };

/** Everything that the people of the namespace can read. */
const readable = async (world: World, name: string): Promise<string> =>
  JSON.stringify([await world.podEips(), await world.pod(name), world.events]);

const withTheirs = async (tags: Record<string, string>) => {
  const world = await World.create();
  const eip = world.cloud.world.addEip({ allocationId: THEIRS, name: 'of the neighbours', tags });
  await world.pass(5_000);
  return { world, ipAddress: eip.ipAddress };
};

test('who names an EIP that is not granted learns that it is not, and neither its address nor its name', async (t) => {
  const { world, ipAddress } = await withTheirs({ [TAG_ALLOW_NAMESPACES]: 'neighbours' });
  await world.runPod('a', EXISTING);
  await world.pass(60_000);
  const text = await readable(world, 'a');
  t.regex(text, /EipNotGranted/);
  t.false(text.includes(ipAddress), text);
  t.notRegex(text, /of the neighbours/);
  // Nor by the annotations that the virtual node writes, which anybody may write on a pod.
  await world.runPod('b', {
    ...NEW,
    [ECI_INSTANCE_ID]: 'eci-1',
    [ALLOCATED_INSTANCE_ID]: THEIRS,
    [ALLOCATED_ADDRESS]: '198.51.100.1',
  });
  await world.pass(60_000);
  const forged = await readable(world, 'b');
  t.regex(forged, /EipNotVisibleYet/);
  t.false(forged.includes(ipAddress), forged);
  t.deepEqual(
    (await world.podEips()).map(({ spec }) => spec.allocationID),
    ['', ''],
  );
});

test('a record of another namespace keeps nobody from the EIP that is granted to them', async (t) => {
  const { world } = await withTheirs({ [TAG_ALLOW_NAMESPACES]: NAMESPACE });
  await world.kube.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'squatters' } });
  await world.kube.create(PODEIP, {
    apiVersion: `${PODEIP.group}/${PODEIP.version}`,
    kind: PODEIP.kind,
    metadata: { name: 'x', namespace: 'squatters', annotations: { [CONTROLLER]: EXTERNAL_CONTROLLER, [POD_UID]: 'x' } },
    spec: { allocationID: THEIRS, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
  });
  await world.runPod('a', EXISTING);
  await world.pass(60_000);
  t.truthy((await world.pod('a'))?.metadata.annotations?.[ALLOCATED_ADDRESS]);
});

test('what the virtual node says of an address is seen when it says so', async (t) => {
  const world = await Operating.create();
  world.cloud.world.addEip({ allocationId: 'eip-made', ipAddress: '203.0.113.77', status: 'InUse' });
  await world.runPod('a', { ...NEW, [ECI_INSTANCE_ID]: 'eci-1' });
  await world.pass(5_000);
  const body = {
    metadata: { annotations: { [ALLOCATED_INSTANCE_ID]: 'eip-made', [ALLOCATED_ADDRESS]: '203.0.113.77' } },
  };
  await world.kube.patch(POD, { namespace: NAMESPACE, name: 'a' }, { type: 'merge', body });
  const isRecorded = async () => (await world.podEips())[0]?.spec.allocationID === 'eip-made';
  t.true((await world.until(isRecorded, 120_000)) < 5_000);
  await world.stop();
});
