import { backoffMs } from '../lib/backoff.ts';
import type { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { Turns } from '../lib/turns.ts';
import { createDelays } from './delays.ts';
import { refOf } from './store.ts';

/** `live` is what just happened; `resync` is everything else, for example all objects after a start. */
type Priority = 'live' | 'resync';

/**
 * Who is handed a key. The keys of each lane have workers of their own: however many wait in another lane, or make its
 * workers wait, they go on.
 */
export type QueueLane = 'main' | 'purchase' | 'started' | 'detach' | 'priority';

/** Hooks for metrics. Must not throw. */
interface QueueObserver {
  /** A key was handed out, `waitedMs` after it became due. */
  taken?(waitedMs: number, priority: Priority): void;
  /** A key failed and comes again in `delayMs`. */
  retried?(delayMs: number, failures: number): void;
}

interface QueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Delay after a failure. Default 5 ms to 1000 s, as client-go's DefaultControllerRateLimiter. */
  readonly backoff?: Backoff | undefined;
  /** Asked each time a key becomes due. Default `main` for all. Must not throw. */
  readonly laneOf?: ((key: string) => QueueLane) | undefined;
  /**
   * How many keys of the lane may be worked on at once at present, beside what its workers allow: a key that would only
   * wait for something else waits here, and is looked at when it can go on. Default no limit. Must not throw.
   *
   * @param waitedMs since when the key that is next in the lane has been due
   * @param processing how many keys of the lane are worked on
   */
  readonly roomOf?: ((lane: QueueLane, line: { waitedMs: number; processing: number }) => number) | undefined;
  readonly observer?: QueueObserver | undefined;
}

interface QueueDepth {
  /** Due and waiting for a worker. */
  readonly ready: number;
  /** Due later. */
  readonly delayed: number;
  readonly processing: number;
  /** Keys whose last run failed. */
  readonly failing: number;
  /** How long the key that waits longest has been due; 0 where none waits. */
  readonly oldestMs: number;
}

/**
 * What to look at next: keys, not events. A key is in it once however often it is added, and is never handed out while
 * it is being processed; if it is added meanwhile, it comes again afterwards.
 */
export interface WorkQueue {
  /** Makes the key due now. A deadline that it has is void: the run that comes decides about the next one. */
  add(key: string, priority?: Priority): void;
  /**
   * Makes the key due now, before all of its owner's that wait in its lane, where it was in that lane before or was
   * waited for: it has gone a step, and stands behind nobody who has not begun. In a lane that it comes to it stands in
   * line: there it has not begun either.
   */
  goOn(key: string): void;
  /**
   * Makes the key due in `ms`, or when it is due anyway, if that is sooner. After {@link RECHECK_MS} or more it comes
   * back behind what just happened.
   */
  addAfter(key: string, ms: number): void;
  /** Moves a recheck of the key to `ms` from now: it was seen that nothing is to be done about it. */
  postpone(key: string, ms: number): void;
  /**
   * Counts a failure and makes the key due after the backoff, but not before `atLeastMs`. Returns the delay in
   * milliseconds. A key that was added while it was processed does not wait.
   */
  retry(key: string, atLeastMs?: number): number;
  /** Forgets the failures of a key. */
  forget(key: string): void;
  /** Hands out a key of the lane, which must be given back with `done`; undefined once the queue has shut down. */
  take(lane?: QueueLane): Promise<string | undefined>;
  done(key: string): void;
  depth(): QueueDepth;
  /**
   * Accepts nothing more and drops what is due later. With `drop`, what is due now is dropped too; with `finish`, it is
   * still handed out. Resolves when nothing is being processed any more.
   */
  shutDown(mode: 'drop' | 'finish'): Promise<void>;
}

/** One in so many is taken from `resync` while `live` keys are waiting, so that a steady stream cannot starve it. */
const RESYNC_SHARE = 16;

/**
 * Whoever asks to be looked at after so long waits for nothing in particular: it is a recheck, milliseconds. Thousands
 * of objects at rest come back all the time, and each step of a new one would stand behind them.
 */
const RECHECK_MS = 60_000;

/** How soon it is asked again whether a lane has room, milliseconds. */
const ROOM_MS = 100;

