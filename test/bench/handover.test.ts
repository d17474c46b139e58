import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { ATTACH_BOUND_MS, Bed } from './bed.ts';

/* How long an EIP is on its way from one pod to the next, in virtual time. */

/** From the pod that has it to the next one, nothing but the cloud: it is unbound and bound again. */
const ROLLOUT_BOUND_MS = 1_500 + 40 + 100 + 1_500;
/**
 * The EIP of a pod that is gone, and what the cloud takes to bind it: all of a purchase but AllocateEipAddress, 0.85 of
 * it. It could be 0.6 of one only where a transition took 0.3 s, or Allocate 1.1 s.
 */
const KEPT_BOUND_MS = ATTACH_BOUND_MS - 300;

const STEP_MS = 25;

const labelsOf = (uid: string, generation: number) => ({
  [SERVICE_LABEL]: 'hello',
  [SERVICE_UID]: uid,
  [REVISION_LABEL]: `hello-0000${generation}`,
  [CONFIGURATION_GENERATION]: String(generation),
});

/** How long it takes until it is so, milliseconds. */
const until = async ({ world: { clock } }: Bed, isSo: () => boolean | Promise<boolean>): Promise<number> => {
  const began = clock.mono();
  while (!(await isSo())) {
    if (clock.mono() - began > 60_000) return Infinity;
    await clock.advance(STEP_MS);
  }
  return clock.mono() - began;
};

const isServed = async ({ world }: Bed, name: string): Promise<boolean> =>
  (await world.pods()).some(({ metadata }) => metadata.name === name && metadata.annotations?.[ALLOCATED_ADDRESS]);

test('in a rollout the EIP that a user named is without a pod for little more than the cloud needs', async (t) => {
  const bed = await Bed.create({ existingEips: 'any' });
  const { world } = bed;
  const allocationId = 'eip-users';
  world.cloud.world.addEip({ allocationId, tags: {} });
  await bed.idle(5_000);
  const run = (name: string, generation: number) =>
    world.runPod(name, { [KEYS.instanceId[2]]: allocationId }, { isGated: true, labels: labelsOf('uid', generation) });
  const isBound = () => world.cloud.eips().some((eip) => eip.allocationId === allocationId && eip.status === 'InUse');
  await run('old', 1);
  await until(bed, () => isServed(bed, 'old'));
  await bed.idle(30_000);
  await run('new', 2);
  t.true((await until(bed, () => !isBound())) <= 500, 'it is unbound at once');
  const ms = await until(bed, isBound);
  t.true(ms <= 1.1 * ROLLOUT_BOUND_MS, `${ms} ms`);
  t.true((await until(bed, () => isServed(bed, 'new'))) <= 250, 'and the next pod hears of it');
  await bed.stop();
});

for (const [when, laterMs, boundMs] of [
  ['a while after', 20_000, KEPT_BOUND_MS],
  ['at the same moment as', 0, KEPT_BOUND_MS + 1_500 + 40 + 100],
] as const)
  test(`an EIP that is kept is had by a pod that comes ${when} the end of the one before in little more than the cloud needs`, async (t) => {
    const bed = await Bed.create({ knative: { holdOffSeconds: 60 } });
    const { world } = bed;
    const labels = labelsOf(await world.addService('hello'), 1);
    const run = (name: string) => world.runPod(name, { [KEYS.withEip[2]]: 'true' }, { isGated: true, labels });
    await run('first');
    await until(bed, () => isServed(bed, 'first'));
    await bed.idle(30_000);
    await world.endPod('first');
    await bed.idle(laterMs);
    await run('second');
    const ms = await until(bed, () => isServed(bed, 'second'));
    t.true(ms <= 1.35 * boundMs, `${ms} ms, ${(ms / boundMs).toFixed(2)} times the bound`);
    t.is(bed.calls().cloud['AllocateEipAddress'], 1);
    await bed.stop();
  });
