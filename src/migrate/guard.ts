import { admissionKind } from '../api/admission-registration.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import type { Inventory } from './inventory.ts';

const POLICY = admissionKind('validatingadmissionpolicies', 'ValidatingAdmissionPolicy');
const BINDING = admissionKind('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding');

/** Of the policy and of its binding. */
const GUARD = 'crd-of-podeips.knative-eip.alibabacloud.com';

/** The definition that ack-extend-network-controller and this product share. */
const DEFINITION = 'podeips.alibabacloud.com';

const EXPRESSION = `oldObject == null || oldObject.metadata.name != '${DEFINITION}'`;

/*
 * The other controller's chart may have the definition in its templates, and uninstalling it would delete the
 * definition with every PodEIP: the controller that looks after them would then give all EIPs back. The annotation
 * helm.sh/resource-policy on the object does not help, since uninstalling goes by the manifest of the release (helm,
 * pkg/action/uninstall.go). kubectl delete -k of our own manifests would do the same.
 */
const policy = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: GUARD, labels: { 'app.kubernetes.io/name': 'knative-eip' } },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ['apiextensions.k8s.io'],
          apiVersions: ['*'],
          operations: ['DELETE'],
          resources: ['customresourcedefinitions'],
          scope: 'Cluster',
        },
      ],
    },
    validations: [
      {
        // A delete of a collection names nothing: only the object itself says what it is.
        expression: EXPRESSION,
        reason: 'Forbidden',
        message: `with the CRD ${DEFINITION} every PodEIP would be deleted, and the EIPs of pods given back; if that is meant, delete the ValidatingAdmissionPolicy ${GUARD} first`,
      },
    ],
  },
};

const binding = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: policy.metadata,
  spec: { policyName: GUARD, validationActions: ['Deny'] },
};

type Policy = KubeObject & { readonly spec?: Partial<typeof policy.spec> };
type Binding = KubeObject & { readonly spec?: Partial<typeof binding.spec> & { readonly matchResources?: unknown } };

/** Whether it refuses what it has to; an earlier version of it, or what somebody changed, may not. */
const isAsStrict = ({ spec }: Policy): boolean =>
  spec?.failurePolicy === 'Fail' &&
  spec.validations?.some(({ expression }) => expression === EXPRESSION) === true &&
  spec.matchConstraints?.resourceRules.some(
    (rule) =>
      rule.operations.includes('DELETE') &&
      rule.resources.includes('customresourcedefinitions') &&
      !('resourceNames' in rule),
  ) === true;

const isDenying = ({ spec }: Binding): boolean =>
  spec?.policyName === GUARD && spec.validationActions?.includes('Deny') === true && spec.matchResources === undefined;

/** Whether both objects are there, and refuse the delete. */
export const isDefinitionGuarded = async (kube: Kube, signal: AbortSignal): Promise<boolean> => {
  const [ofPolicy, ofBinding] = await Promise.all([
    kube.get<Policy>(POLICY, { name: GUARD }, signal),
    kube.get<Binding>(BINDING, { name: GUARD }, signal),
  ]);
  return ofPolicy !== undefined && isAsStrict(ofPolicy) && ofBinding !== undefined && isDenying(ofBinding);
};

/**
 * The same, as a part of what is read. Kubernetes has `admissionregistration.k8s.io/v1` ValidatingAdmissionPolicy since
 * 1.30; an API server without the kind has none, and can be given none.
 */
export const readGuard = async (
  kube: Kube,
  signal: AbortSignal,
): Promise<Pick<Inventory, 'isGuarded' | 'isUnguardable'>> => {
  try {
    return { isGuarded: await isDefinitionGuarded(kube, signal) };
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
    return { isGuarded: false, isUnguardable: true };
  }
};

/** Has the API server refuse to delete the definition. */
export const guardDefinition = async (kube: Kube, signal: AbortSignal): Promise<void> => {
  await write(kube, POLICY, policy, signal);
  await write(kube, BINDING, binding, signal);
};

/** Creates it; one that is there gets what it has to say. */
const write = async (
  kube: Kube,
  kind: Resource<KubeObject>,
  object: { readonly spec: object },
  signal: AbortSignal,
): Promise<void> => {
  try {
    await kube.create(kind, object, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'exists')) throw error;
    const body = { spec: kind === BINDING ? { ...object.spec, matchResources: null } : object.spec };
    await kube.patch(kind, { name: GUARD }, { type: 'merge', body }, signal);
  }
};
