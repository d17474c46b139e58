import { bindingMutants } from './binding-mutants.ts';
import { buyingMutants } from './buying-mutants.ts';
import { endingMutants } from './ending-mutants.ts';
import { owningMutants } from './owning-mutants.ts';
import { reconcilingMutants } from './reconciling-mutants.ts';
import { tellingMutants } from './telling-mutants.ts';
import { virtualNodeMutants } from './virtual-node-mutants.ts';
import type { Mutant } from './mutant.ts';
import type { Replacement } from './mutation.ts';

/** All of them. */
export const mutants: readonly Mutant[] = [
  ...buyingMutants,
  ...owningMutants,
  ...bindingMutants,
  ...endingMutants,
  ...reconcilingMutants,
  ...tellingMutants,
  ...virtualNodeMutants,
];

/** What the mutant of this name replaces: threads are told the name, as functions cannot be sent. */
export const replacementsOf = (name: string): readonly Replacement[] => {
  const found = mutants.find((it) => it.name === name);
  if (!found) throw new Error(`there is no mutant ${name}`);
  return found.replacements;
};
