import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../../src/api/annotations.ts';
import { NODE, POD } from '../../../src/api/core.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import { LEASE } from '../../../src/kube/lease.ts';
import { createSandboxCloud, type EmbeddedCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { NEW } from '../podeip/situation.ts';
import { seeded } from '../../harness/random.ts';
import { Operating } from '../../harness/operating.ts';
import { VPC, ECS } from './account-fixture.ts';

const ADDRESS = '10.9.0.1';

/** The interface of the ECS node, in this account. */
const addInstance = (cloud: EmbeddedCloud, { instanceId = 'i-ecs1', vpcId = VPC } = {}) =>
  cloud.world.addNetworkInterface({ networkInterfaceId: 'eni-ecs1', vpcId, instanceId, primaryIp: ADDRESS });

/** An ECS node of the cluster, as its cloud-controller-manager and its kubelet describe it. */
const addNode = async (world: Operating, providerID = 'cn-hangzhou.i-ecs1'): Promise<void> => {
  await world.kube.create(NODE, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: ECS },
    spec: { providerID },
  });
  const status = {
    addresses: [{ type: 'InternalIP', address: ADDRESS }],
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  await world.kube.patch(NODE, { name: ECS }, { type: 'merge', subresource: 'status', body: { status } });
};

const mismatch = async (world: Operating): Promise<string | undefined> =>
  /^knative_eip_account_mismatch (.*)$/m.exec((await world.metrics.render()).body)?.[1];

const isTold = async (world: Operating, name: string): Promise<boolean> =>
  (await world.pods()).some(
    ({ metadata }) => metadata.name === name && metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
  );

const reasonOf = async (world: Operating, name: string): Promise<string | undefined> =>
  (await world.podEips())
    .find(({ metadata }) => metadata.name === name)
    ?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;

const idsOf = (cloud: EmbeddedCloud): string[] =>
  cloud
    .eips()
    .map(({ allocationId }) => allocationId)
    .toSorted();

const held = async (world: Operating): Promise<string[]> =>
  (await world.podEips()).map(({ spec }) => spec.allocationID).toSorted();

/** A world with an ECS node whose controller has served two pods and ended, one of which ends then. */
const served = async (t: { true(is: boolean): void }): Promise<Operating> => {
  const world = await Operating.create();
  addInstance(world.cloud);
  await addNode(world);
  await world.runPod('stays', NEW);
  await world.runPod('goes', NEW);
  const areServed = async () => (await isTold(world, 'stays')) && (await isTold(world, 'goes'));
  t.true((await world.until(areServed, 60_000)) < Infinity);
  world.kill();
  return world;
};

test('with credentials of another account nothing is bought, forgotten or released, and it goes on once they are right', async (t) => {
  const world = await served(t);
  const before = idsOf(world.cloud);
  const other = createSandboxCloud({ clock: world.clock, random: seeded(9) });
  other.world.addEip({ allocationId: 'eip-theirs' });
  await world.start({ cloud: other, config: { sweeper: { mode: 'release', graceSeconds: 60 } } });
  await world.endPod('goes');
  await world.runPod('comes', NEW);
  await world.pass(600_000);

  t.deepEqual(idsOf(other), ['eip-theirs']);
  t.deepEqual(idsOf(world.cloud), before);
  t.deepEqual(await held(world), before);
  t.true(await isTold(world, 'stays'));
  t.deepEqual(world.failures, []);
  t.is(await mismatch(world), '1');
  t.false(world.fitsAccount());
  t.deepEqual(
    world.complaints.filter((each) => each.includes(ECS)),
    [
      'None of the nodes ecs-1 (i-ecs1, 10.9.0.1) is an instance of the account of these credentials in cn-hangzhou: check that the AccessKey or RAM role belongs to the account of the cluster (cloud.checkAccount: false in the configuration leaves this out). Nothing is bought, bound or released until it fits; it is looked at every 30 s',
    ],
  );

  // What was wrong with the credentials is corrected outside of the process.
  addInstance(other);
  t.true((await world.until(world.fitsAccount, 31_000)) < Infinity);
  t.is(await mismatch(world), '0');
  world.kill();

  await world.start();
  t.true((await world.until(() => isTold(world, 'comes'), 60_000)) < Infinity);
  t.true((await world.until(() => world.cloud.eips().length === 2, 120_000)) < Infinity);
  t.true(await isTold(world, 'stays'));
  await world.stop();
});

