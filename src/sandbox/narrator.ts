import type { AddressLedger } from './address-ledger.ts';
import type { Screen } from './screen.ts';

/** Says what happens, each sentence behind the lines that it speaks of. */
export interface Narrator {
  readonly say: (line: string) => void;
  /** Looks at everything, and shows how it is now. */
  readonly look: () => Promise<void>;
  /** Resolves when all that was said is on the screen; rejects if it could not be looked. */
  readonly done: () => Promise<void>;
}

/**
 * The table is looked at twice a second, so that a sentence such as "the Service has an address" would come before the
 * line with the address. So it is looked before each sentence.
 */
export const createNarrator = (ledger: Pick<AddressLedger, 'look' | 'bought'>, screen: Screen): Narrator => {
  let told: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const rows = await ledger.look();
    screen.show(rows, `${ledger.bought()} EIPs bought by the controller in the account, beside ECI's and yours`);
  };
  return {
    look,
    say: (line) => {
      told = told.then(look).then(() => screen.say(line));
    },
    done: () => told,
  };
};
