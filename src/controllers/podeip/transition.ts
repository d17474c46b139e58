import type { Eip } from '../../cloud/port.ts';
import type { ObservedState } from './observation.ts';
import type { Action, Result } from './step.ts';

/** An EIP that is on its way to another state. */
interface Transition {
  readonly allocationId: string;
  readonly goal: 'InUse' | 'Available';
  /** When the change was accepted, or the transition first seen; monotonic milliseconds. */
  readonly since: number;
}

/** Who looks at EIPs in transition: src/cloud/transitions.ts. */
export interface TransitionWatch {
  /** Looks at the EIP until it is what it is to become; the key comes then. */
  follow(transition: Transition, key: string): void;
  /** What the last look has shown, where it was what was waited for, and when it was asked for; once. */
  take(allocationId: string): { readonly eip: Eip; readonly askedAt: number } | undefined;
  /** Whether there is anything to take that shows the EIP in use. */
  hasArrived(allocationId: string): boolean;
}

/** What an EIP becomes after a change that was accepted. */
const GOAL = {
  Associate: 'InUse',
  Unassociate: 'Available',
  ForceDetach: 'Available',
} as const satisfies Partial<Record<Action['do'], 'InUse' | 'Available'>>;

const hasGoal = (change: Action['do']): change is keyof typeof GOAL => Object.hasOwn(GOAL, change);

const GOAL_OF_STATUS: Readonly<Record<string, 'InUse' | 'Available' | undefined>> = {
  Associating: 'InUse',
  Unassociating: 'Available',
};

/** So long after a change was accepted it is what a transition comes from; milliseconds. */
const LASTS_MS = 60_000;

/** So long until the next turn where it is looked at what is waited for; milliseconds. */
export const FOLLOWED_MS = 3_000;

/**
 * The transition whose end a result waits for; undefined where it waits for something else. What is not to be seen yet
 * is what was changed a moment ago: a reading that shows the time before says nothing.
 *
 * @param mono now, monotonic milliseconds
 */
export const transitionOf = (
  step: Result,
  { eip, memory }: Pick<ObservedState, 'eip' | 'memory'>,
  mono: number,
): Transition | undefined => {
  if (step.do !== 'Wait' || step.reason !== 'InTransition' || !eip) return undefined;
  const { accepted, quietMs } = memory;
  const ofChange = accepted && hasGoal(accepted) && quietMs < LASTS_MS ? GOAL[accepted] : undefined;
  const goal = ofChange ?? GOAL_OF_STATUS[eip.status];
  if (goal === undefined || eip.status === goal) return undefined;
  return { allocationId: eip.allocationId, goal, since: ofChange ? mono - Math.max(0, quietMs) : mono };
};

/** The transition that an accepted change has begun; undefined where it begins none. */
export const transitionAfter = (step: Action, mono: number): Transition | undefined => {
  if (step.do !== 'Associate' && step.do !== 'Unassociate' && step.do !== 'ForceDetach') return undefined;
  return { allocationId: step.allocationId, goal: GOAL[step.do], since: mono };
};

/** What is remembered, as of the moment when what was read was asked for; milliseconds ago. */
export const asOf = (memory: ObservedState['memory'], agoMs: number): ObservedState['memory'] => ({
  ...memory,
  quietMs: memory.quietMs < 0 ? memory.quietMs - agoMs : Math.max(0, memory.quietMs - agoMs),
  driftMs: Math.max(0, memory.driftMs - agoMs),
  missingMs: Math.max(0, memory.missingMs - agoMs),
  inUseMs: Math.max(0, (memory.inUseMs ?? 0) - agoMs),
  ...(memory.ageMs !== undefined && { ageMs: Math.max(0, memory.ageMs - agoMs) }),
});

/** A reading that is older is made anew; milliseconds. */
export const YOUNG_MS = 300;
