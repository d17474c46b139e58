import type { CloudReading } from '../cloud/readings.ts';
import type { Lab } from './lab.ts';
import type { NamedAnswer } from '../cloud/named-answer.ts';

/** What came of one assumption. */
export type Verdict =
  | { readonly kind: 'as assumed'; readonly says: string }
  /** `readings`: what docs/cloud-readings.md calls the difference; none where there is no name for it. */
  | { readonly kind: 'differs'; readonly says: string; readonly readings: readonly CloudReading[] }
  | { readonly kind: 'could not be asked'; readonly says: string };

export const asAssumed = (says: string): Verdict => ({ kind: 'as assumed', says });
export const differs = (says: string, ...readings: readonly CloudReading[]): Verdict => ({
  kind: 'differs',
  says,
  readings,
});
export const notAsked = (says: string): Verdict => ({ kind: 'could not be asked', says });

/** What was seen: codes, counts, states and times. It goes into the report, with nothing of other resources. */
export type Observation = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What must have been given on the command line, by the environment or by the configuration. */
export type Need = 'eci' | 'package' | 'podAddress' | 'eni' | 'hosts' | 'sts' | 'denied' | 'long';

/** One assumption of the product, and how the cloud is asked about it. */
export interface Probe {
  /** As in docs/probe.md, for example `P5`. */
  readonly id: string;
  /** One sentence. */
  readonly assumption: string;
  readonly needs: readonly Need[];
  /** Rejects with AskFailed where the question cannot be put. */
  readonly ask: (lab: Lab) => Promise<{ readonly observation: Observation; readonly verdict: Verdict }>;
}

/** A probe of its two halves: what is done and seen, and what that means. */
export const probe = <T extends Observation>({
  id,
  assumption,
  needs = [],
  run,
  evaluate,
}: {
  readonly id: string;
  readonly assumption: string;
  readonly needs?: readonly Need[];
  readonly run: (lab: Lab) => Promise<T>;
  readonly evaluate: (seen: T) => Verdict;
}): Probe => ({
  id,
  assumption,
  needs,
  ask: async (lab) => {
    const observation = await run(lab);
    return { observation, verdict: evaluate(observation) };
  },
});

/** The code of an answer, and whether the product knows it. */
type CodeSeen = {
  readonly code: string;
  readonly known: boolean;
};

export const codeSeen = ({ code, known }: NamedAnswer): CodeSeen => ({ code, known });

/** The verdict on a call that has to be refused with a code that the product knows. */
export const refusedAsKnown = ({ code, known }: CodeSeen): Verdict => {
  if (code === 'OK') return differs('it was accepted');
  return known ? asAssumed(`refused with ${code}`) : differs(`refused with ${code}, which the product does not know`);
};
