import type { EipPolicy } from '../api/eippolicy.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { docsLink } from '../rules/docs-link.ts';
import type { EipClaim, ClusterFacts } from '../rules/cluster-facts.ts';
import { evaluateRequest } from '../rules/evaluate.ts';
import { profiledWorkload, type ProfileSelector } from '../rules/eci-profile.ts';
import { instanceFindings } from '../rules/instance-findings.ts';
import { claimOf } from '../rules/duplicate-claims.ts';
import { knativeScale, type Scale } from '../rules/scale.ts';
import type { Provider } from '../request/target.ts';
import { targetOfWorkload } from '../rules/placement-facts.ts';
import type { Workload } from '../rules/workload.ts';
import { planCreation } from '../request/provisioner.ts';
import { creationFacts, defaultsUnder, effectivePolicy, type PolicyNamespace } from '../policies/policy.ts';
import { parseAnnotations, type ParsedRequest } from '../request/parse.ts';
import { allocationCalls, association, instance, joining } from './cloud-call-preview.ts';
import { costOf, type PriceTable } from './cost.ts';
import type { CloudCall, Explanation } from './explanation.ts';
import { stepsOf, type Outlook } from './outlook.ts';

/** A workload and where it was read. */
export interface Placed {
  readonly workload: Workload;
  readonly file: string;
  readonly line: number;
}

/** What explanations depend on beside the workloads. */
interface ExplainFacts {
  readonly settings: RuleSettings;
  readonly provider: Provider;
  /** Labels by namespace; one that is not there has none that matter. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** The selectors of the eci-profile, where it is honoured. @default none */
  readonly profile?: readonly ProfileSelector[] | undefined;
  /** All that there are. */
  readonly policies: readonly EipPolicy[];
  readonly known: ClusterFacts;
  readonly prices: PriceTable | undefined;
}

/** What will happen to each of the workloads, in their order. They see each other's claims. Pure. */
export const explain = (placed: readonly Placed[], facts: ExplainFacts): readonly Explanation[] => {
  const claims: readonly EipClaim[] = [
    ...(facts.known.claims ?? []),
    ...placed.flatMap(({ workload: written }) => {
      const labels = facts.namespaces.get(written.namespace) ?? {};
      const { workload } = profiledWorkload(facts.profile ?? [], written, labels);
      const { request } = parseAnnotations(workload.annotations, facts.settings.defaults);
      const claim = claimOf(workload, request);
      return claim ? [claim] : [];
    }),
  ];
  return placed.map((it) => explainOne(it, { ...facts, known: { ...facts.known, claims } }));
};

const explainOne = ({ workload: written, file, line }: Placed, facts: ExplainFacts): Explanation => {
  const { provider, known, prices, profile = [] } = facts;
  const labels = facts.namespaces.get(written.namespace) ?? {};
  const { workload, notes } = profiledWorkload(profile, written, labels);
  const { kind, namespace, name, annotations } = workload;
  const settings = settingsIn({ name: namespace, labels }, facts);
  const target = targetOfWorkload(workload, labels, provider);
  const input = { workload, target, settings, facts: known };
  const asked = evaluateRequest(input);
  const parsed = { ...asked, findings: [...asked.findings, ...instanceFindings(input), ...notes] };
  const plan = planCreation(parsed, annotations, target, creationFacts(settings));
  const scale = scaleOf(workload);
  const outlook: Outlook = { workload, parsed, target, plan, scale };
  const { request, findings } = parsed;
  return {
    workload: { kind, namespace, name, file, line },
    verdict: verdictOf(parsed),
    target: {
      on: target.on,
      certainty: target.on === 'unknown' ? 'none' : target.certainty,
      because: target.because,
    },
    pods: { least: scale.least, most: scale.most ?? null },
    steps: stepsOf(outlook),
    calls: callsOf(outlook, settings),
    annotations: plan.how === 'add-on' ? plan.annotations : {},
    findings: findings.map(({ id, severity, keys, problem, remedy }) => ({
      id,
      severity,
      keys,
      problem,
      remedy,
      docs: docsLink(id, settings.docsURL),
    })),
    cost: prices && request?.kind === 'new' && plan.how !== 'none' ? costOf(request, scale, prices) : null,
  };
};

/** The settings as they hold in the namespace. */
const settingsIn = (namespace: PolicyNamespace, { settings, policies }: ExplainFacts): RuleSettings => {
  if (policies.length === 0) return settings;
  const policy = effectivePolicy(policies, namespace);
  return { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) };
};

const verdictOf = ({ wanted, findings }: ParsedRequest): Explanation['verdict'] => {
  if (findings.some(({ severity }) => severity === 'refuse')) return 'refused';
  if (findings.some(({ severity }) => severity === 'warn')) return 'warned';
  return wanted ? 'fine' : 'nothing';
};

const scaleOf = ({ kind, isKnative, annotations, replicas }: Workload): Scale => {
  if (kind === 'Pod') return { least: 1, most: 1 };
  if (isKnative) return knativeScale(annotations);
  if (kind === 'DaemonSet') return { least: 0, most: undefined };
  return { least: replicas ?? 1, most: replicas ?? 1 };
};

const callsOf = ({ workload, parsed, target, plan }: Outlook, { region }: RuleSettings): readonly CloudCall[] => {
  const { request, findings } = parsed;
  if (!request || findings.some(({ severity }) => severity === 'refuse')) return [];
  switch (plan.how) {
    case 'none':
    case 'add-on':
      return [];
    case 'container-group':
      return [instance(plan.eip, region)];
    case 'after-creation':
      return [association(plan.allocationId, region)];
    case 'vpc-first':
    case 'podeip': {
      const isOurs = target.on === 'eci' && target.by === 'ours';
      if (request.kind === 'existing') return [association(request.allocationId, region)];
      return [
        allocationCalls(request, region, workload.namespace),
        ...(request.bandwidthPackageId === undefined ? [] : [joining(request.bandwidthPackageId, region)]),
        isOurs ? instance({ eipInstanceId: '<AllocationId>' }, region) : association(undefined, region),
      ];
    }
  }
};
