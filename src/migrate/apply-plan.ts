import { CloudFault } from '../cloud/fault.ts';
import { KubeFault } from '../kube/fault.ts';
import { carryOut, type CarryOutPorts } from './carry-out.ts';
import type { Inventory, SeenPod, Surroundings } from './inventory.ts';
import {
  isAllOrNothing,
  planMigration,
  planPod,
  refusalsOf,
  surroundingsOf,
  type MigrationRefusal,
  type Plan,
} from './plan.ts';
import { blocked, type PlannedPod } from './planned.ts';
import { readAgain, readInventory, readSurroundings, type InventoryPorts } from './read-inventory.ts';
import type { Adoption, MigrationStep } from './migration-step.ts';

/** How the work on one pod has ended. */
export interface AppliedPod {
  readonly key: string;
  /** `done`: there is nothing left to do; `waits` and `blocked` as in the plan. */
  readonly is: 'done' | 'waits' | 'blocked' | 'failed';
  /** Why it is not done, and what to do. */
  readonly because?: string | undefined;
  readonly written: number;
}

/** What the controller would change about a pod that were taken over; undefined where it is nothing. */
type Rehearse = (seen: SeenPod, adoption: Adoption, signal: AbortSignal) => Promise<string | undefined>;

/** With what a plan is carried out. */
interface ApplyPorts {
  readonly reading: InventoryPorts;
  readonly writing: CarryOutPorts;
  readonly rehearse: Rehearse;
  readonly isRollBack: boolean;
  readonly onApplied: (applied: AppliedPod) => void;
}

/** What holds for every pod, as of at most `WATCH_MS` ago. Rejects with a StoppedByOther. */
type Watch = () => Promise<Surroundings>;

type PodPorts = ApplyPorts & { readonly watch: Watch };

/** Nothing more may be written: somebody may be at work on the same PodEIPs, or not all can go back to Terway. */
export class StoppedByOther extends Error {
  readonly refusals: readonly MigrationRefusal[];
  constructor(refusals: readonly MigrationRefusal[]) {
    super(refusals.map(({ because }) => because).join('; '));
    this.name = 'StoppedByOther';
    this.refusals = refusals;
  }
}

/** How many writes one pod may take, with those that come too late for what was read. */
const MOST_WRITES = 20;
/** The number of pods that are worked on at once. */
const AT_ONCE = 8;
/** For how long it counts that nobody else is at work, milliseconds. */
const WATCH_MS = 10_000;
/** How often pods may come, while those before are written down, until the pool is not switched off in this run. */
const MOST_LISTINGS = 5;

/**
 * Carries out a plan that nothing refuses. Rejects with the fault of a step that concerns no single pod, and with a
 * StoppedByOther. Where anything is blocked or has failed, the last steps are left out: until every EIP of Terway's is
 * written down, Terway goes on looking after them. So everything is listed again before them.
 */
export const applyPlan = async (
  plan: Plan,
  inventory: Inventory,
  ports: ApplyPorts,
  signal: AbortSignal,
): Promise<{ readonly applied: readonly AppliedPod[]; readonly isWhole: boolean }> => {
  const watch = createWatch(inventory, ports, signal);
  await watch();
  const refusals = isAllOrNothing(inventory, ports.isRollBack)
    ? planMigration(await readInventory(ports.reading, signal), ports.isRollBack).refusals
    : plan.refusals;
  if (refusals.length > 0) throw new StoppedByOther(refusals);
  for (const step of plan.first) await carryOut(step, ports.writing, signal);
  const applied: AppliedPod[] = [];
  let seen = inventory.seen;
  let pods = plan.pods;
  for (let listing = 1; ; listing += 1) {
    const isToDo = new Set(pods.filter(({ steps }) => steps.length > 0).map(({ key }) => key));
    const ended = await applyToPods(
      seen.filter(({ key }) => isToDo.has(key)),
      { ...ports, watch },
      signal,
    );
    applied.push(...ended);
    signal.throwIfAborted();
    const isWhole = [...ended, ...pods].every(({ is }) => is !== 'failed' && is !== 'blocked');
    if (!isWhole || plan.last.length === 0) return { applied, isWhole };
    const again = await readInventory(ports.reading, signal);
    ({ pods } = planMigration(again, ports.isRollBack));
    ({ seen } = again);
    if (pods.every(({ is, steps }) => is !== 'blocked' && steps.length === 0)) break;
    if (listing === MOST_LISTINGS) return { applied, isWhole: false };
  }
  await watch();
  for (const step of plan.last) await carryOut(step, ports.writing, signal);
  return { applied, isWhole: true };
};

