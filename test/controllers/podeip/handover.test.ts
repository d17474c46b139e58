import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, READINESS_GATE } from '../../../src/api/annotations.ts';
import {
  CONFIGURATION_GENERATION,
  POD_TEMPLATE_HASH,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
} from '../../../src/api/knative.ts';
import { Operating, type PodParts } from '../../harness/operating.ts';

const EIP = 'eip-users';
const WANTS = { [KEYS.instanceId[2]]: EIP };

const labels = (generation: number, parts: { service?: string; hash?: string; uid?: string } = {}) => ({
  [SERVICE_LABEL]: parts.service ?? 'hello',
  [SERVICE_UID]: parts.uid ?? `uid-of-${parts.service ?? 'hello'}`,
  [REVISION_LABEL]: `${parts.service ?? 'hello'}-0000${generation}`,
  [CONFIGURATION_GENERATION]: String(generation),
  [POD_TEMPLATE_HASH]: parts.hash ?? `hash${generation}`,
});

const create = async (): Promise<Operating> => {
  const world = await Operating.create({ config: { existingEips: 'any' } });
  world.cloud.world.addEip({ allocationId: EIP, tags: { team: 'web' } });
  await world.pass(5_000);
  return world;
};

const run = (world: Operating, name: string, generation: number, parts: PodParts = {}) =>
  world.runPod(name, WANTS, { isGated: true, labels: labels(generation), ...parts });

const has = async (world: Operating, name: string): Promise<boolean> => {
  const pod = (await world.pods()).find(({ metadata }) => metadata.name === name);
  const eip = world.cloud.eips().find(({ allocationId }) => allocationId === EIP);
  const isTold =
    pod?.metadata.annotations?.[ALLOCATED_ADDRESS] === eip?.ipAddress &&
    pod?.status?.conditions?.find(({ type }) => type === READINESS_GATE)?.status === 'True';
  return isTold && eip?.status === 'InUse' && eip.binding?.privateIpAddress === pod?.status?.podIP;
};

const podOf = async (world: Operating, name: string) =>
  (await world.pods()).find(({ metadata }) => metadata.name === name);

const addressOf = async (world: Operating, name: string): Promise<string | undefined> =>
  (await podOf(world, name))?.metadata.annotations?.[ALLOCATED_ADDRESS];

const gateOf = async (world: Operating, name: string): Promise<readonly (string | undefined)[]> => {
  const gate = (await podOf(world, name))?.status?.conditions?.find(({ type }) => type === READINESS_GATE);
  return [gate?.status, gate?.reason];
};

const gets = async (t: ExecutionContext, world: Operating, name: string, atMostMs = 60_000): Promise<number> => {
  const ms = await world.until(() => has(world, name), atMostMs);
  t.true(ms < Infinity, `pod ${name} gets the EIP`);
  return ms;
};

const reasonOf = async (world: Operating, name: string): Promise<string | undefined> =>
  (await world.podEips())
    .find(({ metadata }) => metadata.name === name)
    ?.status?.conditions?.find(({ type }) => type === 'Ready')?.message;

test('in a rollout the EIP goes to the new Revision once its containers are ready, gate or not, and is not fought for', async (t) => {
  const world = await create();
  await run(world, 'old', 1);
  await gets(t, world, 'old');
  await run(world, 'new', 2, { isReady: false });
  await world.pass(30_000);
  t.true(await has(world, 'old'), 'until then the old one keeps it');
  t.regex((await reasonOf(world, 'new')) ?? '', /once the containers are ready/u);
  await world.becomeReady('new');
  const gates: (string | undefined)[] = [];
  const began = world.clock.mono();
  await world.until(async () => {
    gates.push((await gateOf(world, 'old'))[0]);
    return has(world, 'new');
  }, 60_000);
  t.true(gates.length > 1);
  const cut = world.clock.mono() - began;
  t.log(`without the address for ${cut} ms`);
  // Detached, seen to be detached for a read lag, and bound again.
  t.true(cut <= 12_000, `${cut} ms`);
  t.deepEqual(await gateOf(world, 'old'), ['True', 'HandedOver'], 'the old pod goes on, and is told that it has none');
  t.is(await addressOf(world, 'old'), undefined);
  t.true(
    gates.every((gate) => gate === 'True'),
    'its gate was open all the time',
  );
  t.regex((await reasonOf(world, 'old')) ?? '', /with pod new of Revision hello-00002, which takes this pod’s place/u);
  await world.pass(120_000);
  t.true(await has(world, 'new'), 'it stays there');
  await world.endPod('old');
  await world.pass(30_000);
  t.true(await has(world, 'new'));
  t.deepEqual(
    (await world.podEips()).map(({ metadata }) => metadata.labels?.[REVISION_LABEL]),
    ['hello-00002'],
  );
  t.is(world.cloud.ledger().filter(({ action }) => action === 'AssociateEipAddress').length, 2);
  await world.stop();
});

