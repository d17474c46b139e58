import type { Finding, FindingId } from '../api/finding.ts';
import { parseAnnotations, type ParsedRequest } from '../request/parse.ts';
import { FOLLOW } from '../request/release-policy.ts';
import type { RuleContext, RuleInput, Rule } from './rule.ts';
import { annotationsAsLabels, labelsAsAnnotations, legacyKeys, nothingAsked, unknownKeys } from './keys.ts';
import { beforeTraffic } from './before-traffic.ts';
import { ispRules, packages } from './isp.ts';
import { limits, uncounted } from './limits.ts';
import { instanceFindings } from './instance-findings.ts';
import { hostNetwork, statelessOwner } from './owner.ts';
import { duplicateClaims } from './duplicate-claims.ts';
import { twoRevisions } from './revision-traffic.ts';
import { rolloutOfOne } from './rollout.ts';
import { manyPods, reservedInstance } from './scale.ts';
import { eciKey, notHonoured, onTheObject, otherController, policy, tooLateForEci } from './context.ts';

/** In the order in which people read them: what refuses by itself, then what depends on more and more. */
const RULES: readonly Rule[] = [
  statelessOwner,
  hostNetwork,
  manyPods,
  rolloutOfOne,
  duplicateClaims,
  policy,
  limits,
  uncounted,
  otherController,
  ispRules,
  packages,
  reservedInstance,
  eciKey,
  notHonoured,
  beforeTraffic,
  labelsAsAnnotations,
  legacyKeys,
];

/** Also where no address is asked for: perhaps one was meant to be. */
const ALWAYS: readonly Rule[] = [
  twoRevisions,
  tooLateForEci,
  onTheObject,
  annotationsAsLabels,
  ({ workload }) => unknownKeys(workload.annotations),
  nothingAsked,
];

/** No EIP is kept for the next pod of the name, whatever the strategy says. */
const KEEPS_NOTHING: ReadonlySet<FindingId> = new Set(['StatelessOwner', 'HostNetwork']);

/**
 * What a workload asks for, with everything that there is to say about it. `explain`, the validating webhook and the
 * controller all ask here, so that they cannot disagree. A request comes back only if nothing refuses it. Pure and
 * total: every input gives an answer, and the same input the same one.
 *
 * @param parsed what the annotations say by themselves, where they have been read already
 */
export const evaluateRequest = (
  input: RuleInput,
  parsed: ParsedRequest = parseAnnotations(input.workload.annotations, input.settings.defaults),
): ParsedRequest => {
  const it: RuleContext = { ...input, parsed };
  const findings = [...parsed.findings, ...[...(parsed.wanted ? RULES : []), ...ALWAYS].flatMap((rule) => rule(it))];
  const isRefused = findings.some(({ severity }) => severity === 'refuse');
  return {
    ...parsed,
    request: isRefused ? undefined : parsed.request,
    release: findings.some(({ id }) => KEEPS_NOTHING.has(id)) ? FOLLOW : parsed.release,
    findings,
  };
};

/** Everything that there is to say about a workload: about its EIP, and about the instance that is to run it. */
export const evaluate = (input: RuleInput): readonly Finding[] => [
  ...evaluateRequest(input).findings,
  ...instanceFindings(input),
];
