import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';

const admission = (plural: string, kind: string): Resource<KubeObject> => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});

const POLICY = admission('validatingadmissionpolicies', 'ValidatingAdmissionPolicy');
const BINDING = admission('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding');

/** Of the policy and of its binding. */
const GUARD = 'crd-of-podeips.knative-eip.alibabacloud.com';

/** The definition that ack-extend-network-controller and this product share. */
const DEFINITION = 'podeips.alibabacloud.com';

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
          resourceNames: [DEFINITION],
          scope: 'Cluster',
        },
      ],
    },
    validations: [
      {
        expression: 'false',
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

/** Whether both objects are there. */
export const isDefinitionGuarded = async (kube: Kube, signal: AbortSignal): Promise<boolean> => {
  const there = await Promise.all([POLICY, BINDING].map((kind) => kube.get(kind, { name: GUARD }, signal)));
  return there.every((object) => object !== undefined);
};

/** Has the API server refuse to delete the definition. */
export const guardDefinition = async (kube: Kube, signal: AbortSignal): Promise<void> => {
  await createOnce(kube, POLICY, policy, signal);
  await createOnce(kube, BINDING, binding, signal);
};

const createOnce = async (kube: Kube, kind: Resource<KubeObject>, object: object, signal: AbortSignal) => {
  try {
    await kube.create(kind, object, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'exists')) throw error;
  }
};
