import type { Clock } from '../../lib/clock.ts';
import { keyOf } from '../../kube/store.ts';
import { isCurrent, type Watched } from './carry.ts';
import type { ObservedState } from './observation.ts';
import type { ReadStep } from './step.ts';
import type { TransitionWatch } from './transition.ts';

/** What is looked up while something else is under way. */
export type LookedUp = Pick<ObservedState, 'interfaces' | 'policy' | 'namespace'>;

/** A look-up that is under way. */
export interface LookAhead {
  /** The address whose network interfaces are looked up. */
  readonly privateIpAddress: string;
  /** Never rejects; empty where a decision has to ask for itself. */
  readonly found: Promise<LookedUp>;
}

/** What tells whether it still holds. */
export interface CarriedPorts {
  readonly clock: Clock;
  /** What the watches show of a key; undefined where there are none, and each turn reads everything. */
  readonly watched?: ((key: string) => Watched) | undefined;
  readonly transitions?: Pick<TransitionWatch, 'hasArrived'> | undefined;
}

interface Left {
  readonly state: ObservedState;
  readonly ahead: LookAhead | undefined;
}

/** What turns leave to the next one of the same key, by key. */
export class Carried {
  readonly #left = new Map<string, Left>();
  /** Of keys that go on with what was left, until a turn leaves nothing; and whether this turn is the first one. */
  readonly #ahead = new Map<string, { readonly look: LookAhead; readonly isFirst: boolean }>();

  leave(state: ObservedState, ahead?: LookAhead): void {
    const one = state.podEip ?? state.pod;
    if (one) this.#left.set(keyOf(one.metadata), { state, ahead });
  }

  /** What was left, where it still holds; undefined where everything has to be read. */
  take(key: string, { watched, clock, transitions }: CarriedPorts): ObservedState | undefined {
    const left = this.#left.get(key);
    this.#left.delete(key);
    const look = left?.ahead ?? this.#ahead.get(key)?.look;
    this.#ahead.delete(key);
    if (!left || !watched) return undefined;
    const { isSent = false, podEip } = left.state;
    const hasArrived = isSent && transitions?.hasArrived(podEip?.spec.allocationID ?? '') === true;
    const state = hasArrived ? { ...left.state, hasArrived } : left.state;
    if (!isCurrent(state, watched(key), clock.mono())) return undefined;
    if (look) this.#ahead.set(key, { look, isFirst: left.ahead !== undefined });
    return state;
  }

  /**
   * What the step asks for, where that is being looked up already; undefined where it is not. Waited for here, and not
   * before: a step that needs none of it comes first. What the namespace may have counts in the first turn alone:
   * nothing is bought on an older word.
   */
  lookedUp(key: string, step: ReadStep): Promise<LookedUp> | undefined {
    const ahead = this.#ahead.get(key);
    if (!ahead) return undefined;
    const { look, isFirst } = ahead;
    if (asksFor(step) === look.privateIpAddress)
      return look.found.then(({ interfaces }) => (interfaces ? { interfaces } : {}));
    return step.do === 'ReadPolicy' && isFirst
      ? look.found.then(({ policy, namespace }) => (policy ? { policy, namespace } : {}))
      : undefined;
  }
}

/** The address by which the step looks network interfaces up; undefined where it looks up none. */
const asksFor = (step: ReadStep): string | undefined =>
  step.do === 'ReadInterfaces' || step.do === 'ReadTaggedEips' ? step.privateIpAddress : undefined;
