import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { Operating } from '../harness/operating.ts';

const NEW: Readonly<Record<string, string>> = { [KEYS.withEip[0]]: 'true' };
const WORKERS = { networkController: { eipController: { maxConcurrentReconciles: 2 } } };

/** Names of the pods that have an address. */
const served = async (world: Operating): Promise<ReadonlySet<string>> =>
  new Set(
    (await world.pods())
      .filter(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined)
      .map(({ metadata }) => metadata.name),
  );

const run = async (world: Operating, count: number, prefix: string, annotations = NEW): Promise<void> => {
  for (let index = 0; index < count; index += 1) await world.runPod(`${prefix}-${index}`, annotations);
};

test('addresses go back as fast as ever while hundreds of pods ask for one', async (t) => {
  const world = await Operating.create({ quota: 1_000, config: WORKERS });
  await run(world, 10, 'first');
  t.true((await world.until(async () => (await served(world)).size === 10, 60_000)) < Infinity);
  await run(world, 200, 'crowd');
  await world.pass(2_000);
  for (let index = 0; index < 10; index += 1) await world.endPod(`first-${index}`);
  const released = () => world.cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress').length;
  t.true((await world.until(() => released() === 10, 45_000)) < Infinity, `${released()} were released`);
  const waiting = 200 - (await served(world)).size;
  t.true(waiting > 100, `the crowd still asks: ${waiting}`);
  await world.stop();
});

test('a full quota is asked about seldom, told once, and found free at once when an EIP is released', async (t) => {
  const world = await Operating.create({ quota: 5 });
  await run(world, 5, 'lucky');
  await world.until(async () => (await served(world)).size === 5, 60_000);
  await run(world, 3, 'late');
  await world.pass(10_000);
  const asked = () =>
    Object.values(world.cloud.calls()['AllocateEipAddress'] ?? {}).reduce((sum, count) => sum + count, 0);
  const before = asked();
  await world.pass(15 * 60_000);
  t.true(asked() - before <= 3 * 6, `${asked() - before} attempts of three pods in a quarter of an hour`);
  const quota = world.events.filter(({ reason, about }) => reason === 'QuotaExceeded' && about.kind === 'Pod');
  t.deepEqual(quota.map(({ about }) => about.name).toSorted(), ['late-0', 'late-1', 'late-2'], 'one Event each');
  await world.endPod('lucky-0');
  t.true(
    (await world.until(async () => [...(await served(world))].some((it) => it.startsWith('late')), 30_000)) < Infinity,
  );
  t.is(world.cloud.eips().length, 5);
  await world.stop();
});

test('throttling slows everybody down, fails nobody, and puts nobody behind those who came later', async (t) => {
  const world = await Operating.create({ quota: 100 });
  world.cloud.inject({
    action: 'AllocateEipAddress',
    times: 60,
    fault: { effect: 'never', answer: { code: 'Throttling.User' } },
  });
  const order: string[] = [];
  await run(world, 30, 'pod');
  const all = async () => {
    for (const name of await served(world)) if (!order.includes(name)) order.push(name);
    return order.length === 30;
  };
  t.true((await world.until(all, 30 * 60_000)) < Infinity, `${order.length} of 30 have an address`);
  // A call that was throttled takes a new turn, behind those that waited by then: at most a burst of them.
  const late = order.map((name, place) => place - Number(name.slice('pod-'.length)));
  t.true(Math.max(...late) <= 20, `places behind its turn: ${late.join(' ')}`);
  const warned = world.events.filter(({ type, about }) => type === 'Warning' && about.kind === 'Pod');
  t.deepEqual([...new Set(warned.map(({ reason }) => reason))], ['CloudThrottled']);
  t.is(new Set(warned.map(({ about }) => about.name)).size, warned.length, 'once each');
  await world.stop();
});

/** How long twenty pods wait for their addresses beside so many whose requests always fail; milliseconds. */
const timeWith = async (poisoned: number): Promise<number> => {
  const world = await Operating.create({ quota: 200, config: WORKERS });
  world.cloud.inject({
    action: 'AllocateEipAddress',
    times: Infinity,
    when: ({ parameters }) => parameters.get('Name') === 'poison',
    fault: { effect: 'never', answer: { code: 'OperationFailed.SystemBusy' } },
  });
  await run(world, poisoned, 'poison', { ...NEW, [KEYS.name[0]]: 'poison' });
  // Their first attempts are close together; after that they come once a minute.
  await world.pass(300_000);
  await run(world, 20, 'healthy');
  const ms = await world.until(async () => (await served(world)).size === 20, 300_000);
  await world.stop();
  return ms;
};

test('one that is refused for ever is tried again a few times in a minute, whatever becomes of its tokens', async (t) => {
  const world = await Operating.create({ quota: 10 });
  const fault = { effect: 'never', answer: { code: 'OperationFailed.SystemBusy' } } as const;
  world.cloud.inject({ action: 'AllocateEipAddress', times: Infinity, fault });
  await run(world, 1, 'refused');
  const asked = () =>
    Object.values(world.cloud.calls()['AllocateEipAddress'] ?? {}).reduce((sum, count) => sum + count, 0);
  await world.pass(5 * 60_000);
  const before = asked();
  await world.pass(10 * 60_000);
  t.true(asked() > before, 'it is tried again');
  t.true(asked() - before <= 10 * 4, `${asked() - before} attempts in ten minutes`);
  await world.stop();
});

test('objects that always fail do not slow the others down', async (t) => {
  const alone = await timeWith(0);
  const crowded = await timeWith(30);
  t.true(crowded < Infinity);
  t.true(crowded <= alone * 2, `${crowded} ms beside thirty that fail, ${alone} ms alone`);
});
