/**
 * Who goes next, where owners wait who know nothing of each other: first who had his turn longest ago, or has waited
 * longest for the first one; and of one owner what came first. So between two turns of an owner who waits no other has
 * more than one, however much that other brought, and where one owner is alone the order is that of coming.
 *
 * What was put in may lose its place later, for example because it moved elsewhere: such items are skipped.
 */
export class Turns<T> {
  /** Those who wait, in the order of their next turns; a Map goes by insertion. */
  readonly #owners = new Map<string, Fifo<T>>();
  readonly #isWaiting: (item: T) => boolean;

  /** @param isWaiting whether an item that was put in still waits here */
  constructor(isWaiting: (item: T) => boolean) {
    this.#isWaiting = isWaiting;
  }

  push(owner: string, item: T): void {
    this.#of(owner).push(item);
  }

  /** Puts it before all else of the owner, whose turn comes no sooner for it. */
  pushFirst(owner: string, item: T): void {
    this.#of(owner).pushFirst(item);
  }

  #of(owner: string): Fifo<T> {
    const known = this.#owners.get(owner);
    if (known?.peek(this.#isWaiting) !== undefined) return known;
    // All that he had went elsewhere: he comes anew.
    this.#owners.delete(owner);
    const fresh = new Fifo<T>();
    this.#owners.set(owner, fresh);
    return fresh;
  }

  /** The one whose turn it is; undefined where none waits. */
  peek(): T | undefined {
    for (const [owner, items] of this.#owners) {
      const item = items.peek(this.#isWaiting);
      if (item !== undefined) return item;
      this.#owners.delete(owner);
    }
    return undefined;
  }

  /** Takes out what {@link peek} shows: whose it was goes behind all others who wait. */
  shift(): T | undefined {
    const item = this.peek();
    const [first] = this.#owners;
    if (item === undefined || first === undefined) return undefined;
    const [owner, items] = first;
    items.shift();
    this.#owners.delete(owner);
    if (items.peek(this.#isWaiting) !== undefined) this.#owners.set(owner, items);
    return item;
  }

  /** Of each owner those that came first: of what goes first, and of what waits in its order. */
  *heads(): Generator<T> {
    for (const items of this.#owners.values()) yield* items.heads(this.#isWaiting);
  }
}

/** First in, first out, but that some go before all others; of those, too, the first goes first. */
class Fifo<T> {
  readonly #first = new Line<T>();
  readonly #others = new Line<T>();

  push(item: T): void {
    this.#others.push(item);
  }

  pushFirst(item: T): void {
    this.#first.push(item);
  }

  /** The first item that still waits; those before it are dropped. */
  peek(isWaiting: (item: T) => boolean): T | undefined {
    return this.#first.peek(isWaiting) ?? this.#others.peek(isWaiting);
  }

  /** Takes out what {@link peek} has just shown. */
  shift(): void {
    (this.#first.isEmpty() ? this.#others : this.#first).shift();
  }

  *heads(isWaiting: (item: T) => boolean): Generator<T> {
    for (const line of [this.#first, this.#others]) {
      const item = line.peek(isWaiting);
      if (item !== undefined) yield item;
    }
  }
}

/** First in, first out, without the cost of shifting an array. */
class Line<T> {
  #items: T[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  isEmpty(): boolean {
    return this.#head >= this.#items.length;
  }

  /** The first item that still waits; those before it are dropped. */
  peek(isWaiting: (item: T) => boolean): T | undefined {
    for (; this.#head < this.#items.length; this.#head += 1) {
      const item = this.#items[this.#head]!;
      if (isWaiting(item)) return item;
    }
    this.#items = [];
    this.#head = 0;
    return undefined;
  }

  shift(): void {
    this.#head += 1;
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
