import { replacementsOf } from './mutants.ts';
import { mutate } from './mutation.ts';

/** The variable of the environment that names the mutant. */
export const MUTANT = 'KNATIVE_EIP_MUTANT';

// For `node --import`: everything that is loaded after this is mutated.
const name = process.env[MUTANT];
if (name !== undefined) mutate(replacementsOf(name));
