import type { Clock } from '../lib/clock.ts';

/** Keys that become due later; each has one deadline. */
interface Delays {
  readonly size: number;
  /** Remembers the earlier of the two deadlines where the key has one already. `at` is monotonic, in milliseconds. */
  set(key: string, at: number): void;
  delete(key: string): void;
  clear(): void;
}

const nothing = () => undefined;

/** A binary heap and one timer for its head: a timer for each of 100,000 keys would cost far more. */
export const createDelays = (clock: Clock, due: (key: string) => void): Delays => {
  const deadlines = new Map<string, number>();
  /** Entries that no longer agree with `deadlines` are skipped when they come up. */
  let heap: { key: string; at: number }[] = [];
  let armedFor = Infinity;
  let disarm: () => void = nothing;

  const push = (entry: { key: string; at: number }) => {
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  };

  const pop = () => {
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  };

  const arm = () => {
    for (let head = heap[0]; head !== undefined && deadlines.get(head.key) !== head.at; head = heap[0]) pop();
    const at = heap[0]?.at ?? Infinity;
    if (at === armedFor) return;
    disarm();
    armedFor = at;
    disarm = at === Infinity ? nothing : clock.timer(Math.max(0, at - clock.mono()), fire);
  };

  const fire = () => {
    armedFor = Infinity;
    disarm = nothing;
    const now = clock.mono();
    for (let head = heap[0]; head !== undefined && head.at <= now; head = heap[0]) {
      pop();
      if (deadlines.get(head.key) !== head.at) continue;
      deadlines.delete(head.key);
      due(head.key);
    }
    arm();
  };

  return {
    get size() {
      return deadlines.size;
    },
    set(key, at) {
      const known = deadlines.get(key);
      if (known !== undefined && known <= at) return;
      deadlines.set(key, at);
      push({ key, at });
      arm();
    },
    delete(key) {
      if (deadlines.delete(key)) arm();
    },
    clear() {
      deadlines.clear();
      heap = [];
      arm();
    },
  };
};