test('with eip-handover: wait the EIP comes when the old pod is gone, and not before', async (t) => {
  const world = await create();
  await run(world, 'old', 1);
  await gets(t, world, 'old');
  // A pod of another Service has been waiting for longer, and gets nothing in between.
  await run(world, 'other', 9, { labels: labels(9, { service: 'other' }) });
  await world.pass(5_000);
  await world.runPod('new', { ...WANTS, [KEYS.handover[1]]: 'wait' }, { labels: labels(2) });
  await world.pass(120_000);
  t.true(await has(world, 'old'));
  await world.endPod('old');
  const isInUse = async () =>
    (await world.podEips()).find(({ metadata }) => metadata.name === 'new')?.status?.status === 'InUse';
  t.true((await world.until(isInUse, 60_000)) < Infinity);
  await world.stop();
});

test('where nobody can say how the Service routes, an older Revision waits for the newer pod to end; of three the newest has it', async (t) => {
  const world = await create();
  await run(world, 'two', 2);
  await gets(t, world, 'two');
  await run(world, 'one', 1);
  await world.pass(60_000);
  t.true(await has(world, 'two'), 'an older Revision takes nothing from a newer one');
  await run(world, 'three', 3);
  await gets(t, world, 'three');
  await world.endPod('three');
  await gets(t, world, 'two');
  await world.endPod('two');
  await gets(t, world, 'one');
  await world.stop();
});

test('two pods of one template share nothing, a replaced template hands over, and another Service gets nothing', async (t) => {
  const world = await create();
  await run(world, 'first', 1);
  await gets(t, world, 'first');
  await run(world, 'second', 1);
  await run(world, 'other', 9, { labels: labels(9, { service: 'other' }) });
  await world.pass(60_000);
  t.true(await has(world, 'first'));
  t.regex((await reasonOf(world, 'second')) ?? '', /this pod gets it when that one is gone/u);
  t.is(
    await reasonOf(world, 'other'),
    `${EIP} is wanted by another pod already; an EIP can serve one pod only`,
    'and learns nothing of whose it is',
  );
  await run(world, 'surge', 1, { labels: labels(1, { hash: 'upgraded' }) });
  await gets(t, world, 'surge');
  await world.stop();
});

const to = (generation: number, percent = 100) => ({ revisionName: `hello-0000${generation}`, percent });
const LATEST = [{ latestRevision: true, percent: 100 }];

test('on a rollback by traffic the EIP goes back at once, although the newer pod runs on, and forth again', async (t) => {
  const world = await create();
  const latestCreatedRevisionName = 'hello-00002';
  const uid = await world.addService('hello', {
    spec: { traffic: LATEST },
    status: { traffic: [to(2)], latestCreatedRevisionName },
  });
  await run(world, 'two', 2, { labels: labels(2, { uid }) });
  await gets(t, world, 'two');
  await run(world, 'one', 1, { labels: labels(1, { uid }) });
  await world.pass(60_000);
  t.true(await has(world, 'two'));
  t.deepEqual(await gateOf(world, 'one'), ['True', 'HandedOver'], 'no request gets there: it may be scaled down');

  await world.changeService('hello', { spec: { traffic: [to(1)] } });
  const back = await gets(t, world, 'one', 15_000);
  t.log(`from the change of traffic to the address: ${back} ms`);
  t.deepEqual(await gateOf(world, 'two'), ['True', 'HandedOver']);
  await world.changeService('hello', { status: { traffic: [to(1)] } });
  await world.pass(60_000);
  t.true(await has(world, 'one'), 'it stays there');
  t.is(
    await reasonOf(world, 'two'),
    `${EIP} is with pod one of Revision hello-00001, which takes this pod’s place; this pod goes on without it`,
  );

  await world.changeService('hello', { spec: { traffic: LATEST } });
  await gets(t, world, 'two', 15_000);
  t.is(
    world.cloud.ledger().filter(({ action }) => action === 'AssociateEipAddress').length,
    3,
    'one call for each move',
  );
  await world.stop();
});

test('three rollouts in a row: pods that never had the EIP open their gates once the last one has it and is routed to', async (t) => {
  const world = await create();
  const uid = await world.addService('hello', {
    spec: { traffic: LATEST },
    status: { traffic: [to(1)], latestCreatedRevisionName: 'hello-00001' },
  });
  await run(world, 'pod-1', 1, { labels: labels(1, { uid }) });
  await gets(t, world, 'pod-1');
  for (const generation of [2, 3, 4]) {
    await world.changeService('hello', { status: { latestCreatedRevisionName: `hello-0000${generation}` } });
    await run(world, `pod-${generation}`, generation, { labels: labels(generation, { uid }), isReady: false });
    await world.pass(1_000);
  }
  await world.becomeReady('pod-2');
  await world.becomeReady('pod-3');
  await world.becomeReady('pod-4');
  await gets(t, world, 'pod-4');
  for (const older of ['pod-2', 'pod-3'])
    t.not((await gateOf(world, older))[0], 'True', 'until then Knative must not take it for the latest ready one');
  t.is((await gateOf(world, 'pod-1'))[0], 'True', 'it serves');
  await world.changeService('hello', { status: { traffic: [to(4)] } });
  await world.pass(5_000);
  for (const older of ['pod-1', 'pod-2', 'pod-3'])
    t.deepEqual(await gateOf(world, older), ['True', 'HandedOver'], older);
  t.deepEqual(
    world.events.filter(({ type, about }) => type === 'Warning' && about.kind === 'Pod'),
    [],
  );
  await world.stop();
});