const createWatch = (inventory: Inventory, { reading, isRollBack }: ApplyPorts, signal: AbortSignal): Watch => {
  let at = -Infinity;
  let latest: Promise<Surroundings> | undefined;
  const look = async (): Promise<Surroundings> => {
    const now = { ...inventory, ...(await readSurroundings(reading, signal)), now: reading.clock.now() };
    const refusals = refusalsOf(now, isRollBack);
    if (refusals.length > 0) throw new StoppedByOther(refusals);
    return surroundingsOf(now);
  };
  return () => {
    const mono = reading.clock.mono();
    if (!latest || mono - at >= WATCH_MS) {
      at = mono;
      latest = look();
    }
    return latest;
  };
};

/**
 * Takes each pod from where it is to where it has to be: it is read, its next write is decided on, and made; and so on
 * until none is left. So a run after one that died, or on what somebody has changed meanwhile, goes on from there.
 */
const applyToPods = async (
  pods: readonly SeenPod[],
  ports: PodPorts,
  signal: AbortSignal,
): Promise<readonly AppliedPod[]> => {
  const applied: AppliedPod[] = [];
  const left = pods.values();
  let isStopped = false;
  const work = async () => {
    for (const seen of left) {
      if (isStopped) return;
      const around = await ports.watch();
      const one = await applyToPod(seen, ports, signal);
      isStopped ||= isAllOrNothing(around, ports.isRollBack) && one.is !== 'done';
      applied.push(one);
      ports.onApplied(one);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return applied;
};

const applyToPod = async (first: SeenPod, ports: PodPorts, signal: AbortSignal): Promise<AppliedPod> => {
  const { key } = first;
  const { reading, writing, watch, isRollBack } = ports;
  let written = 0;
  try {
    for (let turn = 1; turn <= MOST_WRITES; turn += 1) {
      signal.throwIfAborted();
      const around = await watch();
      const seen = await readAgain(first, reading, signal);
      const planned = await rehearsedPod(planPod(seen, around, isRollBack), seen, ports.rehearse, signal);
      const [step] = planned.steps;
      if (!step) return { key, ...endOf(planned), written };
      // What was read meanwhile may have taken its time.
      await watch();
      if (await succeeds(step, writing, signal)) written += 1;
    }
    return { key, is: 'failed', because: 'somebody keeps writing it at the same time; run this again', written };
  } catch (error) {
    if (!Error.isError(error) || error instanceof StoppedByOther) throw error;
    const isKnown = error instanceof KubeFault || error instanceof CloudFault;
    const because = isKnown ? `${error.message}; run this again once that is mended` : error.message;
    return { key, is: 'failed', because, written };
  }
};

const endOf = ({ is, because, todo }: PlannedPod): Pick<AppliedPod, 'is' | 'because'> =>
  is === 'blocked' || is === 'waits' ? { is, because: `${because}; ${todo}` } : { is: 'done' };

/** False where the object was written by somebody else in between: it is read again. */
const succeeds = async (step: MigrationStep, ports: CarryOutPorts, signal: AbortSignal): Promise<boolean> => {
  try {
    await carryOut(step, ports, signal);
    return true;
  } catch (error) {
    if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) return false;
    throw error;
  }
};

/**
 * A pod as it was planned; blocked, where the controller itself, asked what it would do first, would change something.
 * Of a pod that is gone it may: somebody vouches for its EIP.
 */
export const rehearsedPod = async (
  planned: PlannedPod,
  seen: SeenPod,
  rehearse: Rehearse,
  signal: AbortSignal,
): Promise<PlannedPod> => {
  const adoption = planned.steps.find((step): step is Adoption => step.do === 'Adopt');
  if (!adoption || adoption.podUid === '') return planned;
  const change = await rehearse(seen, adoption, signal);
  return change === undefined
    ? planned
    : blocked(
        seen,
        `the controller would not leave it as it is (${change})`,
        'look at the EipPolicies of its namespace, and at who else names the EIP',
      );
};
