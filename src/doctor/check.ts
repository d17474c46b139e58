import type { Facts, QuestionName, Questions } from './facts.ts';

/** `error`: something does not work. `warning`: it will not, or not for everybody. `info`: worth knowing. */
export type DoctorSeverity = 'error' | 'warning' | 'info';

/** What a check has found. Sentences without a full stop, but for the evidence: the value that was seen. */
export interface Found {
  /** @default that of the check */
  readonly severity?: DoctorSeverity | undefined;
  readonly problem: string;
  readonly evidence: string;
  readonly remedy: string;
}

/** The parts of an installation, in the order in which a person looks at them. */
export type Area =
  'cluster' | 'installation' | 'webhooks' | 'virtual node' | 'Knative' | 'cloud' | 'policies' | 'addresses';

/** What is known beside the answers. */
type Beside = Omit<Facts, 'answers'>;

/** One thing that may be wrong. Pure: it is given the answers that it needs, and is not made without them. */
export interface Check {
  readonly area: Area;
  readonly severity: DoctorSeverity;
  /** What it is about, for the page; Markdown. */
  readonly what: string;
  /** What mends it, for the page; Markdown. */
  readonly mend: string;
  readonly needs: readonly QuestionName[];
  readonly find: (facts: Facts) => readonly Found[];
}

type Known<Name extends QuestionName> = { readonly [Each in Name]: Questions[Each] };

interface Described<Name extends QuestionName> extends Pick<Check, 'area' | 'severity' | 'what' | 'mend'> {
  readonly needs: readonly Name[];
  readonly find: (known: Known<Name>, setting: Beside) => readonly Found[];
}

/** A check that sees only what it says that it needs. */
export const checkOf = <Name extends QuestionName>({ needs, find, ...described }: Described<Name>): Check => ({
  ...described,
  needs,
  find: (facts) => {
    const known: Partial<Record<QuestionName, unknown>> = {};
    for (const name of needs) {
      const answer = facts.answers[name];
      if (!answer.known) return [];
      known[name] = answer.value;
    }
    return find(known as Known<Name>, facts);
  },
});

/** What is listed has one finding; an empty list has none. */
export const whenAny = <T>(all: readonly T[], found: (all: readonly T[]) => Found): readonly Found[] =>
  all.length > 0 ? [found(all)] : [];

const MOST_NAMED = 5;

/** The first of many names. */
export const listed = (names: readonly string[], most = MOST_NAMED): string =>
  names.length > most ? `${names.slice(0, most).join(', ')} and ${names.length - most} more` : names.join(', ');