interface Entry {
  /** Since when it is due, monotonic; undefined while it is not. */
  dueAt: number | undefined;
  priority: Priority;
  lane: QueueLane;
  processing: boolean;
  /** Where it was taken from while it is processed; its lane may be another by then. */
  handedOutBy: Waitlist | undefined;
  /** Whether it goes before what waits. */
  goesFirst: boolean;
}

interface Waiting {
  readonly key: string;
  readonly entry: Entry;
}

/** Whether one that is due already gets a better place. */
const movesUp = (entry: Entry, priority: Priority, goesFirst: boolean): boolean =>
  (priority === 'live' && entry.priority === 'resync') || (goesFirst && !entry.goesFirst);

/** What waits in one lane, and who waits for it. */
class Waitlist {
  readonly #live: Turns<Waiting>;
  readonly #resync: Turns<Waiting>;
  readonly takers: ((key: string | undefined) => void)[] = [];
  #liveInARow = 0;
  /** How many of the keys that were handed out here are not given back yet. */
  processing = 0;

  constructor(lane: QueueLane) {
    const waiting = (priority: Priority) =>
      new Turns<Waiting>(
        ({ entry }) =>
          entry.dueAt !== undefined && !entry.processing && entry.priority === priority && entry.lane === lane,
      );
    this.#live = waiting('live');
    this.#resync = waiting('resync');
  }

  push(key: string, entry: Entry): void {
    const turns = entry.priority === 'live' ? this.#live : this.#resync;
    const owner = refOf(key).namespace ?? '';
    if (entry.goesFirst) turns.pushFirst(owner, { key, entry });
    else turns.push(owner, { key, entry });
  }

