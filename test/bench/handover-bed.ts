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

/** How the next pods of a Service that was scaled to zero came by the EIPs that are kept for them. */
export interface WakeUp {
  /** From the start of the pods until each says that it has its address, in order; milliseconds. */
  readonly servedAfterMs: readonly number[];
  /** What nothing waits for, of that; milliseconds. */
  readonly boundMs: number;
  /** The same times of the pods before them, for which the EIPs were bought. */
  readonly purchasesMs: readonly number[];
  /** How many EIPs were bought for the pods of both times. */
  readonly bought: number;
}

/** Until a release is long over, and a minute of the account begins anew; milliseconds. */
const MINUTE_MS = 120_000;

/**
 * @param laterMs how long after the end of the pods before them the next ones come, milliseconds
 * @param pods so many at once, each time
 */
export const wakeUp = async (laterMs: number, { pods = 1, config = {} }: WakeUpOptions = {}): Promise<WakeUp> => {
  const bed = await Bed.create({ ...config, knative: { holdOffSeconds: 300 } });
  const { world } = bed;
  const labels = labelsOf(await world.addService('hello'), 1);
  /** So many pods start at once; how long each waits. */
  const run = async (name: string, count: number): Promise<readonly number[]> => {
    const began = world.clock.mono();
    const names = Array.from({ length: count }, (_, index) => `${name}-${index}`);
    for (const each of names) await world.runPod(each, { [KEYS.withEip[2]]: 'true' }, { isGated: true, labels });
    await bed.until(() => names.every((each) => bed.isServed(each)));
    return names.map((each) => bed.servedAt(each) - began).sort((a, b) => a - b);
  };
  // What the first purchase of a process shows: whether tags are kept.
  await bed.attach(1);
  await bed.idle(MINUTE_MS);
  const bought = () => bed.calls().cloud['AllocateEipAddress'] ?? 0;
  const before = bought();
  const purchasesMs = await run('first', pods);
  await bed.idle(MINUTE_MS);
  await Promise.all(Array.from({ length: pods }, (_, index) => world.endPod(`first-${index}`)));
  await bed.idle(laterMs);
  const servedAfterMs = await run('second', pods);
  const count = bought() - before;
  await bed.stop();
  // Where the EIP is still bound, it is unbound before.
  const boundMs = laterMs > 0 ? KEPT_BOUND_MS : KEPT_BOUND_MS + 1_500 + 40 + 100;
  return { servedAfterMs, boundMs, purchasesMs, bought: count };
};

interface WakeUpOptions {
  readonly pods?: number;
  /** Over the default configuration. */
  readonly config?: object;
}
