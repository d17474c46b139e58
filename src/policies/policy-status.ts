import type {
  EipPolicy,
  EipPolicySpec,
  EipPolicyStatus,
  FullestNamespace,
  LabelSelector,
  PolicyReason,
} from '../api/eippolicy.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Reason } from '../api/reason.ts';
import { readRecord } from '../controllers/podeip/record.ts';
import { contradictionsAmong } from './contradictions.ts';
import { means } from './policy.ts';
import { heldWithout } from './usage.ts';

/** A namespace whose labels are known. */
interface KnownNamespace {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** What is known of the cluster. */
interface PolicyFacts {
  readonly policies: readonly EipPolicy[];
  /** All that exist. */
  readonly namespaces: readonly KnownNamespace[];
  /** What the PodEIPs of a namespace come to, see {@link namespaceHoldingOf}. */
  readonly holdingOf: (namespace: string) => NamespaceHolding;
  /** The fields of a policy that this version does not know, as paths or sentences. */
  readonly unknownFields: (policy: EipPolicy) => readonly string[];
}

/** What the status of a policy says, but for times. */
export type PolicyReport = Omit<EipPolicyStatus, 'conditions' | 'observedGeneration'> & {
  readonly fullest: FullestNamespace | null;
  readonly ready: {
    readonly status: 'True' | 'False';
    readonly reason: PolicyReason;
    readonly message: string;
  };
};

/** What each policy means at present, by name. Pure. */
export const reportPolicies = (facts: PolicyFacts): ReadonlyMap<string, PolicyReport> => {
  const policies = facts.policies.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const sums = new Map(policies.map(({ metadata }) => [metadata.name, new Sum()]));
  /** Sentences by policy and by what they are about. */
  const contradicted = new Map(policies.map(({ metadata }) => [metadata.name, new Map<string, string>()]));
  const seen = new Set<string>();
  const meaning = whoMeans(policies);
  for (const namespace of facts.namespaces) {
    const meant = meaning(namespace);
    if (meant.length === 0) continue;
    const holds = facts.holdingOf(namespace.name);
    for (const { metadata } of meant) sums.get(metadata.name)!.add(holds);
    const together = meant.map(({ metadata }) => metadata.name).join(' ');
    if (seen.has(together)) continue;
    seen.add(together);
    for (const { policy, about, sentence } of contradictionsAmong(meant, namespace.name)) {
      const said = contradicted.get(policy)!;
      if (!said.has(about)) said.set(about, sentence);
    }
  }
  return new Map(
    policies.map((policy) => {
      const { name } = policy.metadata;
      const sum = sums.get(name)!;
      const sentences = [...contradicted.get(name)!.values()];
      const ready = readiness(policy, sum.namespaces, sentences, facts.unknownFields(policy));
      return [name, { selects: selectionOf(policy.spec), ...sum.all(), ready }];
    }),
  );
};

/**
 * The policies that mean a namespace, in their order. Asking each policy about each namespace would take seconds where
 * there are a thousand teams: those that go by names, or by a label, are looked up.
 */
const whoMeans = (policies: readonly EipPolicy[]): ((namespace: KnownNamespace) => readonly EipPolicy[]) => {
  const byName = new Map<string, number[]>();
  const byLabel = new Map<string, number[]>();
  const others: number[] = [];
  for (const [at, { spec }] of policies.entries()) {
    for (const name of spec.namespaces ?? []) addTo(byName, name, at);
    const [label] = Object.entries(spec.namespaceSelector?.matchLabels ?? {});
    if (label) addTo(byLabel, label.join('='), at);
    else if (spec.namespaceSelector || !spec.namespaces) others.push(at);
  }
  return (namespace) => {
    const labels = Object.entries(namespace.labels ?? {}).map((label) => label.join('='));
    const candidates = new Set([
      ...others,
      ...(byName.get(namespace.name) ?? []),
      ...labels.flatMap((label) => byLabel.get(label) ?? []),
    ]);
    return [...candidates]
      .toSorted((a, b) => a - b)
      .flatMap((at) => policies[at] ?? [])
      .filter(({ spec }) => means(spec, namespace));
  };
};

const addTo = (index: Map<string, number[]>, key: string, at: number): void => {
  const there = index.get(key);
  if (there) there.push(at);
  else index.set(key, [at]);
};

/** What one namespace holds. */
export interface NamespaceHolding extends FullestNamespace {
  readonly pods: number;
  readonly waiting: number;
}

const WAITING: Reason = 'QuotaOfNamespaceExceeded';

/** @param all all PodEIPs of the namespace */
export const namespaceHoldingOf = (namespace: string, all: Iterable<PodEip>): NamespaceHolding => {
  const podEips = [...all];
  const ofPods = podEips.filter(
    (podEip) => podEip.metadata.deletionTimestamp === undefined && readRecord(podEip).goneSince === undefined,
  );
  const waiting = ofPods.filter(({ status }) => status?.conditions?.some(({ reason }) => reason === WAITING));
  const held = heldWithout({ usage: null, podEips }, () => false);
  return { namespace, pods: ofPods.length, waiting: waiting.length, ...held };
};

/** The namespaces of one policy together. */
class Sum {
  namespaces = 0;
  #pods = 0;
  #waiting = 0;
  #eips = 0;
  #bandwidthMbps = 0;
  #fullest: FullestNamespace | null = null;

