import type { Random } from '../../src/lib/random.ts';
import { seeded as repeatable } from '../harness/random.ts';

/** So many different draws there are; a draw is kept as a whole number below this, which keeps a fixture small. */
const STEPS = 4_096;

/** Chance that repeats itself; its UUIDs take fewer draws than those of the harness. */
export const seeded = (seed: number): Random => {
  const { next } = repeatable(seed);
  const hex = (digits: number): string => {
    let text = '';
    while (text.length < digits)
      text += Math.floor(next() * 0x10000)
        .toString(16)
        .padStart(4, '0');
    return text.slice(0, digits);
  };
  return { next, uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}` };
};

/**
 * Every draw of one run, in order. 0 is always the kindest outcome (no fault, no delay), so that an input of zeros is a
 * world in which nothing goes wrong, and a failing one becomes simpler by zeroing parts of it.
 */
export class SeededInput {
  /** Whole numbers from 0 to 4095, as they were drawn. */
  readonly drawn: number[] = [];
  readonly #draw: () => number;

  private constructor(draw: () => number) {
    this.#draw = draw;
  }

  static ofSeed(seed: number): SeededInput {
    const random = seeded(seed ^ 0x5bd1e995);
    return new SeededInput(() => Math.floor(random.next() * STEPS));
  }

  /** Plays what was drawn before; beyond its end nothing goes wrong. */
  static of(draws: readonly number[]): SeededInput {
    let at = 0;
    return new SeededInput(() => draws[at++] ?? 0);
  }

  /** A number in [0, 1). */
  next(): number {
    const draw = this.#draw();
    this.drawn.push(draw);
    return draw / STEPS;
  }

  /** A number between the two; `kindest` where the draw is 0. */
  between(kindest: number, other: number): number {
    return kindest + (other - kindest) * this.next();
  }

  /** Whether something with this probability happens; never where the draw is 0. */
  happens(probability: number): boolean {
    return this.next() > 1 - probability;
  }

  /** One of the items, the first being the kindest. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[Math.floor(this.next() * items.length)] ?? items[0];
  }
}
