import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { ATTACH_BOUND_MS, Bed } from './bed.ts';

/* How long an EIP is on its way from one pod to the next, in virtual time. */

/** From the pod that has it to the next one, nothing but the cloud: it is unbound and bound again. */
export const ROLLOUT_BOUND_MS = 1_500 + 40 + 100 + 1_500;
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

/** How an EIP that a user named went from the pod of one Revision to that of the next; milliseconds. */
export interface Rollout {
  /** From the start of the new pod until the EIP is bound to nothing. */
  readonly unboundAfterMs: number;
  /** From there until it is bound again. */
  readonly withoutAddressMs: number;
  /** From there until the new pod says that it has it. */
  readonly toldAfterMs: number;
}

export const rollout = async (config: object = {}): Promise<Rollout> => {
  const bed = await Bed.create({ ...config, existingEips: 'any' });
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
  const unboundAfterMs = await until(bed, () => !isBound());
  const withoutAddressMs = await until(bed, isBound);
  const toldAfterMs = await until(bed, () => isServed(bed, 'new'));
  await bed.stop();
  return { unboundAfterMs, withoutAddressMs, toldAfterMs };
};

/** How the next pod of a Service that was scaled to zero came by the EIP that is kept for it. */
export interface WakeUp {
  /** From the start of the pod until it says that it has the address, milliseconds. */
  readonly servedAfterMs: number;
  /** What nothing waits for, of that; milliseconds. */
  readonly boundMs: number;
  /** How many EIPs were bought for the two pods. */
  readonly bought: number;
}

/** @param laterMs how long after the end of the pod before it the next one comes, milliseconds */
export const wakeUp = async (laterMs: number, config: object = {}): Promise<WakeUp> => {
  const bed = await Bed.create({ ...config, knative: { holdOffSeconds: 60 } });
  const { world } = bed;
  const labels = labelsOf(await world.addService('hello'), 1);
  const run = (name: string) => world.runPod(name, { [KEYS.withEip[2]]: 'true' }, { isGated: true, labels });
  await run('first');
  await until(bed, () => isServed(bed, 'first'));
  await bed.idle(30_000);
  await world.endPod('first');
  await bed.idle(laterMs);
  await run('second');
  const servedAfterMs = await until(bed, () => isServed(bed, 'second'));
  const bought = bed.calls().cloud['AllocateEipAddress'] ?? 0;
  await bed.stop();
  // Where the EIP is still bound, it is unbound before.
  return { servedAfterMs, boundMs: laterMs > 0 ? KEPT_BOUND_MS : KEPT_BOUND_MS + 1_500 + 40 + 100, bought };
};