  add({ namespace, pods, waiting, eips, bandwidthMbps }: NamespaceHolding): void {
    this.namespaces += 1;
    this.#pods += pods;
    this.#waiting += waiting;
    this.#eips += eips;
    this.#bandwidthMbps += bandwidthMbps;
    if (eips > (this.#fullest?.eips ?? 0)) this.#fullest = { namespace, eips, bandwidthMbps };
  }

  all() {
    return {
      namespaces: this.namespaces,
      pods: this.#pods,
      waiting: this.#waiting,
      eips: this.#eips,
      bandwidthMbps: this.#bandwidthMbps,
      fullest: this.#fullest,
    };
  }
}

/** How many sentences a condition has at most. */
const MOST_SAID = 3;

const readiness = (
  policy: EipPolicy,
  namespaces: number,
  contradicted: readonly string[],
  unknown: readonly string[],
): PolicyReport['ready'] => {
  const notUnderstood = [
    ...unknown.map(
      (field) =>
        `${field} is not known to this version of the controller and has no effect; upgrade the controller, or remove the field`,
    ),
    ...oddRequirements(policy.spec.namespaceSelector),
  ];
  if (notUnderstood.length > 0) return no('FieldNotUnderstood', notUnderstood);
  if (contradicted.length > 0) return no('Contradicted', contradicted);
  if (namespaces > 0) return { status: 'True', reason: 'InForce', message: 'all of it is in force as it is written' };
  return {
    status: 'True',
    reason: 'NoNamespace',
    message: `no namespace exists that it means (${selectionOf(policy.spec)}); if one should, compare its name and labels with spec.namespaces and spec.namespaceSelector`,
  };
};

const no = (reason: PolicyReason, sentences: readonly string[]): PolicyReport['ready'] => {
  const more = sentences.length - MOST_SAID;
  const message = `${sentences.slice(0, MOST_SAID).join('. ')}${more > 0 ? `. And ${more} more` : ''}`;
  return { status: 'False', reason, message };
};

/** Requirements of the selector that say something else than whoever wrote them may think; see `means`. */
const oddRequirements = (selector: LabelSelector | undefined): readonly string[] =>
  (selector?.matchExpressions ?? []).flatMap(({ key, operator, values = [] }, index) => {
    const at = `spec.namespaceSelector.matchExpressions[${index}]`;
    const takesValues = operator === 'In' || operator === 'NotIn';
    if (takesValues && values.length === 0)
      return [
        `${at}: ${operator} without values for ${key} is met by every namespace; write values, or the operator Exists or DoesNotExist`,
      ];
    if (!takesValues && values.length > 0)
      return [
        `${at}: values (${values.join(', ')}) have no effect with the operator ${operator}; write In or NotIn, or remove them`,
      ];
    return [];
  });

const MOST_NAMES = 3;

/** By what a policy selects namespaces, as kubectl writes selectors. */
const selectionOf = ({ namespaces, namespaceSelector }: EipPolicySpec): string => {
  const names = namespaces ?? [];
  const more = names.length - MOST_NAMES;
  const byName = names.slice(0, MOST_NAMES).join(',') + (more > 0 ? ` and ${more} more` : '');
  const byLabels = namespaceSelector && requirementsOf(namespaceSelector).join(',');
  if (byLabels === undefined) return namespaces ? byName : EVERY;
  if (byLabels === '') return EVERY;
  return namespaces ? `${byName} or ${byLabels}` : byLabels;
};

const EVERY = 'every namespace';

const requirementsOf = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): readonly string[] => [
  ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
  ...matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator.toLowerCase()} (${values.join(',')})`;
  }),
];
