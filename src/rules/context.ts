import { ECI_KEYS, KEYS, TAG_ALLOW_NAMESPACES } from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import { planCreation } from '../request/provisioner.ts';
import { creationFacts, notAllowed, UNRESTRICTED } from '../policies/policy.ts';
import { remedyFor, servingOn } from './conflicting-controllers.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import { READ_KEYS } from './keys.ts';
import { placeOfAnnotations } from './place-of-annotations.ts';
import { isForeign, isFreeToName } from './naming.ts';

/**
 * Annotations that were written on the object itself. Its pods get those of their template and no others
 * (knative/serving pkg/reconciler/configuration/resources/revision.go; kubernetes/kubernetes pkg/controller,
 * GetPodFromTemplate).
 */
export const onTheObject: Rule = ({ workload }) => {
  const { kind, outside, annotations } = workload;
  if (Object.keys(outside).length === 0) return [];
  const keys = READ_KEYS.filter((key) => Object.hasOwn(outside, key) && !Object.hasOwn(annotations, key));
  if (keys.length === 0) return [];
  const [are, them] = keys.length > 1 ? ['are', 'them'] : ['is', 'it'];
  const where = kind === 'CronJob' ? 'the CronJob itself, or its Jobs' : `the ${kind} itself`;
  return [
    finding(
      'AnnotationOnService',
      keys,
      `${keys.join(', ')} ${are} on ${where}, where no pod gets ${them}`,
      `write ${them} into ${placeOfAnnotations(workload)}`,
    ),
  ];
};

const READ_BY_ECI: readonly string[] = Object.values(KEYS).flat();

/** ECI reads annotations when it makes an instance, and never again. Source: ECI documentation, "Pod annotations". */
export const tooLateForEci: Rule = ({ workload, target, facts: { before } }) => {
  if (workload.kind !== 'Pod' || before === undefined || target?.on !== 'eci') return [];
  if (!workload.template.spec?.nodeName) return [];
  const keys = READ_BY_ECI.filter((key) => before[key] !== workload.annotations[key]);
  if (keys.length === 0) return [];
  return [
    finding(
      'TooLateForEci',
      keys,
      `${keys.join(', ')} changed on a pod that ECI runs already (${target.because}), which reads annotations when it makes the instance and never again`,
      'change the template of the pod, so that a new one is made',
    ),
  ];
};

/** A key of ECI's own, where the controller would have served the pod. */
export const eciKey: Rule = ({ workload: { annotations }, target, settings, parsed: { request } }) => {
  if (!settings.enableVirtualNode || !request || target?.on !== 'eci' || target.by !== 'add-on') return [];
  const keys = [ECI_KEYS.withEip, ECI_KEYS.instanceId].filter((key) => Object.hasOwn(annotations, key));
  const [key] = keys;
  if (key === undefined) return [];
  return [
    finding(
      'EciKeyWithVirtualNode',
      keys,
      `enableVirtualNode lets the controller serve pods on ECI, and ${keys.join(' and ')} makes the virtual node do it`,
      `write ${key === ECI_KEYS.withEip ? KEYS.withEip[1] : KEYS.instanceId[1]} instead`,
    ),
  ];
};

/** What ECI's own virtual node does not know. */
export const notHonoured: Rule = ({ workload, target, settings, parsed }): readonly Finding[] => {
  if (!target || !parsed.request) return [];
  const plan = planCreation(parsed, workload.annotations, target, creationFacts(settings));
  return plan.how === 'add-on' ? plan.findings : [];
};

/** Both would buy an EIP for the same pod. What the virtual node makes is no business of theirs. */
export const otherController: Rule = ({ workload, target, settings, parsed, facts: { otherControllers = [] } }) => {
  if (!parsed.request || otherControllers.length === 0) return [];
  if (target && target.on !== 'unknown') {
    const { how } = planCreation(parsed, workload.annotations, target, creationFacts(settings));
    if (how !== 'podeip') return [];
  }
  const others = servingOn(otherControllers, target?.on ?? 'unknown');
  return others.length === 0 ? [] : [besideOf(others)];
};

/** @param others at least one of those that make EIPs where the pod runs */
export const besideOf = (others: readonly string[]): Finding =>
  finding(
    'OtherEipController',
    [],
    `${others.join(' and ')} ${others.length > 1 ? 'make' : 'makes'} EIPs in this cluster for the same annotations, so that the pod would get two`,
    others.map(remedyFor).join('; '),
  );

/** What the namespace may ask for. Whether an EIP itself grants it only shows once the EIP is read. */
export const policy: Rule = ({ workload, target, parsed, settings }) => {
  const { request } = parsed;
  if (!request) return [];
  const { namespace, annotations } = workload;
  const { policy: effective = UNRESTRICTED } = settings;
  if (request.kind === 'new')
    return notAllowed(effective, request).map((it) => ({ ...it, keys: writtenKeys(it.keys, annotations) }));
  const { allocationId } = request;
  if (isFreeToName(settings, namespace, allocationId)) return [];
  if (target && planCreation(parsed, annotations, target, creationFacts(settings)).how === 'add-on')
    return [
      finding(
        'GrantUnknownToEci',
        writtenKeys(KEYS.instanceId, annotations),
        `namespace ${namespace} may name ${allocationId} only if the EIP itself grants it, and the virtual node that runs the pod binds it without looking`,
        `have an operator name ${allocationId} in an EipPolicy of the namespace, or the namespace in existingEipNamespaces`,
      ),
    ];
  // Whose it is the controller knows: here it would only tell that there is such an EIP.
  if (isForeign(settings, allocationId)) return [];
  return [
    finding(
      'GrantNeeded',
      writtenKeys(KEYS.instanceId, annotations),
      `namespace ${namespace} may name ${allocationId} only if the EIP itself grants it`,
      `have an operator put the tag ${TAG_ALLOW_NAMESPACES}=${namespace} on the EIP`,
    ),
  ];
};
