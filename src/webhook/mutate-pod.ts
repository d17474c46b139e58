import { ECI_KEYS, KEYS, OUR_VIRTUAL_NODE, READINESS_GATE, VIRTUAL_NODE_TAINT } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import { REVISION_LABEL, SERVICE_UID } from '../api/knative.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { NO_FACTS } from '../rules/cluster-facts.ts';
import { evaluateRequest } from '../rules/evaluate.ts';
import { isFreeToName } from '../rules/naming.ts';
import { workloadOfPod } from '../rules/workload.ts';
import { canonicalAnnotations, planCreation, type CreationPlan } from '../request/provisioner.ts';
import { creationFacts, isLimited, UNRESTRICTED } from '../policies/policy.ts';
import type { EipRequest } from '../request/request.ts';
import { demandsOf, toleratesVirtualNodes } from '../request/placement.ts';
import { targetOf, type Provider, type Target } from '../request/target.ts';
import type { JsonPatchOperation } from '../kube/port.ts';
import { isGated } from '../api/pod.ts';
import type { ProfileSelector } from '../rules/eci-profile.ts';
import { profilePod } from './profile-patch.ts';
import { pointer, said, UNCHANGED, type Admitted } from './review.ts';

/** What the webhooks know beside the object. */
export interface AdmissionFacts {
  readonly settings: RuleSettings;
  /**
   * Labels of the object's namespace, which may send its pods to a virtual node; undefined if they could not be read.
   */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  /** Who runs the virtual nodes of this cluster. */
  readonly provider: Provider;
  /** The selectors of the eci-profile, where it is honoured. @default none */
  readonly profile?: readonly ProfileSelector[] | undefined;
}

const EIP_KEYS: readonly string[] = [...new Set([...Object.values(KEYS).flat(), ...Object.values(ECI_KEYS)])];

/** Whether the pod has annotations about EIPs; most pods have none. */
export const mentionsEip = (annotations: Readonly<Record<string, string>> | undefined): boolean =>
  annotations !== undefined && EIP_KEYS.some((key) => Object.hasOwn(annotations, key));

/**
 * Changes a pod at its creation, which is the last moment for both changes:
 *
 * - the keys that the cluster's own virtual node reads, translated from whatever spelling the user chose: it reads them
 * when it creates the instance, and never again;
 * - the readiness gate, if the controller will bind the address later and the pod belongs to Knative, whose templates
 * cannot declare one. A pod that takes a named EIP only after the pod before it is gone gets none: Knative keeps that
 * pod until this one is Ready, so that each would wait for the other.
 *
 * If the target can only be inferred, both are written: the one that does not apply has no effect. For a refused
 * request neither is written, and the pod runs without an address; the controller says why. Keys of the add-on in a
 * refused request are moved to a spelling that it does not read: nothing else keeps the add-on from buying what is
 * refused, or from binding what is not granted. With a virtual node of our own, pods that ask for ECI by a label are
 * sent there, and before all that an eci-profile adds what it adds. Pure, total and idempotent.
 */
export const admitPod = (pod: Pod, facts: AdmissionFacts): Admitted => {
  if (!facts.profile || facts.profile.length === 0) return admitAsItIs(pod, facts);
  const profiled = profilePod(facts.profile, pod, facts.namespaceLabels);
  const { patch, warnings } = admitAsItIs(profiled.pod, facts);
  return { patch: [...profiled.patch, ...patch], warnings: [...profiled.warnings, ...warnings] };
};

const admitAsItIs = (pod: Pod, facts: AdmissionFacts): Admitted => {
  const given = pod.metadata.annotations ?? {};
  const { settings, namespaceLabels, provider } = facts;
  const target = targetOf(pod, undefined, namespaceLabels, provider);
  const placing = place(pod, target);
  if (!mentionsEip(given)) return placing.length > 0 ? { patch: placing, warnings: [] } : UNCHANGED;
  const parsed = evaluateRequest({ workload: workloadOfPod(pod), target, settings, facts: NO_FACTS });
  const warnings = parsed.findings.filter(({ severity }) => severity !== 'note').map(said);
  const { request } = parsed;
  if (!parsed.wanted) return { patch: placing, warnings };
  if (!request) return { patch: [...placing, ...(mayBeAddOns(target, provider) ? withhold(given) : [])], warnings };
  const plan = planCreation(parsed, given, target, creationFacts(settings));
  const guess = mayBecomeAddOns(target, facts) ? canonicalAnnotations(request, given) : {};
  const waits = request.kind === 'existing' && parsed.handover === 'wait';
  const isUnknown = target.on === 'unknown';
  const isKept = isUnknown && provider === 'add-on' && !mayBeLeftToAddOn(request, pod, settings);
  // Nothing opens the gate of a pod that runs on the add-on's virtual node without an address.
  const isServed = isUnknown && (!isKept || settings.enableVirtualNode);
  const wantsGate = isKnative(pod) && (isBoundHere(plan) || isServed) && !waits && !isGated(pod);
  const wording = isKept ? withhold(given) : annotate(given, plan.how === 'add-on' ? plan.annotations : guess);
  return { patch: [...placing, ...wording, ...(wantsGate ? gate(pod) : [])], warnings };
};