test('a process that found another account works as soon as the nodes are in it', async (t) => {
  const world = await Operating.create();
  world.kill();
  await addNode(world);
  await world.runPod('comes', NEW);
  await world.start();
  await world.pass(120_000);
  t.deepEqual(world.cloud.eips(), []);
  addInstance(world.cloud);
  t.true((await world.until(() => isTold(world, 'comes'), 60_000)) < Infinity);
  await world.stop();
});

test('with another VPC of the account nothing is done, even if the address is in use there', async (t) => {
  const world = await served(t);
  world.cloud.world.addNetworkInterface({ vpcId: 'vpc-2', instanceId: 'i-other', primaryIp: ADDRESS });
  await world.start({ config: { vpcID: 'vpc-2' } });
  await world.endPod('goes');
  await world.pass(300_000);
  t.is(world.cloud.eips().length, 2);
  t.is(await mismatch(world), '1');
  t.regex(world.complaints.at(-1) ?? '', /vpc-2/);
  world.kill();
});

test('a regionID that is not the nodes’ is said without a call to the cloud', async (t) => {
  const world = await served(t);
  const elsewhere = createSandboxCloud({ clock: world.clock, random: seeded(9), regionId: 'cn-beijing' });
  const calls: string[] = [];
  const when = ({ action }: { action: string }) => calls.push(action) === 0;
  elsewhere.inject({ action: '*', when, times: Infinity, fault: { answer: 'drop' } });
  await world.start({ cloud: elsewhere, config: { regionID: 'cn-beijing' } });
  await world.endPod('goes');
  await world.pass(300_000);
  t.deepEqual(calls, []);
  t.is((await held(world)).length, 2);
  t.regex(
    world.complaints.at(-1) ?? '',
    /^The nodes of this cluster are in cn-hangzhou \(ecs-1 .*but regionID is cn-beijing/,
  );
  world.kill();
});

test('a cloud that does not answer proves nothing: it is asked again, and nothing is begun before', async (t) => {
  const world = await served(t);
  const takeOut = world.cloud.inject({
    action: 'DescribeNetworkInterfaces',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } },
  });
  await world.start();
  await world.endPod('goes');
  await world.pass(300_000);
  t.is(world.cloud.eips().length, 2);
  t.is(await mismatch(world), '0', 'it is not known');
  const told = world.complaints.filter((each) => /cannot be seen; nothing is begun before/.test(each));
  t.is(told.length, 1, 'once');
  takeOut();
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  await world.stop();
});

test('without the permission to ask it says what is missing and gives addresses back as before', async (t) => {
  const world = await served(t);
  world.cloud.inject({
    action: 'DescribeNetworkInterfaces',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM' } },
  });
  await world.start();
  await world.endPod('goes');
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  t.true(
    world.complaints.some((each) => /cannot be checked.*ecs:DescribeNetworkInterfaces/.test(each)),
    world.complaints.join('\n'),
  );
  await world.stop();
});

test('with credentials that are refused pods are told, and once they are valid those of another account end the process', async (t) => {
  const world = await served(t);
  const strangers = createSandboxCloud({ clock: world.clock, random: seeded(9) });
  const takeOut = (['DescribeNetworkInterfaces', 'DescribeEipAddresses', 'AllocateEipAddress'] as const).map((action) =>
    strangers.inject({
      action,
      times: Infinity,
      fault: { effect: 'never', answer: { code: 'InvalidAccessKeyId.NotFound' } },
    }),
  );
  await world.start({ cloud: strangers });
  await world.runPod('new', NEW);
  await world.pass(60_000);
  t.is(await reasonOf(world, 'new'), 'CloudMisconfigured');
  t.true(world.complaints.some((each) => /cannot be seen, because they are refused/.test(each)));
  t.deepEqual(world.failures, []);
  const before = await held(world);
  for (const each of takeOut) each();
  await world.runPod('later', NEW);
  t.true((await world.until(() => world.failures.length === 1, 31_000)) < Infinity);
  t.like(world.failures[0], { name: 'WrongAccount' });
  world.kill();
  t.deepEqual(await held(world), ['', ...before], 'nothing is forgotten');
  t.is(world.cloud.eips().length, 2);
  t.deepEqual(strangers.ledger(), [], 'and nothing is bought there');
});

