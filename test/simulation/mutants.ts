import type { Replacement } from './mutation.ts';

/** The product without one of its defences. */
export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
}

export const mutants: readonly Mutant[] = [];
