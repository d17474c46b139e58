import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, POD_TEMPLATE_HASH, REVISION, SERVICE, SERVICE_UID } from '../../src/api/knative.ts';
import { Operating, type PodParts } from '../world/operating.ts';

const EIP = 'eip-users';
const WANTS = { [KEYS.instanceId[2]]: EIP };

const labels = (generation: number, parts: { service?: string; hash?: string } = {}) => ({
  [SERVICE]: parts.service ?? 'hello',
  [SERVICE_UID]: `uid-of-${parts.service ?? 'hello'}`,
  [REVISION]: `${parts.service ?? 'hello'}-0000${generation}`,
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
  const cut = await gets(t, world, 'new');
  t.log(`without the address for ${cut} ms`);
  // Detached, seen to be detached for a read lag, and bound again.
  t.true(cut <= 12_000, `${cut} ms`);
  t.regex((await reasonOf(world, 'old')) ?? '', /with pod new of the same Knative Service/u);
  await world.pass(120_000);
  t.true(await has(world, 'new'), 'it stays there');
  await world.endPod('old');
  await world.pass(30_000);
  t.true(await has(world, 'new'));
  t.deepEqual(
    (await world.podEips()).map(({ metadata }) => metadata.labels?.[REVISION]),
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

test('a rollback by traffic waits for the newer pod to end; three Revisions at once: the newest has it', async (t) => {
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
