import type { Clock } from '../lib/clock.ts';
import { onBehalfOfMany } from '../lib/on-behalf-of.ts';
import type { Cloud, Eip } from './port.ts';
import type { Throttle } from './throttle.ts';

/** What an EIP in transition is to become. */
type Goal = 'InUse' | 'Available';

/** An EIP as it was read. */
interface Reading {
  readonly eip: Eip;
  /** When it was asked for; monotonic milliseconds. */
  readonly askedAt: number;
}

/** An EIP that is on its way to another state. */
interface Transition {
  readonly allocationId: string;
  readonly goal: Goal;
  /** When the change was accepted, or the transition first seen; monotonic milliseconds. */
  readonly since: number;
}

/** The first look at a transition of which nothing is known; milliseconds. */
const FIRST_MS = 600;
/** The first look is neither sooner nor later, whatever was learnt; milliseconds. */
const SOONEST_MS = 250;
const LATEST_MS = 10_000;
/** So many of the last transitions say how long the next one will take. */
const LEARNT = 16;
/** So long after it began a transition is no longer looked at: whoever waits for it looks by himself; milliseconds. */
const GIVE_UP_MS = 600_000;
/** A transition is looked at again after this part of the time since its first look: an endless one costs little. */
const PART_OF_OVERDUE = 1 / 8;
/** So long a reading is kept for whoever waits for it; milliseconds. */
const KEPT_MS = 10_000;
/** So long after a look that failed, milliseconds. */
const AFTER_FAULT_MS = 1_000;

/** Known to so little, it is looked at for the first time when it must be over; milliseconds. */
const KNOWN_WELL_MS = 10;

/**
 * How long it is until the next look, milliseconds: soon while few of the account's calls of a minute are used up, and
 * seldom where others need what is left. Half of a minute's calls may come at once, and a sixth where the cloud has
 * throttled: no more is ever left.
 */
const everyMs = ({ left, perMinute }: Pick<Throttle, 'left' | 'perMinute'>): number => {
  const share = left('DescribeEipAddresses') / perMinute('DescribeEipAddresses');
  if (share >= 0.3) return 60;
  if (share >= 0.2) return 125;
  return share >= 0.1 ? 500 : 1_000;
};

/** How long a transition has taken, by the looks at it; milliseconds. */
interface Took {
  /** 0 where it was over at the first look. */
  readonly atLeastMs: number;
  readonly atMostMs: number;
}

/** The first looks at a transition, milliseconds after it began. */
interface FirstLooks {
  readonly firstMs: number;
  /** The quickest of the last ones was over then; 0 where none is known. */
  readonly secondMs: number;
}

const within = (ms: number): number => Math.min(LATEST_MS, Math.max(SOONEST_MS, ms));

/**
 * When the next transition is looked at: between the time that the quickest of the last ones took at most and the
 * longest that one of them took at least and that is shorter, and at the former. Where all take the same time, each
 * first look halves what is not known of it.
 */
const firstLooks = (took: readonly Took[]): FirstLooks => {
  if (took.length === 0) return { firstMs: FIRST_MS, secondMs: 0 };
  const quickest = Math.min(...took.map(({ atMostMs }) => atMostMs));
  const atLeast = Math.max(0, ...took.map(({ atLeastMs }) => atLeastMs).filter((ms) => ms < quickest));
  const firstMs = quickest - atLeast <= KNOWN_WELL_MS ? quickest : Math.round((quickest + atLeast) / 2);
  return { firstMs: within(firstMs), secondMs: within(quickest) };
};

interface Followed {
  readonly goal: Goal;
  readonly since: number;
  readonly firstAt: number;
  readonly secondAt: number;
  nextAt: number;
  /** When the last look was asked for that showed something else; undefined where there was none. */
  notYetAt: number | undefined;
  /** Who waits for it. */
  readonly keys: Set<string>;
  /** How many looks are under way. */
  looking: number;
}

/** Whether it may be looked at again: the second look alone does not wait for the answer of the one before. */
const mayLook = ({ looking, nextAt, secondAt }: Followed): boolean =>
  looking === 0 || (looking === 1 && nextAt <= secondAt);

interface TransitionPorts {
  readonly cloud: Pick<Cloud, 'describeEip'>;
  readonly clock: Clock;
  readonly throttle: Pick<Throttle, 'left' | 'perMinute'>;
  /** Called with the key of whoever waits, once a look shows what they wait for. Must not throw. */
  readonly arrived: (key: string) => void;
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
}

