import type { Area, Check, DoctorSeverity, Found } from './check.ts';
import { ADDRESS_CHECKS } from './checks-of-addresses.ts';
import { CLOUD_CHECKS } from './checks-of-cloud.ts';
import { CLUSTER_CHECKS } from './checks-of-cluster.ts';
import { NODE_CHECKS } from './checks-of-nodes.ts';
import { WEBHOOK_CHECKS } from './checks-of-webhooks.ts';
import { QUESTIONS, type Facts, type QuestionName } from './facts.ts';

/** Every check, in the order in which people read them. IDs are stable: scripts and the page go by them. */
export const CHECKS = {
  ...CLUSTER_CHECKS,
  ...WEBHOOK_CHECKS,
  ...NODE_CHECKS,
  ...CLOUD_CHECKS,
  ...ADDRESS_CHECKS,
} as const satisfies Readonly<Record<string, Check>>;

export type DiagnosisId = keyof typeof CHECKS;

export const DIAGNOSIS_IDS = Object.keys(CHECKS) as readonly DiagnosisId[];

/** Something that is wrong, with its value and what to do about it. */
export interface DiagnosisFinding extends Found {
  readonly id: DiagnosisId;
  readonly severity: DoctorSeverity;
}

/** A question that got no answer, and so the checks that were not made. */
interface Unasked {
  readonly question: QuestionName;
  readonly what: string;
  readonly why: string;
}

export interface Diagnosis {
  /** Errors first, then warnings, then what is worth knowing; each in the order of {@link CHECKS}. */
  readonly findings: readonly DiagnosisFinding[];
  readonly unasked: readonly Unasked[];
  /** Areas in which every check that was made found nothing, with their number. */
  readonly well: readonly { readonly area: Area; readonly checks: number }[];
  /** Checks that were made. */
  readonly made: number;
}

const RANK: Readonly<Record<DoctorSeverity, number>> = { error: 0, warning: 1, info: 2 };

/** What is wrong, by what was read. Pure. */
export const diagnose = (facts: Facts): Diagnosis => {
  const made = DIAGNOSIS_IDS.filter((id) => CHECKS[id].needs.every((name) => facts.answers[name].known));
  const findings = made
    .flatMap((id) =>
      CHECKS[id].find(facts).map((found) => ({ ...found, id, severity: found.severity ?? CHECKS[id].severity })),
    )
    .toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);
  const ill = new Set(findings.map(({ id }) => CHECKS[id].area));
  const byArea = Map.groupBy(made, (id) => CHECKS[id].area);
  return {
    findings,
    unasked: (Object.keys(QUESTIONS) as QuestionName[]).flatMap((question) => {
      const answer = facts.answers[question];
      return answer.known ? [] : [{ question, what: QUESTIONS[question], why: answer.why }];
    }),
    well: [...byArea].filter(([area]) => !ill.has(area)).map(([area, ids]) => ({ area, checks: ids.length })),
    made: made.length,
  };
};