  /** Takes the next one out; undefined where none waits. */
  shift(): Waiting | undefined {
    const takeLive = this.#nextIsLive();
    this.#liveInARow = takeLive && this.#resync.peek() !== undefined ? this.#liveInARow + 1 : 0;
    return (takeLive ? this.#live : this.#resync).shift();
  }

  isEmpty(): boolean {
    return this.#live.peek() === undefined && this.#resync.peek() === undefined;
  }

  /** Since when the one has been due that {@link shift} would take out; undefined where none waits. */
  nextSince(): number | undefined {
    return (this.#nextIsLive() ? this.#live : this.#resync).peek()?.entry.dueAt;
  }

  #nextIsLive(): boolean {
    if (this.#resync.peek() === undefined) return true;
    return this.#live.peek() !== undefined && this.#liveInARow < RESYNC_SHARE - 1;
  }

  /** Since when the one that waits longest has been due; Infinity where none waits. */
  oldest(): number {
    let oldest = Infinity;
    for (const turns of [this.#live, this.#resync])
      for (const { entry } of turns.heads()) oldest = Math.min(oldest, entry.dueAt ?? Infinity);
    return oldest;
  }
}

export const createQueue = ({ clock, random, backoff, laneOf, roomOf, observer }: QueueOptions): WorkQueue => {
  const entries = new Map<string, Entry>();
  const failures = new Map<string, number>();
  const lanes = {
    main: new Waitlist('main'),
    purchase: new Waitlist('purchase'),
    started: new Waitlist('started'),
    detach: new Waitlist('detach'),
    priority: new Waitlist('priority'),
  };
  const idle = Promise.withResolvers<void>();
  const { baseMs, capMs } = backoff ?? { baseMs: 5, capMs: 1_000_000 };
  let readyCount = 0;
  let processing = 0;
  let closed = false;
  let isServedSoon: (() => void) | undefined;

  /** Priority that a delayed key comes back with. */
  const priorities = new Map<string, Priority>();
  const delays = createDelays(clock, (key) => makeDue(key, priorities.get(key) ?? 'resync'));

  const enqueue = (key: string, entry: Entry) => {
    readyCount += 1;
    lanes[entry.lane].push(key, entry);
  };

  const makeDue = (key: string, priority: Priority, goesFirst = false) => {
    delays.delete(key);
    priorities.delete(key);
    const lane = laneOf?.(key) ?? 'main';
    const entry = entries.get(key);
    if (entry === undefined) {
      const fresh: Entry = {
        dueAt: clock.mono(),
        priority,
        lane,
        processing: false,
        handedOutBy: undefined,
        goesFirst,
      };
      entries.set(key, fresh);
      enqueue(key, fresh);
    } else if (entry.dueAt === undefined) {
      entry.dueAt = clock.mono();
      entry.priority = priority;
      entry.lane = lane;
      entry.goesFirst = goesFirst;
    } else if (movesUp(entry, priority, goesFirst) || lane !== entry.lane) {
      if (priority === 'live') entry.priority = 'live';
      // What waits is not put first where it has just come to.
      entry.goesFirst = goesFirst || (entry.goesFirst && (entry.processing || entry.lane === lane));
      entry.lane = lane;
      if (!entry.processing) lanes[lane].push(key, entry);
    }
    serve();
  };

  /** Whether the lane has room; where it has none, it is served again soon. */
  const hasRoom = (name: QueueLane): boolean => {
    if (!roomOf || closed) return true;
    const now = clock.mono();
    const { processing } = lanes[name];
    if (processing < roomOf(name, { waitedMs: now - (lanes[name].nextSince() ?? now), processing })) return true;
    isServedSoon ??= clock.timer(ROOM_MS, () => {
      isServedSoon = undefined;
      serve();
    });
    return false;
  };

  const serve = () => {
    for (const [name, lane] of Object.entries(lanes) as [QueueLane, Waitlist][]) {
      while (lane.takers.length > 0 && !lane.isEmpty() && hasRoom(name)) {
        const waiting = lane.shift();
        if (waiting === undefined) break;
        const { key, entry } = waiting;
        readyCount -= 1;
        processing += 1;
        lane.processing += 1;
        entry.handedOutBy = lane;
        observer?.taken?.(clock.mono() - (entry.dueAt ?? 0), entry.priority);
        entry.dueAt = undefined;
        entry.goesFirst = false;
        entry.processing = true;
        lane.takers.shift()!(key);
      }
    }
    if (!closed) return;
    for (const lane of Object.values(lanes))
      if (lane.isEmpty()) for (const taker of lane.takers.splice(0)) taker(undefined);
    if (readyCount === 0 && processing === 0) idle.resolve();
  };

  const later = (key: string, ms: number, priority: Priority) => {
    if (closed || entries.get(key)?.dueAt !== undefined) return;
    if (ms <= 0) return makeDue(key, priority);
    priorities.set(key, priority);
    delays.set(key, clock.mono() + ms);
  };

  return {
    add(key, priority = 'live') {
      if (!closed) makeDue(key, priority);
    },
    goOn(key) {
      if (!closed) makeDue(key, 'live', true);
    },
    addAfter(key, ms) {
      later(key, ms, ms < RECHECK_MS ? 'live' : 'resync');
    },
    postpone(key, ms) {
      // Only what rests: not what is due, worked on or waited for, nor what failed.
      if (priorities.get(key) !== 'resync' || entries.has(key) || failures.has(key)) return;
      delays.delete(key);
      later(key, ms, 'resync');
    },
    retry(key, atLeastMs = 0) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      const delayMs = Math.max(atLeastMs, backoffMs({ baseMs, capMs }, count, random));
      observer?.retried?.(delayMs, count + 1);
      // Behind fresh events: a crowd of failing keys must not stand before the healthy ones.
      later(key, delayMs, 'resync');
      return delayMs;
    },
    forget(key) {
      failures.delete(key);
    },
    take: (lane = 'main') =>
      new Promise((resolve) => {
        lanes[lane].takers.push(resolve);
        serve();
      }),
    done(key) {
      const entry = entries.get(key);
      if (entry?.processing !== true) return;
      entry.processing = false;
      processing -= 1;
      if (entry.handedOutBy) entry.handedOutBy.processing -= 1;
      if (entry.dueAt === undefined) {
        entries.delete(key);
      } else {
        entry.goesFirst &&= entry.handedOutBy === lanes[entry.lane];
        enqueue(key, entry);
      }
      serve();
    },
    depth() {
      const oldest = Math.min(...Object.values(lanes).map((lane) => lane.oldest()));
      return {
        ready: readyCount,
        delayed: delays.size,
        processing,
        failing: failures.size,
        oldestMs: oldest === Infinity ? 0 : clock.mono() - oldest,
      };
    },
    shutDown(mode) {
      closed = true;
      isServedSoon?.();
      delays.clear();
      priorities.clear();
      if (mode === 'drop') {
        for (const [key, entry] of entries) {
          entry.dueAt = undefined;
          if (!entry.processing) entries.delete(key);
        }
        readyCount = 0;
      }
      serve();
      return idle.promise;
    },
  };
};