/** Whether the controller binds the EIP after the pod has been created. */
const isBoundHere = ({ how }: CreationPlan): boolean => how === 'podeip' || how === 'after-creation';

/**
 * Whether the add-on may handle the request. It checks neither the tags of a named EIP nor what the namespace holds, so
 * that it may not where one of these decides.
 */
const mayBeLeftToAddOn = (request: EipRequest, { metadata }: Pod, settings: RuleSettings): boolean =>
  request.kind === 'new'
    ? !isLimited(settings.policy ?? UNRESTRICTED)
    : isFreeToName(settings, metadata.namespace ?? '', request.allocationId);

/**
 * Whether the pod may yet be scheduled to the add-on's virtual node, and needs its keys. What the controller or our own
 * virtual node serves needs no other spelling.
 */
const mayBecomeAddOns = (target: Target, { settings, provider }: AdmissionFacts): boolean =>
  target.on === 'unknown' && provider === 'add-on' && !settings.enableVirtualNode;

/** Whether the add-on's virtual node may run the pod, as far as is known. */
const mayBeAddOns = (target: Target, provider: Provider): boolean =>
  target.on === 'eci' ? target.by === 'add-on' : target.on === 'unknown' && provider === 'add-on';

/**
 * Moves the two keys that make the add-on act to a spelling that it does not read, so that it buys and binds nothing
 * for a refused request. The pod still says what it asked for, and the controller can say why it does not get it.
 * Spellings that contradict each other still do, so that the request stays refused.
 */
const withhold = (given: Readonly<Record<string, string>>): JsonPatchOperation[] =>
  (['withEip', 'instanceId'] as const).flatMap((setting): JsonPatchOperation[] => {
    const read = ECI_KEYS[setting];
    const text = Object.hasOwn(given, read) ? given[read] : undefined;
    if (text === undefined) return [];
    const others = KEYS[setting].filter((key) => key !== read);
    const isSaid = others.some((key) => Object.hasOwn(given, key) && given[key] === text);
    const unread = others.find((key) => !Object.hasOwn(given, key)) ?? others.at(-1);
    return [
      { op: 'remove', path: pointer('metadata', 'annotations', read) },
      ...(isSaid || unread === undefined
        ? []
        : [{ op: 'add', path: pointer('metadata', 'annotations', unread), value: text } as const]),
    ];
  });

/**
 * Sends a pod that asks for ECI by a label to our own virtual node, as the cluster's add-on does to its own: a Knative
 * Service cannot set node selectors or tolerations unless Knative's feature flags allow it, and by default they do not.
 */
const place = (pod: Pod, target: Target): JsonPatchOperation[] => {
  if (target.on !== 'eci' || target.by !== 'ours' || pod.spec.nodeName) return [];
  const { nodeSelector, tolerations } = pod.spec;
  const isDemanded = demandsOf(pod.spec).some(({ virtual }) => virtual === 'required');
  const toleration = { key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' };
  const select: JsonPatchOperation = nodeSelector
    ? { op: 'add', path: pointer('spec', 'nodeSelector', OUR_VIRTUAL_NODE), value: 'true' }
    : { op: 'add', path: '/spec/nodeSelector', value: { [OUR_VIRTUAL_NODE]: 'true' } };
  const tolerate: JsonPatchOperation = tolerations
    ? { op: 'add', path: '/spec/tolerations/-', value: toleration }
    : { op: 'add', path: '/spec/tolerations', value: [toleration] };
  return [...(isDemanded ? [] : [select]), ...(toleratesVirtualNodes(pod.spec) ? [] : [tolerate])];
};

const isKnative = ({ metadata: { labels = {} } }: Pod): boolean =>
  Object.hasOwn(labels, REVISION_LABEL) || Object.hasOwn(labels, SERVICE_UID);

const annotate = (
  given: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): JsonPatchOperation[] =>
  Object.entries(wanted)
    .filter(([key, text]) => given[key] !== text)
    .map(([key, value]) => ({ op: 'add', path: pointer('metadata', 'annotations', key), value }));

const gate = (pod: Pod): JsonPatchOperation[] => {
  const value = { conditionType: READINESS_GATE };
  const path = pointer('spec', 'readinessGates');
  return pod.spec.readinessGates ? [{ op: 'add', path: `${path}/-`, value }] : [{ op: 'add', path, value: [value] }];
};