/**
 * Looks at all EIPs in transition, many in one call, when they should be over: it learns how long they take. Whoever
 * waits for one is told once a look shows what it is to become, and sees that reading. What does not come, or cannot be
 * read, is for them to find out.
 */
export class SharedTransitionPoll {
  readonly #ports: TransitionPorts;
  readonly #followed = new Map<string, Followed>();
  readonly #readings = new Map<string, Reading>();
  /** How long the last transitions have taken. */
  readonly #took: Readonly<Record<Goal, Took[]>> = { InUse: [], Available: [] };
  #cancel: (() => void) | undefined;

  constructor(ports: TransitionPorts) {
    this.#ports = ports;
    ports.signal.addEventListener('abort', () => this.#cancel?.(), { once: true });
  }

  /** Looks at the EIP until it is what it is to become, and calls `arrived` with the key then, once. */
  follow({ allocationId, goal, since }: Transition, key: string): void {
    const followed = this.#followed.get(allocationId);
    if (followed?.goal === goal) {
      followed.keys.add(key);
      return;
    }
    const { firstMs, secondMs } = firstLooks(this.#took[goal]);
    const firstAt = Math.max(this.#ports.clock.mono(), since + firstMs);
    this.#followed.set(allocationId, {
      goal,
      since,
      firstAt,
      secondAt: since + secondMs,
      nextAt: firstAt,
      notYetAt: undefined,
      keys: new Set([key]),
      looking: 0,
    });
    this.#schedule();
  }

  /** What the last look has shown, where it was what was waited for; once. */
  take(allocationId: string): Reading | undefined {
    const reading = this.#readings.get(allocationId);
    this.#readings.delete(allocationId);
    return reading;
  }

  /** Whether there is anything to take that shows the EIP in use. */
  hasArrived(allocationId: string): boolean {
    return this.#readings.get(allocationId)?.eip.status === 'InUse';
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const { clock, signal } = this.#ports;
    // Whoever has looks under way comes again with their answers.
    const idle = [...this.#followed.values()].filter(mayLook);
    if (idle.length === 0 || signal.aborted) return;
    const nextAt = Math.min(...idle.map((it) => it.nextAt));
    this.#cancel = clock.timer(Math.max(0, nextAt - clock.mono()), () => this.#look());
  }

  /** Looks at all that are due, or nearly: they fit into one call. */
  #look(): void {
    const { clock, throttle } = this.#ports;
    const now = clock.mono();
    const ms = everyMs(throttle);
    for (const [allocationId, it] of this.#followed) {
      if (now - it.since > GIVE_UP_MS) this.#followed.delete(allocationId);
      else if (mayLook(it) && it.nextAt <= now + ms / 2) {
        const nextAt = now + Math.max(ms, (now - it.firstAt) * PART_OF_OVERDUE);
        it.nextAt = it.secondAt > now ? Math.min(nextAt, it.secondAt) : nextAt;
        void onBehalfOfMany(() => this.#lookAt(allocationId, it));
      }
    }
    this.#schedule();
  }

  async #lookAt(allocationId: string, it: Followed): Promise<void> {
    const { cloud, clock, signal } = this.#ports;
    const askedAt = clock.mono();
    let eip: Eip | undefined;
    it.looking += 1;
    try {
      eip = await cloud.describeEip(allocationId, signal);
    } catch {
      // Whoever waits for it looks by himself in the end, and says what is wrong.
      it.nextAt = Math.max(it.nextAt, askedAt + AFTER_FAULT_MS);
    } finally {
      it.looking -= 1;
    }
    if (this.#followed.get(allocationId) !== it) return;
    if (eip?.status !== it.goal) {
      if (eip) it.notYetAt = Math.max(it.notYetAt ?? 0, askedAt);
      this.#schedule();
      return;
    }
    this.#learn(it, askedAt);
    this.#followed.delete(allocationId);
    this.#keep(allocationId, { eip, askedAt });
    for (const key of it.keys) this.#ports.arrived(key);
  }

  /** With those that nobody has taken soon, the oldest first, which nobody will. */
  #keep(allocationId: string, reading: Reading): void {
    this.#readings.delete(allocationId);
    for (const [id, { askedAt }] of this.#readings) {
      if (reading.askedAt - askedAt < KEPT_MS) break;
      this.#readings.delete(id);
    }
    this.#readings.set(allocationId, reading);
  }

  #learn({ goal, since, notYetAt = since }: Followed, askedAt: number): void {
    const took = this.#took[goal];
    took.push({ atLeastMs: notYetAt - since, atMostMs: askedAt - since });
    if (took.length > LEARNT) took.shift();
  }
}
