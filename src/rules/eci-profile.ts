import {
  CREATION_SETTINGS,
  ECI_PROFILE,
  KEYS,
  OUR_VIRTUAL_NODE,
  PROFILE_NAME,
  VIRTUAL_NODE_TAINT,
  WANTS_ECI,
  WANTS_ECI_LEGACY,
} from '../api/annotations.ts';
import type { Placement, Pod } from '../api/core.ts';
import type { LabelSelector } from '../api/eippolicy.ts';
import type { Finding } from '../api/finding.ts';
import { selectorMatches } from '../policies/policy.ts';
import { demandsOf, toleratesVirtualNodes } from '../request/placement.ts';
import { targetOf } from '../request/target.ts';
import { finding } from './rule.ts';
import type { Workload } from './workload.ts';
import { selectorAnswer, type WrittenLabel } from './written-labels.ts';

type Written = Readonly<Record<string, string>>;

/** One of the `selectors` of the ConfigMap kube-system/eci-profile, checked. */
export interface ProfileSelector {
  readonly name: string;
  /** Undefined where it says nothing: every namespace, or every pod, and none is sent to the virtual node for it. */
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  readonly annotations: Written;
  readonly labels: Written;
}

/** What the selectors look at. */
interface ProfiledPod {
  readonly annotations: Written;
  readonly labels: Written;
  readonly placement: Placement;
  readonly isOfDaemonSet: boolean;
  /** Of pods that are not made yet: labels beside these. */
  readonly written?: readonly WrittenLabel[] | undefined;
}

/** What the selectors make of a pod that goes to our virtual node. */
interface ProfileEffect {
  /** Those to be added, with the record of who added what. */
  readonly annotations: Written;
  readonly labels: Written;
  /** With what sends the pod here, where a selector does that; undefined where it goes here anyway. */
  readonly placement: Placement | undefined;
}

/** `warnings`: what a selector would do, and why it does not. `open`: which may do something, and what decides it. */
interface Profiled {
  readonly effect: ProfileEffect | undefined;
  readonly warnings: readonly string[];
  readonly open: readonly string[];
  /** The names of selectors that could not be judged, because the labels of the namespace could not be read. */
  readonly leftOut: readonly string[];
}

const UNTOUCHED: Profiled = { effect: undefined, warnings: [], open: [], leftOut: [] };

/**
 * What the profile adds to a pod that is made. Source: ACK documentation, "Configure an eci-profile": selectors match
 * in their order, by the labels that the pod was made with; a pod that one selects goes to ECI; one without a selector
 * of either kind means pods that go there anyway; and what the pod says itself wins over the first selector that says
 * it, which wins over later ones. What is one setting in several spellings is one thing here.
 *
 * A pod that has been through it keeps what it got: it carries the record. Nothing is sent here against its own word,
 * nor a pod of a DaemonSet, which is bound to another node.
 *
 * @param namespaceLabels undefined where they could not be read: then no selector of namespaces matches
 */
const effectOfProfile = (
  selectors: readonly ProfileSelector[],
  pod: ProfiledPod,
  namespaceLabels: Written | undefined,
): Profiled => {
  if (pod.isOfDaemonSet || Object.hasOwn(pod.annotations, ECI_PROFILE)) return UNTOUCHED;
  const answers = selectors.map((selector) => ({ selector, answer: answerOf(selector, pod, namespaceLabels) }));
  const selecting = (asked: Answer['kind']) =>
    answers.flatMap(({ selector, answer }) => (answer.kind === asked ? [selector] : []));
  const matching = selecting('yes');
  const open = answers.flatMap(({ selector: { name }, answer }) =>
    answer.kind === 'open' ? [openSelector(name, answer.label)] : [],
  );
  const leftOut = selecting('unread').map(({ name }) => name);
  const warnings = leftOut.map(
    (name) =>
      `selector ${name} of ${PROFILE_NAME} is left out, because the labels of the namespace could not be read; make the pod again`,
  );
  const sender = matching.find(({ namespaceSelector, objectSelector }) => namespaceSelector ?? objectSelector);
  const going = destination(pod, namespaceLabels ?? {}, sender);
  if (going.kind !== 'elsewhere')
    return { effect: merged(matching, pod, going.kind === 'sent' ? sender : undefined), warnings, open, leftOut };
  const averse =
    going.because === undefined || sender === undefined
      ? []
      : [
          `selector ${sender.name} of ${PROFILE_NAME} selects the pod for the virtual node, and ${going.because}: nothing is added to it`,
        ];
  return { effect: undefined, warnings: [...warnings, ...averse], open, leftOut };
};

