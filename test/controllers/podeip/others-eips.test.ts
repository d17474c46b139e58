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
import { NAMESPACE as NAMESPACES, NODE, POD, type Node } from '../../../src/api/core.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import { Operating } from '../../harness/operating.ts';
import { VPC } from '../../harness/settings.ts';
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

const VIRTUAL = { metadata: { labels: { type: 'virtual-kubelet' } } };

test('whoever forges the marks of a virtual node and names another’s EIP in them learns nothing of it, on whatever node', async (t) => {
  const nodes: readonly { readonly metadata?: object; readonly spec?: Node['spec'] }[] = [
    {},
    { spec: { providerID: 'cn-hangzhou.i-1' } },
    VIRTUAL,
  ];
  for (const node of nodes) {
    const world = await World.create();
    world.cloud.world.addEip({
      allocationId: THEIRS,
      ipAddress: '198.51.100.1',
      name: 'of the neighbours',
    });
    const theirs = { networkInterfaceId: 'eni-theirs', instanceId: 'i-2', primaryIp: '10.0.9.9' };
    world.cloud.world.addNetworkInterface({ vpcId: VPC, ...theirs });
    world.cloud.world.human.associate(THEIRS, 'eni-theirs', '10.0.9.9');
    world.node = { ...world.node, ...node, metadata: { ...world.node.metadata, ...node.metadata } };
    await world.pass(5_000);
    await world.runPod('b', {
      ...NEW,
      [ECI_INSTANCE_ID]: 'eci-1',
      [ALLOCATED_INSTANCE_ID]: THEIRS,
      [ALLOCATED_ADDRESS]: '198.51.100.1',
    });
    await world.pass(60_000);
    const podEips = await world.podEips();
    t.true(podEips.every(({ spec }) => spec.allocationID !== THEIRS));
    t.notRegex(JSON.stringify([podEips, world.events]), /198\.51\.100\.1|of the neighbours/);
    if (node === VIRTUAL) t.regex(JSON.stringify(podEips), /EipNotVisibleYet/);
  }
});

test('what the virtual node says of an address is seen when it says so', async (t) => {
  const world = await Operating.create();
  await world.kube.patch(NODE, { name: 'node-1' }, { type: 'merge', body: VIRTUAL });
  const at = { networkInterfaceId: 'eni-a', instanceId: 'eci-1', primaryIp: '10.0.7.7' };
  world.cloud.world.addNetworkInterface({ vpcId: VPC, ...at });
  world.cloud.world.addEip({ allocationId: 'eip-made', ipAddress: '203.0.113.77' });
  world.cloud.world.human.associate('eip-made', 'eni-a', '10.0.7.7');
  await world.runPod('a', { ...NEW, [ECI_INSTANCE_ID]: 'eci-1' }, { podIP: '10.0.7.7' });
  await world.pass(5_000);
  const body = {
    metadata: { annotations: { [ALLOCATED_INSTANCE_ID]: 'eip-made', [ALLOCATED_ADDRESS]: '203.0.113.77' } },
  };
  await world.kube.patch(POD, { namespace: NAMESPACE, name: 'a' }, { type: 'merge', body });
  const isRecorded = async () => (await world.podEips())[0]?.spec.allocationID === 'eip-made';
  t.true((await world.until(isRecorded, 120_000)) < 5_000);
  await world.stop();
});
