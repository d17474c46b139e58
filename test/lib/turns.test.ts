import test from 'ava';
import { Turns } from '../../src/lib/turns.ts';

interface Item {
  readonly owner: string;
  readonly at: number;
  isWaiting: boolean;
}

const OWNERS = ['a', 'b', 'c'] as const;
/**
 * What may happen: something of an owner comes, or comes before all of his, the next one is taken, or the one that came
 * last moves elsewhere.
 */
const MOVES = [...OWNERS, 'first of a', 'take', 'leave'] as const;

/** The policy as its sentence says it: who had his turn longest ago, or has waited longest for the first one. */
class Model {
  #items: Item[] = [];
  readonly #first = new Set<Item>();
  /** When each owner who waits had his last turn, or came. */
  readonly #since = new Map<string, number>();
  #now = 0;

  push(item: Item): void {
    this.#now += 1;
    // Who comes and finds none of his own waiting stands behind all.
    if (!this.#waits(item.owner)) this.#since.set(item.owner, this.#now);
    this.#items.push(item);
  }

  pushFirst(item: Item): void {
    this.push(item);
    this.#first.add(item);
  }

  take(): Item | undefined {
    this.#now += 1;
    const waiting = OWNERS.filter((owner) => this.#waits(owner));
    const [owner] = waiting.toSorted((a, b) => (this.#since.get(a) ?? 0) - (this.#since.get(b) ?? 0));
    const his = this.#items.filter((item) => item.isWaiting && item.owner === owner);
    const next = his.find((item) => this.#first.has(item)) ?? his[0];
    this.#items = this.#items.filter((item) => item !== next);
    if (owner !== undefined) this.#since.set(owner, this.#now);
    return next;
  }

  #waits(owner: string): boolean {
    return this.#items.some((item) => item.isWaiting && item.owner === owner);
  }
}

const LONGEST = 6;

test('whatever comes in whatever order, owners take turns, and of one owner the first goes first', (t) => {
  const different: string[] = [];
  let tried = 0;
  const play = (moves: readonly (typeof MOVES)[number][]) => {
    const turns = new Turns<Item>(({ isWaiting }) => isWaiting);
    const model = new Model();
    let last: Item | undefined;
    for (const [at, move] of [...moves, ...moves.map(() => 'take' as const)].entries()) {
      if (move === 'take') {
        const item = turns.shift();
        const expected = model.take();
        if (item !== expected) different.push(`${moves.join(' ')}: ${item?.owner} for ${expected?.owner}`);
        if (item === last) last = undefined;
      } else if (move === 'leave') {
        if (last) last.isWaiting = false;
      } else if (move === 'first of a') {
        last = { owner: 'a', at, isWaiting: true };
        turns.pushFirst('a', last);
        model.pushFirst(last);
      } else {
        last = { owner: move, at, isWaiting: true };
        turns.push(move, last);
        model.push(last);
      }
    }
    tried += 1;
  };
  const all = (moves: readonly (typeof MOVES)[number][]) => {
    play(moves);
    if (moves.length < LONGEST) for (const move of MOVES) all([...moves, move]);
  };
  all([]);
  t.is(
    tried,
    Array.from({ length: LONGEST + 1 }, (_, n) => MOVES.length ** n).reduce((sum, n) => sum + n, 0),
  );
  t.deepEqual(different.slice(0, 5), []);
});

test('between two turns of one who waits nobody else has more than one, however much he brought', (t) => {
  const turns = new Turns<string>(() => true);
  for (let n = 0; n < 240; n += 1) turns.push('crowd', `crowd ${n}`);
  for (let n = 0; n < 3; n += 1) turns.push('few', `few ${n}`);
  turns.push('one', 'one');
  t.deepEqual(
    Array.from({ length: 8 }, () => turns.shift()),
    ['crowd 0', 'few 0', 'one', 'crowd 1', 'few 1', 'crowd 2', 'few 2', 'crowd 3'],
  );
  t.deepEqual([...turns.heads()], ['crowd 4']);
});