/** `unread`: it would, if it selects the namespace, whose labels could not be read. */
type Answer = { readonly kind: 'yes' | 'no' | 'unread' } | { readonly kind: 'open'; readonly label: WrittenLabel };

const answerOf = (
  { namespaceSelector, objectSelector }: ProfileSelector,
  { labels, written = [] }: ProfiledPod,
  namespaceLabels: Written | undefined,
): Answer => {
  if (namespaceSelector && namespaceLabels && !selectorMatches(namespaceSelector, namespaceLabels))
    return { kind: 'no' };
  const answer = objectSelector ? selectorAnswer(objectSelector, labels, written) : true;
  if (answer === false) return { kind: 'no' };
  if (namespaceSelector && !namespaceLabels) return { kind: 'unread' };
  return answer === true ? { kind: 'yes' } : { kind: 'open', label: answer };
};

const openSelector = (name: string, { key, values, by }: WrittenLabel): string =>
  `selector ${name} of ${PROFILE_NAME} depends on label ${key}, which ${by} writes` +
  (values === 'unknown'
    ? ': with which value is not known here, and what is said is for pods that it does not select'
    : ' with another value on each pod: it selects some of them, and what is said is for the others');

type Destination = { readonly kind: 'here' | 'sent' } | { readonly kind: 'elsewhere'; readonly because?: string };

/** Labels that a node selector may ask for, of those that our Node has (src/virtualnode/node.ts). */
const LABELS_OF_OUR_NODE: ReadonlySet<string> = new Set([
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'type',
  OUR_VIRTUAL_NODE,
]);

/** Whether the pod goes to our virtual node: by itself, by the selector that sends it, or not. */
const destination = (
  { annotations, labels, placement }: ProfiledPod,
  namespaceLabels: Written,
  sender: ProfileSelector | undefined,
): Destination => {
  const pod: Pod = { metadata: { name: '', uid: '', resourceVersion: '', annotations, labels }, spec: placement };
  const target = targetOf(pod, undefined, namespaceLabels, 'ours');
  if (target.on === 'eci') return { kind: 'here' };
  if (sender === undefined) return { kind: 'elsewhere' };
  const averse = [WANTS_ECI, WANTS_ECI_LEGACY].find((key) => labels[key] === 'false');
  if (averse !== undefined)
    return { kind: 'elsewhere', because: `its label ${averse}=false says that it does not go there` };
  const excluded = demandsOf(placement).find(({ virtual }) => virtual === 'excluded');
  if (excluded) return { kind: 'elsewhere', because: `${excluded.because} keeps it from there` };
  const label = Object.keys(placement.nodeSelector ?? {}).find((key) => !LABELS_OF_OUR_NODE.has(key));
  if (label !== undefined)
    return {
      kind: 'elsewhere',
      because: `its node selector asks for label ${label}, which the virtual node may not have`,
    };
  if (placement.nodeName) return { kind: 'elsewhere', because: `it names node ${placement.nodeName}` };
  if (target.on === 'acs')
    return { kind: 'elsewhere', because: `${target.because} sends it to Container Compute Service` };
  // Nothing sends it anywhere, or its tolerations would let it in: what is left are contradictions.
  if (target.on === 'ecs' || toleratesVirtualNodes(placement)) return { kind: 'sent' };
  return { kind: 'elsewhere', because: target.because };
};

/** These two are two answers to one question: whose address the pod gets. */
const WHOSE: readonly string[] = [...KEYS.withEip, ...KEYS.instanceId];
const GROUPS: readonly (readonly string[])[] = [
  WHOSE,
  ...Object.values(KEYS).filter((keys) => !keys.some((key) => WHOSE.includes(key))),
];

/** How a new EIP is made; whoever names one that exists has answered that. */
const OF_NEW_EIPS: readonly string[] = CREATION_SETTINGS.flatMap((setting): readonly string[] => KEYS[setting]);

