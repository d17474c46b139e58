import { CloudFault } from '../cloud/fault.ts';
import { KubeFault } from '../kube/fault.ts';
import { carryOut, type CarryOutPorts } from './carry-out.ts';
import type { Inventory, SeenPod, Surroundings } from './inventory.ts';
import { isAllOrNothing, planPod, surroundingsOf, type Plan } from './plan.ts';
import type { PlannedPod } from './planned.ts';
import { readAgain, type InventoryPorts } from './read-inventory.ts';
import type { MigrationStep } from './steps.ts';

/** How the work on one pod has ended. */
export interface AppliedPod {
  readonly key: string;
  /** `done`: there is nothing left to do; `waits` and `blocked` as in the plan. */
  readonly is: 'done' | 'waits' | 'blocked' | 'failed';
  /** Why it is not done, and what to do. */
  readonly because?: string | undefined;
  readonly written: number;
}

/** With what a plan is carried out. */
interface ApplyPorts {
  readonly reading: InventoryPorts;
  readonly writing: CarryOutPorts;
  readonly isRollBack: boolean;
  readonly onApplied: (applied: AppliedPod) => void;
}

type PodPorts = ApplyPorts & { readonly around: Surroundings };

/** How many writes one pod may take, with those that come too late for what was read. */
const MOST_WRITES = 20;
/** The number of pods that are worked on at once. */
const AT_ONCE = 8;

/**
 * Carries out a plan that nothing refuses. Rejects with the fault of a step that concerns no single pod. Where anything
 * is blocked or has failed, the last steps are left out: until every EIP of Terway's is written down, Terway goes on
 * looking after them.
 */
export const applyPlan = async (
  plan: Plan,
  inventory: Inventory,
  ports: ApplyPorts,
  signal: AbortSignal,
): Promise<{ readonly applied: readonly AppliedPod[]; readonly isWhole: boolean }> => {
  for (const step of plan.first) await carryOut(step, ports.writing, signal);
  const isToDo = new Set(plan.pods.filter(({ steps }) => steps.length > 0).map(({ key }) => key));
  const pods = inventory.seen.filter(({ key }) => isToDo.has(key));
  const applied = await applyToPods(pods, { ...ports, around: surroundingsOf(inventory) }, signal);
  signal.throwIfAborted();
  const isWhole = [...applied, ...plan.pods].every(({ is }) => is !== 'failed' && is !== 'blocked');
  if (isWhole) for (const step of plan.last) await carryOut(step, ports.writing, signal);
  return { applied, isWhole };
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
      const one = await applyToPod(seen, ports, signal);
      isStopped ||= isAllOrNothing(ports.around, ports.isRollBack) && one.is !== 'done';
      applied.push(one);
      ports.onApplied(one);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return applied;
};

const applyToPod = async (first: SeenPod, ports: PodPorts, signal: AbortSignal): Promise<AppliedPod> => {
  const { key } = first;
  const { reading, writing, around, isRollBack } = ports;
  let written = 0;
  try {
    for (let turn = 1; turn <= MOST_WRITES; turn += 1) {
      signal.throwIfAborted();
      const planned = planPod(await readAgain(first, reading, signal), around, isRollBack);
      const [step] = planned.steps;
      if (!step) return { key, ...endOf(planned), written };
      if (await succeeds(step, writing, signal)) written += 1;
    }
    return { key, is: 'failed', because: 'somebody keeps writing it at the same time; run this again', written };
  } catch (error) {
    if (!Error.isError(error)) throw error;
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