test('our own virtual node stays alive while the account is another one, so that the pods that run on it are not evicted', async (t) => {
  const virtualNode = { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1', nodeName: 'eci-1' };
  const world = await served(t);
  const strangers = createSandboxCloud({ clock: world.clock, random: seeded(9) });
  await world.start({ cloud: strangers, config: { virtualNode } });
  await world.pass(120_000);
  t.is(await mismatch(world), '1');
  const ref = { namespace: 'kube-node-lease', name: 'eci-1' };
  const renewed = async () => Date.parse((await world.kube.get(LEASE, ref))?.spec?.renewTime ?? '');
  t.true(world.clock.now() - (await renewed()) < 40_000, 'the node-lifecycle controller waits no longer');
  await world.kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'there', namespace: 'default' },
    spec: { nodeName: 'eci-1', containers: [{ name: 'main', image: 'nginx' }] },
  });
  await world.pass(60_000);
  t.deepEqual(strangers.ledger(), [], 'and nothing is run there');
  await world.stop();
  const last = await renewed();
  await world.pass(60_000);
  t.is(await renewed(), last);
});

test('where the account cannot be seen for another reason than permissions, pods are told why nothing is done for them', async (t) => {
  const world = await served(t);
  const takeOut = world.cloud.inject({
    action: 'DescribeNetworkInterfaces',
    times: Infinity,
    // The endpoint of ECS is another product's.
    fault: { effect: 'never', answer: { code: 'InvalidProduct.NotFound' } },
  });
  await world.start();
  await world.runPod('new', NEW);
  await world.endPod('goes');
  await world.pass(60_000);
  t.is(await reasonOf(world, 'new'), 'CloudMisconfigured');
  t.is(world.cloud.eips().length, 2);
  takeOut();
  t.true((await world.until(() => isTold(world, 'new'), 120_000)) < Infinity);
  t.true((await world.until(() => world.cloud.eips().length === 2, 120_000)) < Infinity);
  await world.stop();
});

test('without an ECS node work begins; if the first that comes is of another account, the process ends', async (t) => {
  const world = await Operating.create();
  await world.runPod('first', NEW);
  t.true((await world.until(() => isTold(world, 'first'), 60_000)) < Infinity);
  await addNode(world);
  await world.pass(31_000);
  t.is(world.failures.length, 1);
  t.like(world.failures[0], { name: 'WrongAccount' });
  t.is(await mismatch(world), '1');
  world.kill();

  addInstance(world.cloud);
  await world.start();
  t.is(world.failures.length, 1);
  t.is(await mismatch(world), '0');
  await world.stop();
});

test('while the account is not that of the cluster, each pod that waits and its Service are told, and not what the nodes are', async (t) => {
  const world = await Operating.create({ config: { vpcID: 'vpc-of-another' } });
  world.kill();
  addInstance(world.cloud);
  await addNode(world);
  const uid = await world.addService('hello');
  await world.start();
  for (const name of ['one', 'two'])
    await world.runPod(name, NEW, { labels: { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid } });
  await world.runPod('alone', NEW);
  await world.pass(120_000);
  const note =
    'no pod gets an address: knative-eip’s vpcID is not the VPC of this cluster; whoever operates it has to correct that (alert KnativeEipWrongAccount)';
  t.deepEqual(
    world.events
      .map(({ about, type, reason, note: said }) => `${about.kind} ${about.name} ${type} ${reason}: ${said}`)
      .toSorted(),
    [
      `Pod alone Warning CloudMisconfigured: ${note}`,
      `Pod one Warning CloudMisconfigured: ${note}`,
      `Pod two Warning CloudMisconfigured: ${note}`,
      `Service hello Warning CloudMisconfigured: pod one: ${note}`,
    ],
  );
  t.deepEqual(world.cloud.eips(), []);
  await world.stop();
});