/** Whether the annotations answer already what the key asks. */
const isAnswered = (key: string, given: Written): boolean =>
  [...(GROUPS.find((keys) => keys.includes(key)) ?? [key]), ...(OF_NEW_EIPS.includes(key) ? KEYS.instanceId : [])].some(
    (spelling) => Object.hasOwn(given, spelling),
  );

const merged = (
  matching: readonly ProfileSelector[],
  pod: ProfiledPod,
  sender: ProfileSelector | undefined,
): ProfileEffect | undefined => {
  const annotations: Record<string, string> = {};
  const labels: Record<string, string> = {};
  const record: string[] = [];
  for (const selector of matching) {
    // One selector may give several settings, and each only once.
    const before = { ...pod.annotations, ...annotations };
    const added = Object.entries(selector.annotations).filter(([key]) => !isAnswered(key, before));
    const labelled = Object.entries(selector.labels).filter(
      ([key]) => !Object.hasOwn(pod.labels, key) && !Object.hasOwn(labels, key),
    );
    Object.assign(annotations, Object.fromEntries(added));
    Object.assign(labels, Object.fromEntries(labelled));
    const did = [
      ...(selector === sender ? ['virtual node'] : []),
      ...added.map(([key]) => `annotation ${key}`),
      ...labelled.map(([key]) => `label ${key}`),
    ];
    if (did.length > 0) record.push(`${selector.name} (${did.join(', ')})`);
  }
  if (record.length === 0) return undefined;
  return {
    annotations: { ...annotations, [ECI_PROFILE]: record.join('; ') },
    labels,
    placement: sender && sentHere(pod.placement),
  };
};

/** The placement of a pod that our virtual node alone may run. */
const sentHere = (placement: Placement): Placement => ({
  ...placement,
  nodeSelector: { ...placement.nodeSelector, [OUR_VIRTUAL_NODE]: 'true' },
  tolerations: toleratesVirtualNodes(placement)
    ? (placement.tolerations ?? [])
    : [...(placement.tolerations ?? []), { key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' }],
});

/** The same for a pod. */
export const effectOnPod = (
  selectors: readonly ProfileSelector[],
  { metadata, spec }: Pod,
  namespaceLabels: Written | undefined,
): Profiled =>
  effectOfProfile(
    selectors,
    {
      annotations: metadata.annotations ?? {},
      labels: metadata.labels ?? {},
      placement: spec,
      isOfDaemonSet:
        metadata.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true) === true,
    },
    namespaceLabels,
  );

const note = (problem: string, remedy: string): Finding => finding('ChangedForECI', [], problem, remedy);

/** The webhook is not asked about these (config/webhook). */
const LEFT_ALONE: ReadonlySet<string> = new Set(['kube-system', 'knative-eip-system']);

/** A workload as its pods will be, and notes on what is added to them. */
export const profiledWorkload = (
  selectors: readonly ProfileSelector[],
  workload: Workload,
  namespaceLabels: Written | undefined,
): { readonly workload: Workload; readonly notes: readonly Finding[] } => {
  const { template, annotations, kind, owner, writtenLabels } = workload;
  if (LEFT_ALONE.has(workload.namespace ?? '')) return { workload, notes: [] };
  const labels = template.metadata?.labels ?? {};
  const { effect, warnings, open } = effectOfProfile(
    selectors,
    {
      annotations,
      labels,
      placement: template.spec ?? {},
      isOfDaemonSet: kind === 'DaemonSet' || owner?.kind === 'DaemonSet',
      written: writtenLabels,
    },
    namespaceLabels,
  );
  const left = [
    ...warnings.map((warning) => note(warning, 'change the pod, or the selector, where that is not meant')),
    ...open.map((it) =>
      note(it, `select by a label of the template, or look at ${ECI_PROFILE} of a pod once it is there`),
    ),
  ];
  if (!effect) return { workload, notes: left };
  const given = { ...annotations, ...effect.annotations };
  return {
    workload: {
      ...workload,
      annotations: given,
      template: {
        metadata: { ...template.metadata, labels: { ...labels, ...effect.labels }, annotations: given },
        spec: effect.placement ?? template.spec,
      },
    },
    notes: [
      ...left,
      note(
        `${PROFILE_NAME} adds to the pod: ${effect.annotations[ECI_PROFILE] ?? ''}`,
        'write on the pod what is to be otherwise',
      ),
    ],
  };
};
