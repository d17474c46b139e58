import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';
import { seeded } from '../harness/random.ts';
import type { Death } from '../harness/process.ts';

/** How the cloud may fail a call beside refusing it for good: answers are lost, come late, or ask for patience. */
const TROUBLES = [
  { effect: { afterMs: 6_000 }, answer: 'drop' },
  { effect: 'done', answer: 'drop' },
  { effect: 'never', answer: { code: 'Throttling', status: 400 } },
  { effect: 'never', answer: 'drop' },
] as const;

const DEATHS = ['before', 'after', 'late'] as const;

/** What happens in a world that is drawn from a seed. */
export class WorldDraws {
  readonly #random;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** From 0 to 1. */
  next(): number {
    return this.#random.next();
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  one<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  /** At which write the next process dies, if it does. @param most the last of them */
  death(probability: number, most: number): Death | undefined {
    const how = this.one(DEATHS);
    return this.chance(probability) ? { at: 1 + this.below(most), how } : undefined;
  }

  /** @param code what the cloud refuses calls with, which changes nothing */
  fault(code: string): Fault {
    return this.one<Fault>([{ effect: 'never', answer: { code, status: 403 } }, ...TROUBLES]);
  }
}
