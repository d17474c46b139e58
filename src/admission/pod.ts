import { ECI_KEYS, KEYS, READINESS_GATE } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import { sentence } from '../api/finding.ts';
import { REVISION, SERVICE_UID } from '../api/knative.ts';
import { canonicalAnnotations, planCreation } from '../intent/creation.ts';
import type { EipRequest } from '../intent/request.ts';
import { targetOf, type Provider, type Target } from '../intent/target.ts';
import type { JsonPatchOperation } from '../kube/port.ts';
import { isGated, readPod } from '../plan/pod.ts';
import type { Settings } from '../plan/seen.ts';
import { pointer, UNCHANGED, type Admitted } from './review.ts';

/** What the webhooks know beside the object. */
export interface AdmissionFacts {
  /** As they hold in the object's namespace; see `underPolicy`. */
  readonly settings: Pick<Settings, 'defaults' | 'statefulKinds' | 'enableVirtualNode' | 'policy'>;
  /** Labels of the object's namespace, which may send its pods to a virtual node; undefined where they could not be read. */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  /** Who runs the virtual nodes of this cluster. */
  readonly provider: Provider;
}

const EIP_KEYS: readonly string[] = [...new Set([...Object.values(KEYS).flat(), ...Object.values(ECI_KEYS)])];

/** Whether there is anything to read: most pods have none of these. */
export const mentionsEip = (annotations: Readonly<Record<string, string>> | undefined): boolean =>
  annotations !== undefined && EIP_KEYS.some((key) => Object.hasOwn(annotations, key));

/**
 * What a pod gets when it is made, which is the last moment for both:
 *
 * - the keys that the cluster's own virtual node honours, from whatever spelling the user chose: it reads them when it makes
 *   the instance, and never again;
 * - the readiness gate, where the controller will bind the address afterwards and the pod is Knative's, which has no place to
 *   declare one. A pod that takes a named EIP only once the pod before it is gone gets none: Knative keeps that pod until
 *   this one is Ready, so that both would wait for each other.
 *
 * Where the target can only be guessed both are written: what does not apply there means nothing there. A request that is
 * refused gets neither, and the pod runs without an address; its controller says why. Pure, total, and idempotent.
 */
export const admitPod = (pod: Pod, facts: AdmissionFacts): Admitted => {
  const given = pod.metadata.annotations ?? {};
  if (!mentionsEip(given)) return UNCHANGED;
  const { settings, namespaceLabels, provider } = facts;
  const reading = readPod(pod, settings);
  const warnings = reading.findings.map((finding) => `${finding.id}: ${sentence(finding)}`);
  const { request } = reading;
  if (!reading.wanted || !request) return { patch: [], warnings };
  const target = targetOf(pod, undefined, namespaceLabels, provider);
  const plan = planCreation(reading, given, target, { eipIsHeld: true, enableVirtualNode: settings.enableVirtualNode });
  if (plan.how === 'add-on') warnings.push(...plan.findings.map((it) => `${it.id}: ${sentence(it)}`));
  const annotations = annotationsFor(
    request,
    given,
    target,
    facts,
    plan.how === 'add-on' ? plan.annotations : undefined,
  );
  const waits = request.kind === 'existing' && reading.handover === 'wait';
  const isBoundHere = plan.how === 'podeip' || plan.how === 'after-creation' || target.on === 'unknown';
  const wantsGate = isKnative(pod) && isBoundHere && !waits && !isGated(pod);
  return { patch: [...annotate(given, annotations), ...(wantsGate ? gate(pod) : [])], warnings };
};

/** Who may be sent to the add-on is told so; what the controller or our own virtual node serves needs no other spelling. */
const annotationsFor = (
  request: EipRequest,
  given: Readonly<Record<string, string>>,
  target: Target,
  { settings, provider }: AdmissionFacts,
  planned: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> => {
  if (planned) return planned;
  const mayBecomeAddOn = target.on === 'unknown' && provider === 'add-on' && !settings.enableVirtualNode;
  return mayBecomeAddOn ? canonicalAnnotations(request, given) : {};
};

const isKnative = ({ metadata: { labels = {} } }: Pod): boolean =>
  Object.hasOwn(labels, REVISION) || Object.hasOwn(labels, SERVICE_UID);

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
