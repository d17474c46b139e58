import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../../src/api/annotations.ts';
import { createSandboxCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { NEW } from './situation.ts';
import { seeded } from '../../harness/random.ts';
import { Operating } from '../../harness/operating.ts';

test('a process with another region buys nothing anew, forgets nothing, and says what is wrong', async (t) => {
  const world = await Operating.create();
  const isTold = async (name: string) =>
    (await world.pods()).some(
      ({ metadata }) => metadata.name === name && metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
    );
  await world.runPod('stays', NEW);
  await world.runPod('goes', NEW);
  t.true((await world.until(async () => (await isTold('stays')) && (await isTold('goes')), 60_000)) < Infinity);
  world.kill();

  const elsewhere = createSandboxCloud({ clock: world.clock, random: seeded(9), regionId: 'cn-beijing' });
  await world.start({ cloud: elsewhere, config: { regionID: 'cn-beijing' } });
  await world.endPod('goes');
  await world.pass(300_000);
  t.deepEqual(elsewhere.eips(), []);
  t.true(await isTold('stays'));
  const podEips = await world.podEips();
  t.deepEqual(
    podEips.map(({ spec }) => spec.allocationID).toSorted(),
    world.cloud
      .eips()
      .map(({ allocationId }) => allocationId)
      .toSorted(),
  );
  for (const { status } of podEips)
    t.like(
      status?.conditions?.find(({ type }) => type === 'Ready'),
      { status: 'False', reason: 'CloudMisconfigured' },
    );
  world.kill();

  await world.start();
  t.true((await world.until(() => world.cloud.eips().length === 1, 120_000)) < Infinity);
  t.true(await isTold('stays'));
  await world.stop();
});
