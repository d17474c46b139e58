import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { Operating } from '../harness/operating.ts';
import { NEW } from './podeip/situation.ts';

const MINUTE_MS = 60_000;
const PERIOD_MS = 10 * MINUTE_MS;

const told = async (world: Operating): Promise<number> =>
  (await world.pods()).filter(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined).length;

/** Three pods that have their addresses, and have been left alone for half an hour. */
const atRest = async (t: ExecutionContext, config: object): Promise<Operating> => {
  const world = await Operating.create({ config });
  for (const name of ['a', 'b', 'c']) await world.runPod(name, NEW);
  t.not(await world.until(async () => (await told(world)) === 3), Infinity);
  await world.pass(3 * PERIOD_MS);
  return world;
};

const WITH_LIST = { sweeper: {} };
const WITHOUT = { sweeper: { mode: 'off' } };

test('what is at rest is looked at by page and not one by one, and nothing is written', async (t) => {
  const world = await atRest(t, WITH_LIST);
  let writes = 0;
  world.server.onWrite(() => (writes += 1));
  const describes = () =>
    Object.values(world.cloud.calls()['DescribeEipAddresses'] ?? {}).reduce((sum, count) => sum + count, 0);
  const before = describes();
  await world.pass(6 * PERIOD_MS);
  t.is(writes, 0);
  // Two lists in each of six passes, and the count for the metrics once a minute.
  t.true(describes() - before <= 6 * 2 + 61, `${describes() - before} calls`);
  await world.stop();
});

for (const [how, config] of [
  ['by the list', WITH_LIST],
  ['one by one where garbage collection is off', WITHOUT],
] as const) {
  test(`an EIP that somebody detached is noticed within a period, ${how}`, async (t) => {
    const world = await atRest(t, config);
    const [eip] = world.cloud.eips();
    world.cloud.world.human.unassociate(eip!.allocationId);
    const isBound = () => world.cloud.eips().every(({ status }) => status === 'InUse');
    t.true((await world.until(isBound, 2 * PERIOD_MS)) <= 1.1 * PERIOD_MS);
    t.is(await told(world), 3);
    await world.stop();
  });

  test(`an annotation that somebody took off is there again within a period, ${how}`, async (t) => {
    const world = await atRest(t, config);
    const body = { metadata: { annotations: { [ALLOCATED_ADDRESS]: null } } };
    await world.kube.patch(POD, { namespace: 'default', name: 'b' }, { type: 'merge', body });
    t.is(await told(world), 2);
    t.true((await world.until(async () => (await told(world)) === 3, 2 * PERIOD_MS)) <= 1.1 * PERIOD_MS);
    await world.stop();
  });
}

const isList = ({ parameters }: { parameters: { get(name: string): string | undefined } }): boolean =>
  parameters.get('Tag.1.Key') !== undefined;

test('where the list fails, each is rechecked in its time', async (t) => {
  const world = await atRest(t, WITH_LIST);
  const fault = { effect: 'never', answer: { code: 'ServiceUnavailable' } } as const;
  world.cloud.inject({ action: 'DescribeEipAddresses', times: Infinity, when: isList, fault });
  const [eip] = world.cloud.eips();
  world.cloud.world.human.unassociate(eip!.allocationId);
  const isBound = () => world.cloud.eips().every(({ status }) => status === 'InUse');
  t.true((await world.until(isBound, 4 * PERIOD_MS)) <= 1.6 * PERIOD_MS);
  await world.stop();
});
