/** Something that will happen at `at` (monotonic milliseconds). */
interface Item {
  readonly at: number;
  readonly order: number;
  readonly happen: (at: number) => void;
}

/**
 * What the cloud has set going and not finished: bindings under way, effects of requests that are still travelling.
 *
 * There are no timers. An item happens when somebody next looks at the cloud at or after its time, with its own time as
 * "now" and in the order of these times, so that nobody can tell the difference; a cloud that nobody looks at costs
 * nothing and keeps no process alive.
 */
export class EventQueue {
  /** A binary heap: the earliest item first; of two with the same time, the one that was put in first. */
  readonly #heap: Item[] = [];
  #order = 0;

  at(at: number, happen: (at: number) => void): void {
    const item = { at, order: this.#order++, happen };
    const heap = this.#heap;
    let index = heap.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(item, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = item;
  }

  /** Lets everything happen that is due at `now`, also what the items add meanwhile. */
  catchUp(now: number): void {
    while (this.#heap[0] && this.#heap[0].at <= now) {
      const { at, happen } = this.#takeFirst();
      happen(at);
    }
  }

  #takeFirst(): Item {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

const before = (one: Item, other: Item): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);
