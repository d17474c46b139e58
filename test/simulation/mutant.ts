import type { Kube } from '../../src/kube/port.ts';
import type { Replacement } from './mutation.ts';

/*
 * The mutants are in the files beside this one whose names end in -mutants.ts. Each takes one defence away, and must be
 * noticed. They replace exports as modules are loaded and nothing else: the product has no switch for any of them.
 *
 * What those files import as values is loaded before anything is replaced, so that no module of a mutant may be.
 */

/** The product without one of its defences. */
export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
  /** The scenario that is there for it: it is played first, without a crash and then with each. */
  readonly scenario?: string;
  /**
   * The test that notices it, where what is lost shows in no world of the simulation: what people are told, and what
   * the commands of operators say.
   */
  readonly test?: NoticingTest;
  /** Why nobody can notice it, where that is so: another defence does the same work. */
  readonly redundant?: string;
}

/** A test of AVA's. */
export interface NoticingTest {
  /** Below `test`. */
  readonly file: string;
  /** As AVA's `--match` takes it: `*` stands for anything. */
  readonly title: string;
}

export const mutant = (name: string, ...replacements: readonly Replacement[]): Mutant => ({ name, replacements });

/** One that a test of AVA's notices: its file below `test`, and its title as `--match` takes it. */
export const tested = (
  [file, title]: readonly [file: string, title: string],
  name: string,
  ...replacements: readonly Replacement[]
): Mutant => ({ name, replacements, test: { file, title } });

/** One that shows where what it is for is played. */
export const played = (scenario: string, it: Mutant): Mutant => ({ ...it, scenario });

interface Body {
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The same client, but for what it sends to change objects. */
export const patching = (client: Kube, change: (body: Body) => Body): Kube => ({
  ...client,
  patch: (resource, ref, patch, signal) =>
    client.patch(resource, ref, { ...patch, body: change(patch.body as Body) }, signal),
});
